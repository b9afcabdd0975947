"""The suppression list: addresses to which nothing goes any more, put on it and taken off it."""

import datetime as dt
from urllib.parse import urlsplit

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from notifications.kinds import Channel
from notifications.models import Suppression, SuppressionReason
from notifications.suppressing import hash_of, normalise_address


class SuppressionError(Exception):
    """An address can't be put on the list or taken off it like this. The message says why."""


def suppress_address(
    *,
    address: str,
    channel: str,
    reason: SuppressionReason,
    note: str = "",
    by: User | None,
    now: dt.datetime,
) -> Suppression:
    """Let nothing go to `address` by `channel` any more; one that is on the list stays on it as it is.

    `by` None: the site, because a provider said so. Raises `SuppressionError` for no address, and for staff who give no
    reason in `note`.
    """
    address = normalise_address(address, channel)
    if not address:
        raise SuppressionError(_("Write the address to which nothing is to be sent."))
    if by is not None and not note.strip():
        raise SuppressionError(_("Say why: a case number, or who asked for it. Name nobody."))
    with transaction.atomic():
        fingerprint = hash_of(address, channel)
        if reason != SuppressionReason.ERASED:  # that one lets a new account through; this one lets nobody
            Suppression.objects.filter(
                address_hash=fingerprint, channel=channel, lifted_at=None, reason=SuppressionReason.ERASED
            ).update(lifted_at=now, lift_note=_("Replaced by a stop of all messages."))
        row, is_new = Suppression.objects.get_or_create(
            address_hash=fingerprint,
            channel=channel,
            lifted_at=None,
            defaults={
                "address": _shown(address, channel),
                "reason": reason,
                "note": note.strip(),
                "suppressed_at": now,
                "suppressed_by": by,
            },
        )
        if is_new:
            data = {"channel": channel, "reason": str(reason)}
            if by is not None:  # what a provider says quotes the address, and the trail is for good
                data["note"] = note.strip()
            record(actor=by, action="notification.suppressed", target=row, data=data, now=now)
    return row


def _shown(address: str, channel: str) -> str:
    """What is kept of an address. The whole one of a webhook opens the chat to whoever reads it: its host alone."""
    return (urlsplit(address).hostname or "") if channel == Channel.WEBHOOK else address


def lift_suppression(*, suppression: Suppression, note: str, by: User | None, now: dt.datetime) -> bool:
    """Let messages through again; False when they are already.

    `by` None: the site, because its owner asked for it; that lifts only what they had asked for themselves (STOP). Raises
    `SuppressionError` without a reason in `note`.
    """
    if not note.strip():
        raise SuppressionError(_("Say why messages may go there again: a case number. Name nobody."))
    with transaction.atomic():
        standing = Suppression.objects.filter(pk=suppression.pk, lifted_at=None)
        if by is None:
            standing = standing.filter(reason=SuppressionReason.STOP)
        lifted = standing.update(lifted_at=now, lifted_by=by, lift_note=note.strip())
        if lifted:
            data = {"channel": suppression.channel, "note": note.strip()}
            record(actor=by, action="notification.suppression_lifted", target=suppression, data=data, now=now)
    return bool(lifted)
