"""A member's wallet: balances, statement, receipts. Everybody sees their own and nothing else."""

import uuid
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.models import User
from payments.accounts import wallets_of
from payments.forms import StatementForm
from payments.models import Account
from payments.statements import kinds_in, postings_of, receipt_lines, statement_csv, statement_page


@never_cache
@login_required
@require_safe
def wallet(request: HttpRequest) -> HttpResponse:
    """Balances by unit, and the statement of one of them."""
    wallets = wallets_of(_member(request))
    form, shown = _form(request, wallets)
    context = {"wallets": wallets, "form": form, "shown": shown}
    if shown is not None:
        values = form.cleaned_data if form.is_valid() else {}
        days = {"first": values.get("first"), "last": values.get("last")}
        kind = values.get("kind") or ""
        page = statement_page(
            postings_of(shown, **days, kind=kind),
            before=_version(request, "before"),
            after=_version(request, "after"),
        )
        chosen = {"unit": shown.unit} | {name: day.isoformat() for name, day in days.items() if day}
        if kind:
            chosen["kind"] = kind
        context |= {"page": page, "query": urlencode(chosen), "is_filtered": len(chosen) > 1}
    return render(request, "payments/wallet.html", context)


@never_cache
@login_required
@require_safe
def statement(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The statement as the page shows it, whole, for a spreadsheet."""
    form, shown = _form(request, wallets_of(_member(request)))
    if shown is None or not form.is_valid():
        raise Http404
    values = form.cleaned_data
    postings = postings_of(shown, first=values["first"], last=values["last"], kind=values["kind"])
    name = f"wallet-{shown.unit}-{timezone.localdate():%Y-%m-%d}.csv"
    return StreamingHttpResponse(
        statement_csv(postings),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Content-Type-Options": "nosniff",
        },
    )


@never_cache
@login_required
@require_safe
def receipt(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """One entry, to print. Another person's is as unknown as one that does not exist."""
    lines = receipt_lines(_member(request), public_id)
    if not lines:
        raise Http404
    first = lines[0]
    context = {"lines": lines, "entry": first.posting.entry, "description": first.description}
    return render(request, "payments/receipt.html", context)


def _member(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # behind login_required
    return request.user


def _form(request: HttpRequest, wallets: list[Account]) -> tuple[StatementForm, Account | None]:
    """The filter, and the wallet it chooses: where none is named, the first that holds something."""
    by_unit = {wallet.unit: wallet for wallet in wallets}
    usual = next((wallet for wallet in wallets if wallet.balance), wallets[0] if wallets else None)
    values = request.GET.dict()
    values.setdefault("unit", usual.unit if usual else "")
    shown = by_unit.get(values["unit"], usual)
    kinds = kinds_in(shown) if shown is not None else []
    # A kind that this wallet doesn't know is no mistake where the wallet was just changed for another.
    if values.get("kind") not in dict(kinds):
        values.pop("kind", None)
    return StatementForm(values, wallets=wallets, kinds=kinds), shown


def _version(request: HttpRequest, name: str) -> int | None:
    """A place in the statement; what is no number is no place."""
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
