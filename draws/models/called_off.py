"""Draws that were called off although their number may have been known: why, by whom, and what they would have drawn."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from draws.models.draw import Draw


class CalledOff(models.Model):
    """The record of one such draw; never deleted, and its proof, once there, never changed (migration 0011).

    `proof` is what the draw's proof would have been, in the same form, so that the same programs check it. It is drawn up
    after the calling off, as soon as every value that the manifest names is there; until then `waits_for` tells the
    admins what is missing.
    """

    draw = models.OneToOneField(Draw, on_delete=models.PROTECT, related_name="called_off")
    reason = models.CharField(_("reason"), max_length=500)
    called_off_at = models.DateTimeField(_("called off"))
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("asked by")
    )
    agreed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("agreed by")
    )
    proof = models.JSONField(null=True)
    drawn_up_at = models.DateTimeField(_("drawn up"), null=True)
    waits_for = models.TextField(_("waits for"), blank=True)
    next_attempt_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("draw that was called off")
        verbose_name_plural = _("draws that were called off")
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(asked_by=models.F("agreed_by")), name="draws_calledoff_two_people"
            ),
            models.CheckConstraint(
                condition=models.Q(proof__isnull=True, drawn_up_at__isnull=True)
                | models.Q(proof__isnull=False, drawn_up_at__isnull=False),
                name="draws_calledoff_drawn_up",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.draw} · {self.reason}"
