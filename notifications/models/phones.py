"""Telephones: the codes by which a number is shown to be somebody's, and what was answered to our messages."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from notifications.answers_sms import Meaning


class PhoneCode(models.Model):
    """A code sent to a number, whose owner types it back. The code itself is nowhere: it is derived from `public_id`."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    member = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("member"), on_delete=models.PROTECT, related_name="+"
    )
    phone = models.CharField(_("phone"), max_length=20)
    sent_at = models.DateTimeField(_("sent"))
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    used_at = models.DateTimeField(_("used"), null=True, blank=True)

    class Meta:
        verbose_name = _("code sent to a phone")
        verbose_name_plural = _("codes sent to phones")
        default_permissions = ()
        indexes = [
            models.Index(fields=["member", "sent_at"], name="notifications_code_member"),
            models.Index(fields=["phone", "sent_at"], name="notifications_code_phone"),
        ]

    def __str__(self) -> str:
        return f"{self.member} · {self.sent_at:%Y-%m-%d %H:%M}"


class PhoneAnswer(models.Model):
    """A word somebody answered to our messages, once: told again by the provider, it is not heard again.

    Of the number only the fingerprint is kept, as on the suppression list.
    """

    provider_id = models.CharField(_("provider's id"), max_length=64, unique=True)
    channel = models.CharField(_("channel"), max_length=16)
    address_hash = models.CharField(_("fingerprint"), max_length=64)
    meaning = models.CharField(_("meaning"), max_length=8, choices=Meaning.choices)
    received_at = models.DateTimeField(_("received"))

    class Meta:
        verbose_name = _("answer by phone")
        verbose_name_plural = _("answers by phone")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.channel} · {self.get_meaning_display()}"
