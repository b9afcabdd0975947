"""Audiences: how many people they are, by which roads they are reached, and how long telling them takes."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from audit.services import record
from notifications.channels.registry import sending_channels
from notifications.feasibility import Plan, plan_send
from notifications.kinds import BY_PHONE, Category, Channel
from notifications.models import Segment
from notifications.quiet_hours import zone_of
from notifications.segments import Condition, SegmentError, audience
from notifications.services.consent import site_quiet_hours
from notifications.services.expansion import CONSENT, source_of

# One row a zone and language: how many people, and how many of them each road reaches.
_SIZE = """
SELECT language, time_zone, count(*), count(member_id), count(nullif(address, '')), count(nullif(phone, ''))
FROM (SELECT DISTINCT ON (recipient_key) * FROM {source} WHERE true {consent}) AS people
GROUP BY language, time_zone
"""
EMAIL_RATE = 50.0
SMS_RATE = 10.0
"""Messages a second that are reckoned with where the settings of the same names set no limit."""


PATIENCE = "5s"


@dataclass
class Size:
    """How many people an audience is: in all, by language, by channel, and by channel and zone."""

    people: int = 0
    languages: dict[str, int] = field(default_factory=dict)
    channels: dict[str, int] = field(default_factory=dict)
    zones: dict[str, dict[str, int]] = field(default_factory=dict)


def usable_channels() -> list[Channel]:
    """The channels by which staff may tell many: the inbox, and those the site has a provider for."""
    sent = sending_channels()
    return [channel for channel in BROADCAST_CHANNELS if channel == Channel.IN_APP or channel in sent]


BROADCAST_CHANNELS = (Channel.IN_APP, Channel.EMAIL, Channel.SMS, Channel.WHATSAPP)


def size_of(conditions: Sequence[Condition], *, category: str) -> Size:
    """How many people these rules are now, promotions only of who agreed to them. One statement. Raises `SegmentError`."""
    source, values = source_of(audience(conditions))
    consent = CONSENT if category == Category.PROMOTIONAL else ""
    size = Size()
    with connection.cursor() as cursor:
        cursor.execute(_SIZE.format(source=source, consent=consent), values)
        for language, zone, people, members, addresses, phones in cursor.fetchall():
            size.people += people
            size.languages[language] = size.languages.get(language, 0) + people
            for channel in Channel:
                if channel in BY_PHONE:
                    reached = phones
                else:
                    reached = members if channel == Channel.IN_APP else addresses
                size.channels[channel] = size.channels.get(channel, 0) + reached
                zones = size.zones.setdefault(channel, {})
                zones[zone] = zones.get(zone, 0) + reached
    size.languages = dict(sorted(size.languages.items(), key=lambda item: (-item[1], item[0])))
    return size


@contextmanager
def patience() -> Iterator[None]:
    """Count in here what a page shows while somebody waits. Raises `SegmentError` where one count takes too long."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [PATIENCE])
            yield
    except OperationalError as error:
        if not isinstance(error.__cause__, psycopg.errors.QueryCanceled):
            raise
        raise SegmentError(
            _("Counting these people takes too long to wait for. Choose fewer rules, or count again later.")
        ) from None


def plans_for(
    size: Size, *, channels: Sequence[str], category: str, start: dt.datetime, expires_at: dt.datetime | None
) -> dict[Channel, Plan]:
    """How telling them goes, by each channel that sends: with the site's rates and quiet hours."""
    quiet = site_quiet_hours(settings.PROMOTION_QUIET_HOURS) if category == Category.PROMOTIONAL else None
    plans = {}
    for channel in map(Channel, channels):
        rate = rate_of(channel)
        if rate is not None:
            by_zone: dict[object, int] = {}
            for name, count in size.zones.get(channel, {}).items():
                zone = zone_of(name)
                by_zone[zone] = by_zone.get(zone, 0) + count
            plans[channel] = plan_send(
                start=start,
                zones=by_zone,  # type: ignore[arg-type]
                rate=rate,
                quiet=quiet,
                expires_at=expires_at,
            )
    return plans


def rate_of(channel: Channel) -> float | None:
    """Messages a second by a channel; None for the inbox, which takes all at once."""
    if channel == Channel.IN_APP:
        return None
    usual = SMS_RATE if channel in BY_PHONE else EMAIL_RATE
    return float(settings.NOTIFICATION_RATES.get(channel) or usual)


def in_words(channel: Channel, plan: Plan) -> str:
    """A plan as a sentence: “2,000 by SMS at 1 a second take 33 minutes.”"""
    said = _("%(count)s by %(channel)s at %(rate)s a second take %(time)s.") % {
        "count": f"{plan.count:,}",
        "channel": channel.label,
        "rate": f"{plan.rate:g}",
        "time": duration_in_words(plan.takes),
    }
    if plan.held:
        said += " " + _("%(time)s of it is night for all who wait.") % {"time": duration_in_words(plan.held)}
    return said


def duration_in_words(span: dt.timedelta) -> str:
    """To two units: “33 minutes”, “2 hours 5 minutes”, “less than a minute”."""
    minutes = round(span.total_seconds() / 60)
    if minutes < 1:
        return _("less than a minute")
    days, rest = divmod(minutes, 1440)
    hours, minutes = divmod(rest, 60)
    units = [
        (days, ngettext("%d day", "%d days", days)),
        (hours, ngettext("%d hour", "%d hours", hours)),
        (minutes, ngettext("%d minute", "%d minutes", minutes)),
    ]
    return " ".join(words % number for number, words in units if number)


def save_segment(
    *, segment: Segment | None, title: str, conditions: Sequence[Condition], by: User, now: dt.datetime
) -> Segment:
    """Name an audience, or give it other rules. Scheduled broadcasts keep those they have. Raises `SegmentError`."""
    audience(conditions)
    if segment is None and Segment.objects.filter(title=title).exists():
        raise SegmentError(_("There is an audience of this name. Choose another name."))
    rules = [condition.as_json() for condition in conditions]
    with transaction.atomic():
        if segment is None:
            segment = Segment.objects.create(title=title, rules=rules, changed_at=now)
            action = "notification.audience_made"
        else:
            segment.title, segment.rules, segment.changed_at = title, rules, now
            segment.save(update_fields=["title", "rules", "changed_at"])
            action = "notification.audience_changed"
        record(actor=by, action=action, target=segment, data={"rules": rules}, now=now)
    return segment


def shares(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """Counts as label and number, the largest first, for pages."""
    return [(label, f"{count:,}") for label, count in sorted(counts.items(), key=lambda item: -item[1])]
