"""Claiming a prize, and the secret links by which people without an account do it.

Whoever comes by a link is whoever was sent it: that is enough for a voucher or a thing, and never for money,
which goes only into the wallet of an account with the address that won.
"""

import datetime as dt
import secrets
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from draws.models import Award, PrizeAddress, Voucher
from draws.services.errors import DrawError
from draws.services.holding import require_payouts
from draws.services.people import verified_addresses
from draws.sources import source_of
from draws.voucher_codes import RANDOM_BYTES, make_code
from notifications.links import is_genuine, make_token, row_of
from payments import pools

_PURPOSE = "draws.claim"


class ClaimError(DrawError):
    """The award can't be claimed or declined like this. The message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a thing goes. `country` is an ISO 3166 code, `phone` in E.164."""

    name: str
    street: str
    city: str
    postcode: str
    country: str
    phone: str


def claim_token(award: Award) -> str:
    """The secret part of the link to this award; made when a message is rendered, never stored."""
    return make_token(purpose=_PURPOSE, row=award.public_id, version=award.claim_version)


def award_by_token(token: str) -> Award | None:
    """The award that a link opens; None for a forged link and for one that was revoked."""
    row = row_of(token)
    award = Award.objects.filter(public_id=row).first() if row is not None else None
    if award is None or not is_genuine(
        token, purpose=_PURPOSE, row=award.public_id, version=award.claim_version
    ):
        return None
    return award


def claim_award(
    *, award: Award, member: User | None, now: dt.datetime, address: Address | None = None
) -> Award:
    """Take a prize; `member` None is whoever came by the award's secret link.

    Cash, credits and points that waited on the owed account go to the member's wallet; a voucher gets its code; a
    thing needs an `address`. Claiming again does nothing. Raises `ClaimError` for another person's award, while
    the address of an account is not verified, after the deadline, and for money without an account;
    `PayoutsStoppedError` while the draw is being checked.
    """
    with transaction.atomic():
        award = Award.objects.select_for_update().get(pk=award.pk)
        require_theirs(award, member)
        if award.state in (Award.State.CLAIMED, Award.State.PAID):
            return award
        require_time(award, now)
        require_payouts(award.about)
        if member is not None:
            award.member = member
        award.claimed_at = now
        if award.unit:
            _pay(award, now=now)
        elif award.kind == Award.PHYSICAL:
            _keep_address(award, address, now=now)
        else:
            _issue_voucher(award, now=now)
        award.save(update_fields=["payout", "member", "state", "claimed_at", "paid_at"])
        source_of(award).settle(award, now)
        record(
            actor=member,
            action="award.claimed",
            target=award,
            data={
                "about": award.about,
                "kind": award.kind,
                "unit": award.unit,
                "amount": award.amount,
                "by_link": member is None,
            },
            now=now,
        )
    return award


def require_theirs(award: Award, member: User | None) -> None:
    """Raise `ClaimError` unless the award is this member's, or, for None, that of a person without an account."""
    if member is None:
        if award.member_id is not None:
            raise ClaimError(_("This prize belongs to an account: sign in to see it."))
        return
    if award.member_id == member.pk:
        return
    if award.member_id is None and award.identity in verified_addresses(member):
        return
    if award.member_id is not None or award.identity != member.email:
        raise ClaimError(_("This prize belongs to somebody else."))
    raise ClaimError(_("Confirm your e-mail address first; then claim."))


def require_time(award: Award, now: dt.datetime) -> None:
    """Raise `ClaimError` unless the award waits for its winner and there is time left."""
    if award.ended_as == Award.Ending.DECLINED:
        raise ClaimError(_("This prize was declined, and has gone to the next in line."))
    if award.ended_as == Award.Ending.DISQUALIFIED:
        raise ClaimError(_("This prize was taken back by the organiser."))
    if not award.can_be_claimed(now) or not award.is_reachable:
        raise ClaimError(_("The time to claim this prize is over."))


def _pay(award: Award, *, now: dt.datetime) -> None:
    if award.member_id is None:
        raise ClaimError(
            _("To have it paid, sign in with the e-mail address that won; your wallet is there.")
        )
    award.payout = pools.pay_owed(
        pool=award.pool,
        idem_key=f"{award.key}:claim",
        unit=award.unit,
        amount=award.amount,
        member_id=award.member_id,
        about=award.about,
        now=now,
    )
    award.state = Award.State.PAID
    award.paid_at = now


def _keep_address(award: Award, address: Address | None, *, now: dt.datetime) -> None:
    if address is None:
        raise ClaimError(_("Say where it should be sent."))
    PrizeAddress.objects.create(
        award=award,
        name=address.name,
        street=address.street,
        city=address.city,
        postcode=address.postcode,
        country=address.country,
        phone=address.phone,
        given_at=now,
    )
    award.state = Award.State.CLAIMED


def _issue_voucher(award: Award, *, now: dt.datetime) -> None:
    Voucher.objects.create(
        award=award,
        code=make_code(secrets.token_bytes(RANDOM_BYTES)),
        value=award.title,
        terms=award.terms,
        issued_at=now,
        expires_at=now + dt.timedelta(days=award.valid_days),
    )
    award.state = Award.State.CLAIMED
