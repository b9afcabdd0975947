"""What a browser says about a passkey. Anybody can send anything in its place: that is a wrong one, and no fault of ours.

allauth expects the shape that browsers send and breaks on others.
"""

import struct
from collections.abc import Callable
from typing import Any, TypeVar

from allauth.mfa.adapter import get_adapter
from allauth.mfa.webauthn import forms

_MALFORMED = (AttributeError, IndexError, KeyError, TypeError, ValueError, struct.error)

Answer = TypeVar("Answer")


def _read(reading: Callable[[], Answer]) -> Answer:
    """What `reading` finds; raises ValidationError where it finds something else than a passkey."""
    try:
        return reading()
    except _MALFORMED:
        raise get_adapter().validation_error("incorrect_code") from None


class AddForm(forms.AddWebAuthnForm):  # type: ignore[misc]
    """A new passkey."""

    def clean(self) -> Any:
        return _read(super().clean)


class SignInForm(forms.LoginWebAuthnForm):  # type: ignore[misc]
    """A passkey in place of address and password."""

    def clean_credential(self) -> Any:
        return _read(super().clean_credential)


class SecondFactorForm(forms.AuthenticateWebAuthnForm):  # type: ignore[misc]
    """A passkey after the password."""

    def clean_credential(self) -> Any:
        return _read(super().clean_credential)


class ConfirmationForm(forms.ReauthenticateWebAuthnForm):  # type: ignore[misc]
    """A passkey before something weighty."""

    def clean_credential(self) -> Any:
        return _read(super().clean_credential)
