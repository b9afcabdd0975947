"""The shape of draws in the API: what goes in, and what comes out."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.rest import StrictSerializer
from draws.models import Draw, DrawReport, Entry, Prize, Winner
from draws.services import prize_totals
from payments.serializers import AmountSerializer, amount_row

PHASES = ("upcoming", "open", "closed", "frozen", "drawing", "completed", "void", "cancelled")


def amount_rows(amounts: Mapping[str, int]) -> list[dict[str, Any]]:
    """Amounts by unit as rows, by unit; nothing of a unit is left out."""
    return [amount_row(unit, amount) for unit, amount in sorted(amounts.items()) if amount]


def flat_amount(amounts: Mapping[str, int]) -> int | None:
    """The one amount there is, in minor units; 0 for none, and None where there are several units."""
    there = [amount for amount in amounts.values() if amount]
    return None if len(there) > 1 else sum(there)


class PrizeSerializer(serializers.ModelSerializer[Prize]):
    """A prize of a draw."""

    unit = serializers.CharField(help_text="Empty for vouchers and things.")
    image = serializers.SerializerMethodField(help_text="A WebP picture; null without one.")

    class Meta:
        model = Prize
        fields = ("code", "title", "kind", "quantity", "amount", "unit", "image")

    @extend_schema_field(serializers.URLField(allow_null=True))
    def get_image(self, prize: Prize) -> str | None:
        path = prize.image_path
        return self.context["request"].build_absolute_uri(path) if path else None


class DrawSerializer(serializers.ModelSerializer[Draw]):
    """A draw as everyone may see it."""

    draw_id = serializers.UUIDField(source="public_id")
    phase = serializers.SerializerMethodField()
    prize_total = serializers.SerializerMethodField()

    class Meta:
        model = Draw
        fields = (
            "draw_id",
            "slug",
            "title",
            "phase",
            "opens_at",
            "closes_at",
            "draw_at",
            "time_zone",
            "executed_at",
            "prize_total",
        )

    @extend_schema_field(serializers.ChoiceField(choices=PHASES))
    def get_phase(self, draw: Draw) -> str:
        return draw.phase(timezone.now())

    @extend_schema_field(AmountSerializer(many=True))
    def get_prize_total(self, draw: Draw) -> list[dict[str, Any]]:
        return amount_rows(prize_totals(draw))


class ResultSerializer(serializers.ModelSerializer[DrawReport]):
    """What came of a draw, for everyone. What stayed in its pool is not everyone's business."""

    winners = serializers.IntegerField(source="winners_count")
    awarded = serializers.SerializerMethodField()

    class Meta:
        model = DrawReport
        fields = ("entries_count", "tickets", "winners", "awarded", "report_sha256")

    @extend_schema_field(AmountSerializer(many=True))
    def get_awarded(self, report: DrawReport) -> list[dict[str, Any]]:
        return amount_rows(report.awarded)


class DrawDetailSerializer(DrawSerializer):
    """A draw with its rules and prizes, what was promised, and what came of it."""

    prizes = PrizeSerializer(many=True)
    commitment = serializers.CharField(
        help_text="Binds the secret made at publishing: hex, empty without one."
    )
    rules_sha256 = serializers.CharField()
    result = serializers.SerializerMethodField()

    class Meta:
        model = Draw
        fields = (
            *DrawSerializer.Meta.fields,
            "description",
            "rules",
            "rules_sha256",
            "audience",
            "prizes",
            "commitment",
            "frozen_at",
            "entries_count",
            "manifest_sha256",
            "result",
        )

    @extend_schema_field(ResultSerializer(allow_null=True))
    def get_result(self, draw: Draw) -> dict[str, Any] | None:
        done = draw.status == Draw.Status.COMPLETED
        return dict(ResultSerializer(draw.report).data) if done else None


class WinnerSerializer(serializers.ModelSerializer[Winner]):
    """Who holds a slot: by name only where they agreed to that."""

    name = serializers.CharField(source="display_name")
    pid = serializers.CharField(source="entry.pid_hex")
    prize = serializers.CharField(source="prize.title")

    class Meta:
        model = Winner
        fields = ("slot", "rank", "name", "pid", "prize")


class EntrySerializer(serializers.ModelSerializer[Entry]):
    """The receipt of one's own entry: from scope, salt and identity anyone can compute the public id."""

    draw_id = serializers.UUIDField(source="draw.public_id")
    draw = serializers.CharField(source="draw.slug")
    draw_at = serializers.DateTimeField(source="draw.draw_at")
    phase = serializers.SerializerMethodField()
    pid = serializers.CharField(source="pid_hex", help_text="The public id: 64 hex digits.")
    salt = serializers.CharField(source="salt_hex", help_text="Keep it to yourself. Empty once erased.")
    identity = serializers.CharField(allow_null=True)
    scope = serializers.UUIDField(source="draw.scope")
    tickets = serializers.IntegerField(source="weight")

    class Meta:
        model = Entry
        fields = (
            "draw_id",
            "draw",
            "draw_at",
            "phase",
            "pid",
            "salt",
            "identity",
            "scope",
            "tickets",
            "entered_at",
        )

    @extend_schema_field(serializers.ChoiceField(choices=PHASES))
    def get_phase(self, entry: Entry) -> str:
        return entry.draw.phase(timezone.now())


class DueDrawSerializer(serializers.ModelSerializer[Draw]):
    """A draw that waits to be executed."""

    draw_id = serializers.UUIDField(source="public_id")
    draw_name = serializers.CharField(source="title")
    scheduled_time = serializers.DateTimeField(source="draw_at")
    is_due = serializers.SerializerMethodField()
    is_overdue = serializers.SerializerMethodField()

    class Meta:
        model = Draw
        fields = ("draw_id", "draw_name", "scheduled_time", "is_due", "is_overdue")

    def get_is_due(self, draw: Draw) -> bool:
        return draw.draw_at <= timezone.now()

    def get_is_overdue(self, draw: Draw) -> bool:
        return draw.is_overdue(timezone.now())


class HorizonSerializer(StrictSerializer):
    """How far ahead to look."""

    within_hours = serializers.IntegerField(
        min_value=0, max_value=8784, default=0, help_text="Also draws that come due so soon."
    )


class DrawStatusSerializer(serializers.ModelSerializer[Draw]):
    """How far the execution of a draw is, for staff."""

    draw_id = serializers.UUIDField(source="public_id")
    winners_selected = serializers.SerializerMethodField()
    total_awarded = serializers.SerializerMethodField()
    total_awarded_by_unit = serializers.SerializerMethodField()
    leftover_amount = serializers.SerializerMethodField()
    leftover_by_unit = serializers.SerializerMethodField()

    class Meta:
        model = Draw
        fields = (
            "draw_id",
            "status",
            "executed_at",
            "winners_selected",
            "total_awarded",
            "total_awarded_by_unit",
            "leftover_amount",
            "leftover_by_unit",
            "attempts",
            "execution_error",
            "next_attempt_at",
        )

    def get_winners_selected(self, draw: Draw) -> int:
        return draw.report.winners_count if draw.executed_at else 0

    def get_total_awarded(self, draw: Draw) -> int | None:
        return flat_amount(draw.report.awarded) if draw.executed_at else 0

    @extend_schema_field(AmountSerializer(many=True))
    def get_total_awarded_by_unit(self, draw: Draw) -> list[dict[str, Any]]:
        return amount_rows(draw.report.awarded) if draw.executed_at else []

    def get_leftover_amount(self, draw: Draw) -> int | None:
        return flat_amount(draw.report.leftover) if draw.executed_at else 0

    @extend_schema_field(AmountSerializer(many=True))
    def get_leftover_by_unit(self, draw: Draw) -> list[dict[str, Any]]:
        return amount_rows(draw.report.leftover) if draw.executed_at else []


class ReasonSerializer(StrictSerializer):
    """Why something is done by hand: kept in the audit trail."""

    reason = serializers.CharField(max_length=500)


class ExecutedSerializer(serializers.Serializer[Any]):
    """What an execution by hand did."""

    success = serializers.BooleanField()
    winners_selected = serializers.IntegerField()
    total_awarded = serializers.IntegerField(
        allow_null=True, help_text="Minor units, where all is in one unit; null for several, see the list."
    )
    total_awarded_by_unit = AmountSerializer(many=True)


class HealthSerializer(serializers.Serializer[Any]):
    """Whether draws will be executed at their time."""

    healthy = serializers.BooleanField()
    timestamp = serializers.DateTimeField()
    last_beat_at = serializers.DateTimeField(allow_null=True)
    last_beat_age_s = serializers.IntegerField(allow_null=True)
    overdue_draws = serializers.IntegerField()
