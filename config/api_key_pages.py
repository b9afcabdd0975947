"""The pages on which people make, look at and revoke their API keys."""

from collections.abc import Container, Mapping
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.forms import ApiKeyForm
from accounts.fresh_sign_in import ask_to_confirm, is_fresh, kept_form
from accounts.models import ApiKey, User
from accounts.scopes import all_scopes
from config.api_keys import ApiKeyError, create_api_key, revoke_api_key

_PAGE = 20


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def api_keys(request: HttpRequest) -> HttpResponse:
    """My keys, and a form for a new one. The answer to the form shows the key: this once, and kept nowhere."""
    assert isinstance(request.user, User)
    now = timezone.now()
    typed = request.POST if request.method == "POST" else kept_form(request)
    form = ApiKeyForm(typed, owner=request.user)
    made = None
    if request.method == "POST" and form.is_valid():
        if _is_for_staff(form.cleaned_data["scopes"]) and not is_fresh(request, now=now):
            return ask_to_confirm(
                request, _("Keys for staff are made only soon after signing in. Confirm that it is you.")
            )
        try:
            made = create_api_key(
                owner=request.user,
                name=form.cleaned_data["name"],
                scopes=form.cleaned_data["scopes"],
                expires_at=form.expires_at(now),
                now=now,
            )
        except ApiKeyError as error:
            form.add_error(None, str(error))
        else:
            form = ApiKeyForm(owner=request.user)
    titles = {scope.name: scope.title for scope in all_scopes()}
    mine = ApiKey.objects.filter(owner=request.user).order_by("-pk")
    page = Paginator(mine, _PAGE).get_page(request.GET.get("page"))
    rows = [
        (
            key,
            "revoked" if key.revoked_at else "expired" if key.is_expired(now) else "live",
            _titles(key, titles),
        )
        for key in page.object_list
    ]
    return render(request, "account/api_keys.html", {"form": form, "made": made, "rows": rows, "page": page})


def _is_for_staff(names: Container[str]) -> bool:
    """Whether a key of these scopes could do what its owner has to be staff for, long after this sign-in."""
    return any(scope.permission for scope in all_scopes() if scope.name in names)


def _titles(key: ApiKey, titles: Mapping[str, object]) -> list[str]:
    return [str(titles.get(name, name)) for name in key.scopes]


@login_required
@require_POST
def revoke(request: HttpRequest, key_id: UUID) -> HttpResponse:
    """End one of my keys."""
    assert isinstance(request.user, User)
    key = get_object_or_404(ApiKey.objects.select_related("owner"), public_id=key_id, owner=request.user)
    if revoke_api_key(key=key, by=request.user, now=timezone.now()):
        messages.success(request, _("“%(name)s” is revoked and opens nothing any more.") % {"name": key.name})
    return redirect("api-keys")
