"""Who won which slot, and what became of the ranks afterwards."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from draws.models.awards import Award
from draws.models.draw import Draw, Prize
from draws.models.entries import Entry


class Winner(models.Model):
    """A slot of a draw and the rank that holds it."""

    class State(models.TextChoices):
        DRAWN = "drawn", _("Drawn")
        NOTIFIED = "notified", _("Notified")
        CLAIMED = "claimed", _("Claimed")
        PAID = "paid", _("Paid")
        FORFEITED = "forfeited", _("Forfeited")
        DECLINED = "declined", _("Declined")
        DISQUALIFIED = "disqualified", _("Disqualified")

    STANDING = ("drawn", "notified", "claimed", "paid")

    draw = models.ForeignKey(Draw, on_delete=models.PROTECT, related_name="winners")
    slot = models.PositiveIntegerField(_("slot"))
    rank = models.PositiveIntegerField(_("rank"))
    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, related_name="wins")
    prize = models.ForeignKey(Prize, on_delete=models.PROTECT, related_name="winners")
    award = models.OneToOneField(Award, on_delete=models.PROTECT, related_name="winner")
    ticket = models.BigIntegerField(_("ticket"))
    state = models.CharField(_("state"), max_length=16, choices=State.choices, default=State.DRAWN)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("winner")
        ordering = ("draw", "slot", "rank")
        permissions = [("fill_vacancies", "Can extend the ranks of a draw and close its vacancies")]
        constraints = [
            models.UniqueConstraint(
                fields=["draw", "slot"],
                name="draws_winner_one_per_slot",
                condition=models.Q(state__in=("drawn", "notified", "claimed", "paid")),
            ),
            models.UniqueConstraint(
                fields=["draw", "entry"],
                name="draws_winner_wins_once",
                condition=models.Q(state__in=("drawn", "notified", "claimed", "paid")),
            ),
            models.UniqueConstraint(fields=["draw", "rank"], name="draws_winner_rank_once"),
        ]

    def __str__(self) -> str:
        return f"{self.draw} · {self.prize}"

    @property
    def display_name(self) -> str:
        """How the winner is named in public: by consent `Asha K.`, else by the start of the pid."""
        member = self.entry.member
        if member is not None and member.shows_name and member.short_name:
            return member.short_name
        return self.entry.pid_hex[:12]


class Disposition(models.Model):
    """What became of a rank after the draw. Only ever added; the published proof carries them."""

    draw = models.ForeignKey(Draw, on_delete=models.PROTECT, related_name="dispositions")
    rank = models.PositiveIntegerField()
    state = models.CharField(max_length=16)
    reason = models.CharField(max_length=300)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("disposition")
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.rank}: {self.state}"


class ExtraRank(models.Model):
    """A rank drawn after the execution, because alternates had run out: the same sequence, gone on. Never changed."""

    draw = models.ForeignKey(Draw, on_delete=models.PROTECT, related_name="extra_ranks", db_index=False)
    rank = models.PositiveIntegerField()
    pid = models.BinaryField(max_length=32)
    ticket = models.BigIntegerField()
    remaining = models.BigIntegerField()
    attempts = models.PositiveIntegerField()

    class Meta:
        verbose_name = _("extra rank")
        ordering = ("draw", "rank")
        constraints = [models.UniqueConstraint(fields=["draw", "rank"], name="draws_extrarank_once")]

    def __str__(self) -> str:
        return f"{self.draw_id}: {self.rank}"

    def as_row(self) -> dict[str, int | str]:
        """The item of `ranks` in a proof."""
        return {
            "rank": self.rank,
            "pid": bytes(self.pid).hex(),
            "ticket": self.ticket,
            "remaining": self.remaining,
            "attempts": self.attempts,
        }
