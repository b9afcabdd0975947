"""A person's data: everything about them in one file, and its erasure. What each app keeps, its `privacy.py` knows.

An erasure is asked for, waits a week in which a link in a mail calls it off, and is then done by a job, all of it in
one transaction: killed anywhere, nothing of it happened, and the next run does it. Until then the account is closed.
"""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts import privacy as accounts_privacy
from accounts.models import Erasure, User
from accounts.privacy import Person, person_at, person_of
from audit import privacy as audit_privacy
from audit.services import record
from config.kinds import ERASURE_LINK
from draws import privacy as draws_privacy
from draws import vwd1
from draws.models import Award
from notifications import privacy as notifications_privacy
from notifications.links import is_genuine, row_of
from notifications.recipients import Recipient
from notifications.services import notify
from payments import privacy as payments_privacy
from payments.accounts import wallet_balances
from payments.money import format_amount

log = structlog.get_logger(__name__)

WAITING_TIME = dt.timedelta(days=7)
"""From the request to the erasure: long enough to notice that somebody else asked for it."""


class ErasureError(Exception):
    """Somebody can't be erased like this. The message is a sentence for whoever asked."""


@dataclass(frozen=True, slots=True)
class Losses:
    """What an erasure takes from a person, to be said beforehand."""

    wallet: list[str] = field(default_factory=list)
    prizes: list[Award] = field(default_factory=list)
    open_entries: int = 0
    frozen_entries: int = 0


@dataclass(frozen=True, slots=True)
class ErasureSummary:
    """What one run of the job did: people erased, held back until somebody acts, and failures."""

    erased: int = 0
    held: int = 0
    failed: int = 0


def export_of(*, person: Person, now: dt.datetime) -> dict[str, Any]:
    """Everything the site keeps about a person, by the part of the site that keeps it; values fit for JSON."""
    return {
        "exported_at": now,
        "accounts": accounts_privacy.export(person=person),
        "draws": draws_privacy.export(person=person),
        "payments": payments_privacy.export(person=person),
        "notifications": notifications_privacy.export(person=person),
        "audit": audit_privacy.export(person=person),
    }


def losses_of(person: Person) -> Losses:
    """What they would lose, for the page that asks whether they mean it."""
    open_entries, frozen_entries = draws_privacy.entries_running(person=person)
    return Losses(
        wallet=_wallet_of(person),
        prizes=draws_privacy.prizes_waiting(person=person),
        open_entries=open_entries,
        frozen_entries=frozen_entries,
    )


def _wallet_of(person: Person) -> list[str]:
    if person.member is None:
        return []
    return [format_amount(balance, unit) for unit, balance in wallet_balances(person.member) if balance]


def request_erasure(
    *, person: Person, by: User, now: dt.datetime, gives_up_wallet: bool = False, reason: str = ""
) -> Erasure:
    """Close the account at once, and have everything about the person erased in a week; returns the erasure.

    `by` is the person, or staff who were asked by mail and say so in `reason`. Asking again returns the first. A mail
    tells them, with a link that calls it off. Raises `ErasureError` for staff accounts, for a wallet that is neither
    empty nor given up, and for staff without a reason.
    """
    member, by_staff = person.member, by.pk != (person.member.pk if person.member else None)
    if by_staff and not reason.strip():
        raise ErasureError(_("Say who asked for it, and how: by a case number, not by name."))
    if member is not None and (member.is_staff or member.is_superuser):
        raise ErasureError(
            _("This account may administer the site: another admin has to take its rights away first.")
        )
    if not gives_up_wallet and (wallet := _wallet_of(person)):
        raise ErasureError(
            _("%(wallet)s would be lost with the wallet. Use it up, or agree to give it up.")
            % {"wallet": ", ".join(wallet)}
        )
    identity = None if member is not None else person.identities[0]
    try:
        with transaction.atomic():
            erasure = Erasure.objects.create(
                member=member,
                identity=identity,
                by=by if by_staff else None,
                gives_up_wallet=gives_up_wallet,
                was_active=member is None or member.is_active,
                requested_at=now,
                due_at=now + WAITING_TIME,
            )
            if member is not None:
                User.objects.filter(pk=member.pk).update(is_active=False)
            record(
                actor=by,
                action="person.erasure_requested",
                target=member or erasure,
                data={
                    "erasure": str(erasure.public_id),
                    "due_at": vwd1.format_time(erasure.due_at),
                    "gives_up_wallet": gives_up_wallet,
                    "reason": reason.strip(),
                },
                now=now,
            )
            _tell(erasure, person, by_staff=by_staff, now=now)
    except IntegrityError:
        return Erasure.objects.waiting().get(member=member, identity=identity)
    return erasure


def _tell(erasure: Erasure, person: Person, *, by_staff: bool, now: dt.datetime) -> None:
    """To the address and not to the account: that is closed, and closed accounts get no mail."""
    address = person.member.email if person.member is not None else person.identities[0]
    if "@" not in address:
        return
    notify(
        kind="config.erasure_requested",
        about=f"accounts.erasure:{erasure.public_id}",
        context={"due_at": erasure.due_at, "by_staff": by_staff},
        recipients=[
            Recipient(
                address=address,
                name=person.member.display_name if person.member else "",
                language=person.member.language if person.member else "en",
                time_zone=person.member.time_zone if person.member else "UTC",
                params={"erasure": str(erasure.public_id)},
            )
        ],
        not_before=now,
        expires_at=erasure.due_at,
        idem_key=f"erasure:{erasure.public_id}",
        now=now,
    )


def erasure_by_token(token: str) -> Erasure | None:
    """The erasure that a link calls off; None for a forged link."""
    row = row_of(token)
    erasure = Erasure.objects.filter(public_id=row).first() if row is not None else None
    if erasure is None or not is_genuine(
        token, purpose=ERASURE_LINK, row=erasure.public_id, version=erasure.version
    ):
        return None
    return erasure


def cancel_erasure(*, erasure: Erasure, by: User | None, now: dt.datetime) -> bool:
    """Call an erasure off and open the account again; False when that is done already. `by` None: by the link.

    Raises `ErasureError` when everything is erased already.
    """
    with transaction.atomic():
        erasure = Erasure.objects.select_for_update().get(pk=erasure.pk)
        if erasure.done_at is not None:
            raise ErasureError(_("Everything is erased already; nothing of it can be brought back."))
        if erasure.cancelled_at is not None:
            return False
        erasure.cancelled_at = now
        erasure.save(update_fields=["cancelled_at"])
        if erasure.member_id is not None and erasure.was_active:
            User.objects.filter(pk=erasure.member_id).update(is_active=True)
        record(
            actor=by,
            action="person.erasure_cancelled",
            target=erasure.member or erasure,
            data={"erasure": str(erasure.public_id)},
            now=now,
        )
    return True


def erase_due_people(*, now: dt.datetime) -> ErasureSummary:
    """Erase everybody whose waiting time is over; one who fails doesn't stop the others. Safe to run twice at once."""
    erased = held = failed = 0
    for erasure_id in Erasure.objects.due(now).order_by("due_at").values_list("pk", flat=True):
        try:
            match _erase(erasure_id, now=now):
                case True:
                    erased += 1
                case False:
                    held += 1
        except Exception as error:
            failed += 1
            log.exception("erasure_failed", erasure=erasure_id)
            _note_failure(erasure_id, error, now=now)
    return ErasureSummary(erased, held, failed)


def _erase(erasure_id: int, *, now: dt.datetime) -> bool | None:
    """Erase one person in one transaction; False when it waits for somebody, None when another process is at it."""
    with transaction.atomic():
        erasure = Erasure.objects.due(now).select_for_update(skip_locked=True).filter(pk=erasure_id).first()
        if erasure is None:
            return None
        member = erasure.member
        person = person_of(member) if member is not None else person_at(str(erasure.identity))
        if problem := _why_not_yet(erasure, person):
            _hold(erasure, problem, now=now)
            return False
        # In the locking order of the site: draws, outbox, accounts; the ledger last.
        counts = {
            "draws": draws_privacy.erase(person=person, now=now),
            "notifications": notifications_privacy.erase(person=person),
            "payments": payments_privacy.erase(person=person),
            "audit": audit_privacy.erase(person=person),
            "accounts": accounts_privacy.erase(person=person),
        }
        given_up = (
            payments_privacy.give_up_wallets(
                member=person.member, idem_key=f"erasure:{erasure.public_id}", now=now
            )
            if person.member is not None
            else {}
        )
        erasure.member, erasure.identity = person.member, None
        erasure.problem, erasure.done_at = "", now
        erasure.save(update_fields=["member", "identity", "problem", "done_at"])
        record(
            actor=None,
            action="person.erased",
            target=person.member or erasure,
            data={"erasure": str(erasure.public_id), "rows": counts, "given_up": given_up},
            now=now,
        )
    return True


def _why_not_yet(erasure: Erasure, person: Person) -> str:
    """What happened since it was asked for that a person has to see to; a sentence for staff."""
    if erasure.member is None and person.member is not None:
        return _("An account with this address was opened since: call this off, and have the account erased.")
    if person.member is not None and (person.member.is_staff or person.member.is_superuser):
        return _(
            "The account was given rights to administer the site: take them away, or call the erasure off."
        )
    if unfinished := payments_privacy.why_not_yet(person=person):
        return unfinished
    if not erasure.gives_up_wallet and (wallet := _wallet_of(person)):
        return _(
            "%(wallet)s is in the wallet, and its owner has not agreed to give it up: pay it out, or call the erasure off."
        ) % {"wallet": ", ".join(wallet)}
    return ""


def _note_failure(erasure_id: int, error: Exception, *, now: dt.datetime) -> None:
    """Say it where staff look. Of the error only its kind: what it says may quote the person."""
    with transaction.atomic():
        erasure = Erasure.objects.waiting().select_for_update(skip_locked=True).filter(pk=erasure_id).first()
        if erasure is not None:
            problem = _("The last attempt failed (%(kind)s): the log says why. It is tried again by itself.")
            _hold(erasure, problem % {"kind": type(error).__name__}, now=now)


def _hold(erasure: Erasure, problem: str, *, now: dt.datetime) -> None:
    if erasure.problem == problem:
        return
    erasure.problem = problem
    erasure.save(update_fields=["problem"])
    record(
        actor=None,
        action="person.erasure_held",
        target=erasure.member or erasure,
        data={"erasure": str(erasure.public_id), "problem": problem},
        now=now,
    )


def erase_old_data(*, now: dt.datetime) -> dict[str, int]:
    """Erase what has been kept long enough (`docs/privacy.md`). Returns how many rows of what."""
    with transaction.atomic():
        return {**draws_privacy.erase_old(now=now), **payments_privacy.erase_old(now=now)}
