"""The address of an account, changed by staff. Here, because only the top floor knows people, the trail and messages."""

import datetime as dt

from allauth.account.models import EmailAddress
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User, normalise_email
from audit.services import record
from notifications.recipients import Recipient
from notifications.services import notify


class AddressError(Exception):
    """The account can't have this address. The message says why."""


def why_not_address(*, person: User, email: str) -> str:
    """Why this account can't have the address `email`, as a sentence for staff; empty when it can."""
    email = normalise_email(email)
    taken = User.objects.filter(email=email).exclude(pk=person.pk).exists() or (
        EmailAddress.objects.filter(email__iexact=email, verified=True).exclude(user=person).exists()
    )
    return _("Another account has this address.") if taken else ""


def change_email(*, person: User, email: str, by: User, now: dt.datetime) -> bool:
    """Give an account another address; False when it has it already.

    What staff type proves nothing: the new address counts as verified only where its owner had shown it to be theirs
    on this account before; otherwise they confirm it at their next sign-in, and claim nothing with it until then. The
    old one is taken off the account, so that nobody goes on claiming what is won under it from here; it is told.
    Raises `AddressError`.
    """
    email = normalise_email(email)
    with transaction.atomic():
        person = User.objects.select_for_update().get(pk=person.pk)
        old = person.email
        if email == old:
            return False
        if why_not := why_not_address(person=person, email=email):
            raise AddressError(why_not)
        mine = EmailAddress.objects.filter(user=person)
        was_shown = mine.filter(email__iexact=email, verified=True).exists()
        mine.filter(email__iexact=old).delete()
        mine.filter(email__iexact=email).delete()
        mine.update(primary=False)
        EmailAddress.objects.create(user=person, email=email, primary=True, verified=was_shown)
        person.email = email
        person.save(update_fields=["email"])
        change = record(
            actor=by, action="person.email_changed", target=person, data={"verified": was_shown}, now=now
        )
        notify(
            kind="config.email_changed",
            about=f"accounts.user:{person.public_id}",
            context={"at": now},
            # By the old address, which is the account's no more.
            recipients=[
                Recipient(
                    address=old,
                    name=person.display_name,
                    language=person.language,
                    time_zone=person.time_zone,
                )
            ],
            not_before=now,
            idem_key=f"email-changed:{person.public_id}:{change.pk}",
            now=now,
        )
    return True
