"""How often a form may be sent: the one table of public forms, held before their views run.

Counted in Redis by the minute, by `accounts.rest.seconds_over`, as calls of the API are; with Redis gone nobody is
held up. Many people share an address, hence its wide limit; what is sent without signing in, and could be used
to guess or to flood others with mail, has a narrow one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.models import User
from accounts.rest import seconds_over
from config.middleware import network_of


@dataclass(frozen=True)
class Form:
    """Views that count together under `bucket`; `methods` that count; for `strangers` the narrow limit holds."""

    bucket: str
    strangers: bool = False
    methods: frozenset[str] = frozenset({"POST"})


_ENTER = Form("enter")
_CLAIM = Form("claim")
_LINK = Form("link", strangers=True)
_ACCOUNT = Form("account", strangers=True)
_EXPORT = Form("export", methods=frozenset({"GET"}))

# By the name of the address. A view that changes something and is open to the public belongs in here; a test looks.
FORMS: Mapping[str, Form] = {
    "draws:enter": _ENTER,
    "draws:prize": _CLAIM,
    "draws:decline_prize": _CLAIM,
    "draws:linked_prize": _LINK,
    "draws:decline_linked_prize": _LINK,
    "payments:statement": _EXPORT,
    "payments:packages": Form("buy"),
    "payments:withdraw": Form("withdraw"),
    "payments:cancel_withdrawal": Form("withdraw"),
    "payments:callback": Form("callback", methods=frozenset({"GET"})),
    "standin:checkout": Form("standin"),
    "notifications:read_all": Form("inbox"),
    "notifications:preferences": Form("profile"),
    "notifications:phone": _ACCOUNT,
    "notifications:revoke_links": Form("profile"),
    "notifications:push_devices": Form("profile"),
    "notifications:remove_push_device": Form("profile"),
    "notifications:preferences_by_link": _LINK,
    "notifications:confirm_promotions": _LINK,
    # One click of a mail program comes from its provider's address, for all its readers: the wide limit.
    "notifications:unsubscribe": Form("unsubscribe"),
    "profile": Form("profile"),
    "api-keys": Form("profile"),
    "api-key-revoke": Form("profile"),
    "account_signup": _ACCOUNT,
    "account_reset_password": _ACCOUNT,
    "account_reset_password_from_key": _ACCOUNT,
    "account_login": _ACCOUNT,
    "account_confirm_email": _ACCOUNT,
    "account_email": _ACCOUNT,
    "account_reauthenticate": _ACCOUNT,
    "mfa_authenticate": _ACCOUNT,
    "mfa_reauthenticate": _ACCOUNT,
    "mfa_login_webauthn": _ACCOUNT,
    "setup": _ACCOUNT,
}


class FormLimitMiddleware:
    """Answers 429 with `Retry-After` to who sends a form too often."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponse],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> HttpResponse | None:
        """Count, and refuse what is too much before the view is called."""
        form = FORMS.get(request.resolver_match.view_name if request.resolver_match else "")
        if form is None or request.method not in form.methods:
            return None
        wait = _seconds_over(request, form)
        return too_many_requests(request, wait_s=wait) if wait else None


def too_many_requests(
    request: HttpRequest, exception: Exception | None = None, *, wait_s: int = 60
) -> HttpResponse:
    """The page for who has to wait (also allauth's, by its name in `config.urls`)."""
    response = render(request, "429.html", {"wait_s": wait_s}, status=429)
    response.headers["Retry-After"] = str(wait_s)
    response.headers["Cache-Control"] = "no-store"
    return response


def _seconds_over(request: HttpRequest, form: Form) -> int:
    limit = settings.FORM_LIMIT_STRANGER if form.strangers else settings.FORM_LIMIT_ADDRESS
    wait = seconds_over(f"form:{form.bucket}:address", network_of(request), limit)
    if not wait and isinstance(request.user, User):
        wait = seconds_over(f"form:{form.bucket}:member", request.user.pk, settings.FORM_LIMIT_MEMBER)
    return wait
