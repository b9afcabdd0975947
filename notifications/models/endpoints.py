"""Addresses of other programs that are told what becomes public: chats of Discord and Telegram, or any webhook."""

import uuid
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from notifications.kinds import NAME_LIMIT


class Endpoint(models.Model):
    """Where certain kinds of message are posted, about everything or about one thing (`about`).

    Nothing but test messages goes there before somebody has typed the code of one (`proven_at`): it shows that they read
    what arrives there. The secret by which receivers check our signature is derived from the id and `version`, and stored nowhere.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=80)
    url = models.CharField(_("address"), max_length=500)
    kinds = ArrayField(models.CharField(max_length=NAME_LIMIT), verbose_name=_("what it is told"))
    about = models.CharField(
        _("only about"), max_length=120, blank=True, help_text=_("As in the audit trail: draws.draw:…")
    )
    version = models.PositiveIntegerField(_("version of its secret"), default=1)
    code_version = models.PositiveIntegerField(default=1)
    wrong_codes = models.PositiveSmallIntegerField(default=0)
    tested_at = models.DateTimeField(_("last test"), null=True, blank=True)
    proven_at = models.DateTimeField(_("proven"), null=True, blank=True)
    stopped_at = models.DateTimeField(_("switched off"), null=True, blank=True)
    made_at = models.DateTimeField(_("made"))
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("made by"), on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        default_permissions = ("view",)
        permissions = [("manage_endpoints", "Can set up webhooks and switch them off")]
        constraints = [
            models.CheckConstraint(condition=~Q(kinds=[]), name="notifications_endpoint_told_something"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def host(self) -> str:
        """Where it is, without what is secret in its address."""
        return urlsplit(self.url).hostname or ""

    @property
    def is_told(self) -> bool:
        """Whether messages go there."""
        return self.proven_at is not None and self.stopped_at is None
