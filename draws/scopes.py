"""What an API key may be allowed to do with draws."""

from django.utils.translation import gettext_lazy as _

from accounts.scopes import Scope, register

ENTRIES_READ = "entries:read"
ENTRIES_WRITE = "entries:write"
DRAWS_MONITOR = "draws:monitor"
DRAWS_EXECUTE = "draws:execute"

SCOPES = (
    Scope(ENTRIES_READ, _("See my entries and their receipts")),
    Scope(ENTRIES_WRITE, _("Enter draws for me")),
    Scope(DRAWS_MONITOR, _("Watch what is due and how draws went"), permission="draws.view_draw"),
    Scope(DRAWS_EXECUTE, _("Execute draws"), permission="draws.execute_draw"),
)


def register_scopes() -> None:
    """Called once the apps are loaded."""
    register(SCOPES)
