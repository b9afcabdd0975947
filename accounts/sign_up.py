"""allauth's sign-up form, made safe against the same address arriving twice at the same moment.

Apart from `accounts/forms.py`, because allauth derives its form from `SignUpForm` there: this module imports
allauth, and allauth imports that one.
"""

from typing import Any

from allauth.account.forms import SignupForm
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse

from accounts.models import User


class SignUpPageForm(SignupForm):  # type: ignore[misc]
    """A user and the address come into being together; of two at once the later one is told as if it were known."""

    account_already_exists: bool

    def validate_unique_email(self, value: str) -> str:
        # Somebody may have asked to change to this address and never shown that it is theirs: it keeps nobody out.
        pending = EmailAddress.objects.filter(email=value, verified=False, primary=False)
        pending.exclude(user__email=value).delete()
        email: str = super().validate_unique_email(value)
        return email

    def save(self, request: HttpRequest) -> Any:
        with transaction.atomic():
            return super().save(request)

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        if self.account_already_exists:
            make_password(self.cleaned_data["password1"])  # takes as long as for an address that is new
        try:
            saved: tuple[User | None, HttpResponse | None] = super().try_save(request)
        except IntegrityError:  # a double click, or two tabs
            self.account_already_exists = True
            saved = super().try_save(request)
        return saved
