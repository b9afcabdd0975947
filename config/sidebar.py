"""The sidebar of the admin, in the order in which staff need things; nobody sees what they may not open."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from draws.admin import analytics
from payments.admin import figures
from payments.approvals import waiting_for

# (title, ((model, icon), …)); a model without an admin page is left out, one that is not named here comes last.
GROUPS: tuple[tuple[Any, tuple[tuple[str, str], ...]], ...] = (
    (
        gettext_lazy("Draws"),
        (
            ("draws.draw", "confirmation_number"),
            ("draws.winner", "trophy"),
            ("draws.award", "redeem"),
            ("draws.voucher", "local_activity"),
            ("draws.prizeaddress", "local_shipping"),
            ("draws.entry", "group"),
            ("draws.entryupload", "upload_file"),
            ("draws.entryimport", "playlist_add_check"),
            ("draws.drawreport", "verified"),
        ),
    ),
    (
        gettext_lazy("Messages"),
        (
            ("notifications.delivery", "outgoing_mail"),
            ("notifications.message", "forward_to_inbox"),
            ("notifications.broadcast", "campaign"),
            ("notifications.segment", "groups"),
            ("notifications.sequence", "linear_scale"),
            ("notifications.templateoverride", "edit_note"),
            ("notifications.suppression", "block"),
            ("notifications.endpoint", "webhook"),
            ("notifications.preference", "tune"),
            ("notifications.stop", "notifications_off"),
            ("notifications.consentevent", "history_edu"),
        ),
    ),
    (
        gettext_lazy("Money"),
        (
            ("payments.approval", "rule"),
            ("payments.reviewitem", "fact_check"),
            ("payments.payment", "payments"),
            ("payments.refund", "undo"),
            ("payments.withdrawal", "outbox"),
            ("payments.dispute", "gavel"),
            ("payments.webhookevent", "webhook"),
            ("payments.package", "sell"),
            ("payments.account", "account_balance_wallet"),
            ("payments.ledgerentry", "receipt_long"),
            ("payments.posting", "list_alt"),
        ),
    ),
    (
        gettext_lazy("People"),
        (
            ("accounts.user", "person"),
            ("auth.group", "badge"),
            ("accounts.apikey", "key"),
            ("accounts.erasure", "person_off"),
            ("accounts.failedsignin", "lock_person"),
        ),
    ),
    (
        gettext_lazy("Record"),
        (
            ("audit.record", "history"),
            ("audit.seal", "lock"),
            ("django_celery_beat.periodictask", "schedule"),
            ("config.alarm", "notifications_active"),
        ),
    ),
)
# Pages that belong to no model: (title, icon, name of the address, permission).
PAGES = (
    (gettext_lazy("Analytics"), "monitoring", "draws_analytics", analytics.PERMISSION),
    (gettext_lazy("Money in figures"), "finance", "payments_figures", figures.PERMISSION),
)
_LAST = gettext_lazy("More")
_PLAIN_ICON = "table_rows"
# Reached from the page they belong to.
_INSIDE_OTHERS = {"draws.importrejection"}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """django-unfold's SIDEBAR navigation for this person."""
    pages = {
        model._meta.label_lower: model_admin
        for model, model_admin in admin.site._registry.items()
        if model._meta.label_lower not in _INSIDE_OTHERS
        and model_admin.has_module_permission(request)
        and model_admin.has_view_or_change_permission(request)
    }
    first = [{"title": _("Home"), "icon": "home", "link": reverse("admin:index")}]
    first += [
        {"title": str(title), "icon": icon, "link": reverse(name)}
        for title, icon, name, permission in PAGES
        if isinstance(request.user, User) and request.user.has_perm(permission)
    ]
    groups: list[dict[str, Any]] = [{"items": first}]
    for title, models in GROUPS:
        items = [
            _item(pages.pop(label), icon) | _badge(request, label) for label, icon in models if label in pages
        ]
        if items:
            groups.append({"title": str(title), "items": items})
    if pages:
        items = [_item(model_admin, _PLAIN_ICON) for _label, model_admin in sorted(pages.items())]
        groups.append({"title": str(_LAST), "collapsible": True, "items": items})
    groups.append(
        {
            "separator": True,
            "items": [
                {"title": _("View site"), "icon": "storefront", "link": reverse("home"), "active": False}
            ],
        }
    )
    return groups


def _item(model_admin: Any, icon: str) -> dict[str, Any]:
    options = model_admin.opts
    address = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
    return {"title": capfirst(str(options.verbose_name_plural)), "icon": icon, "link": address}


def _badge(request: HttpRequest, label: str) -> dict[str, Any]:
    """How many approvals wait for this person; nothing beside the others."""
    if label != "payments.approval" or not isinstance(request.user, User):
        return {}
    count = waiting_for(request.user, now=timezone.now()).count()
    # Not a text: unfold takes a text for the name of a function.
    return {"badge": count, "badge_variant": "warning"} if count else {}
