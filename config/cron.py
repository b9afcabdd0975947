"""`/api/cron/…`: jobs for an outside scheduler, on a site that runs no beat of its own.

Each calls the service that beat's task and the management command call. Calls that overlap share the work: what one of
them has taken, the other passes by.
"""

import hmac
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.rest import bearer_token
from draws import services
from draws.models import Draw
from draws.serializers import amount_rows, flat_amount
from draws.services.monitoring import note_outside_run
from notifications.services import process_notifications
from payments.serializers import AmountSerializer

_SCHEDULER = "scheduler"


class CronSecretAuthentication(BaseAuthentication):
    """`Authorization: Bearer` and the site's `CRON_SECRET`. Where none is set, there is no such address."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, str]:
        if not settings.CRON_SECRET:
            raise exceptions.NotFound
        # Hashes, because compare_digest takes text of ASCII only, and shows how long the secret is.
        given = sha256((bearer_token(request) or "").encode("latin-1")).digest()  # the bytes that were sent
        if not hmac.compare_digest(given, sha256(settings.CRON_SECRET.encode()).digest()):
            raise exceptions.AuthenticationFailed(_("This is not the secret."), code="wrong_secret")
        return AnonymousUser(), _SCHEDULER

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="cron"'


class FromScheduler(BasePermission):
    """Who has shown the secret."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.auth == _SCHEDULER


class DrawsRunSerializer(serializers.Serializer[Any]):
    """What one run did to draws."""

    success = serializers.BooleanField(help_text="Nothing that is due was left undone.")
    draws_processed = serializers.IntegerField()
    draws_failed = serializers.IntegerField(help_text="Left undone; tried again by the next run.")
    total_winners_selected = serializers.IntegerField()
    total_awarded = serializers.IntegerField(
        allow_null=True, help_text="Minor units, where all is in one unit; null for several, see the list."
    )
    total_awarded_by_unit = AmountSerializer(many=True)


class SendingRunSerializer(serializers.Serializer[Any]):
    """What one round of the outbox did."""

    success = serializers.BooleanField(help_text="Every delivery of this round went out.")
    processed = serializers.IntegerField()
    failed = serializers.IntegerField(help_text="Refused, or put off to a later round.")


class _Job(APIView):
    """A job: open to who holds the secret, whatever is sent along."""

    authentication_classes = [CronSecretAuthentication]
    permission_classes = [FromScheduler]


class FreezeDraws(_Job):
    """Freeze every draw whose entries have closed."""

    @extend_schema(
        tags=["scheduler"], operation_id="cron_freeze_draws", request=None, responses=DrawsRunSerializer
    )
    def post(self, request: Request) -> Response:
        """Freeze every draw whose entries have closed."""
        now = timezone.now()
        frozen = services.freeze_due_draws(now=now)
        left = Draw.objects.to_be_frozen(now).count()  # those that wait after a failure, too
        return Response(_draws_run(processed=len(frozen), failed=left, winners=0, awarded={}))


class ExecuteDraws(_Job):
    """Execute every draw whose time has come."""

    @extend_schema(
        tags=["scheduler"], operation_id="cron_execute_draws", request=None, responses=DrawsRunSerializer
    )
    def post(self, request: Request) -> Response:
        """Execute every draw whose time has come, also those that were missed."""
        now = timezone.now()
        done = services.execute_due_draws(now=now)
        note_outside_run(now=now)
        return Response(
            _draws_run(
                processed=done.draws_processed,
                failed=done.failed,
                winners=done.winners_selected,
                awarded=done.total_awarded,
            )
        )


class SendNotifications(_Job):
    """One round of the outbox."""

    @extend_schema(
        tags=["scheduler"],
        operation_id="cron_send_notifications",
        request=None,
        responses=SendingRunSerializer,
    )
    def post(self, request: Request) -> Response:
        """Find recipients of what is due, and send one round of messages."""
        done = process_notifications(now=timezone.now())
        return Response({"success": not done.failed, "processed": done.processed, "failed": done.failed})


def _draws_run(*, processed: int, failed: int, winners: int, awarded: dict[str, int]) -> dict[str, Any]:
    return {
        "success": not failed,
        "draws_processed": processed,
        "draws_failed": failed,
        "total_winners_selected": winners,
        "total_awarded": flat_amount(awarded),
        "total_awarded_by_unit": amount_rows(awarded),
    }
