"""allauth's pages of second factors, with two things more: the trail, and a session that knows what it has just seen."""

from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from allauth.mfa.webauthn.views import (
    AddWebAuthnView,
    EditWebAuthnView,
    ReauthenticateWebAuthnView,
    RemoveWebAuthnView,
)
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse_lazy
from django.utils import timezone

from accounts.models import User
from config.second_factor import note_factor


def _note(request: HttpRequest, done: str, kind: str) -> None:
    assert isinstance(request.user, User)
    note_factor(user=request.user, done=done, kind=kind, now=timezone.now())


def _has_shown(request: HttpRequest, kind: str) -> None:
    """Who has just set a factor up has shown it: nobody is asked for it again at once."""
    newest = Authenticator.objects.filter(user_id=request.user.pk, type=kind).order_by("-pk").first()
    if newest:
        record_authentication(request, request.user, "mfa", id=newest.pk, type=kind, reauthenticated=True)


class ActivateApp(ActivateTOTPView):  # type: ignore[misc]
    """Set up an authenticator app."""

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        _has_shown(self.request, Authenticator.Type.TOTP)
        _note(self.request, "added", Authenticator.Type.TOTP)
        return response


class DeactivateApp(DeactivateTOTPView):  # type: ignore[misc]
    """Remove the authenticator app."""

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        _note(self.request, "removed", Authenticator.Type.TOTP)
        response: HttpResponse = super().form_valid(form)
        return response


class AddPasskey(AddWebAuthnView):  # type: ignore[misc]
    """Make a passkey; one that signs in alone, unless somebody wants less."""

    initial = {"passwordless": True}

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        _has_shown(self.request, Authenticator.Type.WEBAUTHN)
        _note(self.request, "added", Authenticator.Type.WEBAUTHN)
        return response


class RenamePasskey(EditWebAuthnView):  # type: ignore[misc]
    """Call a passkey something else."""

    success_url = reverse_lazy("mfa_index")


class RemovePasskey(RemoveWebAuthnView):  # type: ignore[misc]
    """Remove a passkey."""

    success_url = reverse_lazy("mfa_index")

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        _note(self.request, "removed", Authenticator.Type.WEBAUTHN)
        response: HttpResponse = super().form_valid(form)
        return response


class ConfirmByPasskey(ReauthenticateWebAuthnView):  # type: ignore[misc]
    """Show the passkey again; what goes wrong is said here, not on the page of those who are signed out."""

    def form_invalid(self, form: Any) -> HttpResponse:
        for message in form.errors.get("credential", []):
            messages.error(self.request, message)
        return HttpResponseRedirect(self.request.get_full_path())


class MakeRecoveryCodes(GenerateRecoveryCodesView):  # type: ignore[misc]
    """A new sheet of recovery codes in place of the old one."""

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        _note(self.request, "codes_made", Authenticator.Type.RECOVERY_CODES)
        return response


@login_required
def passkeys(request: HttpRequest) -> HttpResponse:
    """Passkeys stand on the page of all factors."""
    return redirect("mfa_index")
