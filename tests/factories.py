"""The cast of the tests, and what they work with.

People are a fixed cast: Alice, Bob, Carol and Dave are members, and there is an operator and an admin. Calling one
twice gives the same person. They have no password, because tests sign in by `client.force_login(alice())`; give
`make_user(password=…)` one where signing in is what is tested.
"""

import itertools
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group

from accounts import roles
from accounts.models import User

_numbers = itertools.count(1)


def alice() -> User:
    """A member in Nairobi who shows her name among winners."""
    return _cast("alice", display_name="Alice Wanjiru", country="KE", phone="+254711000001", shows_name=True)


def bob() -> User:
    """A member in Dhaka who does not."""
    return _cast("bob", display_name="Bob Rahman", country="BD", time_zone="Asia/Dhaka")


def carol() -> User:
    """A member in Toronto who reads French."""
    return _cast(
        "carol", display_name="Carol Tremblay", country="CA", time_zone="America/Toronto", language="fr"
    )


def dave() -> User:
    """A member in London who has told us nothing but his address: not even a name."""
    return _cast("dave", time_zone="Europe/London")


def operator() -> User:
    """A member who answers chats."""
    return _cast("operator", display_name="Olive Otieno", role=roles.OPERATOR)


def admin() -> User:
    """Staff, with the role Super Admin; not a superuser, so that missing permissions show."""
    return _cast("admin", display_name="Amina Admin", role=roles.SUPER_ADMIN, is_staff=True)


def treasurer() -> User:
    """Staff, with the role Finance: the second person."""
    return _cast("treasurer", display_name="Tariq Treasurer", role=roles.FINANCE, is_staff=True)


def make_user(*, role: str = "", verified: bool = True, password: str | None = None, **fields: Any) -> User:
    """A new person; `role` is a name of `accounts.roles`. An address is made up where none is given."""
    fields.setdefault("email", f"person{next(_numbers)}@example.com")
    user = User.objects.create_user(password=password, **fields)
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=verified)
    if role:
        user.groups.add(Group.objects.get(name=role))
    return user


def _cast(name: str, **fields: Any) -> User:
    email = f"{name}@example.com"
    return User.objects.filter(email=email).first() or make_user(email=email, **fields)
