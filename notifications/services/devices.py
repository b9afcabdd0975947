"""Browsers that show push messages: switched on by their member, told, and forgotten when there are no more."""

import datetime as dt
import uuid
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.devices import device_name
from accounts.models import User
from notifications.channels import outside, seam
from notifications.kinds import Channel
from notifications.models import WAITING, Delivery, PushDevice, State
from notifications.models.devices import ENDPOINT_LIMIT, NAME_LIMIT
from notifications.privacy import keep_erasures_out
from notifications.vapid import CURVE, from_base64url

MOST = 8
"""Devices of one member; a further one takes the place of the oldest."""


class DeviceError(Exception):
    """This browser can't be told. The message says why."""


def add_device(
    *,
    member: User,
    endpoint: str,
    p256dh: str,
    auth: str,
    user_agent: str,
    replaces: str = "",
    now: dt.datetime,
) -> PushDevice:
    """Tell this browser from now on. Raises `DeviceError`.

    Its address is known to the browser alone, so whoever brings it sits at it: it is taken over from another member.
    `replaces`: the address it had until now, where the browser changed it by itself. That has to be this member's own: nobody
    is told because they signed in where somebody else had switched it on.
    """
    _check(endpoint, p256dh, auth)
    with transaction.atomic():
        keep_erasures_out()
        # Two browsers of one member take turns, so that neither removes what the other has just added.
        if not User.objects.select_for_update().filter(pk=member.pk, is_active=True).exists():
            raise DeviceError(_("Sign in again, and switch this device on then."))
        if replaces and not PushDevice.objects.filter(member=member, endpoint=replaces).delete()[0]:
            raise DeviceError(_("Switch this device on by its button."))
        [device] = PushDevice.objects.bulk_create(
            [
                PushDevice(
                    member=member,
                    endpoint=endpoint,
                    p256dh=p256dh,
                    auth=auth,
                    name=device_name(user_agent)[:NAME_LIMIT],
                    made_at=now,
                )
            ],
            update_conflicts=True,
            unique_fields=["endpoint"],
            update_fields=[
                "public_id",
                "member",
                "p256dh",
                "auth",
                "name",
                "made_at",
                "last_ok_at",
                "gone_at",
            ],
        )
        kept = PushDevice.objects.live(member.pk)[:MOST].values("pk")
        PushDevice.objects.filter(member=member).exclude(pk__in=kept).delete()
    return device


def remove_device(*, member: User, public_id: uuid.UUID) -> bool:
    """Tell it nothing more; False when it is not theirs. With the last one goes what still waits for it."""
    with transaction.atomic():
        removed, _rows = PushDevice.objects.filter(member=member, public_id=public_id).delete()
        if removed and not PushDevice.objects.live(member.pk).exists():
            waiting = Delivery.objects.filter(member=member, channel=Channel.PUSH, state__in=WAITING)
            waiting.update(state=State.CANCELLED)
    return bool(removed)


def devices_of(*, member_id: int) -> list[PushDevice]:
    """The browsers of a member that are told, the newest first."""
    return list(PushDevice.objects.live(member_id))


def devices_for(deliveries: Sequence[Delivery]) -> dict[int, tuple[seam.Device, ...]]:
    """By each push message's id, the devices it goes to. One question, and none where there is no push message."""
    told = [delivery for delivery in deliveries if delivery.channel == Channel.PUSH]
    if not told:
        return {}
    of_member: dict[int, list[seam.Device]] = {}
    live = PushDevice.objects.filter(member__in={d.member_id for d in told}, gone_at__isnull=True)
    for device in live.order_by("pk"):
        known = seam.Device(device.pk, device.endpoint, device.p256dh, device.auth)
        of_member.setdefault(device.member_id, []).append(known)
    return {delivery.pk: tuple(of_member.get(delivery.member_id or 0, ())) for delivery in told}


def note_devices(answers: Sequence[seam.Answer], *, now: dt.datetime) -> None:
    """Write down which devices took a message, and which are no more."""
    took = {key for answer in answers for key in answer.took}
    gone = {key for answer in answers for key in answer.gone} - took
    if took:
        PushDevice.objects.filter(pk__in=took).update(last_ok_at=now)
    if gone:
        PushDevice.objects.filter(pk__in=gone, gone_at__isnull=True).update(gone_at=now)


def _check(endpoint: str, p256dh: str, auth: str) -> None:
    try:
        if len(endpoint) > ENDPOINT_LIMIT:
            raise ValueError
        outside.checked(endpoint, inside=settings.PUSH_INSIDE)
        ec.EllipticCurvePublicKey.from_encoded_point(CURVE, from_base64url(p256dh))
        if len(from_base64url(p256dh)) != 65 or len(from_base64url(auth)) != 16:
            raise ValueError
    except ValueError:  # an address's error is one
        raise DeviceError(
            _("Your browser gave an address that can't be written to. Try another browser.")
        ) from None
