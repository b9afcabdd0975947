"""Codes of an authenticator app: each is taken once, and guessing is limited, whether or not Redis is there.

allauth remembers used codes and counts wrong ones in the cache alone; here both are in PostgreSQL.
"""

import time
from typing import Any

from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.core import context
from allauth.mfa import app_settings
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal import auth as totp
from django import forms
from django.db import transaction

from accounts.lockouts import codes_locked, forget_wrong_codes, note_wrong_code

LAST_STEP = "last_step"
"""Where an app's row keeps the time step of the newest code that was taken."""


def step_of(secret: str, code: str) -> int | None:
    """The time step of which `code` is the one, now or a step around it; None where it is of none."""
    now = int(time.time()) // app_settings.TOTP_PERIOD
    around = range(now - app_settings.TOTP_TOLERANCE, now + app_settings.TOTP_TOLERANCE + 1)
    right = (
        step for step in around
        if totp.compare_user_code(actual=code, expected=totp.format_hotp_value(totp.hotp_value(secret, step)))
    )  # fmt: skip
    return next(right, None)


def take_code(user: Any, code: str) -> Authenticator | None:
    """The app or the sheet of recovery codes that `code` is of, and never again; None where it is of neither."""
    with transaction.atomic():
        rows = Authenticator.objects.filter(user_id=user.pk).exclude(type=Authenticator.Type.WEBAUTHN)
        for row in rows.select_for_update().order_by("pk"):
            if row.type != Authenticator.Type.TOTP:
                if row.wrap().validate_code(code):
                    return Authenticator.objects.get(pk=row.pk)
                continue
            step = step_of(get_adapter().decrypt(row.data["secret"]), code)
            if step is not None and step > row.data.get(LAST_STEP, -1):
                row.data[LAST_STEP] = step
                row.save(update_fields=["data"])
                return row
    return None


class _OnceForm(forms.Form):
    """What the two forms share: `clean_code` in place of allauth's."""

    user: Any
    authenticator: Authenticator

    def clean_code(self) -> str:
        """Raises ValidationError for a code that is wrong or used, and while none is taken."""
        request = context.request
        if codes_locked(request, self.user):
            raise get_account_adapter().validation_error("too_many_login_attempts")
        code: str = self.cleaned_data["code"]
        row = take_code(self.user, code)
        if row is None:
            if note_wrong_code(request, self.user):
                get_account_adapter().send_notification_mail("account/email/codes_guessed", self.user)
            raise get_adapter().validation_error("incorrect_code")
        forget_wrong_codes(self.user)
        row.user = self.user
        self.authenticator = row
        return code


def _for_codes(form: forms.Form) -> None:
    form.fields["code"].widget = forms.TextInput(
        {"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True, "class": "code-input"}
    )


class CodeForm(_OnceForm, AuthenticateForm):  # type: ignore[misc]
    """Asked at sign-in, after the password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _for_codes(self)


class ReauthenticationCodeForm(_OnceForm, ReauthenticateForm):  # type: ignore[misc]
    """Asked again before something weighty."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _for_codes(self)


class ActivationForm(ActivateTOTPForm):  # type: ignore[misc]
    """The first code of a new app; the limit of allauth suffices: it guesses the person's own secret."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _for_codes(self)
