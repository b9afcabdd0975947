"""Pages of the inbox, and of the developer's mailbox on an embedded site."""

import uuid
from collections.abc import Callable
from functools import wraps
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET, require_POST, require_safe

from accounts.models import User
from notifications import mailbox
from notifications.live import make_token, number_at
from notifications.services.inbox import (
    LetterNotFoundError,
    badge_of,
    inbox_of,
    letter_of,
    mark_all_read,
    open_letter,
)
from notifications.topics import topics_of

LETTERS_A_PAGE = 20
MAILS_A_PAGE = 20
# A mail may bring its own styles and pictures inside itself; it runs nothing and fetches nothing.
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)


def _member(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # behind login_required
    return request.user


@never_cache
@login_required
@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    """The member's messages, the newest first."""
    page = Paginator(inbox_of(member=_member(request), now=timezone.now()), LETTERS_A_PAGE).get_page(
        request.GET.get("page")
    )
    letters = [letter_of(delivery, with_links=False) for delivery in page.object_list]
    return render(request, "notifications/inbox.html", {"page": page, "letters": letters})


@never_cache
@login_required
@require_safe
def letter(request: HttpRequest, handle: uuid.UUID) -> HttpResponse:
    """One message, read from now on."""
    try:
        opened = open_letter(member=_member(request), handle=handle, now=timezone.now())
    except LetterNotFoundError:
        raise Http404 from None
    return render(request, "notifications/letter.html", {"letter": opened})


@login_required
@require_POST
def read_all(request: HttpRequest) -> HttpResponse:
    """Mark everything as read."""
    count = mark_all_read(member=_member(request), now=timezone.now())
    if count:
        messages.success(
            request, ngettext("%d message marked as read.", "%d messages marked as read.", count) % count
        )
    return redirect("notifications:inbox")


@never_cache
@require_GET
def live_inbox(request: HttpRequest) -> HttpResponse:
    """For scripts: what the badge says, and a token to hear of changes. 401 when signed out."""
    if not request.user.is_authenticated:
        return JsonResponse({"code": "signed_out"}, status=401)
    member, now = _member(request), timezone.now()
    return JsonResponse(
        {
            "unread": badge_of(member_id=member.pk, now=now),
            "token": make_token(topics_of(member.public_id), now),
            "last": str(number_at(now)),
        }
    )


def _embedded_only(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A site with a mail provider has no such pages."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if not settings.EMBEDDED:
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


@never_cache
@_embedded_only
@require_safe
def mailbox_list(request: HttpRequest) -> HttpResponse:
    """Every mail the site has sent, the newest first; `?to=` finds those of one recipient."""
    recipient = request.GET.get("to", "").strip()
    page = Paginator(mailbox.NewestMails(recipient), MAILS_A_PAGE).get_page(request.GET.get("page"))
    mails = [mail for key in page.object_list if (mail := mailbox.read_mail(key, headers_only=True))]
    context = {
        "page": page,
        "mails": mails,
        "to": recipient,
        "query": urlencode({"to": recipient} if recipient else {}),
    }
    return render(request, "notifications/mailbox.html", context)


@never_cache
@_embedded_only
@require_safe
def mailbox_mail(request: HttpRequest, key: str) -> HttpResponse:
    """One mail: headers, text, and the HTML part in a frame of its own."""
    mail = mailbox.read_mail(key)
    if mail is None:
        raise Http404
    return render(request, "notifications/mailbox_mail.html", {"mail": mail})


@never_cache
@_embedded_only
@require_safe
@xframe_options_sameorigin
def mailbox_html(request: HttpRequest, key: str) -> HttpResponse:
    """The HTML part of a mail, which can do nothing but be looked at; its links open a new tab."""
    mail = mailbox.read_mail(key)
    if mail is None or not mail.html:
        raise Http404
    response = HttpResponse(mail.html.replace("<head>", '<head><base target="_blank">', 1))
    response.headers["Content-Security-Policy"] = MAIL_POLICY
    return response
