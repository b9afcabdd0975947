"""What counts as wrong, how it is told, and what mends it: the one list that alarms, the admin's home and `doctor` share.

Each trouble has a key that names the occasion. While a trouble is found its alarm stays open; when it is found no
more, it is over.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from config.operations import signs, vitals
from config.operations.books import LEDGER
from draws.models import Draw
from draws.models.draw import OVERDUE_AFTER
from notifications.models import TemplateOverride
from payments.models import Refund, ReviewItem, WebhookEvent, Withdrawal
from payments.services.figures import waiting_money

DELIVERIES_STUCK_AFTER = dt.timedelta(minutes=30)
"""A million mails take their time; after this long nobody is sending them."""

UNSEALED_AFTER = dt.timedelta(minutes=10)
REVIEW_OLD_AFTER = dt.timedelta(days=1)
WITHDRAWAL_OLD_AFTER = dt.timedelta(days=1)
REFUND_IN_DOUBT_AFTER = dt.timedelta(hours=1)
EVENT_STUCK_AFTER = dt.timedelta(minutes=15)
"""The first attempts come within seconds and minutes, so what mends itself has done so by then."""
_NAMED = 5
_ALARMS_OF_A_KIND = 20


@dataclass(frozen=True)
class Trouble:
    """One thing that is wrong: what, in which words, what mends it, and the page of the admin that shows it."""

    key: str
    title: str
    mend: str
    detail: str = ""
    page: str = ""


def all_troubles(*, now: dt.datetime, watched_since: dt.datetime | None = None) -> list[Trouble]:
    """Everything that is wrong at `now`.

    `watched_since` is when the caller began to look: what is silent counts as silent from then on at the
    earliest, so that a site that was off for a night has time to come up.
    """
    found: list[Trouble] = []
    if error := vitals.redis_problem():
        found.append(
            Trouble(
                key="redis",
                title=_("Redis is not reachable"),
                detail=error,
                mend=_(
                    "Start Redis, or correct REDIS_URL; worker and beat go on by themselves when it is back."
                ),
            )
        )
    else:  # without Redis beat and workers are silent, and that says nothing about them
        found += _silent(now, watched_since)
    found += [*_draws(now), *_books(), *_money(now), *_outbox(now), *_trail(now)]
    return found


def _silent(now: dt.datetime, since: dt.datetime | None) -> Iterator[Trouble]:
    clockwork = vitals.clockwork()
    beat_late = dt.timedelta(seconds=settings.BEAT_LATE_SECONDS)
    if _is_silent(clockwork.runs_at, now, beat_late, since):
        yield Trouble(
            key="beat",
            title=_("Beat is silent: nothing runs by itself"),
            detail=_("Last heard of: %(at)s.") % {"at": _at(clockwork.runs_at)},
            mend=_("Start it: celery -A config.worker beat. Until then: manage.py execute_due_draws."),
            page=_page("django_celery_beat_periodictask_changelist"),
        )
    if _is_silent(clockwork.beat_at, now, beat_late, since):
        return  # who gets no jobs can't be heard of
    worker_late = dt.timedelta(seconds=settings.WORKER_LATE_SECONDS)
    for queue, seen_at in sorted(clockwork.workers.items()):
        if _is_silent(seen_at, now, worker_late, since):
            yield Trouble(
                key=signs.worker_sign(queue),
                title=_("Nobody works off the queue “%(queue)s”") % {"queue": queue},
                detail=_("Last heard of: %(at)s.") % {"at": _at(seen_at)},
                mend=_(
                    "Start a worker: celery -A config.worker worker -Q %(queue)s. If one runs, its jobs take too long: "
                    "see its log, or give it more processes (-c)."
                )
                % {"queue": queue},
                page=_page("django_celery_beat_periodictask_changelist"),
            )


def _is_silent(
    seen_at: dt.datetime | None, now: dt.datetime, after: dt.timedelta, since: dt.datetime | None
) -> bool:
    known = [moment for moment in (seen_at, since) if moment is not None]
    return not known or max(known) < now - after


def _draws(now: dt.datetime) -> Iterator[Trouble]:
    overdue = Draw.objects.overdue(now).order_by("draw_at")
    if count := overdue.count():
        yield Trouble(
            key="draws-overdue",
            title=ngettext("%(n)d draw is overdue", "%(n)d draws are overdue", count) % {"n": count},
            detail=_("Not drawn %(min)d minutes after their time: %(draws)s.")
            % {"min": OVERDUE_AFTER.total_seconds() // 60, "draws": _titles(overdue)},
            mend=_("Look at their last failure; try again with manage.py execute_due_draws."),
            page=_page("draws_draw_changelist"),
        )
    failed = Draw.objects.unfinished().exclude(execution_error="").order_by("draw_at")
    for draw in failed[:_ALARMS_OF_A_KIND]:
        yield Trouble(
            key=f"draw-failed:{draw.public_id}",
            title=_("The draw “%(draw)s” can't be executed") % {"draw": draw.title},
            detail=draw.execution_error[:500],
            mend=_(
                "Mend what the failure names. It is tried again by itself, or by manage.py execute_due_draws."
            ),
            page=_page("draws_draw_change", draw.pk),
        )
    stopped = Draw.objects.filter(payouts_stopped_at__isnull=False).order_by("payouts_stopped_at")
    for draw in stopped[:_ALARMS_OF_A_KIND]:
        yield Trouble(
            key=f"payouts-stopped:{draw.public_id}",
            title=_("The payouts of “%(draw)s” are stopped") % {"draw": draw.title},
            detail=draw.payouts_stopped_why[:500],
            mend=_(
                "Find out what differs: manage.py check_draws %(slug)s. Then let payouts go on, on its page."
            )
            % {"slug": draw.slug},
            page=_page("draws_draw_change", draw.pk),
        )


def _books() -> Iterator[Trouble]:
    sign = signs.last_seen().get(LEDGER)
    if sign is not None and sign.faults:
        yield Trouble(
            key="ledger",
            title=_("The ledger does not add up"),
            detail=sign.note,
            mend=_("Stop paying out, and see all of it: manage.py check_ledger."),
            page=_page("payments_ledgerentry_changelist"),
        )


def _money(now: dt.datetime) -> Iterator[Trouble]:
    """What waits too long for a person in Finance, or for Paystack."""
    oldest = waiting_money(now=now)
    if (at := oldest.review_at) is not None and at < now - REVIEW_OLD_AFTER:
        count = ReviewItem.objects.filter(resolved_at=None, opened_at__lt=now - REVIEW_OLD_AFTER).count()
        yield Trouble(
            key="reviews",
            title=ngettext(
                "%(n)d matter of payments waits for a person since yesterday",
                "%(n)d matters of payments wait for a person since yesterday",
                count,
            )
            % {"n": count},
            detail=_("The oldest was opened at %(at)s.") % {"at": _at(at)},
            mend=_("Take each, find out what happened, and resolve it with a note."),
            page=_page("payments_reviewitem_changelist"),
        )
    if (at := oldest.failed_event_at) is not None and at < now - EVENT_STUCK_AFTER:
        failed = WebhookEvent.objects.failed().filter(first_at__lt=now - EVENT_STUCK_AFTER)
        outcome = failed.values_list("outcome", flat=True).first() or ""
        count = failed.count()
        yield Trouble(
            key="events-failed",
            title=ngettext(
                "%(n)d event of Paystack can't be worked on",
                "%(n)d events of Paystack can't be worked on",
                count,
            )
            % {"n": count},
            detail=_("The oldest came at %(at)s: %(why)s")
            # Only what kind of error: what it says may quote the payer, and this goes out.
            % {"at": _at(at), "why": outcome.partition(":")[0]},
            mend=_(
                "Mend what the outcome names. Then “Work on it again”, on its page; nothing happens twice."
            ),
            page=_page("payments_webhookevent_changelist") + "?state__exact=failed",
        )
    if (at := oldest.due_event_at) is not None and at < now - EVENT_STUCK_AFTER:
        yield Trouble(
            key="events-waiting",
            title=_("Nobody works on the events of Paystack"),
            detail=_("The oldest is due since %(at)s.") % {"at": _at(at)},
            mend=_("Work on them by hand and see what it says: manage.py process_payments."),
            page=_page("payments_webhookevent_changelist") + "?which=waiting",
        )
    if (at := oldest.withdrawal_at) is not None and at < now - WITHDRAWAL_OLD_AFTER:
        count = Withdrawal.objects.waiting().filter(requested_at__lt=now - WITHDRAWAL_OLD_AFTER).count()
        yield Trouble(
            key="withdrawals",
            title=ngettext(
                "%(n)d withdrawal waits for more than a day",
                "%(n)d withdrawals wait for more than a day",
                count,
            )
            % {"n": count},
            detail=_("The oldest was asked for at %(at)s.") % {"at": _at(at)},
            mend=_("Approve or reject each; of what was sent, ask Paystack's dashboard why it is not paid."),
            page=_page("payments_withdrawal_changelist") + "?waits=yes",
        )
    if (at := oldest.refund_at) is not None and at < now - REFUND_IN_DOUBT_AFTER:
        count = Refund.objects.in_doubt().filter(requested_at__lt=now - REFUND_IN_DOUBT_AFTER).count()
        yield Trouble(
            key="refunds",
            title=ngettext(
                "%(n)d refund is in doubt: Paystack has not confirmed it",
                "%(n)d refunds are in doubt: Paystack has not confirmed them",
                count,
            )
            % {"n": count},
            detail=_("The oldest was asked for at %(at)s.") % {"at": _at(at)},
            mend=_(
                "See whether Paystack answers: manage.py process_payments. Don't refund by hand meanwhile."
            ),
            page=_page("payments_refund_changelist") + "?state__exact=requested",
        )


def _outbox(now: dt.datetime) -> Iterator[Trouble]:
    oldest = vitals.waiting(now=now).oldest_delivery_at
    if oldest is not None and oldest < now - DELIVERIES_STUCK_AFTER:
        yield Trouble(
            key="deliveries",
            title=_("Messages are not going out"),
            detail=_("The oldest is due since %(at)s.") % {"at": _at(oldest)},
            mend=_(
                "Send by hand and see what the mail server says: manage.py process_notifications. Check EMAIL_URL with "
                "manage.py doctor --mail, and that a worker serves the queue “bulk”."
            ),
            page=_page("notifications_delivery_changelist"),
        )
    broken = TemplateOverride.objects.filter(broken_at__isnull=False).order_by("broken_at")
    for row in broken[:_ALARMS_OF_A_KIND]:
        yield Trouble(
            key=f"words:{row.kind}:{row.language}",
            title=_("Words that staff wrote fail: people get the usual ones"),
            detail=_("%(kind)s (%(language)s), version %(number)d: %(why)s")
            # Only what it begins with: what it says may quote a person's values, and this goes out.
            % {
                "kind": row.kind,
                "language": row.language,
                "number": row.number,
                "why": row.broken_why.partition(":")[0][:100],
            },
            mend=_("Mend them on their page, or go back to a version that worked."),
            page=_page("notifications_templateoverride_change", row.pk),
        )


def _trail(now: dt.datetime) -> Iterator[Trouble]:
    since = vitals.unsealed_since()
    if since is not None and since < now - UNSEALED_AFTER:
        yield Trouble(
            key="seals",
            title=_("The audit trail is not being sealed"),
            detail=_("The oldest record without a seal is of %(at)s.") % {"at": _at(since)},
            mend=_("Seal by hand and see what it says: manage.py seal_audit."),
            page=_page("audit_seal_changelist"),
        )


def _titles(draws: "QuerySet[Draw]") -> str:
    titles = list(draws.values_list("title", flat=True)[: _NAMED + 1])
    return ", ".join(titles[:_NAMED]) + (", …" if len(titles) > _NAMED else "")


def _at(moment: dt.datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC") if moment else _("never")


def _page(name: str, *args: int) -> str:
    return reverse(f"admin:{name}", args=args)
