"""Browsers of members that show push messages."""

import hashlib
import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

ENDPOINT_LIMIT = 1_000
NAME_LIMIT = 80


class PushDeviceQuerySet(models.QuerySet["PushDevice"]):
    """Sets of devices."""

    def live(self, member_id: int) -> "PushDeviceQuerySet":
        """Those of a member that are told, the newest first."""
        return self.filter(member_id=member_id, gone_at__isnull=True).order_by("-made_at", "-pk")


class PushDevice(models.Model):
    """One browser that a member switched on. Whoever has its address and keys can write to it: neither is shown anywhere.

    `gone_at`: its push service said that there is no such browser any more, so it is told nothing.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    member = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("member"),
        on_delete=models.CASCADE,
        related_name="+",
    )
    endpoint = models.CharField(max_length=ENDPOINT_LIMIT, unique=True)
    p256dh = models.CharField(max_length=100)
    auth = models.CharField(max_length=40)
    name = models.CharField(_("device"), max_length=NAME_LIMIT)
    made_at = models.DateTimeField(_("switched on"))
    last_ok_at = models.DateTimeField(_("last told"), null=True, blank=True)
    gone_at = models.DateTimeField(_("gone"), null=True, blank=True)

    objects = PushDeviceQuerySet.as_manager()

    class Meta:
        verbose_name = _("device")
        verbose_name_plural = _("devices")
        default_permissions = ()

    def __str__(self) -> str:
        return self.name

    @property
    def fingerprint(self) -> str:
        """By which a browser finds itself in the list: SHA-256 of its address, in hex."""
        return hashlib.sha256(self.endpoint.encode()).hexdigest()
