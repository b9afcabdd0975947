"""The first Super Admin of a site, who then gives everyone else their roles."""

import datetime as dt
from dataclasses import dataclass

from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.validators import validate_email
from django.db import transaction

from accounts import roles
from accounts.models import User, normalise_email
from audit.services import record


@dataclass(frozen=True)
class Outcome:
    """The admin, and what was done: `created`, `promoted` (a member before) or nothing."""

    user: User
    created: bool
    promoted: bool


@transaction.atomic
def create_super_admin(*, email: str, password: str, now: dt.datetime) -> Outcome:
    """Make the owner of `email` a Super Admin who holds every right; their address counts as verified.

    Whoever has an account keeps its password, and `password` is not looked at. Raises `ValidationError` (Django's)
    for an address that is none or a password that is too weak. Safe to call again.
    """
    email = normalise_email(email)
    validate_email(email)
    user = User.objects.select_for_update().filter(email=email).first()
    if user is not None and user.is_active and user.is_staff and user.is_superuser:
        return Outcome(user, created=False, promoted=False)
    created = user is None
    if user is None:
        validate_password(password, User(email=email))
        user = User.objects.create_user(email, password)
    user.is_active = user.is_staff = user.is_superuser = True
    user.save(update_fields=["is_active", "is_staff", "is_superuser"])
    user.groups.add(Group.objects.get_or_create(name=roles.SUPER_ADMIN)[0])
    EmailAddress.objects.update_or_create(
        user=user, email=email, defaults={"verified": True, "primary": True}
    )
    record(actor=None, action="person.made_super_admin", target=user, data={"new_account": created}, now=now)
    return Outcome(user, created=created, promoted=not created)
