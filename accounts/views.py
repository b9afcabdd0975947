"""Pages about oneself."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.forms import ProfileForm
from accounts.models import User


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    """Name, time zone, language and consents of the signed-in person."""
    assert isinstance(request.user, User)
    # A copy of the person: a form that is refused must not change the name in the page's own header.
    person = User.objects.get(pk=request.user.pk)
    form = ProfileForm(request.POST or None, instance=person)
    if request.method == "POST" and form.is_valid():
        form.save()
        with timezone.override(person.time_zone):
            local = timezone.localtime().strftime("%H:%M")
        messages.success(request, _("Saved. With you it is %(time)s now.") % {"time": local})
        return redirect("profile")
    return render(request, "account/profile.html", {"form": form})
