"""What people want to be told, in the admin: looked at by whoever may view. Only the suppression list is staff's to change."""

import json
import uuid
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import validate_email
from django.db.models import BigIntegerField, Case, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Cast, Substr
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from phonenumber_field.validators import validate_international_phonenumber
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.models import User, normalise_email
from audit.admin import ReadOnlyAdmin
from notifications.admin.acting import acting_page
from notifications.kinds import BY_PHONE, Channel
from notifications.models import ConsentEvent, Preference, Stop, Suppression, SuppressionReason
from notifications.services.suppressions import SuppressionError, lift_suppression, suppress_address
from notifications.suppressing import hash_of

# Without the inbox: it has no address.
_ADDRESSED = [(str(channel), channel.label) for channel in Channel if channel != Channel.IN_APP]


class OfPeopleAdmin(ReadOnlyAdmin):
    """Rows that name a person by key; found by address, by public id, or by what they are about."""

    search_fields = ("=person_key",)
    search_help_text = gettext_lazy("A person's e-mail address or public id, or a kind")
    ordering = ("-pk",)
    sortable_by = ()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return (queryset.filter(_of(term)) if term else queryset), False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        queryset: QuerySet[Any] = super().get_queryset(request)
        number = Case(
            When(person_key__regex=r"^member:[0-9]+$", then=Cast(Substr("person_key", 8), BigIntegerField()))
        )
        email = User.objects.filter(pk=OuterRef("of_member")).values("email")
        queryset = queryset.annotate(of_member=number).annotate(of_email=Subquery(email))
        return queryset

    @admin.display(description=gettext_lazy("person"))
    def person(self, row: Any) -> str:
        """The member's address, or the outsider's."""
        return str(row.of_email or row.person_key.removeprefix("email:"))


@admin.register(Preference)
class PreferenceAdmin(OfPeopleAdmin):
    """What people switched."""

    list_display = ("person", "kind", "channel", "is_on", "changed_at")
    fields = ("person", "person_key", "kind", "channel", "is_on", "changed_at")
    readonly_fields = fields


@admin.register(Stop)
class StopAdmin(OfPeopleAdmin):
    """What people stopped about one thing."""

    list_display = ("person", "kind", "about", "channel", "stopped_at")
    fields = ("person", "person_key", "kind", "about", "channel", "subject", "stopped_at")
    readonly_fields = fields


@admin.register(ConsentEvent)
class ConsentEventAdmin(OfPeopleAdmin):
    """Who decided what, when and from where."""

    list_display = ("at", "person", "what", "kind", "channel", "source")
    list_filter = ("what",)
    fields = ("at", "person", "person_key", "what", "kind", "about", "channel", "source", "proof")
    readonly_fields = fields

    @admin.display(description=gettext_lazy("evidence"))
    def proof(self, row: ConsentEvent) -> SafeString:
        """The evidence, laid out to be read."""
        text = json.dumps(row.evidence, ensure_ascii=False, indent=2)
        return format_html('<pre class="whitespace-pre-wrap">{}</pre>', text)


class SuppressForm(forms.Form):
    """An address, and why nothing is to go there."""

    address = forms.CharField(
        label=gettext_lazy("Address"), max_length=254, widget=UnfoldAdminTextInputWidget()
    )
    channel = forms.ChoiceField(
        label=gettext_lazy("By which road"), choices=_ADDRESSED, widget=UnfoldAdminSelectWidget()
    )
    note = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=300,
        widget=UnfoldAdminTextInputWidget(),
        help_text=gettext_lazy("A case number. It stays in the audit trail for good, so name nobody."),
    )

    def clean(self) -> dict[str, Any]:
        """An address of the kind that its road has: else it stands on the list and stops nothing."""
        given = super().clean() or self.cleaned_data
        address, channel = given.get("address", "").strip(), given.get("channel", "")
        if not address:
            return given
        if channel == Channel.EMAIL:
            try:
                validate_email(address)
            except ValidationError:
                self.add_error("address", _("This is no e-mail address. Write it like name@example.org."))
        elif channel in BY_PHONE:
            try:
                validate_international_phonenumber(address)
            except ValidationError:
                self.add_error(
                    "address",
                    _(
                        "This is no phone number. Write it with the code of the country, as in +254 711 000 001."
                    ),
                )
        return given


class LiftForm(forms.Form):
    """Why messages may go there again."""

    note = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=300,
        widget=UnfoldAdminTextInputWidget(),
        help_text=gettext_lazy("A case number. It stays in the audit trail for good, so name nobody."),
    )


@admin.register(Suppression)
class SuppressionAdmin(ReadOnlyAdmin):
    """Addresses to which nothing goes."""

    list_display = ("shown", "channel", "reason", "state", "suppressed_at", "suppressed_by")
    list_filter = ("reason", "channel")
    list_select_related = ("suppressed_by",)
    search_fields = ("=address",)
    search_help_text = gettext_lazy("The whole address; it finds one that was erased, too")
    ordering = ("-pk",)
    sortable_by = ()
    fields = (
        "shown", "address_hash", "channel", "reason", "note", "suppressed_at", "suppressed_by", "state_in_words", "lifted_at",
        "lifted_by", "lift_note", "trail",
    )  # fmt: skip
    readonly_fields = fields
    actions_list = ("add_address",)
    actions_detail = ("lift",)

    def has_suppress_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Who may put addresses on the list, and take them off it."""
        return bool(request.user.has_perm("notifications.suppress_address"))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Suppression], search_term: str
    ) -> tuple[QuerySet[Suppression], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        return queryset.filter(address_hash__in=[hash_of(term, channel) for channel in Channel]), False

    @admin.display(description=gettext_lazy("address"))
    def shown(self, row: Suppression) -> str:
        """The address, or the beginning of its fingerprint once it is erased."""
        return row.address or _("erased, %s…") % row.address_hash[:12]

    @display(description=gettext_lazy("state"), label={"on": "danger", "off": ""})
    def state(self, row: Suppression) -> tuple[str, str]:
        """Whether it holds."""
        return ("on", _("nothing goes there")) if row.lifted_at is None else ("off", _("lifted"))

    @admin.display(description=gettext_lazy("state"))
    def state_in_words(self, row: Suppression) -> str:
        """The same without its colour, which only lists show."""
        return str(self.state(row)[1])

    @admin.display(description=gettext_lazy("who did what"))
    def trail(self, row: Suppression) -> SafeString:
        """Link to the audit trail of this row."""
        return format_html(
            '<a href="{}?q=notifications.suppression:{}">{}</a>',
            reverse("admin:audit_record_changelist"),
            row.pk,
            _("audit trail"),
        )

    @action(
        description=gettext_lazy("Stop all messages to an address"),
        url_path="add-address",
        permissions=["suppress"],
        icon="block",
        variant=ActionVariant.DANGER,
    )
    def add_address(self, request: HttpRequest) -> HttpResponse:
        """Put an address on the list."""
        assert isinstance(request.user, User)
        form = SuppressForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                row = suppress_address(
                    address=form.cleaned_data["address"],
                    channel=form.cleaned_data["channel"],
                    reason=SuppressionReason.MANUAL,
                    note=form.cleaned_data["note"],
                    by=request.user,
                    now=timezone.now(),
                )
            except SuppressionError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, _("Nothing goes there any more, whatever the kind."))
                return HttpResponseRedirect(reverse("admin:notifications_suppression_change", args=[row.pk]))
        return acting_page(
            self,
            request,
            form,
            title=_("Stop all messages to an address"),
            intro=_(
                "Nothing is sent to it any more, not even about money and prizes. Whoever only wants less "
                "chooses so by the link at the foot of every mail."
            ),
            press=_("Stop all messages"),
            is_danger=True,
        )

    @action(
        description=gettext_lazy("Lift"), url_path="lift", permissions=["suppress"], icon="lock_open_right"
    )
    def lift(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take an address off the list."""
        row: Suppression | None = self.get_object(request, unquote(object_id))
        if row is None or not isinstance(request.user, User):
            raise PermissionDenied
        form = LiftForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                lifted = lift_suppression(
                    suppression=row, note=form.cleaned_data["note"], by=request.user, now=timezone.now()
                )
            except SuppressionError as error:
                form.add_error(None, str(error))
            else:
                said = _("Messages may go there again.") if lifted else _("It was lifted already.")
                messages.success(request, said)
                return HttpResponseRedirect(reverse("admin:notifications_suppression_change", args=[row.pk]))
        return acting_page(
            self,
            request,
            form,
            title=_("Let messages through again"),
            intro=_(
                "What was not sent meanwhile stays unsent. Of whom a provider said that they reported us as spam, "
                "lift it only when they ask."
            ),
            press=_("Lift"),
        )


def _of(term: str) -> Q:
    """Rows of one person, or of one kind."""
    try:
        person = User.objects.filter(public_id=uuid.UUID(term)).values_list("pk", flat=True).first()
    except ValueError:
        person = None
    if "@" in term:
        address = normalise_email(term)
        person = User.objects.filter(email=address).values_list("pk", flat=True).first()
        return Q(person_key__in=[f"email:{address}", f"member:{person}"])
    return Q(person_key=f"member:{person}") if person else Q(kind=term) | Q(person_key=term)
