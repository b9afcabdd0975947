"""What somebody decides about being told: each decision changes a row and adds a line to the history of consent."""

import datetime as dt
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from accounts.models import User, normalise_email
from audit.context import origin
from notifications import kinds
from notifications.kinds import Category
from notifications.models import ConsentEvent, Correspondent, Delivery, Message, Preference, Stop, What
from notifications.privacy import keep_erasures_out
from notifications.quiet_hours import QuietHours
from notifications.recipients import Recipient
from notifications.rendering import HIDDEN_LINK, words_of
from notifications.services.messages import notify

CONFIRM_KIND = "notifications.confirm_promotions"
CONFIRM_WITHIN = dt.timedelta(days=7)
ASK_AGAIN_AFTER = dt.timedelta(hours=1)
"""A mail that asks for a confirmation is not sent again sooner, unless somebody has changed their mind meanwhile."""
ASKS_A_DAY = 3
"""And that not more often than this: nobody fills a stranger's mailbox by a form."""
SUBJECT_LIMIT = 200

Cell = tuple[str, str]
"""A kind's name and a channel."""


@dataclass(frozen=True)
class Standing:
    """What one person wants as it stands. `off`: what they switched off; the rest is as the category says."""

    off: frozenset[Cell] = frozenset()
    promotions: bool = False
    is_pending: bool = False
    quiet_hours: QuietHours | None = None
    stops: list[Stop] = field(default_factory=list)


class ConfirmationError(Exception):
    """This confirmation is not asked for any more."""


class GoneError(Exception):
    """Whoever this is about was erased, or closed their account, while the page stood open."""


class TooOftenError(Exception):
    """Somebody's mailbox has had enough mails that ask for a confirmation; nothing was changed. The message says when."""


def standing_of(who: Recipient, *, now: dt.datetime) -> Standing:
    """What `who` wants, for the page that shows it."""
    keys = _keys_of(who)
    rows = list(Preference.objects.filter(person_key__in=keys))
    rows.sort(key=lambda row: row.person_key == who.key)  # one's own outweighs what stands under the address
    said: dict[Cell, bool] = {(row.kind, row.channel): row.is_on for row in rows}
    person = Correspondent.objects.filter(person_key=who.key).first()
    hours = None
    if person is not None and person.quiet_from is not None and person.quiet_to is not None:
        hours = QuietHours(person.quiet_from, person.quiet_to)
    agreed = _has_agreed(who, person)
    return Standing(
        off=frozenset(cell for cell, is_on in said.items() if not is_on),
        promotions=agreed,
        is_pending=not agreed and person is not None and _waits(person, now),
        quiet_hours=hours,
        stops=list(Stop.objects.filter(person_key__in=keys).order_by("-stopped_at", "-pk")),
    )


def save_preferences(
    *,
    who: Recipient,
    offered: Collection[Cell],
    wanted: Collection[Cell],
    promotions: bool,
    quiet_hours: QuietHours | None,
    resumed: Collection[uuid.UUID] = (),
    delivery: Delivery | None = None,
    source: str,
    now: dt.datetime,
) -> bool:
    """Make it so: of the `offered` cells those `wanted` are on and the others off. Whether a confirmation is awaited.

    Transactional kinds are passed over. `delivery`: the mail whose link led here; without one they are signed in.
    Promotions begin at once only for a member who is signed in and whose address is shown to be theirs; others have to
    press the button behind a link that is sent to it, because a mail with its links may have been passed on.

    Raises `GoneError`, and `TooOftenError` when that mail was sent too often today.
    """
    with transaction.atomic():
        _must_be_there(who.member_id, delivery)
        person, _is_new = Correspondent.objects.get_or_create(person_key=who.key)
        person = Correspondent.objects.select_for_update().get(pk=person.pk)  # two forms, one after the other
        standing = standing_of(who, now=now)
        events = _switch(who, standing, offered, wanted, now)
        if (quiet_hours and (quiet_hours.start, quiet_hours.end)) != (
            standing.quiet_hours and (standing.quiet_hours.start, standing.quiet_hours.end)
        ):
            person.quiet_from = quiet_hours.start if quiet_hours else None
            person.quiet_to = quiet_hours.end if quiet_hours else None
            said = f"{quiet_hours.start:%H:%M}-{quiet_hours.end:%H:%M}" if quiet_hours else "none"
            events.append(_event(who, What.QUIET_HOURS, evidence={"hours": said}))
            person.save(update_fields=["quiet_from", "quiet_to"])
        chosen = [stop for stop in standing.stops if stop.public_id in set(resumed)]
        Stop.objects.filter(pk__in=[stop.pk for stop in chosen]).delete()
        events += [_event(who, What.RESUMED, kind=s.kind, about=s.about, channel=s.channel) for s in chosen]
        is_proven = delivery is None and _is_verified(who)
        waits = _set_promotions(who, person, standing, promotions, events, is_proven=is_proven, now=now)
        _write(events, source, now)
    return waits


def stop_by_link(*, delivery: Delivery, whole_kind: bool, source: str, now: dt.datetime) -> bool:
    """What the link in a mail does: no more of its kind by its channel; of a service kind about one thing, no more about
    that, unless `whole_kind` or nothing else is ever about that (`Kind.about_is_once`). False when that stands already,
    or its kind can't be switched off. Raises `GoneError`.
    """
    kind = kinds.get(delivery.message.kind)
    if kind.category == Category.TRANSACTIONAL:
        return False
    key, about = delivery.recipient_key, delivery.message.about
    evidence = {"delivery": str(delivery.handle)}
    with transaction.atomic():
        _must_be_there(None, delivery)
        if kind.stops_by_thing and about and not whole_kind:
            _stop, is_new = Stop.objects.get_or_create(
                person_key=key,
                kind=kind.name,
                about=about,
                channel=delivery.channel,
                defaults={"stopped_at": now, "subject": _subject_of(delivery, kind)},
            )
            what = What.STOPPED
        else:
            row, is_new = Preference.objects.select_for_update().get_or_create(
                person_key=key,
                kind=kind.name,
                channel=delivery.channel,
                defaults={"is_on": False, "changed_at": now},
            )
            if row.is_on:
                Preference.objects.filter(pk=row.pk).update(is_on=False, changed_at=now)
                is_new = True
            what, about = What.SWITCHED_OFF, ""
        if is_new:
            event = ConsentEvent(
                person_key=key,
                what=what,
                kind=kind.name,
                about=about,
                channel=delivery.channel,
                evidence=evidence,
            )
            _write([event], source, now)
    return is_new


def confirm_promotions(*, correspondent: Correspondent, source: str, now: dt.datetime) -> None:
    """Their word that they want promotions, given from their own mailbox. Again: nothing more.

    Raises `ConfirmationError` when they have changed their mind since, or took longer than a week.
    """
    with transaction.atomic():
        keep_erasures_out()
        person = Correspondent.objects.select_for_update().filter(pk=correspondent.pk).first()
        if person is None or person.asked_version != correspondent.asked_version:
            raise ConfirmationError
        if person.promotions_confirmed_at is not None:
            return
        if not _waits(person, now):
            raise ConfirmationError
        asked_at = person.promotions_asked_at
        assert asked_at is not None  # it waits
        prefix, _colon, rest = person.person_key.partition(":")
        person.promotions_confirmed_at = now
        if prefix == "member":
            User.objects.filter(pk=int(rest)).update(accepts_promotions=True)
        person.save(update_fields=["promotions_confirmed_at"])
        event = ConsentEvent(
            person_key=person.person_key,
            what=What.AGREED,
            evidence={"asked_at": asked_at.isoformat(), **_where()},
        )
        _write([event], source, now)


def revoke_links(*, who: Recipient, source: str, now: dt.datetime) -> None:
    """Make the links in every mail sent so far useless, for whoever has passed one on. Raises `GoneError`."""
    with transaction.atomic():
        _must_be_there(who.member_id, None)
        person, _is_new = Correspondent.objects.get_or_create(person_key=who.key)
        Correspondent.objects.filter(pk=person.pk).update(link_version=F("link_version") + 1)
        _write([_event(who, What.REVOKED_LINKS)], source, now)


def who_reads(delivery: Delivery) -> Recipient:
    """The person a delivery is for, as they are now."""
    if delivery.member is not None:
        return Recipient.of(delivery.member)
    return Recipient(
        address=normalise_email(delivery.address),
        name=delivery.name,
        language=delivery.language,
        time_zone=delivery.time_zone,
    )


def _must_be_there(member_id: int | None, delivery: Delivery | None) -> None:
    """Keep erasures out until the transaction ends, and look whether one has been here. Raises `GoneError`."""
    keep_erasures_out()
    if delivery is not None and not Delivery.objects.filter(pk=delivery.pk, address__gt="").exists():
        raise GoneError
    if member_id is not None and not User.objects.filter(pk=member_id, is_active=True).exists():
        raise GoneError


def _keys_of(who: Recipient) -> list[str]:
    """Under which keys their wishes stand, one's own first; an address only where it is shown to be the account's."""
    if who.member_id is None:
        return [who.key]
    return [who.key, _address_key(who)] if _is_verified(who) else [who.key]


def _address_key(who: Recipient) -> str:
    return f"email:{normalise_email(who.address)}"


def _is_verified(who: Recipient) -> bool:
    mine = EmailAddress.objects.filter(user_id=who.member_id, email__iexact=who.address, verified=True)
    return who.member_id is not None and mine.exists()


def _has_agreed(who: Recipient, person: Correspondent | None) -> bool:
    if who.member_id is None:
        return person is not None and person.promotions_confirmed_at is not None
    return User.objects.filter(pk=who.member_id, accepts_promotions=True).exists()


def _waits(person: Correspondent, now: dt.datetime) -> bool:
    """Whether a confirmation is awaited, and not for too long."""
    asked_at = person.promotions_asked_at
    return asked_at is not None and person.promotions_confirmed_at is None and now < asked_at + CONFIRM_WITHIN


def _switch(
    who: Recipient,
    standing: Standing,
    offered: Collection[Cell],
    wanted: Collection[Cell],
    now: dt.datetime,
) -> list[ConsentEvent]:
    """Write what changed; a row goes where somebody is content again with what the category gives."""
    off, on, events = [], [], []
    for cell in offered:
        if kinds.get(cell[0]).category == Category.TRANSACTIONAL:
            continue
        if cell not in wanted and cell not in standing.off:
            off.append(cell)
        if cell in wanted and cell in standing.off:
            on.append(cell)
    for name, channel in on:
        rows = Preference.objects.filter(kind=name, channel=channel)
        rows.filter(person_key__in=_keys_of(who)).delete()
        if who.member_id is not None and rows.filter(person_key=_address_key(who), is_on=False).exists():
            # Not theirs to take away as long as the address is not shown to be theirs; their own word outweighs it.
            Preference.objects.create(
                person_key=who.key, kind=name, channel=channel, is_on=True, changed_at=now
            )
        events.append(_event(who, What.SWITCHED_ON, kind=name, channel=channel))
    Preference.objects.bulk_create(
        [
            Preference(person_key=who.key, kind=name, channel=channel, is_on=False, changed_at=now)
            for name, channel in off
        ],
        update_conflicts=True,
        unique_fields=["person_key", "kind", "channel"],
        update_fields=["is_on", "changed_at"],
    )
    return events + [_event(who, What.SWITCHED_OFF, kind=name, channel=channel) for name, channel in off]


def _set_promotions(
    who: Recipient,
    person: Correspondent,
    standing: Standing,
    wants: bool,
    events: list[ConsentEvent],
    *,
    is_proven: bool,
    now: dt.datetime,
) -> bool:
    """Yes or no to promotions; whether a confirmation is awaited then."""
    if not wants:
        if standing.promotions or standing.is_pending:
            if who.member_id is not None:
                User.objects.filter(pk=who.member_id).update(accepts_promotions=False)
            # A link that was sent to confirm it confirms nothing any more.
            Correspondent.objects.filter(pk=person.pk).update(
                promotions_asked_at=None,
                promotions_confirmed_at=None,
                asked_version=F("asked_version") + 1,
            )
            events.append(_event(who, What.WITHDREW, evidence=_where()))
        return False
    if standing.promotions:
        return False
    if is_proven and who.member_id is not None:
        User.objects.filter(pk=who.member_id).update(accepts_promotions=True)
        events.append(_event(who, What.AGREED, evidence=_where()))
        return False
    asked_at = person.promotions_asked_at
    if asked_at is None or person.promotions_confirmed_at is not None or now >= asked_at + ASK_AGAIN_AFTER:
        _ask(who, person, now)
        events.append(_event(who, What.ASKED, evidence=_where()))
    return True


def _ask(who: Recipient, person: Correspondent, now: dt.datetime) -> None:
    """Write to the address, which alone can confirm. Raises `TooOftenError`."""
    about = f"notifications.correspondent:{person.public_id}"
    since = now - dt.timedelta(days=1)
    if Message.objects.filter(about=about, kind=CONFIRM_KIND, created_at__gt=since).count() >= ASKS_A_DAY:
        raise TooOftenError(
            _(
                "We have sent you enough mails about news and offers for today. Use the newest, or try again tomorrow."
            )
        )
    person.promotions_asked_at, person.promotions_confirmed_at = now, None
    person.asked_version += 1
    person.save(update_fields=["promotions_asked_at", "promotions_confirmed_at", "asked_version"])
    notify(
        kind=CONFIRM_KIND,
        about=about,
        context={"until": now + CONFIRM_WITHIN},
        recipients=[
            Recipient(
                member_id=who.member_id,
                address=who.address,
                name=who.name,
                language=who.language,
                time_zone=who.time_zone,
                params={"correspondent": str(person.public_id), "version": person.asked_version},
            )
        ],
        not_before=now,
        expires_at=now + CONFIRM_WITHIN,
        idem_key=f"promotions:{person.public_id}:{person.asked_version}",
        now=now,
    )


def _subject_of(delivery: Delivery, kind: kinds.Kind) -> str:
    try:
        return words_of(delivery, kind, for_links=HIDDEN_LINK).subject[:SUBJECT_LIMIT]
    except Exception:  # a broken template must not keep anybody from unsubscribing
        return str(kind.title)[:SUBJECT_LIMIT]


def _event(
    who: Recipient,
    what: What,
    *,
    kind: str = "",
    about: str = "",
    channel: str = "",
    evidence: Mapping[str, Any] | None = None,
) -> ConsentEvent:
    return ConsentEvent(
        person_key=who.key, what=what, kind=kind, about=about, channel=channel, evidence=dict(evidence or {})
    )


def _where() -> dict[str, str]:
    """From where, as evidence of consent: the address and browser of the request."""
    here = origin.get()
    return {"address": here.address or "", "browser": here.user_agent} if here is not None else {}


def _write(events: list[ConsentEvent], source: str, now: dt.datetime) -> None:
    for event in events:
        event.at, event.source = now, source
    ConsentEvent.objects.bulk_create(events)
