"""Who takes part, and the imports that brought many at once."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from draws.models.draw import Draw
from draws.vwd1 import MAX_TICKETS


class Entry(models.Model):
    """One person in one draw. A million of them is normal: few indexes, no rows per ticket.

    When the draw is frozen, draw, pid and weight can't change any more (trigger). Identity, name and salt may
    be erased: the pid then means nobody.
    """

    class Source(models.TextChoices):
        BUTTON = "button", _("Button")
        IMPORT = "import", _("Import")
        APP = "app", _("Another part of the site")

    draw = models.ForeignKey(Draw, on_delete=models.PROTECT, related_name="entries", db_index=False)
    identity = models.CharField(_("e-mail or phone"), max_length=254, null=True)
    member = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="entries", db_index=False
    )
    name = models.CharField(_("name"), max_length=80, blank=True)
    pid = models.BinaryField(max_length=32)
    salt = models.BinaryField(max_length=32, null=True)
    weight = models.BigIntegerField(_("tickets"), default=1)
    source = models.CharField(max_length=16, choices=Source.choices, default=Source.BUTTON)
    entered_at = models.DateTimeField(_("entered"))

    class Meta:
        verbose_name = _("entry")
        verbose_name_plural = _("entries")
        indexes = [
            models.Index(
                fields=["member", "-id"], name="draws_entry_member", condition=models.Q(member__isnull=False)
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["draw", "identity"], name="draws_entry_identity"),
            models.UniqueConstraint(fields=["draw", "pid"], name="draws_entry_pid"),
            models.CheckConstraint(
                condition=models.Q(weight__gte=1, weight__lte=MAX_TICKETS), name="draws_entry_weight"
            ),
        ]

    def __str__(self) -> str:
        return self.pid_hex[:16]

    @property
    def pid_hex(self) -> str:
        """The public id, lower-case hex."""
        return bytes(self.pid).hex()

    @property
    def salt_hex(self) -> str:
        """The salt that proves the pid is this person's; empty once erased."""
        return bytes(self.salt).hex() if self.salt else ""


class EntryDisqualification(models.Model):
    """A frozen entry that can't win any more: its ranks are skipped at the execution, with the reason. Never changed."""

    draw = models.ForeignKey(Draw, on_delete=models.PROTECT, related_name="disqualifications")
    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, related_name="disqualification")
    reason = models.CharField(_("reason"), max_length=300)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("disqualification")
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.entry}: {self.reason}"


class EntryImport(models.Model):
    """One CSV file that was imported: wholly, with a report of every line that was refused."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    draw = models.ForeignKey(Draw, on_delete=models.PROTECT, related_name="imports")
    file_name = models.CharField(_("file"), max_length=200)
    file_sha256 = models.CharField(max_length=64)
    lines = models.PositiveBigIntegerField(_("lines"))
    accepted = models.PositiveBigIntegerField(_("accepted"))
    rejected = models.PositiveBigIntegerField(_("rejected"))
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("import")
        ordering = ("-pk",)

    def __str__(self) -> str:
        return self.file_name


class ImportRejection(models.Model):
    """A line of an import that was not taken, and why."""

    entry_import = models.ForeignKey(EntryImport, on_delete=models.CASCADE, related_name="rejections")
    line = models.PositiveBigIntegerField(_("line"))
    content = models.CharField(_("content"), max_length=300)
    reason = models.CharField(_("reason"), max_length=300)

    class Meta:
        verbose_name = _("rejected line")
        ordering = ("line",)

    def __str__(self) -> str:
        return f"{self.line}: {self.reason}"
