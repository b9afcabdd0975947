"""The second factor: who has one, who needs one, whether this session has shown it; and how its secrets are kept.

Factors are allauth's `Authenticator` rows: an authenticator app (TOTP), passkeys (WebAuthn) and recovery codes.
Staff need one for everything that staff alone may do; only an embedded site may waive that (`STAFF_SECOND_FACTOR`).
"""

from typing import Any
from urllib.parse import urlsplit

from allauth.account.authentication import get_authentication_records
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User

FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
"""What is a factor by itself; recovery codes stand in for one of these."""


_UNREADABLE = "The second factor can't be read: put the key it was stored with back into SECOND_FACTOR_KEYS."


class SecretUnreadableError(Exception):
    """A stored secret can't be read with any key of `SECOND_FACTOR_KEYS`."""


def has_second_factor(user: User) -> bool:
    """Whether the account has an authenticator app or a passkey."""
    return bool(Authenticator.objects.filter(user_id=user.pk, type__in=FACTORS).exists())


def has_shown_second_factor(request: HttpRequest, user: User) -> bool:
    """Whether `user` signed in here, or confirmed it, with an app's code, a passkey or a recovery code."""
    return any(record.get("method") == "mfa" for record in get_authentication_records(request, user))


def lacks_second_factor(request: HttpRequest, user: User) -> bool:
    """Whether these are staff who may do nothing that staff do until they have set up, or shown, a second factor.

    Does not ask the request for its user, who may only be being found out.
    """
    if not (settings.STAFF_SECOND_FACTOR and user.is_staff):
        return False
    return not has_shown_second_factor(request, user) or not has_second_factor(user)


def way_to_show_it(user: User) -> str:
    """Address of the page that asks for a second factor the account has: its app's code, else its passkey."""
    has_app = Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP).exists()
    return reverse("mfa_reauthenticate" if has_app else "mfa_reauthenticate_webauthn")


def reencrypt_secrets() -> int:
    """Encrypt all stored secrets with the newest of `SECOND_FACTOR_KEYS`; returns how many.

    Raises `SecretUnreadableError` for one that none of the keys opens. Safe to run again, and beside sign-ins: each row
    is locked while it is rewritten.
    """
    count = 0
    for pk in Authenticator.objects.exclude(type=Authenticator.Type.WEBAUTHN).values_list("pk", flat=True):
        with transaction.atomic():
            row = Authenticator.objects.select_for_update().filter(pk=pk).first()
            for name in {"secret", "seed"} & set(row.data if row else ()):
                try:
                    row.data[name] = _keys().rotate(row.data[name].encode()).decode("ascii")
                except InvalidToken:
                    raise SecretUnreadableError(_UNREADABLE) from None
                row.save(update_fields=["data"])
                count += 1
    return count


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """allauth's seams: secrets are encrypted at rest, and passkeys belong to the site's own address."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": gettext_lazy(
            "This is not a code that opens now. Wait for the next one your app shows."
        ),
        "unverified_email": gettext_lazy(
            "Confirm your email address first: open the link in the letter we sent."
        ),
        "add_email_blocked": gettext_lazy("Remove your second factor before you change the address."),
    }

    def encrypt(self, text: str) -> str:
        return _keys().encrypt(text.encode()).decode("ascii")

    def decrypt(self, encrypted_text: str) -> str:
        try:
            return _keys().decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            raise SecretUnreadableError(_UNREADABLE) from None

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        entity: dict[str, str] = super().get_public_key_credential_rp_entity()
        # A passkey made at www.fairground.example should open fairground.example too; a demo answers where it is asked.
        if not settings.EMBEDDED:
            entity["id"] = urlsplit(settings.SITE_URL).hostname or entity["id"]
        return {**entity, "name": settings.SITE_NAME}

    def generate_authenticator_name(self, user: Any, type: Any) -> str:
        count = Authenticator.objects.filter(user_id=user.pk, type=type).count()
        return _("Passkey") if not count else _("Passkey %(number)d") % {"number": count + 1}


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(key.strip()) for key in settings.SECOND_FACTOR_KEYS])
