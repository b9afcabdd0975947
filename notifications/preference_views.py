"""Pages on which people say what they may be told: signed in, or by the links at the foot of every mail.

A link is opened by mail scanners too: opening one never changes anything.
"""

import uuid

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User
from notifications import kinds
from notifications.consent_kinds import CONFIRM
from notifications.forms import PreferencesForm, kinds_for, roads_to
from notifications.kinds import Category
from notifications.links import is_genuine, row_of
from notifications.mail_links import PREFERENCES, UNSUBSCRIBE, delivery_of, link_version_of, links_of
from notifications.models import Correspondent, Delivery
from notifications.recipients import Recipient
from notifications.services.devices import devices_of
from notifications.services.preferences import (
    ConfirmationError,
    GoneError,
    TooOftenError,
    confirm_promotions,
    revoke_links,
    save_preferences,
    standing_of,
    stop_by_link,
    who_reads,
)
from notifications.services.proving import is_offered as phone_is_offered
from notifications.vapid import public_key_of

ONE_CLICK, ONE_CLICK_VALUE = "List-Unsubscribe", "One-Click"  # RFC 8058 §3.2


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest) -> HttpResponse:
    """What the signed-in member may be told."""
    assert isinstance(request.user, User)
    return _preferences(request, Recipient.of(request.user), source="preferences", back=request.path)


@never_cache
@login_required
@require_POST
def revoke(request: HttpRequest) -> HttpResponse:
    """Make the links in mails sent so far useless."""
    assert isinstance(request.user, User)
    try:
        revoke_links(who=Recipient.of(request.user), source="preferences", now=timezone.now())
    except GoneError:
        raise Http404 from None
    messages.success(request, _("The links in mails you have do not work any more."))
    return redirect("notifications:preferences")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def preferences_by_link(request: HttpRequest, token: str) -> HttpResponse:
    """The same for anybody who holds a mail, by the link at its foot."""
    delivery = delivery_of(token, purpose=PREFERENCES)
    if delivery is None:
        raise Http404
    who = who_reads(delivery)
    with translation.override(_language_of(who)):
        return _preferences(request, who, source="link in a mail", back=request.path, delivery=delivery)


@never_cache
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Stop what the mail with this link was: by a button on a page, or by the one click of a mail program (RFC 8058),
    which signs in nowhere, brings no cookie and follows no redirect."""
    delivery = delivery_of(token, purpose=UNSUBSCRIBE)
    kind = _kind_of(delivery)
    if delivery is None or kind is None:
        raise Http404
    is_one_click = request.POST.get(ONE_CLICK) == ONE_CLICK_VALUE
    whole_kind = request.POST.get("what") == "kind"
    if request.method == "POST":
        source = "one click" if is_one_click else "unsubscribe page"
        try:
            stop_by_link(delivery=delivery, whole_kind=whole_kind, source=source, now=timezone.now())
        except GoneError:
            raise Http404 from None
    has_thing = kind.stops_by_thing and bool(delivery.message.about)
    answer = {
        "kind": kind,
        "has_thing": has_thing,
        "state": "ask" if request.method != "POST" else "kind" if whole_kind or not has_thing else "thing",
        "address": _veiled(delivery.address),
        "preferences_url": links_of(
            delivery, kind, version=link_version_of(delivery.recipient_key)
        ).preferences_url,
    }
    with translation.override(_language_of(who_reads(delivery))):
        return render(request, "notifications/unsubscribe.html", answer)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """The second half of a double opt-in: the word of whoever reads the mailbox."""
    row = row_of(token)
    person = Correspondent.objects.filter(public_id=row).first() if row is not None else None
    if person is None or not is_genuine(
        token, purpose=CONFIRM, row=person.public_id, version=person.asked_version
    ):
        raise Http404
    state = "done" if person.promotions_confirmed_at else "ask"
    if request.method == "POST":
        try:
            confirm_promotions(correspondent=person, source="confirmation page", now=timezone.now())
        except ConfirmationError:
            state = "late"
        else:
            return redirect(request.path)
    return render(request, "notifications/confirm_promotions.html", {"state": state})


def _preferences(
    request: HttpRequest, who: Recipient, *, source: str, back: str, delivery: Delivery | None = None
) -> HttpResponse:
    now = timezone.now()
    by_link = delivery is not None
    has_account = who.member_id is not None
    standing = standing_of(who, now=now)
    data = request.POST if request.method == "POST" else None
    can_push = bool(settings.VAPID_PRIVATE_KEY)
    devices = devices_of(member_id=who.member_id) if can_push and who.member_id is not None else []
    roads = roads_to(who, has_device=bool(devices))
    form = PreferencesForm(data, standing=standing, has_account=has_account, roads=roads)
    if data is not None and form.is_valid():
        try:
            waits = save_preferences(
                who=who,
                offered=form.decided,
                wanted=form.wanted,
                promotions=form.cleaned_data.get("promotions", False),
                quiet_hours=form.quiet_hours,
                resumed=[uuid.UUID(value) for value in form.cleaned_data["resume"]],
                delivery=delivery,
                source=source,
                now=now,
            )
        except GoneError:
            raise Http404 from None
        except TooOftenError as error:
            form.add_error("promotions", str(error))
        else:
            messages.success(request, _("Saved."))
            if waits:
                messages.info(
                    request,
                    _("For news and offers we sent you a mail: they begin when you say yes there."),
                )
            return redirect(back)
    sections = [
        {
            "id": "service",
            "title": _("Reminders and results"),
            "text": _("About draws you are in. You get them unless you switch them off."),
            "channels": form.channels(Category.SERVICE),
            "rows": form.section(Category.SERVICE),
        },
        {
            "id": "promotional",
            "title": _("News and offers"),
            "text": _("Coming draws and the like. Only if you ask for them."),
            "channels": form.channels(Category.PROMOTIONAL),
            "rows": form.section(Category.PROMOTIONAL),
        },
    ]
    always = kinds_for(category=Category.TRANSACTIONAL, has_account=has_account, roads=roads)
    return render(
        request,
        "notifications/preferences.html",
        {
            "form": form,
            "sections": [section for section in sections if section["rows"]],
            "always": always,
            "standing": standing,
            "by_link": by_link,
            "devices": devices,
            "push_key": public_key_of(settings.VAPID_PRIVATE_KEY) if can_push and not by_link else "",
            "may_add_phone": not by_link and phone_is_offered() and not who.phone,
            "address": _veiled(who.address),
            "time_zone": who.time_zone,
            "layout": "notifications/by_link.html" if by_link else "allauth/layouts/manage.html",
        },
    )


def _kind_of(delivery: Delivery | None) -> kinds.Kind | None:
    """The kind of a mail that can be stopped."""
    if delivery is None:
        return None
    try:
        kind = kinds.get(delivery.message.kind)
    except kinds.KindError:
        return None
    return None if kind.category == Category.TRANSACTIONAL else kind


def _language_of(who: Recipient) -> str:
    try:
        return translation.get_supported_language_variant(who.language)
    except LookupError:
        return translation.get_language() or "en"


def _veiled(address: str) -> str:
    """An address by which its owner knows it, and nobody else learns it: whoever was passed the mail sees this page."""
    name, at, domain = address.partition("@")
    return f"{name[:1]}…{at}{domain}"
