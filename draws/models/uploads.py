"""Files of entrants that were received and wait to be imported, and how far each is."""

import datetime as dt
import uuid

from django.conf import settings
from django.db import connection, models
from django.utils.translation import gettext_lazy as _

from draws.models.draw import Draw
from draws.models.entries import EntryImport

MOST_ATTEMPTS = 5
_FIRST_PAUSE = dt.timedelta(seconds=5)
_PAUSES_GROW_BY = 3


class EntryUpload(models.Model):
    """A CSV file that was received whole. It is imported wholly or not at all, and how it ended stands here.

    What was received never changes, and what is done stays done (trigger). That somebody works on it right now is no
    state: it is the lock on the row, which goes with whoever holds it.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        DONE = "done", _("Imported")
        REFUSED = "refused", _("Refused")
        FAILED = "failed", _("Failed")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    draw = models.ForeignKey(Draw, on_delete=models.PROTECT, related_name="uploads")
    file_name = models.CharField(_("file"), max_length=200)
    file_sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField(_("bytes"))
    stored_as = models.CharField(
        max_length=200, blank=True, help_text=_("Name in the storage; empty once the file is deleted.")
    )
    state = models.CharField(_("state"), max_length=16, choices=State.choices, default=State.WAITING)
    why = models.TextField(_("why it was not imported"), blank=True)
    report = models.OneToOneField(EntryImport, on_delete=models.PROTECT, null=True, related_name="upload")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(_("received"))
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("uploaded file")
        verbose_name_plural = _("uploaded files")
        ordering = ("-pk",)
        indexes = [
            models.Index(
                fields=["created_at"], name="draws_upload_waits", condition=models.Q(state="waiting")
            )
        ]
        constraints = [
            # The same file sent twice is one import; what was refused or has failed may be sent again.
            models.UniqueConstraint(
                fields=["draw", "file_sha256"],
                name="draws_upload_once",
                condition=models.Q(state__in=["waiting", "done"]),
            ),
            models.CheckConstraint(
                condition=models.Q(state="done", report__isnull=False)
                | (~models.Q(state="done") & models.Q(report__isnull=True)),
                name="draws_upload_report",
            ),
            models.CheckConstraint(
                condition=models.Q(state="waiting", ended_at__isnull=True)
                | (~models.Q(state="waiting") & models.Q(ended_at__isnull=False)),
                name="draws_upload_ended",
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def about(self) -> str:
        """Name of this upload in the audit trail."""
        return f"draws.entryupload:{self.public_id}"

    @property
    def can_be_tried_again(self) -> bool:
        """Whether it ended without an import and the file is still kept."""
        return self.state in (self.State.REFUSED, self.State.FAILED) and bool(self.stored_as)

    def is_being_imported(self) -> bool:
        """Whether somebody holds the row at this moment. Asks the lock, which no dead worker can leave behind."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM draws_entryupload WHERE id = %s FOR SHARE SKIP LOCKED", [self.pk])
            return cursor.fetchone() is None


class UploadProgress(models.Model):
    """How far the import of an upload is.

    Not in the upload's own row: that one is locked while the import's transaction is open, and this one is written
    meanwhile over a connection of its own, so that others see it. It decides nothing but when to try again.
    """

    upload = models.OneToOneField(
        EntryUpload, on_delete=models.CASCADE, primary_key=True, related_name="progress"
    )
    attempts = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(null=True)
    lines = models.PositiveBigIntegerField(default=0)
    bytes_read = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = _("progress of an import")

    def __str__(self) -> str:
        return f"{self.upload_id}: {self.lines}"

    def is_due(self, now: dt.datetime) -> bool:
        """At once the first time; later, a pause after the last attempt began, each three times the one before."""
        if self.started_at is None:
            return True
        pause: dt.timedelta = _FIRST_PAUSE * _PAUSES_GROW_BY ** max(self.attempts - 1, 0)
        return now >= self.started_at + pause
