"""How signing in is tied to the rest of the site: whose address counts, and what a session notes of its browser.

Here, because only the top floor may know both who people are and where requests come from.
"""

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.fresh_sign_in import has_just_shown
from accounts.lockouts import forget_wrong_passwords
from accounts.models import User
from accounts.sessions import SessionStore
from audit.middleware import client_address
from audit.services import record

UNKNOWN = "0.0.0.0"
"""Stands for whoever has no address, as behind a unix socket without `TRUSTED_PROXIES`."""


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """allauth's seam: limits and mails go by the address behind `TRUSTED_PROXIES`; the trail is written."""

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request) or UNKNOWN

    def format_email_subject(self, subject: str) -> str:
        """The site by its own name, whatever host was asked for."""
        return f"{settings.SITE_NAME}: {subject}"

    def render_mail(
        self, template_prefix: str, email: str, context: dict[str, Any], headers: Any = None
    ) -> Any:
        own = {"site_name": settings.SITE_NAME, "site_url": settings.SITE_URL}
        return super().render_mail(template_prefix, email, {**context, **own}, headers=headers)

    def confirm_email(self, request: HttpRequest, email_address: Any) -> bool:
        person = email_address.user
        before = person.email
        with transaction.atomic():
            done: bool = super().confirm_email(request, email_address)
            person.refresh_from_db(fields=["email"])
            if done and person.email != before:
                self._note(person, "person.email_changed")
        return done

    def set_password(self, user: Any, password: str) -> None:
        with transaction.atomic():
            super().set_password(user, password)
            forget_wrong_passwords(user)  # who could choose a new one is let in with it
            self._note(user, "person.password_changed")

    @staticmethod
    def _note(person: User, action: str) -> None:
        record(actor=person, action=action, target=person, data={}, now=timezone.now())

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """allauth counts only what is shown after the sign-in; who gave the password a moment ago is not asked again."""
        required: bool = super().is_reauthentication_required(app=app, **kwargs)
        return required and not has_just_shown(self.request, now=timezone.now())

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        words = {
            "reauthenticate": _("Use your password"),
            "mfa_reauthenticate": _("Use a code"),
            "mfa_reauthenticate:webauthn": _("Use your passkey"),
        }
        ways: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        return [{**way, "description": words.get(way["id"], way["description"])} for way in ways]


def counted_address(request: HttpRequest) -> str:
    """Who is counted as one when failed sign-ins are: an IPv4 address, or the /64 that one IPv6 customer has all of."""
    address = client_address(request) or UNKNOWN
    if ":" not in address:
        return address
    return str(ip_address(int(ip_address(address)) >> 64 << 64))


class SessionMiddleware:
    """Tells the session where it is used and by what; notes it when the answer is made."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        session = request.session
        assert isinstance(session, SessionStore)
        session.address = client_address(request)
        session.user_agent = request.headers.get("User-Agent", "").replace("\0", "")
        response = self.get_response(request)
        session.note_use(now=timezone.now())
        return response
