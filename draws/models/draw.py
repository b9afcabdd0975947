"""A draw, its prizes and its report."""

import datetime as dt
import uuid
import zoneinfo
from hashlib import sha256
from typing import Any, ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.models import validate_time_zone
from accounts.validators import validate_plain_line
from draws.drand import QUICKNET

OVERDUE_AFTER = dt.timedelta(minutes=5)
LEAST_WAIT_S = 30
MOST_WAIT_S = 30 * 24 * 3600
MOST_SLOTS = 10_000
"""Prizes of one draw, each counted as often as there is one: the proof names every one of them."""
MOST_ALTERNATES = 100_000


class DrawQuerySet(models.QuerySet["Draw"]):
    """Sets of draws that jobs and pages ask for."""

    def public(self) -> "DrawQuerySet":
        """Draws anyone may see: all but drafts, also those that were dropped as such."""
        return self.exclude(status=Draw.Status.DRAFT).exclude(
            status=Draw.Status.CANCELLED, published_at__isnull=True
        )

    def for_cards(self) -> "DrawQuerySet":
        """Only what a card shows, and what its phase and the choice of the draw on the stage hang on."""
        return self.only(
            *(
                "slug",
                "title",
                "status",
                "audience",
                "min_age",
                "countries",
                "currency",
                "manifest",
                "sources",
            ),
            *("public_id", "secret_encrypted"),
            *("opens_at", "closes_at", "draw_at", "frozen_at", "executed_at"),
        )

    def open(self, now: dt.datetime) -> "DrawQuerySet":
        """Draws that take entries at `now`."""
        return self.filter(status=Draw.Status.ACTIVE, frozen_at=None, opens_at__lte=now, closes_at__gt=now)

    def upcoming(self, now: dt.datetime) -> "DrawQuerySet":
        """Published draws that have not opened yet."""
        return self.filter(status=Draw.Status.ACTIVE, opens_at__gt=now)

    def awaiting_draw(self, now: dt.datetime) -> "DrawQuerySet":
        """Closed to entries and not drawn yet."""
        return self.filter(
            models.Q(frozen_at__isnull=False) | models.Q(closes_at__lte=now),
            status__in=(Draw.Status.ACTIVE, Draw.Status.EXECUTING),
        )

    def past(self) -> "DrawQuerySet":
        """Draws with nothing more to come."""
        return self.filter(status__in=(Draw.Status.COMPLETED, Draw.Status.VOID, Draw.Status.CANCELLED))

    def due_to_freeze(self, now: dt.datetime) -> "DrawQuerySet":
        """Draws to be frozen whose last failure, if there was one, is far enough behind."""
        return self.to_be_frozen(now).filter(
            models.Q(next_attempt_at=None) | models.Q(next_attempt_at__lte=now)
        )

    def to_be_frozen(self, now: dt.datetime) -> "DrawQuerySet":
        """Closed draws whose manifest is not made yet, also those that a killed freeze left half-way."""
        return self.filter(
            models.Q(closes_at__lte=now) | models.Q(frozen_at__isnull=False),
            status=Draw.Status.ACTIVE,
            manifest__isnull=True,
        )

    def due_to_execute(self, now: dt.datetime) -> "DrawQuerySet":
        """Frozen draws whose time has come, and whose last failure is far enough behind."""
        return self.filter(
            models.Q(next_attempt_at=None) | models.Q(next_attempt_at__lte=now),
            status__in=(Draw.Status.ACTIVE, Draw.Status.EXECUTING),
            manifest__isnull=False,
            draw_at__lte=now,
        )

    def unfinished(self) -> "DrawQuerySet":
        """Published draws that are still to be drawn."""
        return self.filter(status__in=(Draw.Status.ACTIVE, Draw.Status.EXECUTING))

    def overdue(self, now: dt.datetime) -> "DrawQuerySet":
        """Not drawn 5 minutes after their time."""
        return self.unfinished().filter(draw_at__lt=now - OVERDUE_AFTER)


class Draw(models.Model):
    """One prize draw, from its first draft to its report."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        ACTIVE = "active", _("Active")
        EXECUTING = "executing", _("Executing")
        COMPLETED = "completed", _("Completed")
        CANCELLED = "cancelled", _("Cancelled")
        VOID = "void", _("Void")

    class Audience(models.TextChoices):
        MEMBERS = "members", _("Every member, and imported entrants")
        GROUP = "group", _("Members of one group, and imported entrants")
        LIST = "list", _("Imported entrants only")
        APP = "app", _("Whom another part of the site enters")

    class Leftover(models.TextChoices):
        STAYS = "stays", _("Stays in the draw's pool")
        RETURNS = "returns", _("Returns to the funder")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    slug = models.SlugField(_("address"), max_length=80, unique=True)
    title = models.CharField(_("title"), max_length=120, validators=[validate_plain_line])
    description = models.TextField(_("description"), blank=True)
    rules = models.TextField(_("rules"), help_text=_("Hashed when the draw is published."))
    rules_version = models.PositiveIntegerField(_("version of the rules"), default=1, editable=False)
    audience = models.CharField(
        _("who may enter"), max_length=16, choices=Audience.choices, default=Audience.MEMBERS
    )
    audience_group = models.ForeignKey(
        "auth.Group",
        verbose_name=_("group"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("Where only the members of one group may enter."),
    )
    min_age = models.PositiveSmallIntegerField(
        _("least age"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(120)],
        help_text=_(
            "In years on the day entries close. Holds for members who enter; imported lists are as given."
        ),
    )
    countries = models.JSONField(_("countries"), default=list, blank=True)
    currency = models.CharField(_("currency of cash prizes"), max_length=12, default="KES")
    alternates = models.PositiveIntegerField(
        _("extra ranks"),
        null=True,
        blank=True,
        validators=[MaxValueValidator(MOST_ALTERNATES)],
        help_text=_(
            "Ranks drawn beyond the prizes, for slots that fall vacant. Empty: as many as prizes, at least 3."
        ),
    )
    leftover_policy = models.CharField(
        _("what is not won"), max_length=16, choices=Leftover.choices, default=Leftover.STAYS
    )
    claim_days = models.PositiveSmallIntegerField(
        _("days to claim"), default=14, validators=[MinValueValidator(1)]
    )

    opens_at = models.DateTimeField(_("entries open"))
    closes_at = models.DateTimeField(_("entries close"))
    draw_at = models.DateTimeField(_("draw time"))
    time_zone = models.CharField(
        _("time zone of the draw"), max_length=64, default="Africa/Nairobi", validators=[validate_time_zone]
    )
    min_wait_s = models.PositiveIntegerField(
        _("least wait (seconds)"),
        default=600,
        validators=[MinValueValidator(LEAST_WAIT_S), MaxValueValidator(MOST_WAIT_S)],
        help_text=_("From the freeze to the draw: 600, for a live raffle 30."),
    )

    status = models.CharField(
        _("state"), max_length=16, choices=Status.choices, default=Status.DRAFT, editable=False
    )
    published_at = models.DateTimeField(_("published"), null=True, editable=False)
    frozen_at = models.DateTimeField(_("fairness lock"), null=True, editable=False)
    scope = models.UUIDField(editable=False, null=True, db_index=True)
    excludes = models.JSONField(_("skips the winners of"), default=list, editable=False)
    owner = models.CharField(_("made by"), max_length=40, blank=True, editable=False)
    randomness = models.JSONField(_("chosen randomness"), default=list, blank=True, editable=False)
    sources = models.JSONField(_("randomness"), default=list, editable=False)
    secret_encrypted = models.TextField(editable=False, blank=True)
    entries_count = models.PositiveBigIntegerField(_("entries"), null=True, editable=False)
    manifest = models.JSONField(null=True, editable=False)
    manifest_sha256 = models.CharField(max_length=64, blank=True, editable=False)
    executed_at = models.DateTimeField(_("executed"), null=True, editable=False)
    execution_error = models.TextField(_("last failure"), blank=True, editable=False)
    attempts = models.PositiveIntegerField(_("attempts"), default=0, editable=False)
    next_attempt_at = models.DateTimeField(null=True, editable=False)
    vacant_slots = models.PositiveIntegerField(
        _("vacant slots"),
        default=0,
        editable=False,
        help_text=_("Prizes that wait for the ranks to be extended, or to be closed."),
    )
    vacancies_closed_at = models.DateTimeField(_("vacancies closed"), null=True, editable=False)
    payouts_stopped_at = models.DateTimeField(_("payouts stopped"), null=True, editable=False)
    payouts_stopped_why = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[DrawQuerySet] = DrawQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("draw")
        verbose_name_plural = _("draws")
        ordering = ("-draw_at", "-pk")
        permissions = [
            ("publish_draw", "Can publish a draw"),
            ("fund_draw", "Can fund a draw's pool"),
            ("import_entries", "Can import entries into a draw"),
            ("freeze_draw", "Can freeze a draw by hand"),
            ("execute_draw", "Can execute a draw by hand"),
            ("cancel_draw", "Can cancel a draw"),
            ("call_off_draw", "Can call off, with a second person, a draw whose number may be known"),
            ("amend_draw", "Can change a published draw"),
            ("announce_text", "Can enter or confirm the announced text of a draw"),
            ("check_draw", "Can check a drawn draw, and let its payouts go on"),
        ]
        indexes = [
            models.Index(
                fields=["draw_at"],
                name="draws_draw_unfinished",
                condition=models.Q(status__in=("active", "executing")),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(opens_at__lt=models.F("closes_at")) | models.Q(frozen_at__isnull=False),
                name="draws_draw_opens_before_it_closes",
            ),
            models.CheckConstraint(
                condition=models.Q(closes_at__lte=models.F("draw_at")), name="draws_draw_closes_before_draw"
            ),
            models.CheckConstraint(
                condition=models.Q(manifest__isnull=True) | models.Q(frozen_at__isnull=False),
                name="draws_draw_manifest_needs_freeze",
            ),
            models.CheckConstraint(
                condition=~models.Q(status="completed")
                | models.Q(executed_at__isnull=False, manifest__isnull=False),
                name="draws_draw_completed_was_executed",
            ),
            models.CheckConstraint(
                condition=models.Q(alternates__isnull=True) | models.Q(alternates__lte=MOST_ALTERNATES),
                name="draws_draw_most_alternates",
            ),
            models.CheckConstraint(
                condition=~models.Q(audience="group") | models.Q(audience_group__isnull=False),
                name="draws_draw_group_is_named",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("draws:detail", args=[self.slug])

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The zone in which the draw's times are announced."""
        return zoneinfo.ZoneInfo(self.time_zone)

    @property
    def pool(self) -> str:
        """Name of the draw's pool in the ledger."""
        return f"draw:{self.public_id}"

    @property
    def about(self) -> str:
        """How other floors name this draw: in the audit trail, messages and ledger entries."""
        return f"draws.draw:{self.public_id}"

    @property
    def rules_sha256(self) -> str:
        """SHA-256 of the rules' UTF-8 text, lower-case hex."""
        return sha256(self.rules.encode()).hexdigest()

    @property
    def commitment(self) -> str:
        """C, the hash that binds the secret made at publishing; empty without a `commit` source."""
        return next((source["sha256"] for source in self.sources if source["type"] == "commit"), "")

    @property
    def source_types(self) -> list[str]:
        """Where its number comes from, in order: `commit`, `drand`, `public_text`."""
        return [str(source["type"]) for source in self.sources]

    @property
    def drand_round(self) -> int:
        """The round of quicknet that comes out at the draw's time, as it is announced now."""
        return QUICKNET.round_at(int(self.draw_at.timestamp()))

    @property
    def is_finished(self) -> bool:
        """Nothing more will happen to this draw."""
        return self.status in (self.Status.COMPLETED, self.Status.CANCELLED, self.Status.VOID)

    @property
    def first_prize(self) -> tuple[str, int, bool]:
        """(title, quantity, whether there are others) of the prize a card names; all empty where there is none."""
        prizes = list(self.prizes.all()) if self.pk else []
        return (prizes[0].title, prizes[0].quantity, len(prizes) > 1) if prizes else ("", 0, False)

    def phase(self, now: dt.datetime) -> str:
        """What a visitor sees: draft, upcoming, open, closed, frozen, drawing, completed, void, cancelled."""
        if self.status != self.Status.ACTIVE:
            return "drawing" if self.status == self.Status.EXECUTING else str(self.status)
        if self.manifest is not None:
            return "drawing" if self.draw_at <= now else "frozen"
        if self.frozen_at is not None or self.closes_at <= now:
            return "closed"
        return "upcoming" if now < self.opens_at else "open"

    def is_overdue(self, now: dt.datetime) -> bool:
        """Not drawn 5 minutes after its time."""
        return self.status in (self.Status.ACTIVE, self.Status.EXECUTING) and self.is_late_by(now)

    def is_late_by(self, at: dt.datetime) -> bool:
        """Whether `at` is more than 5 minutes past its time."""
        return self.draw_at < at - OVERDUE_AFTER


def picture_path(_prize: "Prize", file_name: str) -> str:
    """A name that nobody can guess or choose; `file_name` is what `read_picture` made of the content."""
    return f"prizes/{uuid.uuid4()}-{file_name}"


class Prize(models.Model):
    """What may be won; `quantity` of them are as many slots."""

    class Kind(models.TextChoices):
        CASH = "cash", _("Cash")
        CREDITS = "credits", _("Credits")
        POINTS = "points", _("Points")
        VOUCHER = "voucher", _("Voucher")
        PHYSICAL = "physical", _("Item")

    LEDGER_KINDS = (Kind.CASH, Kind.CREDITS, Kind.POINTS)

    class Pays(models.TextChoices):
        AT_ONCE = "at_once", _("at once")
        ON_CLAIM = "on_claim", _("when it is claimed")

    draw = models.ForeignKey(Draw, on_delete=models.CASCADE, related_name="prizes")
    code = models.CharField(
        max_length=16, null=True, editable=False, help_text=_("Its id in the manifest: p1, p2, …")
    )
    title = models.CharField(_("title"), max_length=120, validators=[validate_plain_line])
    position = models.PositiveSmallIntegerField(_("order"), default=1)
    quantity = models.PositiveIntegerField(
        _("how many"), default=1, validators=[MinValueValidator(1), MaxValueValidator(MOST_SLOTS)]
    )
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices, default=Kind.CASH)
    amount = models.PositiveBigIntegerField(
        _("amount"), default=0, help_text=_("Minor units: cents of money, whole credits or points.")
    )
    pays = models.CharField(
        _("is paid"),
        max_length=16,
        choices=Pays.choices,
        default=Pays.AT_ONCE,
        help_text=_(
            "To members. Whoever has no account always claims, and so does who wins a voucher or a thing."
        ),
    )
    terms = models.TextField(
        _("terms"), blank=True, help_text=_("Shown to the winner with a voucher or a thing.")
    )
    valid_days = models.PositiveSmallIntegerField(
        _("days the voucher is valid"), default=365, validators=[MinValueValidator(1)]
    )

    # Not promised: the manifest says nothing of it. Through `draws.pictures.read_picture` alone.
    image = models.ImageField(_("picture"), upload_to=picture_path, null=True, blank=True, max_length=120)

    class Meta:
        verbose_name = _("prize")
        ordering = ("position", "pk")
        constraints = [
            models.UniqueConstraint(fields=["draw", "code"], name="draws_prize_code"),
            models.CheckConstraint(condition=models.Q(quantity__gte=1), name="draws_prize_quantity"),
            models.CheckConstraint(condition=models.Q(quantity__lte=MOST_SLOTS), name="draws_prize_most"),
            models.CheckConstraint(
                condition=models.Q(kind__in=("voucher", "physical")) | models.Q(amount__gte=1),
                name="draws_prize_money_has_amount",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def image_version(self) -> str:
        """Names the picture's content; empty without a picture."""
        return (self.image.name or "").rpartition("-")[2].removesuffix(".webp")

    @property
    def image_path(self) -> str:
        """Where a published draw's picture is; empty without one."""
        if not self.image or not self.code:
            return ""
        return reverse("draws:prize_image", args=[self.draw.slug, self.code, self.image_version])

    @property
    def unit(self) -> str:
        """Ledger unit of the amount; empty for what the ledger does not hold."""
        return {"cash": self.draw.currency, "credits": "CREDIT", "points": "POINT"}.get(self.kind, "")


class DrawReport(models.Model):
    """What happened, for ever: written once at execution, never changed (trigger)."""

    draw = models.OneToOneField(Draw, on_delete=models.PROTECT, related_name="report")
    proof = models.JSONField()
    report_sha256 = models.CharField(max_length=64)
    entries_count = models.PositiveBigIntegerField()
    tickets = models.PositiveBigIntegerField()
    winners_count = models.PositiveIntegerField()
    awarded = models.JSONField(help_text=_("Unit to minor units."))
    leftover = models.JSONField(help_text=_("Unit to minor units."))
    audit_record = models.ForeignKey("audit.Record", on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("report")

    def __str__(self) -> str:
        return self.report_sha256

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest as it was drawn from."""
        return dict(self.proof["manifest"])
