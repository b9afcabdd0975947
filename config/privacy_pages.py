"""The pages on which people have a copy of their data, and have it erased."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from accounts.fresh_sign_in import ask_to_confirm, is_fresh, kept_form
from accounts.models import User, normalise_email
from accounts.privacy import person_of
from config.privacy import (
    WAITING_TIME,
    ErasureError,
    Losses,
    cancel_erasure,
    erasure_by_token,
    export_of,
    losses_of,
    request_erasure,
)


class EraseForm(forms.Form):
    """Asks for one's own address, which nobody types by a slip, and, where there is money, to give it up."""

    email = forms.CharField(
        label=gettext_lazy("Type your e-mail address"),
        max_length=254,
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
    )
    gives_up_wallet = forms.BooleanField(required=False)

    def __init__(self, *args: Any, member: User, losses: Losses, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.member = member
        if losses.wallet:
            self.fields["gives_up_wallet"].required = True
            self.fields["gives_up_wallet"].label = _(
                "I give up %(wallet)s in my wallet, and whatever is added to it until everything is erased."
            ) % {"wallet": ", ".join(losses.wallet)}
        else:
            del self.fields["gives_up_wallet"]

    def clean_email(self) -> str:
        email = normalise_email(self.cleaned_data["email"])
        if email != self.member.email:
            raise forms.ValidationError(_("This is not the address of this account."))
        return email


@never_cache
@login_required
@require_GET
def your_data(request: HttpRequest) -> HttpResponse:
    """What the site keeps about me, as a file; and the way to have it erased."""
    assert isinstance(request.user, User)
    return _page(request, request.user, kept_form(request))


@never_cache
@login_required
@require_GET
def download(request: HttpRequest) -> HttpResponse:
    """Everything about me in one JSON file; only for who signed in freshly: it holds addresses and voucher codes."""
    assert isinstance(request.user, User)
    now = timezone.now()
    if not is_fresh(request, now=now):
        return ask_to_confirm(
            request, _("Your data is given out only soon after signing in. Confirm that it is you.")
        )
    answer = JsonResponse(export_of(person=person_of(request.user), now=now), json_dumps_params={"indent": 1})
    answer["Content-Disposition"] = f'attachment; filename="fairground-data-{now:%Y-%m-%d}.json"'
    return answer


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def erase(request: HttpRequest) -> HttpResponse:
    """Close my account now, and have everything about me erased in a week."""
    assert isinstance(request.user, User)
    now = timezone.now()
    if request.method != "POST":  # back from confirming who it is
        return _page(request, request.user, kept_form(request))
    if not is_fresh(request, now=now):
        return ask_to_confirm(
            request, _("An account is erased only soon after signing in. Confirm that it is you.")
        )
    person = person_of(request.user)
    form = EraseForm(request.POST, member=request.user, losses=losses_of(person))
    if form.is_valid():
        try:
            request_erasure(
                person=person,
                by=request.user,
                gives_up_wallet=form.cleaned_data.get("gives_up_wallet", False),
                now=now,
            )
        except ErasureError as error:
            form.add_error(None, str(error))
        else:
            logout(request)
            messages.success(
                request,
                _(
                    "Your account is closed. Everything about you is erased in %(days)d days; a link in the mail we sent "
                    "you calls it off until then."
                )
                % {"days": WAITING_TIME.days},
            )
            return redirect("home")
    return _page(request, request.user, None, form)


def _page(request: HttpRequest, member: User, typed: Any, form: EraseForm | None = None) -> HttpResponse:
    losses = losses_of(person_of(member))
    return render(
        request,
        "account/your_data.html",
        {
            "form": form or EraseForm(typed, member=member, losses=losses),
            "losses": losses,
            "days": WAITING_TIME.days,
            "is_staff": member.is_staff or member.is_superuser,
        },
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def erasure(request: HttpRequest, token: str) -> HttpResponse:
    """By the secret link from the mail: call the erasure off. Opening the link changes nothing."""
    found = erasure_by_token(token)
    if found is None:
        return render(request, "account/erasure.html", {"state": "unknown"}, status=404)
    if request.method == "POST":
        try:
            cancel_erasure(erasure=found, by=None, now=timezone.now())
        except ErasureError as error:
            messages.error(request, str(error))
        return redirect(request.path)
    state = "done" if found.done_at else "cancelled" if found.cancelled_at else "waiting"
    return render(
        request,
        "account/erasure.html",
        {"state": state, "erasure": found, "is_account": found.member_id is not None and found.was_active},
    )
