"""What admins are told of entrants whom the site can't write to, before one of them wins."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from draws.models import Draw
from draws.services import Check, unreachable_entries


def unreachable_words(count: int) -> str:
    """A sentence on so many entrants without an e-mail address; empty for none."""
    if not count:
        return ""
    return ngettext(
        "%(n)s person has only a phone number, and the site can't write to it: the claim link of a voucher or a thing is "
        "shown to staff to be handed over, and money can't be paid.",
        "%(n)s people have only a phone number, and the site can't write to them: the claim link of a voucher or a thing "
        "is shown to staff to be handed over, and money can't be paid.",
        count,
    ) % {"n": f"{count:,}"}


def reach_checks(draw: Draw) -> list[Check]:
    """A line of the checklist that stops nothing, where somebody in the draw can't be written to."""
    words = unreachable_words(unreachable_entries(draw).count())
    return [Check("reach", _("Some entrants can't be told"), True, detail=words)] if words else []
