"""The outbox in the admin: what waits and for how long, what went wrong, what one person was told, the words."""

import json
import uuid
from typing import Any
from urllib.parse import urlsplit

from django.contrib import admin, messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import action, display

from accounts.models import User, normalise_email
from audit.admin import ReadOnlyAdmin
from audit.admin_fields import once
from notifications import kinds
from notifications.admin.events import counts_of_readers, told_of
from notifications.admin.filters import DeliveryKindFilter, KindFilter, MessageStateFilter, QueueFilter
from notifications.handles import delivery_id_of
from notifications.models import (
    WAITING,
    Delivery,
    DeliveryQuerySet,
    Endpoint,
    Message,
    State,
)
from notifications.rendering import HIDDEN_LINK, text_of, words_of
from notifications.services import (
    IrrevocableError,
    cancel_deliveries,
    cancel_message,
    process_notifications,
    retry_deliveries,
)

PROCESS_LIMIT = 100
_NEW_LINE = SafeString("<br>")
_TONES = {
    State.DELIVERED: "success",
    State.HANDED: "success",
    State.PLANNED: "info",
    State.CLAIMED: "info",
    State.RETRY: "warning",
    State.UNKNOWN: "warning",
    State.FAILED: "danger",
    State.BOUNCED: "danger",
    State.COMPLAINED: "danger",
}


class OutboxAdmin(ReadOnlyAdmin):
    """Looked at by whoever may view, acted upon by whoever may process."""

    def has_process_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this person may send, retry and cancel."""
        return bool(request.user.has_perm("notifications.process_notifications"))


@admin.register(Message)
class MessageAdmin(OutboxAdmin):
    """Things said."""

    list_display = ("created_at", "kind", "about", "status", "not_before", "recipient_count")
    list_filter = (MessageStateFilter, KindFilter)
    search_fields = ("=about", "=idem_key", "=public_id")
    search_help_text = _("What it is about (draws.draw:…), its idempotency key or public id")
    ordering = ("-pk",)
    sortable_by = ()
    fields = (
        "public_id", "kind", "about", "status_in_words", "values", "idem_key", "created_at", "not_before", "expires_at",
        "expanded_at", "recipient_count", "expansion_error", "cancelled_at", "outcome", "readers", "preview",
    )  # fmt: skip
    readonly_fields = fields
    actions_detail = ("cancel_now",)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Q(about=term) | Q(idem_key=term) | Q(kind=term)
        return queryset.filter(found | Q(public_id=public_id) if (public_id := _uuid(term)) else found), False

    @display(description=_("state"), label={"waiting": "info", "failing": "danger", "expanded": "success"})
    def status(self, message: Message) -> tuple[str, Any]:
        """In one word."""
        if message.cancelled_at:
            return "cancelled", _("cancelled")
        if message.expanded_at:
            return "expanded", _("expanded")
        return ("failing", _("failing")) if message.expansion_failures else ("waiting", _("waiting"))

    @admin.display(description=_("state"))
    def status_in_words(self, message: Message) -> str:
        """The same without its colour, which only lists show."""
        return str(self.status(message)[1])

    @admin.display(description=_("values"))
    def values(self, message: Message) -> SafeString:
        """The context, laid out to be read."""
        return _preformatted(json.dumps(message.context, ensure_ascii=False, indent=2))

    @admin.display(description=_("deliveries"))
    @once
    def outcome(self, message: Message) -> SafeString:
        """How many deliveries are in which state, with links to them."""
        counts = (
            Delivery.objects.filter(message=message).values_list("channel", "state").annotate(n=Count("pk"))
        )
        address = reverse("admin:notifications_delivery_changelist")
        return format_html_join(
            _NEW_LINE,
            '<a class="fg-tap" href="{}?message__id__exact={}&amp;queue={}">{} · {}: {}</a>',
            [
                (address, message.pk, state, kinds.Channel(channel).label, State(state).label, count)
                for channel, state, count in counts.order_by("channel", "state")
            ],
        )

    @admin.display(description=_("opened and clicked"))
    @once
    def readers(self, message: Message) -> SafeString:
        """By how many people, and by machines that look before them."""
        return counts_of_readers(message)

    @admin.display(description=_("as its first recipient reads it"))
    @once
    def preview(self, message: Message) -> SafeString:
        """Rendered for the first of its deliveries."""
        delivery = Delivery.objects.filter(message=message).order_by("pk").first()
        return _words(delivery) if delivery else SafeString(_("It has no recipients yet."))

    @action(
        description=_("Cancel"),
        url_path="cancel",
        permissions=["process"],
        icon="block",
        dialog={
            "title": _("Cancel this message"),
            "description": _(
                "Takes back every mail not sent yet and every inbox copy. Sent mails stay sent."
            ),
            "form_class": None,
            "form_submit_text": _("Cancel the message"),
        },
    )
    def cancel_now(self, request: HttpRequest, form: object, object_id: int) -> HttpResponse:
        """Take a message back."""
        message = Message.objects.get(pk=object_id)
        try:
            count = cancel_message(message=message, by=_actor(request), now=timezone.now())
        except IrrevocableError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _said(count, "cancelled"))
        return HttpResponse(
            headers={"HX-Redirect": reverse("admin:notifications_message_change", args=[object_id])}
        )


@admin.register(Delivery)
class DeliveryAdmin(OutboxAdmin):
    """What goes to whom."""

    list_display = ("recipient", "kind", "channel", "status", "age", "attempts", "provider_code")
    list_filter = (QueueFilter, DeliveryKindFilter, "channel")
    list_select_related = ("message", "member")
    search_fields = ("=address",)
    search_help_text = _("A person's e-mail address or id, a kind, what it is about, or a public id")
    ordering = ("-pk",)
    sortable_by = ()
    fields = (
        "handle", "recipient", "kind", "about", "channel", "shown_address", "name", "language", "time_zone",
        "personal_values", "status_in_words", "skip_reason", "attempts", "lost_answers", "timeline", "provider_id",
        "provider_code", "provider_text", "everything", "preview",
    )  # fmt: skip
    readonly_fields = fields
    actions = ("retry", "cancel")
    actions_list = ("process_now",)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        return lookup == "message__id__exact" or bool(super().lookup_allowed(lookup, value, request))

    def get_search_results(
        self, request: HttpRequest, queryset: DeliveryQuerySet, search_term: str
    ) -> tuple[DeliveryQuerySet, bool]:
        return (queryset.filter(_search(search_term.strip())) if search_term.strip() else queryset), False

    @admin.display(description=_("recipient"))
    def recipient(self, delivery: Delivery) -> str:
        """The person's account, or the address; of a webhook only where it is, the rest of its address opens it."""
        if delivery.channel == kinds.Channel.WEBHOOK:
            return urlsplit(delivery.address).hostname or delivery.recipient_key
        return delivery.member.email if delivery.member else delivery.address

    @admin.display(description=_("address"))
    def shown_address(self, delivery: Delivery) -> str:
        """The address; of a webhook only its host."""
        return self.recipient(delivery) if delivery.channel == kinds.Channel.WEBHOOK else delivery.address

    @admin.display(description=_("kind"))
    def kind(self, delivery: Delivery) -> str:
        """What sort of message."""
        return delivery.message.kind

    @admin.display(description=_("about"))
    def about(self, delivery: Delivery) -> SafeString:
        """What the message is about, with a link to it."""
        address = reverse("admin:notifications_message_change", args=[delivery.message_id])
        return format_html('<a href="{}">{}</a>', address, delivery.message.about)

    @display(description=_("state"), label={str(state): tone for state, tone in _TONES.items()})
    def status(self, delivery: Delivery) -> tuple[str, Any]:
        """Where it is, and why not further."""
        label = State(delivery.state).label
        reason = delivery.get_skip_reason_display()
        return delivery.state, f"{label}: {reason}" if reason else label

    @admin.display(description=_("state"))
    def status_in_words(self, delivery: Delivery) -> str:
        """The same without its colour, which only lists show."""
        return str(self.status(delivery)[1])

    @admin.display(description=_("age"))
    def age(self, delivery: Delivery) -> str:
        """Time since it was planned."""
        return timesince(delivery.created_at, depth=1)

    @admin.display(description=_("personal values"))
    def personal_values(self, delivery: Delivery) -> SafeString:
        """The params, laid out to be read."""
        return _preformatted(json.dumps(delivery.params, ensure_ascii=False, indent=2))

    @admin.display(description=_("timeline"))
    @once
    def timeline(self, delivery: Delivery) -> SafeString:
        """What happened when."""
        steps = [
            (delivery.created_at, _("planned")),
            (delivery.sending_at, _("given out")),
            (
                delivery.handed_at,
                _("in the inbox") if delivery.channel == kinds.Channel.IN_APP else _("accepted"),
            ),
            (delivery.read_at, _("read")),
            (delivery.next_attempt_at if delivery.state in WAITING else None, _("next attempt")),
            *told_of(delivery),
        ]
        return format_html_join(
            _NEW_LINE,
            "{} {}",
            [
                (timezone.localtime(at).strftime("%Y-%m-%d %H:%M:%S %Z"), what)
                for at, _place, what in sorted(
                    (at, place, what) for place, (at, what) in enumerate(steps) if at
                )
            ],
        )

    @admin.display(description=_("this person"))
    def everything(self, delivery: Delivery) -> SafeString:
        """Links to everything the person was told, and to what they want to be told."""
        pages = [
            ("delivery", _("everything they were told")),
            ("preference", _("what they switched off")),
            ("stop", _("what they stopped")),
            ("consentevent", _("history of their consent")),
        ]
        return format_html_join(
            _NEW_LINE,
            '<a class="fg-tap" href="{}?q={}">{}</a>',
            [
                (reverse(f"admin:notifications_{name}_changelist"), self.recipient(delivery), words)
                for name, words in pages
            ],
        )

    @admin.display(description=_("words"))
    @once
    def preview(self, delivery: Delivery) -> SafeString:
        """Subject and text as the person reads them."""
        return _words(delivery)

    @action(description=_("Try again now"), permissions=["process"])
    def retry(self, request: HttpRequest, queryset: DeliveryQuerySet) -> None:
        """Send the chosen dead letters again."""
        count = retry_deliveries(deliveries=_chosen(queryset), by=_actor(request), now=timezone.now())
        messages.success(request, _said(count, "queued again"))

    @action(description=_("Cancel"), permissions=["process"])
    def cancel(self, request: HttpRequest, queryset: DeliveryQuerySet) -> None:
        """Take the chosen deliveries back."""
        count = cancel_deliveries(deliveries=_chosen(queryset), by=_actor(request), now=timezone.now())
        messages.success(request, _said(count, "cancelled"))

    @action(
        description=_("Process now"),
        url_path="process-now",
        permissions=["process"],
        icon="send",
        dialog={
            "title": _("Process now"),
            "description": _(
                "Does what the scheduled job does: expands due messages and sends up to 100 mails."
            ),
            "form_class": None,
            "form_submit_text": _("Process"),
        },
    )
    def process_now(self, request: HttpRequest, form: object) -> HttpResponse:
        """One round of the outbox."""
        done = process_notifications(now=timezone.now(), limit=PROCESS_LIMIT)
        text = _("%(processed)d processed, %(failed)d of them not sent; %(expanded)d recipients found.")
        messages.success(request, text % vars(done))
        return HttpResponse(headers={"HX-Redirect": reverse("admin:notifications_delivery_changelist")})


def _search(term: str) -> Q:
    """Each way of searching meets an index; nothing scans the table."""
    if (public_id := _uuid(term)) is not None:
        person = User.objects.filter(public_id=public_id).values("pk")
        return (
            Q(pk=delivery_id_of(public_id) or 0)
            | Q(member_id__in=person)
            | Q(message__in=Message.objects.filter(public_id=public_id))
        )
    if term.startswith("endpoint:"):
        # Webhooks are few and so are their kinds: by those the index of messages is met.
        public_id = _uuid(term.removeprefix("endpoint:"))
        endpoint = Endpoint.objects.filter(public_id=public_id).first() if public_id else None
        told = Message.objects.filter(kind__in=endpoint.kinds if endpoint is not None else [])
        return Q(recipient_key=term, channel=kinds.Channel.WEBHOOK, message__in=told)
    if "@" in term:
        address = normalise_email(term)
        person = User.objects.filter(email=address).values("pk")
        return Q(member_id__in=list(person.values_list("pk", flat=True))) | Q(
            member__isnull=True, address=address
        )
    return Q(message__in=Message.objects.filter(Q(kind=term) | Q(about=term)))


def _chosen(queryset: DeliveryQuerySet) -> DeliveryQuerySet:
    """The same rows without the joins of the list, so that they can be locked."""
    return Delivery.objects.filter(pk__in=list(queryset.values_list("pk", flat=True)))


def _words(delivery: Delivery) -> SafeString:
    try:
        kind = kinds.get(delivery.message.kind)
        if delivery.channel in kinds.BY_PHONE:
            return _preformatted(text_of(delivery, kind, for_links=HIDDEN_LINK))
        words = words_of(delivery, kind, for_links=HIDDEN_LINK)
    except Exception as error:  # a broken template is shown as what it is, to the one who can mend it
        return _preformatted(f"{type(error).__name__}: {error}")
    return _preformatted(f"{words.subject}\n\n{words.text}")


def _preformatted(text: str) -> SafeString:
    return format_html('<pre class="whitespace-pre-wrap">{}</pre>', text)


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _actor(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # the admin lets nobody else in
    return request.user


def _said(count: int, what: str) -> str:
    return ngettext("%(count)d delivery %(what)s.", "%(count)d deliveries %(what)s.", count) % {
        "count": count,
        "what": what,
    }
