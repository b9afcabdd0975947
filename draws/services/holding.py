"""Whether what a draw owes may be paid out now."""

from django.utils.translation import gettext as _

from draws.models import Draw
from draws.services.errors import DrawError


class PayoutsStoppedError(DrawError):
    """The draw's payouts are stopped while somebody looks into a difference."""


def require_payouts(about: str) -> None:
    """Raise `PayoutsStoppedError` while the payouts of the draw named by `about` are stopped.

    The database refuses to make an award paid then, too (`draws/migrations/0004_promise_guards.py`).
    """
    prefix = "draws.draw:"
    if (
        about.startswith(prefix)
        and Draw.objects.filter(
            public_id=about.removeprefix(prefix), payouts_stopped_at__isnull=False
        ).exists()
    ):
        raise PayoutsStoppedError(
            _(
                "Payouts of this draw are stopped while it is being checked. Your prize is kept; try again later."
            )
        )
