"""The admin's home: what is due, late, failed, or waiting for a person, and a few facts.

Each part asks first whether the person may see it: Finance finds money, a Support lead deliveries.
"""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from config.home_facts import facts_for, machinery_for, pools_in_draws
from config.home_panels import panels_for
from draws.admin.analytics import PERMISSION as ANALYTICS
from payments.admin.figures import PERMISSION as MONEY


def environment(request: HttpRequest) -> list[str] | None:
    """The badge in the head: an embedded site is a demo and says so."""
    return [_("Demo"), "warning"] if settings.EMBEDDED else None


def admin_home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """django-unfold's DASHBOARD_CALLBACK: the context of `admin/index.html`."""
    user = request.user
    assert isinstance(user, User)
    now = timezone.now()
    panels = panels_for(user, now=now)
    machinery = machinery_for(user, now=now)
    sees_pools = user.has_perm("payments.view_account") or user.has_perm("draws.fund_draw")
    context.update(
        {
            "now": now,
            "greeting_name": user.get_short_name(),
            "panels": panels,
            "faults": sum(panel.bad for panel in panels) + sum(row.tone == "bad" for row in machinery),
            "facts": facts_for(user, now=now),
            "pools": pools_in_draws() if sees_pools else [],
            "machinery": machinery,
            "sees_analytics": user.has_perm(ANALYTICS),
            "sees_money": user.has_perm(MONEY),
        }
    )
    return context
