"""Encrypting the stored secrets of draws with the newest key, so that old keys can be thrown away."""

import datetime as dt
from dataclasses import dataclass, field

import structlog
from django.db import transaction

from audit.services import record
from draws import vwd1
from draws.models import Draw
from draws.vault import VaultError, is_sealed_with_newest, open_secret, seal_secret

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Rotation:
    """What one run did: `rotated` now, `current` before already, and the addresses of draws that couldn't be."""

    rotated: int = 0
    current: int = 0
    failed: list[str] = field(default_factory=list)


def rotate_draw_secrets(*, now: dt.datetime) -> Rotation:
    """Encrypt every stored secret with the first of `DRAW_SECRET_KEYS`, one draw a transaction.

    Killed anywhere, it goes on where it was when it is run again. A secret that no key opens, or that isn't the one
    its draw committed to, is left as it is and named.
    """
    rotated = current = 0
    failed: list[str] = []
    for draw_id in Draw.objects.exclude(secret_encrypted="").order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():
            draw = Draw.objects.select_for_update().get(pk=draw_id)
            if is_sealed_with_newest(draw.secret_encrypted):
                current += 1
                continue
            try:
                secret = open_secret(draw.secret_encrypted)
            except VaultError:
                log.error("draw_secret_unreadable", draw=str(draw.public_id))
                failed.append(draw.slug)
                continue
            if vwd1.commitment(draw_id=draw.public_id, secret_hex=secret.hex()) != draw.commitment:
                log.error("draw_secret_is_another", draw=str(draw.public_id))
                failed.append(draw.slug)
                continue
            draw.secret_encrypted = seal_secret(secret)
            draw.save(update_fields=["secret_encrypted"])
            rotated += 1
    if rotated or failed:
        record(
            actor=None,
            action="draw.secrets_rotated",
            target="draws.secrets",
            data={"rotated": rotated, "current": current, "failed": failed},
            now=now,
        )
    return Rotation(rotated, current, failed)
