"""What a draw's promise rests on beside the draw itself: values from outside, and every change that was made to it."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from draws.models.draw import Draw


class DrandRound(models.Model):
    """One round of quicknet whose signature was verified. The draws of one moment share it. Only ever added."""

    number = models.PositiveBigIntegerField(_("round"), unique=True)
    signature = models.CharField(max_length=96)
    relay = models.CharField(max_length=200)
    collected_at = models.DateTimeField()

    class Meta:
        verbose_name = _("drand round")

    def __str__(self) -> str:
        return str(self.number)


class AnnouncedText(models.Model):
    """A text announced elsewhere, as one admin entered it; it counts once another one has confirmed it.

    `position` is that of the source in the draw's list. A text that was rejected stays on record.
    """

    draw = models.ForeignKey(Draw, on_delete=models.PROTECT, related_name="announced_texts")
    position = models.PositiveSmallIntegerField()
    text = models.CharField(_("text"), max_length=500)
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("entered by")
    )
    entered_at = models.DateTimeField()
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("confirmed by"),
    )
    confirmed_at = models.DateTimeField(null=True)
    rejected_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("announced text")
        constraints = [
            models.UniqueConstraint(
                fields=["draw", "position"],
                name="draws_announcedtext_one_standing",
                condition=models.Q(rejected_at__isnull=True),
            ),
            models.CheckConstraint(
                condition=models.Q(confirmed_by__isnull=True)
                | ~models.Q(confirmed_by=models.F("entered_by")),
                name="draws_announcedtext_two_people",
            ),
            models.CheckConstraint(
                condition=models.Q(confirmed_by__isnull=True, confirmed_at__isnull=True)
                | models.Q(confirmed_by__isnull=False, confirmed_at__isnull=False, rejected_at__isnull=True),
                name="draws_announcedtext_confirmed_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.draw} · {self.position}"


class DrawChange(models.Model):
    """Something about a published draw that came otherwise than announced: what, when and why. Only ever added.

    It is shown on the draw's public page, so the reason must be fit for everybody's eyes.
    """

    class Kind(models.TextChoices):
        CHANGED = "changed", _("Changed")
        CLOSED_EARLY = "closed_early", _("Entries closed early")
        FROZEN_LATE = "frozen_late", _("Moved by a late freeze")
        CANCELLED = "cancelled", _("Cancelled")
        VOID = "void", _("Void")

    draw = models.ForeignKey(Draw, on_delete=models.PROTECT, related_name="changes")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=Kind.choices)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    fields = models.JSONField(default=dict, help_text=_("Name to [before, after]."))
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("change of a draw")
        ordering = ("number",)
        constraints = [
            models.UniqueConstraint(fields=["draw", "number"], name="draws_drawchange_number"),
        ]

    def __str__(self) -> str:
        return f"{self.draw} · {self.number} · {self.get_kind_display()}"
