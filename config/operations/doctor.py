"""What `manage.py doctor` looks at. Each examination says what it found and what mends it, and never hangs.

An examination that talks to somebody has a time-out of its own; all of them together have the command's. Those that need
the database are left out when there is none.
"""

import datetime as dt
import os
import shutil
import smtplib
import socket
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.core import checks
from django.core.mail import get_connection
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django_celery_beat.models import PeriodicTask

from audit.services import newest_seal
from config.models import Alarm, AlarmNotice
from config.operations import signs, vitals
from config.operations.books import LEDGER
from config.operations.troubles import all_troubles
from config.schedule import SCHEDULE
from draws.drand import QUICKNET
from draws.models import Draw
from notifications.channels.mailgun import MailgunChannel
from notifications.channels.seam import ChannelDown
from notifications.models import DEAD_LETTERS, Delivery
from payments.checking import check_ledger

LEAST_POSTGRES = 150_000
LEAST_FREE_BYTES = 1 << 30
LEAST_FREE_SHARE = 0.05
LONG_QUEUE = 1_000
NETWORK_TIMEOUT_S = 4.0
STATEMENT_TIMEOUT_S = 10


class Level(Enum):
    """How a finding is meant: `WRONG` gives the command exit status 1."""

    FINE = "fine"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """One thing looked at: what, how it is, and what mends it (empty where nothing is to be mended)."""

    subject: str
    level: Level
    text: str
    mend: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self) | {"level": self.level.value}


Findings = Iterator[Finding]


def fine(subject: str, text: str) -> Finding:
    """It is as it should be."""
    return Finding(subject, Level.FINE, text)


def note(subject: str, text: str, mend: str = "") -> Finding:
    """Worth knowing, and no fault of the site."""
    return Finding(subject, Level.NOTE, text, mend)


def wrong(subject: str, text: str, mend: str) -> Finding:
    """Wrong, and `mend` says what to do."""
    return Finding(subject, Level.WRONG, text, mend)


def examine(*, now: dt.datetime, mail: bool = False) -> Findings:
    """Everything, in the order in which one would mend it. `mail`: also ask the mail server."""
    yield from _settings()
    database = list(_database())
    yield from database
    yield from _redis()
    yield from _storage()
    if mail:
        yield from _mail()
    yield from _relays(now)
    if any(finding.level is Level.WRONG for finding in database):
        yield note(
            "the rest", "The jobs, draws, messages and books were not looked at.", "Mend the database first."
        )
        return
    for examination in (_migrations, _schedules, _workers, _troubles, _deliveries, _ledger, _seals, _alarms):
        yield from _bounded(examination, now)


def _bounded(examination: Callable[[dt.datetime], Findings], now: dt.datetime) -> list[Finding]:
    """An examination of the database, with a limit on each statement; what goes wrong is a finding of its own."""
    subject = examination.__name__.strip("_")
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{STATEMENT_TIMEOUT_S}s"])
            return list(examination(now))
    except DatabaseError as error:
        first = str(error).partition("\n")[0]
        return [
            wrong(
                subject,
                f"It could not be looked at: {first}",
                "Run manage.py migrate; else ask the database's log.",
            )
        ]


def _settings() -> Findings:
    found = checks.run_checks(include_deployment_checks=not settings.EMBEDDED)
    for problem in found:
        if problem.level >= checks.ERROR:
            yield wrong(
                "settings",
                f"{problem.id}: {problem.msg}",
                problem.hint or "Correct it as docs/settings.md says.",
            )
        elif problem.level >= checks.WARNING:
            yield note("settings", f"{problem.id}: {problem.msg}", problem.hint or "See docs/settings.md.")
    if not found:
        yield fine("settings", "Every check passes.")
    if settings.EMBEDDED:
        yield note(
            "settings",
            "This is a demo with servers of its own.",
            "Set DATABASE_URL and REDIS_URL for production.",
        )


def _database() -> Findings:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('server_version_num')::int, pg_is_in_recovery()")
            version, is_standby = cursor.fetchone()
            cursor.execute(
                "SELECT has_schema_privilege(current_schema(), 'CREATE'), current_setting('max_connections')::int"
            )
            may_create, connections = cursor.fetchone()
            cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
            is_superuser = cursor.fetchone()[0]
    except DatabaseError as error:
        first = str(error).partition("\n")[0]
        yield wrong("database", f"PostgreSQL is not reachable: {first}", "Start it, or correct DATABASE_URL.")
        return
    shown = f"{version // 10_000}.{version % 10_000}"
    if version < LEAST_POSTGRES:
        yield wrong("database", f"PostgreSQL {shown} is too old.", "Upgrade it to 15 or newer.")
    elif is_standby:
        yield wrong(
            "database",
            "This is a standby, on which nothing can be written.",
            "Point DATABASE_URL at the primary.",
        )
    elif not may_create:
        yield wrong(
            "database",
            "The site's role may not create tables.",
            "Make it the owner of the database: ALTER DATABASE … OWNER TO …",
        )
    else:
        yield fine("database", f"PostgreSQL {shown}, {connections} connections at most.")
    if is_superuser:
        yield note(
            "database",
            "The site connects as a superuser.",
            "Give it a role of its own, as docs/operations.md says.",
        )


def _redis() -> Findings:
    if error := vitals.redis_problem():
        yield wrong("redis", f"It is not reachable: {error}", "Start Redis or Valkey, or correct REDIS_URL.")
        return
    try:
        with vitals.redis_client() as client:
            policy = str(client.info("memory").get("maxmemory_policy", ""))
        lengths = vitals.queue_lengths()
    except (redis.RedisError, OSError) as error:
        yield wrong("redis", f"It answers and refuses to work: {error}", "Look at Redis' log.")
        return
    yield fine("redis", "It answers.")
    if policy.startswith("allkeys"):
        yield note(
            "redis",
            f"maxmemory-policy is {policy}: queued jobs may be thrown away.",
            "Set it to noeviction or volatile-lru.",
        )
    for queue, length in lengths.items():
        if length > LONG_QUEUE:
            yield wrong(
                "queues",
                f"{length:,} messages wait in {queue}.",
                f"Start a worker for it, or more: celery -A config.worker worker -Q {queue}.",
            )
    yield fine("queues", ", ".join(f"{queue} {length}" for queue, length in lengths.items()))


def _storage() -> Findings:
    for name in ("MEDIA_ROOT", "STATIC_ROOT"):
        folder = Path(getattr(settings, name))
        place = next(path for path in (folder, *folder.parents) if path.exists())
        if name == "MEDIA_ROOT" or settings.EMBEDDED:
            try:
                with tempfile.TemporaryFile(dir=place):
                    pass
            except OSError as error:
                yield wrong(
                    "storage",
                    f"{name} ({folder}) can't be written: {error.strerror}",
                    f"Give the site's user {os.geteuid()} the right to write there, or set {name}.",
                )
                continue
        elif not folder.is_dir() or not any(folder.iterdir()):
            yield wrong(
                "storage",
                f"{name} ({folder}) is empty: pages have no styles.",
                "Run manage.py collectstatic.",
            )
            continue
        usage = shutil.disk_usage(place)
        if usage.free < LEAST_FREE_BYTES or usage.free < usage.total * LEAST_FREE_SHARE:
            yield wrong(
                "storage",
                f"{usage.free >> 20:,} MB are left for {name} ({folder}).",
                "Make room: files of old draws can be moved to a copy, logs rotated.",
            )
        else:
            yield fine("storage", f"{name}: {usage.free >> 30:,} GB free.")


def _mailgun() -> Findings:
    try:
        with MailgunChannel() as line:
            line.knock()
    except ChannelDown as down:
        yield wrong(
            "mail",
            f"Mailgun does not let us in: {down.code} {down.text}".strip(),
            "Correct MAILGUN_API_KEY (one for sending alone does not do: it may not read events), "
            "MAILGUN_SENDER_DOMAIN and MAILGUN_API_URL (domains in the EU have one of their own).",
        )
    else:
        yield fine("mail", "Mailgun takes mail from us.")


def _mail() -> Findings:
    if settings.EMAIL_BACKEND.startswith("anymail.backends.mailgun."):
        yield from _mailgun()
        return
    link = get_connection()
    host = getattr(link, "host", None)
    if not host:
        yield note(
            "mail",
            f"Mail goes to {settings.EMAIL_BACKEND}, which is no server.",
            "Set EMAIL_URL in production.",
        )
        return
    link.timeout = NETWORK_TIMEOUT_S  # type: ignore[attr-defined]
    try:
        link.open()
        link.close()
    except (smtplib.SMTPException, OSError) as error:
        yield wrong(
            "mail",
            f"{host} does not take mail from us: {error}",
            "Correct EMAIL_URL: host, port, TLS, user and password.",
        )
    else:
        yield fine("mail", f"{host} takes mail from us.")


def _relays(now: dt.datetime) -> Findings:
    reached = 0
    for relay in settings.DRAND_RELAYS:
        name = urlsplit(relay).netloc
        try:
            address = f"{relay.rstrip('/')}/{QUICKNET.chain_hash}/info"
            with urllib.request.urlopen(address, timeout=NETWORK_TIMEOUT_S) as answer:
                answer.read(4096)
        except (urllib.error.URLError, OSError, ValueError) as error:
            yield note(
                "drand",
                f"{name} does not answer: {getattr(error, 'reason', error)}",
                "Another relay is asked instead; replace it in DRAND_RELAYS if it stays away.",
            )
        else:
            reached += 1
            yield fine("drand", f"{name} answers.")
    if settings.DRAND_RELAYS and not reached:
        yield wrong(
            "drand",
            "No relay answers: draws that use drand wait.",
            "Let the site reach the relays in DRAND_RELAYS.",
        )


def _migrations(now: dt.datetime) -> Findings:
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        names = ", ".join(f"{migration.app_label}.{migration.name}" for migration, _backwards in waiting[:5])
        yield wrong("migrations", f"{len(waiting)} are not applied: {names}", "Run manage.py migrate.")
    else:
        yield fine("migrations", "All are applied.")


def _schedules(now: dt.datetime) -> Findings:
    found = {task.name: task for task in PeriodicTask.objects.select_related("interval")}
    for job in SCHEDULE:
        task = found.get(job.name)
        if task is None or task.task != job.task:
            yield wrong(
                "schedule", f"The job “{job.name}” is missing or another.", "Run manage.py sync_schedule."
            )
        elif not task.enabled:
            yield wrong(
                "schedule",
                f"The job “{job.name}” is switched off.",
                "Switch it on in the admin: Periodic tasks.",
            )
        elif task.interval is None or (task.interval.every, task.interval.period) != (job.every_s, "seconds"):
            yield note(
                "schedule", f"The job “{job.name}” runs “{task.interval}”, and not every {job.every_s} s."
            )
    yield fine(
        "schedule", f"{len(SCHEDULE)} jobs, {PeriodicTask.objects.filter(enabled=True).count()} switched on."
    )


def _workers(now: dt.datetime) -> Findings:
    clockwork = vitals.clockwork()
    # That somebody is silent for too long is among the troubles.
    heard = fine if clockwork.runs_at else note
    yield heard("beat", f"Last heard of: {_ago(clockwork.runs_at, now)}.")
    for queue, seen_at in clockwork.workers.items():
        heard = fine if seen_at else note
        yield heard("workers", f"{queue}: a job arrived {_ago(seen_at, now)}.")
    if vitals.redis_problem():
        return
    try:
        answering = vitals.answering_workers()
    except Exception as error:  # kombu lets through whatever its transport raises
        yield note("workers", f"They could not be asked: {type(error).__name__}")
        return
    served = {queue for queues in answering.values() for queue in queues}
    for name, queues in answering.items():
        yield fine("workers", f"{name} serves {', '.join(queues)}.")
    for queue in signs.QUEUES:
        if queue not in served:
            yield wrong(
                "workers",
                f"No worker that answers serves {queue}.",
                f"Start one: celery -A config.worker worker -Q {queue}.",
            )


def _troubles(now: dt.datetime) -> Findings:
    """What alarms are raised for: each symptom with what mends it."""
    found = all_troubles(now=now)
    for trouble in found:
        if trouble.key != "redis":  # said already
            text = f"{trouble.title}. {trouble.detail}".rstrip()
            yield wrong(trouble.key.partition(":")[0], text, trouble.mend)
    if not found:
        yield fine("draws", "None is overdue, failing or stopped.")
    unfunded = [
        draw.title
        for draw in Draw.objects.due_to_freeze(now)
        if draw.closes_at < now - dt.timedelta(minutes=1)
    ]
    if unfunded:
        yield wrong(
            "draws",
            f"Entries have closed and nothing is frozen: {', '.join(unfunded[:5])}.",
            "Run manage.py freeze_due_draws and read what it says.",
        )


def _deliveries(now: dt.datetime) -> Findings:
    stuck = Delivery.objects.lease_over(now - dt.timedelta(minutes=5)).count()
    if stuck:
        yield wrong(
            "deliveries",
            f"{stuck:,} are claimed by workers that have died.",
            "Run manage.py process_notifications: it gives them back.",
        )
    dead = Delivery.objects.filter(state__in=DEAD_LETTERS).order_by()[:10_001].count()
    if dead:
        count = "more than 10,000" if dead > 10_000 else f"{dead:,}"
        yield note(
            "deliveries",
            f"{count} failed, bounced or were reported.",
            "Look at them in the admin: Deliveries; retry what may be retried.",
        )
    waiting = vitals.waiting(now=now)
    yield fine("deliveries", f"The oldest due: {_ago(waiting.oldest_delivery_at, now, never='none')}.")


def _ledger(now: dt.datetime) -> Findings:
    sign = signs.last_seen().get(LEDGER)
    yield (
        note("ledger", "The job has not checked it yet.")
        if sign is None
        else fine("ledger", f"Checked by the job {_ago(sign.at, now)}.")
    )
    try:
        with transaction.atomic():
            differences = check_ledger()
    except DatabaseError:  # the limit on statements: a big ledger
        yield note(
            "ledger", f"A whole check takes more than {STATEMENT_TIMEOUT_S} s.", "Run manage.py check_ledger."
        )
        return
    if differences:
        yield wrong(
            "ledger",
            f"{len(differences)} differences, first: {differences[0]}",
            "Stop paying out, and run manage.py check_ledger.",
        )
    else:
        yield fine("ledger", "It is whole.")


def _seals(now: dt.datetime) -> Findings:
    seal = newest_seal()
    yield fine(
        "audit",
        f"Sealed last {_ago(seal.sealed_at if seal else None, now)}; walk all of it by manage.py verify_audit.",
    )


def _alarms(now: dt.datetime) -> Findings:
    given_up = AlarmNotice.objects.filter(sent_at=None, next_attempt_at=None)
    if last := given_up.order_by("-pk").first():
        yield wrong(
            "alarms",
            f"Somebody was not told: {last.get_channel_display()}: {last.error}",
            "Correct ALERT_WEBHOOK or EMAIL_URL; try it with manage.py test_alarm.",
        )
    yield fine("alarms", f"{Alarm.objects.open().count()} open.")


def _ago(moment: dt.datetime | None, now: dt.datetime, never: str = "never") -> str:
    return never if moment is None else f"{max(0, int((now - moment).total_seconds())):,} s ago"


def within(seconds: float) -> None:
    """Let no socket of this process wait longer, also in libraries that were told nothing."""
    socket.setdefaulttimeout(seconds)
