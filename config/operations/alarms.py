"""Alarms: raised once for each occasion, over when it is over, and told by ways that need neither beat nor worker.

What is wrong is decided in one transaction. Telling follows outside it: a notice is claimed with a lease, told, and
written down, so that a process killed meanwhile leaves it to the next one. It is told at least once; a receiver
knows a repetition by its id.
"""

import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import dataclass
from smtplib import SMTPException

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.roles import SUPER_ADMIN
from config.models import Alarm, AlarmNotice
from config.operations import webhook
from config.operations.troubles import Trouble, all_troubles
from notifications.backoff import bound

log = structlog.get_logger(__name__)

LEASE = dt.timedelta(minutes=2)
"""Longer than any attempt takes; who finds it over may try again."""

ATTEMPTS = 12
_BATCH = 20
_DECIDER = 0x46_47_41_4C_52_4D  # "FGALRM": the advisory lock of who decides


@dataclass(frozen=True)
class Watched:
    """What one look did: how many alarms began, were over, and notices were told."""

    raised: int
    resolved: int
    told: int


def watch(*, now: dt.datetime, watched_since: dt.datetime | None = None) -> Watched:
    """Look at everything, open and close alarms, and tell whoever is to be told."""
    troubles = all_troubles(now=now, watched_since=watched_since)
    raised, resolved = keep_in_step(troubles=troubles, now=now)
    return Watched(raised, resolved, tell_due(now=now))


def keep_in_step(*, troubles: Iterable[Trouble], now: dt.datetime) -> tuple[int, int]:
    """Open an alarm for each trouble that has none, close those whose trouble is gone; returns how many of each.

    Does nothing while another process decides.
    """
    by_key = {trouble.key: trouble for trouble in troubles}
    with transaction.atomic():
        if not _became_the_decider():
            return 0, 0
        open_alarms = {alarm.key: alarm for alarm in Alarm.objects.open().select_for_update()}
        channels = _channels()
        raised = [
            Alarm(
                key=key,
                title=trouble.title[:200],
                detail=trouble.detail,
                mend=_with_page(trouble),
                raised_at=now,
            )
            for key, trouble in by_key.items()
            if key not in open_alarms
        ]
        Alarm.objects.bulk_create(raised)
        over = [alarm for key, alarm in open_alarms.items() if key not in by_key]
        Alarm.objects.filter(pk__in=[alarm.pk for alarm in over]).update(resolved_at=now)
        AlarmNotice.objects.bulk_create(
            AlarmNotice(alarm=alarm, event=event, channel=channel, next_attempt_at=now)
            for event, alarms in (
                (AlarmNotice.Event.RAISED, raised),
                (AlarmNotice.Event.RESOLVED, over),
            )
            for alarm in alarms
            for channel in channels
        )
    for alarm in raised:
        log.error("alarm_raised", key=alarm.key, title=alarm.title)
    for alarm in over:
        log.info("alarm_resolved", key=alarm.key, title=alarm.title)
    return len(raised), len(over)


def tell_due(*, now: dt.datetime) -> int:
    """Tell every notice that is due; returns how many were heard. A refusal is written down and tried again later."""
    told = 0
    for notice in _claim(now):
        try:
            _tell(notice, now)
        except (webhook.WebhookError, SMTPException, OSError) as error:
            _put_off(notice, str(error) or type(error).__name__, now=now)
        else:
            AlarmNotice.objects.filter(pk=notice.pk, sent_at=None).update(
                sent_at=now, next_attempt_at=None, error=""
            )
            told += 1
    return told


def tell_of_a_test(*, now: dt.datetime) -> dict[str, str]:
    """Tell a made-up alarm at once by every way; returns for each why it was not taken, or an empty text."""
    alarm = Alarm(
        key="test",
        title=_("This is a test"),
        detail=_("Somebody has run manage.py test_alarm."),
        mend=_("Nothing is to be done."),
        raised_at=now,
    )
    answers = {}
    for channel in _channels():
        notice = AlarmNotice(alarm=alarm, event=AlarmNotice.Event.RAISED, channel=channel)
        try:
            _tell(notice, now)
        except (webhook.WebhookError, SMTPException, OSError) as error:
            answers[str(channel)] = str(error) or type(error).__name__
        else:
            answers[str(channel)] = ""
    return answers


def recipients() -> list[str]:
    """Who is mailed: `ALERT_EMAILS`, or every Super Admin."""
    if settings.ALERT_EMAILS:
        return list(settings.ALERT_EMAILS)
    staff = User.objects.filter(is_active=True, is_staff=True, groups__name=SUPER_ADMIN)
    return list(staff.order_by("pk").values_list("email", flat=True))


def _became_the_decider() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_DECIDER])
        return bool(cursor.fetchone()[0])


def _channels() -> list[str]:
    channels = [AlarmNotice.Channel.WEBHOOK] if settings.ALERT_WEBHOOK else []
    return [*channels, AlarmNotice.Channel.MAIL] if recipients() else [*channels]


def _claim(now: dt.datetime) -> list[AlarmNotice]:
    """Take what is due for as long as the lease lasts. That something is over waits for the news that it began."""
    with transaction.atomic():
        began = AlarmNotice.objects.filter(
            alarm=OuterRef("alarm"),
            channel=OuterRef("channel"),
            event=AlarmNotice.Event.RAISED,
            next_attempt_at__isnull=False,
        ).exclude(pk=OuterRef("pk"))
        due: QuerySet[AlarmNotice] = (
            AlarmNotice.objects.filter(next_attempt_at__lte=now)
            .exclude(Exists(began))
            .select_for_update(skip_locked=True, of=("self",))
            .select_related("alarm")
            .order_by("next_attempt_at", "pk")[:_BATCH]
        )
        claimed = list(due)
        AlarmNotice.objects.filter(pk__in=[notice.pk for notice in claimed]).update(
            next_attempt_at=now + LEASE
        )
    return claimed


def _put_off(notice: AlarmNotice, error: str, *, now: dt.datetime) -> None:
    attempts = notice.attempts + 1
    gives_up = attempts >= ATTEMPTS
    log.error("alarm_not_told", channel=notice.channel, key=notice.alarm.key, error=error, gives_up=gives_up)
    AlarmNotice.objects.filter(pk=notice.pk, sent_at=None).update(
        attempts=attempts,
        error=error[:500],
        next_attempt_at=None if gives_up else now + bound(attempts),
    )


def _tell(notice: AlarmNotice, now: dt.datetime) -> None:
    alarm = notice.alarm
    if notice.channel == AlarmNotice.Channel.WEBHOOK:
        webhook.post(
            url=settings.ALERT_WEBHOOK,
            secret=settings.ALERT_WEBHOOK_SECRET,
            message_id=f"msg_{notice.public_id.hex}",
            timestamp=int(now.timestamp()),
            body=json.dumps(_payload(notice)).encode(),
        )
        return
    mail = EmailMessage(
        subject=f"[{settings.SITE_NAME}] {_headline(notice)}",
        body="\n\n".join(
            part for part in (_headline(notice), alarm.detail, alarm.mend, settings.SITE_URL) if part
        ),
        to=recipients(),
        headers={
            "Message-ID": f"<alarm.{notice.public_id.hex}@{_host()}>",
            "Auto-Submitted": "auto-generated",
        },
    )
    mail.send()


def _payload(notice: AlarmNotice) -> dict[str, object]:
    alarm = notice.alarm
    return {
        "type": f"alarm.{notice.event}",
        "timestamp": (alarm.resolved_at or alarm.raised_at).isoformat(),
        "text": f"{_headline(notice)} — {alarm.mend}",  # what chats show
        "data": {
            "id": str(alarm.public_id),
            "key": alarm.key,
            "title": alarm.title,
            "detail": alarm.detail,
            "mend": alarm.mend,
            "raised_at": alarm.raised_at.isoformat(),
            "resolved_at": alarm.resolved_at.isoformat() if alarm.resolved_at else None,
            "site": settings.SITE_URL,
        },
    }


def _headline(notice: AlarmNotice) -> str:
    is_over = notice.event == AlarmNotice.Event.RESOLVED
    words = _("Over: %(what)s") if is_over else _("Alarm: %(what)s")
    return words % {"what": " ".join(notice.alarm.title.split())}


def _with_page(trouble: Trouble) -> str:
    return f"{trouble.mend} {settings.SITE_URL}{trouble.page}" if trouble.page else trouble.mend


def _host() -> str:
    return str(settings.SITE_URL).partition("://")[2].partition("/")[0].partition(":")[0] or "localhost"
