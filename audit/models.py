"""The trail: rows that are only ever added, and seals that chain them. Triggers hold both (migration 0002)."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Record(models.Model):
    """One thing somebody did: who, what (dotted, `draw.executed`), to what, with what details."""

    at = models.DateTimeField(_("time"))
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("who"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("Empty: the site itself."),
    )
    action = models.CharField(_("action"), max_length=80, db_index=True)
    target = models.CharField(_("about"), max_length=120, db_index=True)
    data = models.JSONField(_("details"), default=dict)

    class Meta:
        verbose_name = _("audit record")
        verbose_name_plural = _("audit trail")
        indexes = [models.Index(fields=["at"], name="audit_record_at")]
        constraints = [
            models.CheckConstraint(condition=models.Q(action__contains="."), name="audit_record_action_dotted"),
        ]

    def __str__(self) -> str:
        return f"{self.action} · {self.target}"


class RequestContext(models.Model):
    """Where an action came from. Beside the record, because it is personal data and may be erased."""

    record = models.OneToOneField(Record, on_delete=models.CASCADE, primary_key=True, related_name="context")
    request_id = models.CharField(_("request"), max_length=64, blank=True)
    address = models.GenericIPAddressField(_("address"), null=True, blank=True)
    user_agent = models.CharField(_("browser"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("request context")

    def __str__(self) -> str:
        return self.request_id


class Seal(models.Model):
    """A link of the chain: Merkle root over the records that were new when it was made.

    `missing` are ids of the range that were not there then (rolled back, or not yet committed); one that
    appears later is sealed in a later seal's `late`. So writers never wait for the sealer.
    """

    first_id = models.BigIntegerField()
    last_id = models.BigIntegerField()
    missing = models.JSONField(default=list)
    late = models.JSONField(default=list)
    count = models.PositiveBigIntegerField()
    merkle_root = models.CharField(max_length=64)
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, unique=True)
    sealed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("seal")
        constraints = [models.UniqueConstraint(fields=["previous"], name="audit_seal_one_successor")]

    def __str__(self) -> str:
        return self.digest
