"""What runs by itself, and how often: the one table. `manage.py sync_schedule` brings the database in step.

Every job only looks for what is due, so running it often is cheap and running it twice harmless; a message
that waited longer than `expires_s` in the broker is dropped, because the next one does the same.
"""

from dataclasses import dataclass

from django.conf import settings


@dataclass(frozen=True)
class Job:
    """One line of the schedule. `name` never changes; `every_s` may be edited in the admin."""

    name: str
    task: str
    every_s: int
    what: str
    queue: str = ""
    """Where it goes, if that is not where its task usually goes."""

    @property
    def expires_s(self) -> int:
        """How long a message of this job is worth anything."""
        return max(self.every_s * 2, 10)


# One through each queue: that it arrives shows that somebody works there.
WORKER_JOBS = tuple(
    Job(f"workers: {queue}", "config.tasks.note_alive", 30, f"Notes that a worker serves {queue}.", queue)
    for queue in ("critical", "default", "bulk")
)

# Where there is no key of Paystack's: its webhooks, and what becomes of payments while nobody looks.
STANDIN_JOBS = (
    Job(
        "payments: stand-in of Paystack",
        "payments.standin.tasks.sweep",
        2,
        "Moves on test payments and sends their webhooks.",
    ),
)

SCHEDULE = (
    *WORKER_JOBS,
    *(STANDIN_JOBS if settings.PAYSTACK_STANDIN else ()),
    Job("draws: freeze", "draws.tasks.freeze_due", 5, "Freezes draws whose entries have closed."),
    Job("draws: execute", "draws.tasks.execute_due", 2, "Executes draws whose time has come."),
    Job("draws: import", "draws.tasks.import_uploads", 5, "Imports files of entrants that wait."),
    Job(
        "draws: forget uploads",
        "draws.tasks.forget_uploads",
        3600,
        "Deletes files of entrants a week after their import ended.",
    ),
    Job("draws: expire awards", "draws.tasks.expire_awards", 60, "Forfeits prizes not claimed in time."),
    Job(
        "draws: draw up called-off draws",
        "draws.tasks.draw_up_called_off",
        60,
        "Publishes what called-off draws would have drawn.",
    ),
    Job("draws: check", "draws.tasks.check", 86_400, "Checks drawn draws against proof and ledger."),
    Job("notifications: sweep", "notifications.tasks.sweep", 2, "Expands and sends what is due."),
    Job(
        "payments: expire approvals",
        "payments.tasks.expire_approvals",
        300,
        "Closes what waited too long for a second person.",
    ),
    Job("payments: events", "payments.tasks.work_on_events", 10, "Works on Paystack's events that wait."),
    Job("payments: check", "payments.tasks.check_payments", 15, "Asks Paystack about payments not yet paid."),
    Job("payments: refunds", "payments.tasks.ask_refunds", 15, "Asks Paystack for refunds, and about them."),
    Job("payments: withdrawals", "payments.tasks.pay_withdrawals", 15, "Pays out approved withdrawals."),
    Job(
        "payments: compare",
        "payments.tasks.compare_listing",
        86_400,
        "Holds Paystack's list of payments against ours.",
    ),
    Job("payments: check ledger", "config.tasks.check_books", 3600, "Checks that the ledger adds up."),
    Job("audit: seal", "audit.tasks.seal", 5, "Seals the newest part of the audit trail."),
    Job(
        "audit: erase contexts",
        "audit.tasks.erase_old_contexts",
        86_400,
        "Erases addresses kept for 90 days.",
    ),
    Job(
        "privacy: erase people",
        "config.tasks.erase_due_people",
        600,
        "Erases people who asked for it, once their waiting time is over.",
    ),
    Job(
        "privacy: erase what is old",
        "config.tasks.erase_old_data",
        86_400,
        "Erases refused lines, addresses of things sent and bodies of webhooks, whose time is over.",
    ),
    Job(
        "accounts: clear sessions", "accounts.tasks.clear_sessions", 86_400, "Deletes sessions that are over."
    ),
)
