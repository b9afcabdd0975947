"""What holds for every response: its headers; who finds `/admin/`; and under `/api/` who may read it, how often, and
how errors look."""

from collections.abc import Callable
from functools import cache, partial
from ipaddress import ip_address

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import ResolverMatch, resolve
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.defaults import page_not_found

from accounts.rest import seconds_over
from audit.middleware import client_address
from config.api import problem_response
from notifications.mailgun_hooks import mailgun_webhook
from notifications.tracking import PREFIX as TRACKING
from payments.hooks import paystack_webhook

_PAGES = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
# unfold evaluates Alpine expressions and sets inline styles; nothing but the admin is allowed to.
_ADMIN = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; font-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)


def _of_nobody(hook: Callable[[HttpRequest], HttpResponse], request: HttpRequest) -> HttpResponse:
    """In the site's own language and zone, not the last visitor's."""
    with translation.override(settings.LANGUAGE_CODE), timezone.override(None):
        try:
            return hook(request)
        except Http404:
            return HttpResponse(status=404)


_HOOKS: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/webhooks/mailgun/": partial(_of_nobody, mailgun_webhook),
    "/webhooks/paystack/": paystack_webhook,
    "/api/payments/webhook/": paystack_webhook,
}
_TWILIO = "/webhooks/twilio/"
"""One of its addresses names the message that it is about."""

# What no page of ours uses, and nothing that slipped into one may ask for. Clipboard and full screen are used.
_PERMISSIONS = (
    "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), "
    "magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=(), xr-spatial-tracking=()"
)


class ContentSecurityPolicyMiddleware:
    """No inline script, no eval and nothing from elsewhere on our pages; `/admin/` alone is relaxed.

    A view whose form leads on to another site names that site in `response.form_targets`: browsers hold the redirect of a
    form to the policy of the page that it is on.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        policy = _ADMIN if request.path.startswith("/admin/") else _PAGES
        if targets := getattr(response, "form_targets", ()):
            policy = policy.replace("form-action 'self'", " ".join(["form-action 'self'", *targets]))
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers.setdefault("Permissions-Policy", _PERMISSIONS)
        return response


class HookMiddleware:
    """Answers what providers tell us without what only visitors need: sessions, languages, forms, limits by address.

    They come in storms, from few addresses, and prove themselves by a signature in each request. The same holds for what
    mails tell by themselves: without a session and its cookie.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        hook = _HOOKS.get(path)
        if hook is not None:
            request.resolver_match = _match_of(path)  # the log names it
        elif path.startswith((_TWILIO, TRACKING)) and (match := _found(path)):
            request.resolver_match = match
            hook = partial(_of_nobody, partial(match.func, **match.kwargs))
        else:
            return self.get_response(request)
        response = hook(request)
        response.headers.setdefault("Cache-Control", "no-store")
        return response


@cache
def _match_of(path: str) -> ResolverMatch:
    """Of a hook's address: there are few, and looking through all others costs more than what is done here."""
    return resolve(path)


def _found(path: str) -> ResolverMatch | None:
    """Of an address with an id in it: there are as many as messages."""
    try:
        return resolve(path if path.endswith("/") else f"{path}/")
    except Http404:
        return None


class AdminMiddleware:
    """What one has no right to isn't there: under `/admin/` whoever is signed in gets 404 for it, as everywhere else.

    Who is not signed in is led to the sign-in. A form without its token stays 403: that is no question of rights.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if (
            request.path_info.startswith("/admin/")
            and request.user.is_authenticated
            and not request.user.is_staff
        ):
            return page_not_found(request, Http404())
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Called by Django with what a view has raised."""
        if isinstance(exception, PermissionDenied) and request.path_info.startswith("/admin/"):
            return page_not_found(request, Http404())
        return None


class ApiMiddleware:
    """The gate of `/api/`: addresses without the slash at the end, CORS, the limit by address, errors as problems.

    Other sites' scripts are let in by `CORS_ALLOWED_ORIGINS` alone, and never with cookies: they bring a key.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith("/api/"):
            return self.get_response(request)
        if not request.path_info.endswith("/"):
            request.path_info += "/"
            request.path += "/"
        response = self._answer(request)
        response.headers.setdefault("Cache-Control", "no-store")
        if settings.CORS_ALLOWED_ORIGINS:
            patch_vary_headers(response, ["Origin"])
        if origin := _allowed_origin(request):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = "Retry-After, X-Request-ID"
        return response

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return _preflight(request)
        if wait := seconds_over("address", network_of(request), settings.API_LIMIT_ADDRESS):
            response: HttpResponse = problem_response(
                status=429,
                detail=_("Too many requests from this address. Wait %(count)d seconds.") % {"count": wait},
            )
            response.headers["Retry-After"] = str(wait)
            return response
        response = self.get_response(request)
        if response.status_code >= 400 and response.headers.get("Content-Type", "").startswith("text/html"):
            return problem_response(status=response.status_code)  # a page of Django's own, for people
        return response


def _allowed_origin(request: HttpRequest) -> str:
    origin = request.headers.get("Origin", "")
    return origin if origin in settings.CORS_ALLOWED_ORIGINS else ""


def _preflight(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(status=204)
    if _allowed_origin(request):
        response.headers["Access-Control-Allow-Methods"] = "GET, HEAD, POST"
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
        response.headers["Access-Control-Max-Age"] = "7200"
    return response


def network_of(request: HttpRequest) -> str:
    """Who is counted as one: an IPv4 address, or the /64 that one IPv6 customer has all addresses of."""
    address = client_address(request) or "unknown"
    return ":".join(ip_address(address).exploded.split(":")[:4]) if ":" in address else address
