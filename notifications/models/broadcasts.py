"""What staff tell many: audiences, broadcasts to them, and sequences of messages after an occasion."""

import datetime as dt
import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from notifications.kinds import Category
from notifications.segments import Condition
from notifications.words.parts import Parts

_CATEGORIES = [(str(one), one.label) for one in (Category.SERVICE, Category.PROMOTIONAL)]


class Segment(models.Model):
    """An audience with a name: rules, put together. Who is in it is asked when it is used."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    title = models.CharField(_("name"), max_length=80, unique=True)
    rules = models.JSONField(_("rules"), default=list)
    changed_at = models.DateTimeField(_("changed"))

    class Meta:
        verbose_name = _("audience")
        verbose_name_plural = _("audiences")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.title

    @property
    def conditions(self) -> list[Condition]:
        """The rules, in order."""
        return [Condition.of(stored) for stored in self.rules]


class BroadcastState(models.TextChoices):
    """Where a broadcast is. That it is being sent, or sent, shows in its message."""

    DRAFT = "draft", _("draft")
    SCHEDULED = "scheduled", _("scheduled")
    CANCELLED = "cancelled", _("cancelled")


class Broadcast(models.Model):
    """One thing told to an audience. Scheduled it is a message, and nothing of it changes any more; only cancelling is left.

    `audience` and `size` are kept as they stood when it was scheduled: the audience may be changed for the next one.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    title = models.CharField(_("title"), max_length=80, help_text=_("For staff; nobody else reads it."))
    segment = models.ForeignKey(
        Segment, verbose_name=_("audience"), on_delete=models.PROTECT, related_name="broadcasts"
    )
    category = models.CharField(_("category"), max_length=16, choices=_CATEGORIES, default=Category.SERVICE)
    channels = models.JSONField(_("channels"), default=list)
    words = models.JSONField(_("words by language"), default=dict)
    send_at = models.DateTimeField(_("to be sent at"), null=True, blank=True)
    expires_at = models.DateTimeField(_("of no use after"), null=True, blank=True)
    state = models.CharField(
        _("state"), max_length=16, choices=BroadcastState.choices, default=BroadcastState.DRAFT
    )
    audience = models.JSONField(_("rules it was scheduled with"), default=list)
    size = models.PositiveIntegerField(_("people when it was scheduled"), default=0)
    message = models.OneToOneField(
        "notifications.Message",
        verbose_name=_("message"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="broadcast",
    )
    made_at = models.DateTimeField(_("made"))
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("by"), on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        verbose_name = _("broadcast")
        verbose_name_plural = _("broadcasts")
        default_permissions = ("view",)
        permissions = [
            ("broadcast", "Can make audiences, broadcasts and sequences, and schedule and cancel them")
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state=BroadcastState.DRAFT, message=None) | ~Q(state=BroadcastState.DRAFT),
                name="notifications_broadcast_draft_says_nothing",
            ),
            models.CheckConstraint(
                condition=~Q(state=BroadcastState.SCHEDULED) | Q(message__isnull=False),
                name="notifications_broadcast_scheduled_is_said",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def parts_in(self, language: str) -> Parts:
        """What is written in a language."""
        return Parts.of(self.words.get(language, {}))

    @property
    def languages(self) -> list[str]:
        """In which languages something is written, the one for everybody else first."""
        return list(self.words)


class Sequence(models.Model):
    """Messages that come one after another once something has happened to somebody, as long as it holds."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    title = models.CharField(_("title"), max_length=80, help_text=_("For staff; nobody else reads it."))
    occasion = models.CharField(_("after"), max_length=80)
    category = models.CharField(_("category"), max_length=16, choices=_CATEGORIES, default=Category.SERVICE)
    is_active = models.BooleanField(_("on"), default=False)
    made_at = models.DateTimeField(_("made"))

    class Meta:
        verbose_name = _("sequence")
        verbose_name_plural = _("sequences")
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["occasion"], name="notifications_sequence_on", condition=Q(is_active=True)),
        ]

    def __str__(self) -> str:
        return self.title


class SequenceStep(models.Model):
    """One message of a sequence, so long after the occasion. Of no use `useful_for` after its time."""

    sequence = models.ForeignKey(Sequence, on_delete=models.PROTECT, related_name="steps")
    delay = models.DurationField(_("so long after"))
    useful_for = models.DurationField(_("of use for"), default=dt.timedelta(days=3))
    channels = models.JSONField(_("channels"), default=list)
    words = models.JSONField(_("words by language"), default=dict)
    retired_at = models.DateTimeField(_("taken out"), null=True, blank=True)

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.sequence_id} · {self.delay}"


class SequenceTurn(models.Model):
    """One step for one person about one thing: waiting until `due_at`, then said as part of `batch`, or called off."""

    step = models.ForeignKey(SequenceStep, on_delete=models.PROTECT, related_name="turns")
    about = models.CharField(max_length=120)
    recipient_key = models.TextField()
    member = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        related_name="+",
    )
    address = models.TextField(blank=True)
    name = models.TextField(blank=True)
    values = models.JSONField(default=dict)
    due_at = models.DateTimeField()
    batch = models.UUIDField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("turn in a sequence")
        verbose_name_plural = _("turns in sequences")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["step", "about", "recipient_key"], name="notifications_turn_once"
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], name="notifications_turn_due", condition=Q(ended_at=None)),
            models.Index(fields=["batch"], name="notifications_turn_batch", condition=Q(batch__isnull=False)),
            models.Index(fields=["recipient_key"], name="notifications_turn_person"),
        ]

    def __str__(self) -> str:
        return f"{self.recipient_key} · {self.step_id}"
