"""The addresses of Paystack's API at the stand-in: they check the key, misbehave when told to, and call one service."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.dateparse import parse_datetime
from django.views.decorators.csrf import csrf_exempt

from payments.standin import services, shapes
from payments.standin.banks import BANKS, bank_name
from payments.standin.models import ANSWERS, Behaviour, Effect, Operation, Refund, Transaction, Transfer

LATE_S = 30
_MOST_A_PAGE = 100
View = Callable[..., HttpResponse]
Work = Callable[[HttpRequest, Mapping[str, Any], datetime], JsonResponse]


def _answers(**by_method: tuple[Operation, Work]) -> View:
    """A view of Paystack's kind: who asks shows the key, whatever is wrong is JSON."""

    @csrf_exempt
    def view(request: HttpRequest, **named: str) -> HttpResponse:
        if refused := _refuse_stranger(request):
            return refused
        if request.method not in by_method:
            return JsonResponse(shapes.error("Route not found", "route_not_found"), status=404)
        operation, work = by_method[request.method]
        now = timezone.now()
        behaviour = Behaviour.take(operation, ANSWERS)
        effect = behaviour.effect if behaviour else ""
        if effect == Effect.ERROR:
            return _malfunction()
        if effect == Effect.REFUSE:
            answer = shapes.error(
                "Your balance is not enough to fulfill this request", "insufficient_balance"
            )
            return JsonResponse(answer, status=400)
        try:
            services.move_on(now=now)
            done = work(request, _asked(request) | named, now)
        except services.RefusedError as error:
            done = JsonResponse(error.answer, status=error.status)
        return _garbled(done, effect, behaviour.value if behaviour else 0)

    return view


def _garbled(done: JsonResponse, effect: str, value: int) -> HttpResponse:
    """What was done stays done; only the answer suffers."""
    if effect == Effect.TIMEOUT:
        time.sleep(value or LATE_S)
    elif effect == Effect.ERROR_AFTER:
        return _malfunction()
    elif effect == Effect.HTML:
        return HttpResponse("<!doctype html><title>Just a moment…</title>")
    return done


def _malfunction() -> JsonResponse:
    return JsonResponse(shapes.error("System Malfunction", "unknown", kind="api_error"), status=500)


def _refuse_stranger(request: HttpRequest) -> JsonResponse | None:
    step = "Ensure that you provide the correct authorization key for the request"
    given = request.headers.get("Authorization", "")
    if not given:
        answer = shapes.error("No Authorization Header was found", "missing_header", next_step=step)
        return JsonResponse(answer, status=401)
    kind, _space, key = given.partition(" ")
    if kind.lower() == "bearer" and constant_time_compare(key, settings.PAYSTACK_SECRET_KEY):
        return None
    return JsonResponse(shapes.error("Invalid key", "invalid_Key", next_step=step), status=401)


def _asked(request: HttpRequest) -> dict[str, Any]:
    """The body of a POST, the query of a GET."""
    if request.method == "GET":
        return {name: value for name, value in request.GET.items()}
    try:
        asked = json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise services.RefusedError("Invalid JSON body")
    return asked


def _initialize(request: HttpRequest, asked: Mapping[str, Any], now: datetime) -> JsonResponse:
    row = services.begin(asked=asked, now=now)
    data = {
        "authorization_url": f"{settings.SITE_URL}{reverse('standin:checkout', args=[row.access_code])}",
        "access_code": row.access_code,
        "reference": row.reference,
    }
    return JsonResponse(shapes.ok("Authorization URL created", data))


def _verify(request: HttpRequest, asked: Mapping[str, Any], now: datetime) -> JsonResponse:
    row = Transaction.objects.filter(reference=asked["reference"]).first()
    if row is None:
        raise services.RefusedError("Transaction reference not found.", "transaction_not_found")
    return JsonResponse(shapes.ok("Verification successful", shapes.transaction(row)))


def _transactions(request: HttpRequest, asked: Mapping[str, Any], now: datetime) -> JsonResponse:
    rows = _between(Transaction.objects.order_by("-created_at", "-pk"), asked)
    if status := asked.get("status"):
        rows = rows.filter(status=status)
    return _page("Transactions retrieved", rows, asked, shapes.transaction)


def _refund(request: HttpRequest, asked: Mapping[str, Any], now: datetime) -> JsonResponse:
    row = services.give_back(asked=asked, now=now)
    return JsonResponse(shapes.ok("Refund has been queued for processing", shapes.refund_created(row)))


def _refunds(request: HttpRequest, asked: Mapping[str, Any], now: datetime) -> JsonResponse:
    rows = _between(Refund.objects.select_related("transaction").order_by("-pk"), asked)
    if named := str(asked.get("transaction") or asked.get("reference") or ""):
        rows = rows.filter(transaction=services.find_transaction(named))
    return _page("Refunds retrieved", rows, asked, shapes.refund_listed)


def _recipient(request: HttpRequest, asked: Mapping[str, Any], now: datetime) -> JsonResponse:
    row = services.make_recipient(asked=asked, now=now)
    data = shapes.recipient(row, bank_name(row.bank_code, row.currency))
    return JsonResponse(shapes.ok("Transfer recipient created successfully", data), status=201)


def _transfer(request: HttpRequest, asked: Mapping[str, Any], now: datetime) -> JsonResponse:
    row = services.pay_out(asked=asked, now=now)
    needs_code = row.status == Transfer.Status.OTP
    message = "Transfer requires OTP to continue" if needs_code else "Transfer has been queued"
    return JsonResponse(shapes.ok(message, shapes.transfer_created(row)))


def _verify_transfer(request: HttpRequest, asked: Mapping[str, Any], now: datetime) -> JsonResponse:
    row = Transfer.objects.select_related("recipient").filter(reference=asked["reference"]).first()
    if row is None:
        raise services.RefusedError("Transfer not found", "transfer_not_found", status=404)
    data = shapes.transfer(row, bank_name(row.recipient.bank_code, row.currency))
    return JsonResponse(shapes.ok("Transfer retrieved", data))


def _banks(request: HttpRequest, asked: Mapping[str, Any], now: datetime) -> JsonResponse:
    wanted = {name: str(asked[name]).lower() for name in ("currency", "country", "type") if asked.get(name)}
    found = [
        shapes.bank(number, bank)
        for number, bank in enumerate(BANKS, start=1)
        if all(bank[name].lower() == value for name, value in wanted.items())
    ]
    return JsonResponse(shapes.ok("Banks retrieved", found))


def _between(rows: "QuerySet[Any]", asked: Mapping[str, Any]) -> "QuerySet[Any]":
    for name, lookup in (("from", "created_at__gte"), ("to", "created_at__lte")):
        if text := asked.get(name):
            try:
                at = parse_datetime(str(text))
            except ValueError:
                at = None
            if at is None or at.tzinfo is None:
                raise services.RefusedError(f"Invalid '{name}' date")
            rows = rows.filter(**{lookup: at})
    return rows


def _page(
    message: str, rows: "QuerySet[Any]", asked: Mapping[str, Any], shape: Callable[[Any], shapes.Json]
) -> JsonResponse:
    page, per_page = _number(asked, "page", 1), min(_number(asked, "perPage", 50), _MOST_A_PAGE)
    first = (page - 1) * per_page
    data = [shape(row) for row in rows[first : first + per_page]]
    meta = shapes.page_meta(total=rows.count(), page=page, per_page=per_page)
    return JsonResponse(shapes.ok(message, data, meta=meta))


def _number(asked: Mapping[str, Any], name: str, otherwise: int) -> int:
    text = str(asked.get(name) or "")
    return max(int(text), 1) if text.isascii() and text.isdigit() and len(text) < 7 else otherwise


initialize = _answers(POST=(Operation.INITIALIZE, _initialize))
verify = _answers(GET=(Operation.VERIFY, _verify))
transactions = _answers(GET=(Operation.TRANSACTIONS, _transactions))
refund = _answers(POST=(Operation.REFUND, _refund), GET=(Operation.REFUNDS, _refunds))
recipient = _answers(POST=(Operation.RECIPIENT, _recipient))
transfer = _answers(POST=(Operation.TRANSFER, _transfer))
verify_transfer = _answers(GET=(Operation.VERIFY_TRANSFER, _verify_transfer))
banks = _answers(GET=(Operation.BANKS, _banks))
