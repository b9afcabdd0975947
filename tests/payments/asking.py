"""People, draws and requests for the tests of acts with money."""

from typing import Any

from django.utils import timezone

from accounts import roles
from accounts.models import User
from draws import services
from draws.models import Draw
from payments.approvals import Outcome
from payments.models import Account, Approval
from tests.draws.factories import make_draft
from tests.factories import make_user

LIMIT = 10_000_000
ABOVE = LIMIT + 1


def person(name: str, role: str = roles.FINANCE) -> User:
    """Somebody of the staff, the same for the same name."""
    email = f"{name}@example.com"
    return User.objects.filter(email=email).first() or make_user(
        email=email, display_name=name.capitalize(), role=role, is_staff=True
    )


def asker() -> User:
    """A Manager Admin: may fund, and may not approve."""
    return person("maina", roles.MANAGER_ADMIN)


def fatma() -> User:
    """Finance: may do all of it."""
    return person("fatma")


def farid() -> User:
    """Finance, somebody else."""
    return person("farid")


def ask(draw: Draw | None = None, *, amount: int = ABOVE, by: User | None = None, **fields: Any) -> Outcome:
    """Ask for money in a draw's pool; above the limit unless another amount is given."""
    values = {"unit": "KES", "reason": "Prize money", "idem_key": "fund:1", "now": timezone.now()} | fields
    return services.fund_draw(draw=draw or make_draft(), amount=amount, by=by or asker(), **values)


def request(draw: Draw | None = None, **fields: Any) -> Approval:
    """What waits after such asking."""
    approval = ask(draw, **fields).approval
    assert approval is not None
    return approval


def fresh(approval: Approval) -> Approval:
    """As the table has it now."""
    return Approval.objects.get(pk=approval.pk)


def free(draw: Draw, unit: str = "KES") -> int:
    """What is free in the draw's pool."""
    account = Account.objects.filter(code=f"pool:{draw.pool}:{unit}").first()
    return account.balance if account else 0
