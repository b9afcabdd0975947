"""Packages, payments, refunds, disputes and Paystack's events in the admin. Only packages are edited; the rest has acts."""

import json
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from accounts.fresh_sign_in import fresh_sign_in_required, kept_form
from accounts.models import User
from payments import paystack
from payments.admin.acts import ActsWithPayments, found
from payments.admin.forms import RefundForm
from payments.admin.readonly import ReadOnlyAdmin
from payments.admin.times import LocalTimesFilter
from payments.approvals import ApprovalError, sentence_of
from payments.charges import read_json
from payments.ledger import LedgerError
from payments.models import Dispute, Package, Payment, Refund, WebhookEvent
from payments.money import format_amount
from payments.services.asking import NotKnownThereError, reconcile_payment
from payments.services.figures import total_spent
from payments.services.refunding import RefundError, refundable, request_refund
from payments.services.settling import Result
from payments.services.webhook import work_on

_TONES = {
    "succeeded": "success",
    "processed": "success",
    "done": "success",
    "won": "success",
    "failed": "danger",
    "bad": "danger",
    "lost": "danger",
    "disputed": "danger",
    "attention": "warning",
    "pending": "info",
    "initialized": "info",
    "received": "info",
    "asked": "info",
}


@admin.register(Package)
class PackageAdmin(ModelAdmin):
    """What is on sale. A change here never touches a payment that has begun."""

    list_display = ("title", "credits", "costs", "position", "is_active")
    list_filter = ("is_active", "currency")
    ordering = ("position", "price", "pk")

    @display(description=gettext_lazy("price"), ordering="price")
    def costs(self, obj: Package) -> str:
        return format_amount(obj.price, obj.currency)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # taken off sale instead


@admin.register(Payment)
class PaymentAdmin(ActsWithPayments, ReadOnlyAdmin):
    """Payments: found by reference, payer or Paystack's number; reconciled and refunded by acts."""

    list_display = ("reference", "payer", "title", "costs", "state", "created_at", "settled_by")
    list_select_related = ("member",)
    list_filter = ("status", "currency", "domain", ("created_at", LocalTimesFilter))
    list_filter_submit = True
    search_fields = ("reference", "email", "member__email")
    ordering = ("-created_at",)
    fields = (
        "reference",
        "payer",
        "email",
        "title",
        "credits",
        "costs",
        "domain",
        "status",
        "failure",
        "created_at",
        "settled_at",
        "settled_by",
        "taken",
        "channel",
        "paystack_id",
        "can_go_back",
        "paid_in_all",
        "check_after",
        "checks",
        "entry",
    )
    actions_detail = ("reconcile", "refund")

    @display(description=gettext_lazy("payer"))
    def payer(self, obj: Payment) -> str:
        return str(obj.member) if obj.member else obj.email

    @display(description=gettext_lazy("price"), ordering="price")
    def costs(self, obj: Payment) -> str:
        return format_amount(obj.price, obj.currency)

    @display(description=gettext_lazy("amount taken"))
    def taken(self, obj: Payment) -> str:
        return "–" if obj.paid_amount is None else format_amount(obj.paid_amount, obj.currency)

    @display(description=gettext_lazy("status"), ordering="status", label=_TONES)
    def state(self, obj: Payment) -> tuple[str, str]:
        return obj.status, obj.get_status_display()

    @display(description=gettext_lazy("can be refunded"))
    def can_go_back(self, obj: Any) -> str:
        if not hasattr(obj, "can_be_refunded"):  # unfold asks for it five times
            obj.can_be_refunded = refundable(obj)
        unused, worth = obj.can_be_refunded
        return _("%(amount)s for %(credits)s unused credits") % {
            "amount": format_amount(worth, obj.currency),
            "credits": unused,
        }

    @display(description=gettext_lazy("payer has paid in all"))
    def paid_in_all(self, obj: Any) -> str:
        if obj.member is None:
            return "–"
        if not hasattr(obj, "spent"):
            obj.spent = total_spent(obj.member)
        return ", ".join(format_amount(total, unit) for unit, total in obj.spent.items()) or "–"

    @action(
        description=gettext_lazy("Ask Paystack"),
        url_path="reconcile",
        permissions=["manage_payments"],
        icon="sync",
    )
    @fresh_sign_in_required
    def reconcile(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask what became of it, and settle it where it was paid."""
        payment = found(Payment, object_id)
        assert isinstance(request.user, User)
        try:
            settlement = reconcile_payment(payment=payment, by=request.user, now=timezone.now())
        except NotKnownThereError as error:
            messages.warning(request, str(error))
        except paystack.PaystackError as error:
            messages.error(request, _("Paystack gave no answer: %(error)s") % {"error": error})
        else:
            words = {
                Result.SETTLED: _("It was paid: %(credits)s credits are in the wallet now."),
                Result.ALREADY: _("It was settled already. Nothing changed."),
                Result.REVIEW: _("It was paid, and does not fit: see the review item."),
                Result.UNPAID: _("It is not paid, says Paystack."),
            }[settlement.result]
            messages.info(request, words % {"credits": settlement.credits_added})
        return HttpResponseRedirect(reverse("admin:payments_payment_change", args=[payment.pk]))

    @action(
        description=gettext_lazy("Refund"), url_path="refund", permissions=["manage_payments"], icon="undo"
    )
    @fresh_sign_in_required
    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Send back what unused credits are worth."""
        payment = found(Payment, object_id)
        assert isinstance(request.user, User)
        unused, worth = refundable(payment)
        back = reverse("admin:payments_payment_change", args=[payment.pk])
        if request.method == "GET" and not unused:
            messages.warning(request, _("No credit of this payment is unused, so nothing can be sent back."))
            return HttpResponseRedirect(back)
        given = request.POST if request.method == "POST" else kept_form(request)
        form = RefundForm(given, initial={"credits": unused}, currency=payment.currency)
        if request.method == "POST" and form.is_valid():
            data = form.cleaned_data
            try:
                outcome = request_refund(
                    payment=payment,
                    credits=data["credits"],
                    amount=data["amount"],
                    by=request.user,
                    reason=data["reason"],
                    notes=data["notes"],
                    idem_key=f"refund:{payment.public_id}:{data['token']}",
                    now=timezone.now(),
                )
            except (RefundError, ApprovalError, LedgerError) as error:
                form.add_error(None, sentence_of(error))
            else:
                if outcome.entry is None and outcome.approval is not None:
                    messages.warning(request, _("This is above your limit: a second person has to agree."))
                    back = reverse("admin:payments_approval_change", args=[outcome.approval.pk])
                else:
                    messages.success(request, _("The credits are set aside, and Paystack is being asked."))
                return HttpResponseRedirect(back)
        return self.ask(
            request,
            form,
            title=_("Refund"),
            lede=_(
                "%(unused)s credits of this payment are unused; on their way back they are worth %(worth)s."
            )
            % {"unused": unused, "worth": format_amount(worth, payment.currency)},
            button=_("Refund"),
            back=back,
            thing=payment.reference,
            notes=[
                _("The credits wait on an account of their own until Paystack has decided."),
                _("Credits that were spent stay spent; those that were won are not refunded."),
                _("If Paystack refuses, they go back into the wallet."),
                _("Nobody refunds their own payment."),
            ],
        )


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    """Refunds and how far they are."""

    list_display = ("payment", "goes_back", "credits", "where", "requested_at", "by")
    list_select_related = ("payment", "by")
    list_filter = ("state", ("requested_at", LocalTimesFilter))
    list_filter_submit = True
    search_fields = ("payment__reference",)
    ordering = ("-requested_at",)
    fields = (
        "payment",
        "goes_back",
        "credits",
        "state",
        "outcome",
        "reason",
        "notes",
        "by",
        "requested_at",
        "finished_at",
        "attempts",
        "try_after",
        "paystack_id",
        "held_entry",
    )

    @display(description=gettext_lazy("amount"), ordering="amount")
    def goes_back(self, obj: Refund) -> str:
        return format_amount(obj.amount, obj.payment.currency)

    @display(description=gettext_lazy("state"), ordering="state", label=_TONES)
    def where(self, obj: Refund) -> tuple[str, str]:
        return obj.state, obj.get_state_display()


@admin.register(Dispute)
class DisputeAdmin(ReadOnlyAdmin):
    """Disputes; they are answered at Paystack."""

    list_display = ("payment", "wanted", "held_credits", "where", "due_at", "opened_at")
    list_select_related = ("payment",)
    list_filter = ("state",)
    search_fields = ("payment__reference",)
    ordering = ("-opened_at",)
    fields = (
        "payment",
        "wanted",
        "held_credits",
        "state",
        "due_at",
        "resolution",
        "opened_at",
        "resolved_at",
        "paystack_id",
    )

    @display(description=gettext_lazy("amount disputed"), ordering="amount")
    def wanted(self, obj: Dispute) -> str:
        return format_amount(obj.amount, obj.payment.currency)

    @display(description=gettext_lazy("state"), ordering="state", label=_TONES)
    def where(self, obj: Dispute) -> tuple[str, str]:
        return obj.state, obj.get_state_display()


class EventFilter(admin.SimpleListFilter):
    """What is still to be worked on, and what came more than once."""

    title = gettext_lazy("which")
    parameter_name = "which"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("waiting", _("Still to be worked on")), ("repeated", _("Came more than once"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[WebhookEvent]) -> QuerySet[WebhookEvent]:
        match self.value():
            case "waiting":
                return queryset.filter(try_after__isnull=False)
            case "repeated":
                return queryset.filter(delivery_count__gt=1)
        return queryset


@admin.register(WebhookEvent)
class WebhookEventAdmin(ActsWithPayments, ReadOnlyAdmin):
    """What Paystack told us, and what became of it."""

    list_display = ("named", "reference", "where", "delivery_count", "attempts", "first_at")
    list_filter = (EventFilter, "state", "event", ("first_at", LocalTimesFilter))
    list_filter_submit = True
    search_fields = ("reference",)
    ordering = ("-first_at",)
    fields = (
        "named",
        "reference",
        "payment",
        "state",
        "outcome",
        "answer",
        "is_flagged",
        "delivery_count",
        "first_at",
        "last_at",
        "attempts",
        "try_after",
        "done_at",
        "content",
    )
    actions_detail = ("work_on_it",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEvent]:
        events: QuerySet[WebhookEvent] = super().get_queryset(request)
        return events.defer("body").annotate(reviewed=Count("reviews"))

    @display(description=gettext_lazy("event"), ordering="event")
    def named(self, obj: WebhookEvent) -> str:
        return obj.event or "?"

    @display(description=gettext_lazy("state"), ordering="state", label=_TONES)
    def where(self, obj: WebhookEvent) -> tuple[str, str]:
        return obj.state, obj.get_state_display()

    @display(description=gettext_lazy("body"))
    def content(self, obj: WebhookEvent) -> str:
        body = bytes(obj.body)
        if not body:
            return _("Emptied: it was kept long enough, or its payer was erased.")
        try:
            shown = json.dumps(read_json(body), indent=1, ensure_ascii=False)
        except ValueError:
            shown = body.decode("utf-8", "backslashreplace")
        return format_html('<pre class="fg-pre">{}</pre>', shown[:20_000])

    @action(
        description=gettext_lazy("Work on it again"),
        url_path="work-on",
        permissions=["manage_payments"],
        icon="refresh",
    )
    def work_on_it(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Try what failed once more; of what is done nothing happens again."""
        event = found(WebhookEvent, object_id)
        answer = work_on(event_id=event.pk, now=timezone.now())
        event.refresh_from_db()
        tone = messages.ERROR if event.state == WebhookEvent.State.FAILED else messages.INFO
        messages.add_message(request, tone, f"{event.get_state_display()}: {event.outcome or answer.status}")
        return HttpResponseRedirect(reverse("admin:payments_webhookevent_change", args=[event.pk]))
