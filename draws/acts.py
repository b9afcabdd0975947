"""The acts of this app that take a second person, above a limit or always."""

from draws.services import calling_off, funding, taking_back
from payments.approvable import register_approvable


def register_acts() -> None:
    """Called once the apps are loaded."""
    for kind in (
        *funding.APPROVABLE_KINDS,
        taking_back.APPROVABLE_KIND,
        calling_off.APPROVABLE_KIND,
    ):
        register_approvable(kind)
