"""Draws in the API: thin edges over the services that pages, admin and jobs call."""

import datetime as dt
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, generics, serializers, status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from accounts.rest import StrictSerializer, needs
from draws import services
from draws.models import Draw, Entry, Winner
from draws.scopes import DRAWS_EXECUTE, DRAWS_MONITOR, ENTRIES_READ, ENTRIES_WRITE
from draws.serializers import (
    DrawDetailSerializer,
    DrawSerializer,
    DrawStatusSerializer,
    DueDrawSerializer,
    EntrySerializer,
    ExecutedSerializer,
    HealthSerializer,
    HorizonSerializer,
    ReasonSerializer,
    WinnerSerializer,
    amount_rows,
    flat_amount,
)
from draws.services.monitoring import executor_health

_MOST_DUE = 500
_Watches = needs(read=DRAWS_MONITOR, permission="draws.view_draw")
_Executes = needs(write=DRAWS_EXECUTE, permission="draws.execute_draw", moves_money=True)
_Member = needs(read=ENTRIES_READ, write=ENTRIES_WRITE)


class AlreadyExecutedError(exceptions.APIException):
    """There is nothing to execute any more."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "already_executed"


class ExecutionFailedError(exceptions.APIException):
    """Something broke on our side; nothing was changed, and the job tries again."""

    status_code = status.HTTP_500_INTERNAL_SERVER_ERROR
    default_code = "execution_failed"


class PhaseFilter(StrictSerializer):
    """Which part of the draws."""

    phase = serializers.ChoiceField(choices=("upcoming", "open", "waiting", "past"), required=False)


def _public_draw(slug: str) -> Draw:
    draws = Draw.objects.public().select_related("report").prefetch_related("prizes")
    return get_object_or_404(draws, slug=slug)


def _completed_draw(slug: str) -> Draw:
    draw = _public_draw(slug)
    if draw.status != Draw.Status.COMPLETED:
        raise Http404
    return draw


def _me(request: Request) -> User:
    assert isinstance(request.user, User)  # the permission has seen to it
    return request.user


def _asked(request: Request) -> dict[str, Any]:
    """The query string without what pagination and negotiation read."""
    return {name: value for name, value in request.GET.items() if name not in ("page", "page_size", "format")}


class DrawList(generics.ListAPIView[Draw]):
    """All public draws."""

    permission_classes = [AllowAny]
    serializer_class = DrawSerializer

    def get_queryset(self) -> QuerySet[Draw]:
        asked = PhaseFilter(data=_asked(self.request))
        asked.is_valid(raise_exception=True)
        now = timezone.now()
        public = Draw.objects.public().prefetch_related("prizes")
        match asked.validated_data.get("phase"):
            case "upcoming":
                return public.upcoming(now).order_by("opens_at", "pk")
            case "open":
                return public.open(now).order_by("closes_at", "pk")
            case "waiting":
                return public.awaiting_draw(now).order_by("draw_at", "pk")
            case "past":
                return public.past().order_by("-draw_at", "-pk")
        return public

    @extend_schema(tags=["draws"], operation_id="list_draws", parameters=[PhaseFilter])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Public draws, those drawn last first; or one part of them."""
        return super().get(request, *args, **kwargs)


class DrawDetail(APIView):
    """One public draw."""

    permission_classes = [AllowAny]

    @extend_schema(tags=["draws"], operation_id="get_draw", responses=DrawDetailSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """A draw with its rules, prizes and, once it is drawn, its result."""
        return Response(DrawDetailSerializer(_public_draw(slug), context={"request": request}).data)


class DrawWinners(generics.ListAPIView[Winner]):
    """The winners of a draw."""

    permission_classes = [AllowAny]
    serializer_class = WinnerSerializer
    queryset = Winner.objects.none()

    def get_queryset(self) -> QuerySet[Winner]:
        standing = Winner.objects.filter(draw=_completed_draw(self.kwargs["slug"]), state__in=Winner.STANDING)
        return standing.select_related("entry__member", "prize").order_by("slot")

    @extend_schema(tags=["draws"], operation_id="list_winners")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Who holds which slot of a completed draw."""
        return super().get(request, *args, **kwargs)


class DrawProof(APIView):
    """The proof of a draw."""

    permission_classes = [AllowAny]

    @extend_schema(tags=["draws"], operation_id="get_proof", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, slug: str) -> Response:
        """The proof of a completed draw, as `docs/proof-format.md` describes it; `verify_draw.py` checks it.

        Of a draw that was called off after its freeze: of what it would have drawn.
        """
        proof = services.published_proof(_public_draw(slug))
        if proof is None:
            raise Http404
        return Response(proof)


class MyEntries(generics.ListAPIView[Entry]):
    """My entries in all draws."""

    permission_classes = [_Member]
    serializer_class = EntrySerializer
    queryset = Entry.objects.none()

    def get_queryset(self) -> QuerySet[Entry]:
        return Entry.objects.filter(member=_me(self.request)).select_related("draw").order_by("-pk")

    @extend_schema(tags=["entries"], operation_id="list_my_entries")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """My own entries with their receipts, the newest first."""
        return super().get(request, *args, **kwargs)


class DrawEntries(APIView):
    """My entry in one draw."""

    permission_classes = [_Member]

    @extend_schema(tags=["entries"], operation_id="get_my_entry", responses=EntrySerializer)
    def get(self, request: Request, slug: str) -> Response:
        """My own entry in this draw, with its receipt; 404 when I am not in it."""
        entry = services.entry_of(draw=_public_draw(slug), member=_me(request))
        if entry is None:
            raise Http404
        return Response(EntrySerializer(entry).data)

    @extend_schema(
        tags=["entries"],
        operation_id="enter_draw",
        request=None,
        responses={200: EntrySerializer, 201: EntrySerializer},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Enter this draw with one ticket; 201 with the receipt. Again answers 200 with the same one."""
        StrictSerializer(data=request.data).is_valid(raise_exception=True)
        now = timezone.now()
        entry = services.enter_draw(draw=_public_draw(slug), member=_me(request), now=now)
        is_new = entry.entered_at == now
        return Response(
            EntrySerializer(entry).data, status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        )


class DueDraws(APIView):
    """What waits to be executed."""

    permission_classes = [_Watches]

    @extend_schema(
        tags=["staff"],
        operation_id="list_due_draws",
        parameters=[HorizonSerializer],
        responses=DueDrawSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """Draws whose time has come and that are not executed, the longest waiting first. Overdue: after 5 minutes."""
        asked = HorizonSerializer(data=_asked(request))
        asked.is_valid(raise_exception=True)
        until = timezone.now() + dt.timedelta(hours=asked.validated_data["within_hours"])
        waiting = Draw.objects.unfinished().filter(draw_at__lte=until).order_by("draw_at", "pk")
        return Response(DueDrawSerializer(waiting[:_MOST_DUE], many=True).data)


class DrawStatus(APIView):
    """How a draw's execution went."""

    permission_classes = [_Watches]

    @extend_schema(tags=["staff"], operation_id="get_draw_status", responses=DrawStatusSerializer)
    def get(self, request: Request, draw_id: UUID) -> Response:
        """Whether a draw is executed, and what it awarded. Before that amounts are 0 and lists are empty."""
        draw = get_object_or_404(Draw.objects.select_related("report"), public_id=draw_id)
        return Response(DrawStatusSerializer(draw).data)


class ExecuteDraw(APIView):
    """Execute a draw by hand."""

    permission_classes = [_Executes]

    @extend_schema(
        tags=["staff"], operation_id="execute_draw", request=ReasonSerializer, responses=ExecutedSerializer
    )
    def post(self, request: Request, draw_id: UUID) -> Response:
        """Execute a frozen draw now, once: 409 `already_executed` when it was or is being executed by another, and
        `execution_refused` when a safety check does not hold."""
        given = ReasonSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        draw = get_object_or_404(Draw, public_id=draw_id)
        report = self._execute(draw, by=_me(request), reason=given.validated_data["reason"])
        if report is None:
            raise AlreadyExecutedError(_("This draw has been drawn already, or is being drawn right now."))
        return Response(
            {
                "success": True,
                "winners_selected": report.winners_count,
                "total_awarded": flat_amount(report.awarded),
                "total_awarded_by_unit": amount_rows(report.awarded),
            }
        )

    @staticmethod
    def _execute(draw: Draw, *, by: User, reason: str) -> Any:
        try:
            return services.execute_draw(draw_id=draw.pk, now=timezone.now(), by=by, reason=reason)
        except services.DrawError:
            raise
        except Exception as error:  # the service has logged it, written it down and told the admins
            raise ExecutionFailedError(
                _("The execution failed and changed nothing; it is on record, and is tried again by itself.")
            ) from error


class Health(APIView):
    """Is the draw engine alive."""

    permission_classes = [_Watches]

    @extend_schema(tags=["staff"], operation_id="get_draws_health", responses=HealthSerializer)
    def get(self, request: Request) -> Response:
        """Whether draws will be executed at their time: something runs the jobs, and no draw is overdue."""
        return Response(HealthSerializer(executor_health(now=timezone.now())).data)
