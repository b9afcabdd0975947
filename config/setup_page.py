"""The page that makes the first Super Admin of a new site, for whoever can't run `manage.py create_admin` there.

It is there while `ADMIN_SETUP_TOKEN` is set and the site never had an admin; otherwise there is no such address.
"""

import hmac

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.checks import LEAST_TOKEN
from accounts.rest import seconds_over
from config.first_admin import AdminExistsError, create_first_admin, is_without_admin
from config.sign_in import counted_address

TRIES_A_MINUTE = 5


class SetupForm(forms.Form):
    """The token, and who the first admin is."""

    token = forms.CharField(
        label=gettext_lazy("Set-up token"),
        max_length=500,
        widget=forms.PasswordInput({"autocomplete": "off"}),
        help_text=gettext_lazy("What ADMIN_SETUP_TOKEN was set to."),
    )
    email = forms.EmailField(
        label=gettext_lazy("Your email address"),
        max_length=254,
        widget=forms.EmailInput({"autocomplete": "email"}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        max_length=500,
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
        help_text=gettext_lazy("Ten characters or more. You set up a second factor right after."),
    )

    def clean_token(self) -> str:
        """Raises ValidationError for any but the one; takes the same time for each."""
        given: str = self.cleaned_data["token"].strip()
        if not hmac.compare_digest(given.encode(), settings.ADMIN_SETUP_TOKEN.encode()):
            raise ValidationError(_("This is not the set-up token."))
        return given


@never_cache
@sensitive_post_parameters("token", "password")
@require_http_methods(["GET", "HEAD", "POST"])
def setup(request: HttpRequest) -> HttpResponse:
    """Make the first Super Admin, once."""
    if len(settings.ADMIN_SETUP_TOKEN) < LEAST_TOKEN or not is_without_admin():
        raise Http404
    form = SetupForm(request.POST or None)
    if request.method == "POST":
        if wait := seconds_over("setup", counted_address(request), TRIES_A_MINUTE):
            form = SetupForm()
            context = {"form": form, "wait": wait}
            response = render(request, "account/setup.html", context, status=429)
            response.headers["Retry-After"] = str(wait)
            return response
        if form.is_valid():
            try:
                create_first_admin(
                    email=form.cleaned_data["email"],
                    password=form.cleaned_data["password"],
                    now=timezone.now(),
                )
            except AdminExistsError:
                raise Http404 from None
            except ValidationError as error:
                form.add_error(None, error)
            else:
                messages.success(request, _("You are the Super Admin of this site. Sign in to go on."))
                back = urlencode({REDIRECT_FIELD_NAME: reverse("admin:index")})
                return redirect(f"{reverse('account_login')}?{back}")
    return render(request, "account/setup.html", {"form": form})
