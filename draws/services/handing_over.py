"""After the claim: vouchers are redeemed, things are sent, addresses erased, claim links renewed."""

import datetime as dt

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from draws.models import Award, PrizeAddress, Voucher
from draws.services.errors import DrawError
from draws.sources import source_of
from draws.voucher_codes import VoucherCodeError, read_code


class VoucherError(DrawError):
    """The voucher can't be redeemed. The message says why."""


class HandOverError(DrawError):
    """The prize is not in a state for this. The message says why."""


def redeem_voucher(*, code: str, by: User, note: str, now: dt.datetime) -> Voucher:
    """Use a voucher, once; `note` says where and for what.

    Raises `VoucherError` for a code that was mistyped, is unknown, was used, voided, or is past its date.
    """
    try:
        known = read_code(code)
    except VoucherCodeError:
        raise VoucherError(
            _("This is no code of ours: look for a slip, the last character checks the others.")
        ) from None
    with transaction.atomic():
        found = Voucher.objects.filter(code=known).first()
        if found is None:
            raise VoucherError(_("No voucher has this code."))
        award = Award.objects.select_for_update().get(pk=found.award_id)
        voucher = Voucher.objects.select_for_update().get(pk=found.pk)
        state = voucher.state_at(now)
        if state == "redeemed":
            raise VoucherError(_("This voucher has been used already: a code is good for one time."))
        if state == "voided":
            raise VoucherError(_("This voucher was taken back."))
        if state == "expired":
            raise VoucherError(_("This voucher is past its date."))
        voucher.redeemed_at = now
        voucher.redeemed_by = by
        voucher.redeemed_note = note.strip()
        voucher.save(update_fields=["redeemed_at", "redeemed_by", "redeemed_note"])
        _mark_paid(award, now=now)
        record(
            actor=by,
            action="voucher.redeemed",
            target=award,
            data={"voucher": voucher.code[-4:], "note": voucher.redeemed_note},
            now=now,
        )
    return voucher


def mark_sent(*, award: Award, note: str, by: User, now: dt.datetime) -> Award:
    """Say that a thing is on its way; `note` is what the winner needs to follow it. Saying it again changes nothing.

    Raises `HandOverError` for anything but a thing whose winner has given an address.
    """
    with transaction.atomic():
        award = Award.objects.select_for_update().get(pk=award.pk)
        if award.kind != Award.PHYSICAL:
            raise HandOverError(_("Only things are sent."))
        if award.state == Award.State.PAID:
            return award
        if award.state != Award.State.CLAIMED:
            raise HandOverError(_("The winner has not said yet where to send it."))
        award.note = note.strip()
        award.save(update_fields=["note"])
        _mark_paid(award, now=now)
        record(actor=by, action="award.sent", target=award, data={"note": award.note}, now=now)
    return award


def _mark_paid(award: Award, *, now: dt.datetime) -> None:
    award.state = Award.State.PAID
    award.paid_at = now
    award.save(update_fields=["state", "paid_at"])
    source_of(award).settle(award, now)


def erase_address(*, award: Award, by: User | None, now: dt.datetime) -> bool:
    """Erase where a thing was sent; False when there is nothing to erase.

    Raises `HandOverError` while the thing has still to be sent.
    """
    with transaction.atomic():
        award = Award.objects.select_for_update().get(pk=award.pk)
        if award.state == Award.State.CLAIMED:
            raise HandOverError(_("It has not been sent yet, and without the address it can't be."))
        count, _rows = PrizeAddress.objects.filter(award=award).delete()
        if count:
            record(actor=by, action="award.address_erased", target=award, data={}, now=now)
    return bool(count)


def revoke_claim_links(*, award: Award, by: User, reason: str, now: dt.datetime) -> Award:
    """Make every secret link to this prize given out so far worthless; the next message brings a new one.

    Raises `HandOverError` without a reason.
    """
    if not reason.strip():
        raise HandOverError(_("Say why: it is kept in the audit trail."))
    with transaction.atomic():
        award = Award.objects.select_for_update().get(pk=award.pk)
        award.claim_version += 1
        award.save(update_fields=["claim_version"])
        record(
            actor=by,
            action="award.links_revoked",
            target=award,
            data={"version": award.claim_version, "reason": reason.strip()},
            now=now,
        )
    return award
