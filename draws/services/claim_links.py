"""Claim links once more: mailed again to a winner who lost the first, shown to staff where no mail can reach one."""

import datetime as dt

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from draws.models import Award, Draw, Entry, Winner
from draws.services.claiming import claim_token, require_time
from draws.services.handing_over import HandOverError
from draws.sources import source_of
from notifications.models import Message
from notifications.services import Recipient, notify

LINK_KIND = "draws.claim_link"
_SAME_LETTER = dt.timedelta(minutes=1)


def why_not_mailed(award: Award) -> str:
    """Why no link can be mailed for this award; empty where it can."""
    if award.state in (Award.State.EXPIRED, Award.State.REVERSED):
        return _("This prize has been lost already.")
    if award.member_id is not None:
        return _("The winner has an account, and needs no link.")
    if "@" not in (award.identity or ""):
        return _("The winner has no e-mail address that the site knows.")
    return ""


def why_not_shown(award: Award) -> str:
    """Why the link of this award is not for the eyes of staff; empty where nobody else can hand it over."""
    if award.state in (Award.State.EXPIRED, Award.State.REVERSED):
        return _("This prize has been lost already.")
    if award.member_id is not None:
        return _("The winner has an account, and needs no link.")
    if not award.identity:
        return _("The winner was erased: nobody is left to claim.")
    if "@" in award.identity:
        return _("The winner has an e-mail address: send the link there.")
    if award.unit:
        return _(
            "Money goes only into the account of the e-mail address that won, and this winner has none: pay by another "
            "road and replace the winner, or let the prize go to the next in line."
        )
    return ""


def resend_claim(*, award: Award, by: User, now: dt.datetime) -> Message:
    """Mail the link to a prize once more, to its winner alone: to be claimed, or to see a voucher that was.

    Asked for twice within a minute it is one letter. Raises `HandOverError` where there is nobody to mail, and
    `ClaimError` when the time to claim is over.
    """
    with transaction.atomic():
        award = Award.objects.select_for_update().get(pk=award.pk)
        if why_not := why_not_mailed(award):
            raise HandOverError(why_not)
        is_open = award.state == Award.State.CLAIMABLE
        if is_open:
            require_time(award, now)
        key = f"{award.key}:resend:{award.claim_version}"
        sent = Message.objects.filter(kind=LINK_KIND, about=award.about, idem_key__startswith=f"{key}:")
        if (last := sent.filter(created_at__gt=now - _SAME_LETTER).first()) is not None:
            return last
        draw = _draw_of(award)
        number = sent.count() + 1
        params = {"prize": award.title, "award": str(award.public_id), "award_state": str(award.state)}
        name = Winner.objects.filter(award=award).values_list("entry__name", flat=True).first() or ""
        message = notify(
            kind=LINK_KIND,
            about=award.about,
            context={
                "draw": draw.title,
                "slug": draw.slug,
                "claim_until": (award.claim_until if is_open else None) or now,
            },
            recipients=[Recipient(address=award.identity or "", name=name, params=params)],
            idem_key=f"{key}:{number}",
            not_before=now,
            now=now,
        )
        record(
            actor=by,
            action="award.link_sent",
            target=award,
            data={"version": award.claim_version, "number": number},
            now=now,
        )
    return message


def show_claim_link(*, award: Award, by: User, reason: str, now: dt.datetime) -> str:
    """The secret link of a winner whom the site can't reach, for staff to hand over; who saw it is kept.

    Raises `HandOverError` without a reason, and for any other award, and `ClaimError` when its time is over.
    """
    if not reason.strip():
        raise HandOverError(_("Say why: it is kept in the audit trail."))
    with transaction.atomic():
        award = Award.objects.select_for_update().get(pk=award.pk)
        if why_not := why_not_shown(award):
            raise HandOverError(why_not)
        if award.state == Award.State.CLAIMABLE:
            require_time(award, now)
        record(
            actor=by,
            action="award.link_shown",
            target=award,
            data={"version": award.claim_version, "reason": reason.strip()},
            now=now,
        )
    return str(settings.SITE_URL) + source_of(award).link_path(award, claim_token(award))


def unreachable_entries(draw: Draw) -> QuerySet[Entry]:
    """Entrants whom the site can't write to: no account, and a phone number for an address."""
    return Entry.objects.filter(draw=draw, member=None, identity__isnull=False).exclude(
        identity__contains="@"
    )


def unreachable_winners(draw: Draw) -> QuerySet[Winner]:
    """Winners who wait for a prize and whom the site can't write to."""
    waiting = Winner.objects.filter(draw=draw, state__in=Winner.STANDING, award__state=Award.State.CLAIMABLE)
    return waiting.filter(Q(award__member=None), award__identity__isnull=False).exclude(
        award__identity__contains="@"
    )


def _draw_of(award: Award) -> Draw:
    return Draw.objects.only("title", "slug").get(public_id=award.about.rpartition(":")[2])
