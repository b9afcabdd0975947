"""What speaks against telling somebody something: asked for any number of deliveries in one statement.

Asked when deliveries are about to be sent, and not when they are planned: what somebody decides in between counts.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.db import connection

from accounts.models import User, normalise_email
from notifications.channels.registry import sending_channels
from notifications.kinds import BY_PHONE, Category, Channel, Kind
from notifications.mail_links import FIRST_VERSION
from notifications.models import Delivery, SkipReason, SuppressionReason
from notifications.quiet_hours import QuietHours, parse_quiet_hours, quiet_until, zone_of
from notifications.suppressing import hash_of, normalise_address

# One statement, hence one snapshot: a person's click is seen whole or not at all. What somebody decided before they had
# an account stands under their address, and gives way to what they decide in it.
_WISHES = """
SELECT asked.id, suppression.reason, coalesce(own.is_on, outside.is_on),
    EXISTS (
        SELECT FROM notifications_stop AS stop
        WHERE stop.person_key IN (asked.person_key, asked.outside_key)
            AND stop.kind = asked.kind AND stop.about = asked.about AND stop.channel = asked.channel),
    person.quiet_from, person.quiet_to, person.link_version, person.promotions_confirmed_at IS NOT NULL
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
    AS asked(id, person_key, outside_key, kind, about, channel, address_hash)
LEFT JOIN notifications_suppression AS suppression
    ON suppression.address_hash = asked.address_hash AND suppression.channel = asked.channel
    AND suppression.lifted_at IS NULL
LEFT JOIN notifications_preference AS own
    ON own.person_key = asked.person_key AND own.kind = asked.kind AND own.channel = asked.channel
LEFT JOIN notifications_preference AS outside
    ON outside.person_key = asked.outside_key AND outside.kind = asked.kind AND outside.channel = asked.channel
LEFT JOIN notifications_correspondent AS person ON person.person_key = asked.person_key
"""


@dataclass(frozen=True)
class Wishes:
    """What is known of one person's wishes about one delivery. `is_on` None: they have not said."""

    suppressed_for: str = ""
    is_on: bool | None = None
    is_stopped: bool = False
    quiet_hours: QuietHours | None = None
    link_version: int = FIRST_VERSION
    asked_for_promotions: bool = False


def wishes_of(deliveries: Sequence[Delivery], *, channel: str | None = None) -> dict[int, Wishes]:
    """The wishes about each delivery, with its message at hand, by its id. One statement, however many they are.

    With `channel` and the addresses that stand on the deliveries, as if they went out by that one.
    """
    asked = [
        (
            delivery.pk,
            delivery.recipient_key,
            outside_key(delivery.address, channel or delivery.channel),
            delivery.message.kind,
            delivery.message.about,
            channel or delivery.channel,
            hash_of(delivery.address, channel or delivery.channel),
        )
        for delivery in deliveries
    ]
    if not asked:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_WISHES, [list(column) for column in zip(*asked, strict=True)])
        return {row[0]: _wishes(*row[1:]) for row in cursor.fetchall()}


def outside_key(address: str, channel: str) -> str:
    """Who has this address, if they have no account."""
    if "@" in address:
        return f"email:{normalise_email(address)}"
    return f"phone:{normalise_address(address, channel)}" if channel in BY_PHONE else ""


def _wishes(
    reason: str | None,
    is_on: bool | None,
    is_stopped: bool,
    quiet_from: dt.time | None,
    quiet_to: dt.time | None,
    link_version: int | None,
    asked_for_promotions: bool,
) -> Wishes:
    hours = QuietHours(quiet_from, quiet_to) if quiet_from is not None and quiet_to is not None else None
    return Wishes(reason or "", is_on, is_stopped, hours, link_version or FIRST_VERSION, asked_for_promotions)


def refusal(wishes: Wishes, *, kind: Kind, person: User | None) -> SkipReason | None:
    """Why this person is not told, None when nothing speaks against it. `person`: the account, where there is one.

    An address that was erased may come back with a new account: what that account is told is then wanted again, and that
    its erasure was asked for (`Kind.reaches_erased`), which goes to the address alone.
    """
    comes_back = wishes.suppressed_for == SuppressionReason.ERASED and (
        person is not None or kind.reaches_erased
    )
    if wishes.suppressed_for and not comes_back:
        return SkipReason(wishes.suppressed_for)
    if kind.category == Category.TRANSACTIONAL:
        return None
    if wishes.is_on is False or wishes.is_stopped:
        return SkipReason.CONSENT
    if kind.category == Category.PROMOTIONAL:
        asked = person.accepts_promotions if person is not None else wishes.asked_for_promotions
        return None if asked else SkipReason.CONSENT
    return None


def held_until(wishes: Wishes, *, kind: Kind, time_zone: str, now: dt.datetime) -> dt.datetime | None:
    """Until when quiet hours hold this back; None when it may go now. Transactional kinds are never held back.

    A person's own quiet hours count; for promotions those of the site (`PROMOTION_QUIET_HOURS`) where they set none.
    """
    hours = wishes.quiet_hours
    if hours is None and kind.category == Category.PROMOTIONAL:
        hours = site_quiet_hours(settings.PROMOTION_QUIET_HOURS)
    if hours is None or kind.category == Category.TRANSACTIONAL:
        return None
    return quiet_until(now=now, hours=hours, zone=zone_of(time_zone))


@lru_cache(maxsize=8)
def site_quiet_hours(text: str) -> QuietHours | None:
    """The site's quiet hours for promotions; a setting that can't be read is none (`manage.py check` says so)."""
    try:
        return parse_quiet_hours(text)
    except ValueError:
        return None


def is_offered(kind: Kind, channel: Channel, *, has_account: bool) -> bool:
    """Whether messages of this kind reach such a person by this channel at all."""
    reach = kind.channels.get(channel)
    if reach is None or channel == Channel.WEBHOOK:
        return False
    if channel in (Channel.IN_APP, Channel.PUSH) and not has_account:
        return False
    if channel != Channel.IN_APP and channel not in sending_channels():
        return False
    return reach == "everyone" or not has_account
