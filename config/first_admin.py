"""The first Super Admin of a site, who then gives everyone else their roles."""

import datetime as dt
from dataclasses import dataclass

from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import connection, transaction
from django.utils.translation import gettext as _

from accounts import roles
from accounts.models import User, normalise_email
from audit.models import Record
from audit.services import record

MADE = "person.made_super_admin"
_FIRST = 0x46_47_46_49_52_53_54  # "FGFIRST": the advisory lock of who makes the first


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
    record(actor=None, action=MADE, target=user, data={"new_account": created}, now=now)
    return Outcome(user, created=created, promoted=not created)


class AdminExistsError(Exception):
    """There is, or was, an admin: nobody becomes the first one any more."""


def is_without_admin() -> bool:
    """Whether this site never had an admin. The trail remembers those whose rights were taken away again."""
    had_one = Record.objects.filter(action=MADE).exists()
    return not had_one and not User.objects.filter(is_superuser=True).exists()


@transaction.atomic
def create_first_admin(*, email: str, password: str, now: dt.datetime) -> User:
    """Make a new account the first Super Admin of a site that never had one.

    Raises `AdminExistsError` where it had one, also when two ask at once, and `ValidationError` for an address or
    password that is none, or an address that has an account: whoever signed it up may be somebody else.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_FIRST])
    if not is_without_admin():
        raise AdminExistsError
    if User.objects.filter(email=normalise_email(email)).exists():
        raise ValidationError(
            _("This address has an account. Take another one, or run manage.py create_admin on the server.")
        )
    return create_super_admin(email=email, password=password, now=now).user
