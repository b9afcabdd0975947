"""allauth's forms of new passwords, with labels written as all others of the site are."""

from typing import Any

from allauth.account.forms import ChangePasswordForm, ResetPasswordKeyForm, SetPasswordForm
from django.utils.translation import gettext_lazy as _

_LABELS = {
    "oldpassword": _("Current password"),
    "password1": _("New password"),
    "password2": _("New password again"),
}


class _Labelled:
    """A form whose fields are called as `_LABELS` says."""

    fields: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in _LABELS.keys() & self.fields.keys():
            self.fields[name].label = _LABELS[name]


class ChangeForm(_Labelled, ChangePasswordForm):  # type: ignore[misc]
    """A new password for the old one."""


class SetForm(_Labelled, SetPasswordForm):  # type: ignore[misc]
    """A first password."""


class ResetForm(_Labelled, ResetPasswordKeyForm):  # type: ignore[misc]
    """A new password by the link in a mail."""
