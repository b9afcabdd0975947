"""The ledger in the admin: to be looked at. Whatever moves money is an action of its own, never an edited row."""

import contextlib
import uuid
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import TabularInline
from unfold.decorators import display

from payments.admin.adjusting import WalletAdjusting
from payments.admin.readonly import ReadOnlyAdmin
from payments.admin.times import LocalTimesFilter
from payments.models import Account, LedgerEntry, Posting
from payments.money import format_amount, unit_label
from payments.subjects import known_kinds, words_of


class UnitFilter(admin.SimpleListFilter):
    """Units that there are accounts in: a few, read off the accounts and not off millions of postings."""

    title = gettext_lazy("unit")
    parameter_name = "unit"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        units = Account.objects.order_by("unit").values_list("unit", flat=True).distinct()
        return [(unit, unit_label(unit)) for unit in units]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(unit=self.value()) if self.value() else queryset


class KindFilter(admin.SimpleListFilter):
    """Kinds that an app has named."""

    title = gettext_lazy("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return known_kinds()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Account)
class AccountAdmin(WalletAdjusting, ReadOnlyAdmin):
    """Accounts, found by the beginning of their code or by their owner."""

    list_display = ("code", "owner", "held", "postings_count", "lowest")
    list_select_related = ("owner",)
    list_filter = (UnitFilter, "is_materialised")
    search_fields = ("code", "owner__email")
    search_help_text = gettext_lazy("The beginning of a code (pool:draw:…), or a part of the owner's address")
    ordering = ("code",)
    fields = ("code", "unit", "owner", "held", "postings_count", "lowest", "is_materialised", "statement")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Account], search_term: str
    ) -> tuple[QuerySet[Account], bool]:
        term = search_term.strip()
        found = Q(code__startswith=term) | Q(owner__email__icontains=term)
        return (queryset.filter(found) if term else queryset), False

    @display(description=gettext_lazy("balance"), ordering="balance")
    def held(self, obj: Account) -> str:
        """In a list only what is kept; on the account's page also the sum of one that keeps no balance."""
        if obj.is_materialised:
            return format_amount(obj.balance, obj.unit)
        if not getattr(obj, "is_shown_alone", False):
            return _("a sum")
        total = obj.postings.aggregate(total=Sum("amount"))["total"] or 0
        return format_amount(total, obj.unit)

    @display(description=gettext_lazy("postings"), ordering="version")
    def postings_count(self, obj: Account) -> str:
        return f"{obj.version:,}" if obj.is_materialised else "—"

    @display(description=gettext_lazy("floor"), ordering="floor")
    def lowest(self, obj: Account) -> str:
        return _("none") if obj.floor is None else format_amount(obj.floor, obj.unit)

    @display(description=gettext_lazy("statement"))
    def statement(self, obj: Account) -> str:
        address = reverse("admin:payments_posting_changelist")
        return format_html(
            '<a href="{}?account__id__exact={}">{}</a>', address, obj.pk, _("Show its postings")
        )

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Account | None:
        account: Account | None = super().get_object(request, object_id, from_field)
        if account is not None:
            account.is_shown_alone = True  # type: ignore[attr-defined]
        return account


class PostingInline(TabularInline):
    """The legs of an entry."""

    model = Posting
    fields = ("position", "account", "moved", "left", "version")
    readonly_fields = fields
    ordering = ("position",)
    extra = 0
    can_delete = False
    tab = False
    hide_title = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Posting]:
        postings: QuerySet[Posting] = super().get_queryset(request)
        return postings.select_related("account")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=gettext_lazy("amount"))
    def moved(self, obj: Posting) -> str:
        return _moved(obj)

    @display(description=gettext_lazy("balance afterwards"))
    def left(self, obj: Posting) -> str:
        return _left(obj)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    """Entries with their legs, found by key, by what they are about, or by receipt number."""

    list_display = ("created_at", "kind_shown", "about", "reason", "actor", "idem_key")
    list_select_related = ("actor",)
    list_filter = (KindFilter, ("created_at", LocalTimesFilter))
    list_filter_submit = True
    search_fields = ("idem_key", "about")
    search_help_text = gettext_lazy(
        "The beginning of a key or of what it is about, or a whole receipt number"
    )
    ordering = ("-pk",)
    fields = ("created_at", "kind_shown", "about", "reason", "actor", "idem_key", "public_id", "digest_shown")
    inlines = (PostingInline,)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[LedgerEntry], search_term: str
    ) -> tuple[QuerySet[LedgerEntry], bool]:
        """By the beginnings, for which there are indexes."""
        term = search_term.strip()
        found = Q(idem_key__startswith=term) | Q(about__startswith=term)
        with contextlib.suppress(ValueError):
            found |= Q(public_id=uuid.UUID(term))
        return (queryset.filter(found) if term else queryset), False

    @display(description=gettext_lazy("kind"), ordering="kind")
    def kind_shown(self, obj: LedgerEntry) -> str:
        return f"{words_of(obj.kind)} ({obj.kind})"

    @display(description=gettext_lazy("digest of its content"))
    def digest_shown(self, obj: LedgerEntry) -> str:
        return format_html("<code>{}</code>", bytes(obj.digest).hex())


@admin.register(Posting)
class PostingAdmin(ReadOnlyAdmin):
    """Postings, one account's at a time or all of them, newest first."""

    list_display = ("when", "account", "moved", "left", "entry")
    list_select_related = ("account", "entry")
    list_filter = (UnitFilter, ("entry__created_at", LocalTimesFilter))
    list_filter_submit = True
    search_fields = ("account__code",)
    search_help_text = gettext_lazy("The beginning of an account's code")
    ordering = ("-pk",)
    fields = ("when", "entry", "position", "account", "moved", "left", "version")

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        return lookup == "account__id__exact" or bool(super().lookup_allowed(lookup, value, request))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Posting], search_term: str
    ) -> tuple[QuerySet[Posting], bool]:
        term = search_term.strip()
        return (queryset.filter(account__code__startswith=term) if term else queryset), False

    @display(description=gettext_lazy("time"), ordering="pk")
    def when(self, obj: Posting) -> str:
        return str(localize(timezone.localtime(obj.entry.created_at)))

    @display(description=gettext_lazy("amount"), ordering="amount")
    def moved(self, obj: Posting) -> str:
        return _moved(obj)

    @display(description=gettext_lazy("balance afterwards"))
    def left(self, obj: Posting) -> str:
        return _left(obj)


def _moved(posting: Posting) -> str:
    return ("+" if posting.amount > 0 else "") + format_amount(posting.amount, posting.unit)


def _left(posting: Posting) -> str:
    return "—" if posting.balance_after is None else format_amount(posting.balance_after, posting.unit)
