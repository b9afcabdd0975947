"""Payments in the API: thin edges over the services that pages, admin and jobs call."""

import contextlib
from typing import Any

from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, generics, serializers, status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from accounts.rest import StrictSerializer, needs
from payments import paystack
from payments.charges import identifier
from payments.models import Package, Payment
from payments.money import CURRENCIES
from payments.scopes import PAYMENTS_RECONCILE
from payments.serializers import PackageSerializer
from payments.services.asking import NotKnownThereError, reconcile_payment

_Reconciles = needs(write=PAYMENTS_RECONCILE, permission="payments.manage_payments", moves_money=True)


class NoAnswerError(exceptions.APIException):
    """Paystack could not be asked."""

    status_code = status.HTTP_502_BAD_GATEWAY
    default_code = "paystack_unavailable"


class UnknownAtPaystackError(exceptions.APIException):
    """Paystack knows nothing of the payment."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "unknown_at_paystack"


class ReconcileSerializer(StrictSerializer):
    """Which payment: our number, the reference, or Paystack's number."""

    transactionId = serializers.CharField(max_length=60)  # as the first design's callers send it


class ReconciledSerializer(serializers.Serializer[Any]):
    """What became of it."""

    success = serializers.BooleanField(help_text="Whether it is paid now.")
    result = serializers.ChoiceField(choices=("settled", "already settled", "for review", "not paid"))
    reference = serializers.CharField()
    status_before = serializers.ChoiceField(choices=Payment.Status.choices)
    status_after = serializers.ChoiceField(choices=Payment.Status.choices)
    credits_added = serializers.IntegerField()


class Reconcile(APIView):
    """Ask Paystack about one payment."""

    permission_classes = [_Reconciles]

    @extend_schema(
        tags=["staff"],
        operation_id="reconcile_payment",
        request=ReconcileSerializer,
        responses=ReconciledSerializer,
    )
    def post(self, request: Request) -> Response:
        """Verify a payment at Paystack and settle it, or write down why it failed; who asked is in the audit trail.

        409 `unknown_at_paystack` when Paystack has never heard of it, 502 `paystack_unavailable` without an answer."""
        given = ReconcileSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        payment = _payment(given.validated_data["transactionId"])
        assert isinstance(request.user, User)
        try:
            settlement = reconcile_payment(payment=payment, by=request.user, now=timezone.now())
        except NotKnownThereError as error:
            raise UnknownAtPaystackError(str(error)) from error
        except paystack.PaystackError as error:
            raise NoAnswerError(_("Paystack gave no answer: %(error)s") % {"error": error}) from error
        return Response(
            {
                "success": settlement.payment.is_paid,
                "result": str(settlement.result),
                "reference": settlement.payment.reference,
                "status_before": settlement.was,
                "status_after": settlement.payment.status,
                "credits_added": settlement.credits_added,
            }
        )


class PackageFilter(StrictSerializer):
    """Which packages."""

    currency = serializers.ChoiceField(choices=CURRENCIES, required=False)


class PackageList(generics.ListAPIView[Package]):
    """What is on sale."""

    permission_classes = [AllowAny]
    serializer_class = PackageSerializer

    def get_queryset(self) -> QuerySet[Package]:
        asked = PackageFilter(
            data={
                name: value
                for name, value in self.request.GET.items()
                if name not in ("page", "page_size", "format")
            }
        )
        asked.is_valid(raise_exception=True)
        return Package.objects.filter(is_active=True, **asked.validated_data)

    @extend_schema(tags=["packages"], operation_id="list_packages", parameters=[PackageFilter])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Packages of credits on sale, in the order of the site; or those in one currency."""
        return super().get(request, *args, **kwargs)


def _payment(name: str) -> Payment:
    """By reference, our number, or Paystack's. Raises Http404."""
    named = Q(reference=name)
    if (number := identifier(name)) is not None:
        named |= Q(paystack_id=number)
    if len(name) in (32, 36) and "\x00" not in name:
        with contextlib.suppress(serializers.ValidationError):
            named |= Q(public_id=serializers.UUIDField().to_internal_value(name))
    payment = Payment.objects.filter(named).first()
    if payment is None:
        raise Http404
    return payment
