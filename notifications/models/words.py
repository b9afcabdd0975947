"""Words that staff put in the place of a kind's own: one row for a kind and language, and every version there was."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from notifications.kinds import NAME_LIMIT
from notifications.words.parts import Parts

LANGUAGE_LIMIT = 16


class TemplateOverride(models.Model):
    """Words of one kind in one language. In force is the version with its `number`; 0: none yet.

    `broken_at` says since when the version in force can't be rendered, so that people get the kind's own words.
    """

    kind = models.CharField(_("kind"), max_length=NAME_LIMIT)
    language = models.CharField(_("language"), max_length=LANGUAGE_LIMIT)
    number = models.PositiveIntegerField(_("version in force"), default=0)
    changed_at = models.DateTimeField(_("changed"))
    broken_at = models.DateTimeField(_("broken since"), null=True, blank=True)
    broken_why = models.TextField(_("what is broken"), blank=True)

    class Meta:
        verbose_name = _("wording")
        verbose_name_plural = _("words of messages")
        default_permissions = ("view",)
        permissions = [("write_words", "Can write the words of messages, and send tests of them")]
        constraints = [
            models.UniqueConstraint(fields=["kind", "language"], name="notifications_override_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} · {self.language}"


class TemplateVersion(models.Model):
    """One version, as somebody saved it. The database refuses to change or delete it; an empty part is the kind's own."""

    override = models.ForeignKey(
        TemplateOverride, verbose_name=_("wording"), on_delete=models.PROTECT, related_name="versions"
    )
    number = models.PositiveIntegerField(_("version"))
    subject = models.TextField(_("subject"), blank=True)
    text = models.TextField(_("text"), blank=True)
    html = models.TextField(_("HTML"), blank=True)
    sms = models.TextField(_("short text"), blank=True)
    changed = models.JSONField(_("parts that changed"), default=list)
    accepted = models.JSONField(_("warnings that were accepted"), default=list)
    from_number = models.PositiveIntegerField(_("goes back to version"), null=True, blank=True)
    made_at = models.DateTimeField(_("time"))
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("by"), on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        verbose_name = _("version of words")
        verbose_name_plural = _("versions of words")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["override", "number"], name="notifications_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.override_id} · {self.number}"

    @property
    def parts(self) -> Parts:
        """What was written."""
        return Parts(self.subject, self.text, self.html, self.sms)
