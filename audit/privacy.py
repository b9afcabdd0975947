"""What the trail keeps of a person. It is never changed: it names people by public id, which after an erasure is
nobody's; only where they acted from lies beside it, and goes.
"""

from typing import Any

from accounts.privacy import Person
from audit.models import Record
from audit.services import erase_contexts_of


def export(*, person: Person) -> dict[str, Any]:
    """What they did, and where from as far as that is still known."""
    if person.member is None:
        return {}
    done = Record.objects.filter(actor=person.member).order_by("pk")
    return {
        "actions": list(
            done.values("at", "action", "target", "context__address", "context__user_agent").iterator()
        )
    }


def erase(*, person: Person) -> dict[str, int]:
    """Erase where they acted from. Returns how many rows."""
    return {"contexts": erase_contexts_of(user=person.member) if person.member else 0}
