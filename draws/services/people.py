"""Whose address is whose: an entry or an award belongs to an account only through a verified address."""

from allauth.account.models import EmailAddress

from accounts.models import User, normalise_email
from draws.models import Draw, Entry


def has_verified_address(member: User) -> bool:
    """Whether the address this account signs in with was shown to be theirs."""
    return bool(
        member.is_active
        and EmailAddress.objects.filter(user=member, email__iexact=member.email, verified=True).exists()
    )


def verified_addresses(member: User) -> list[str]:
    """Every address that this account was shown to own, normalised; none once it is closed."""
    if not member.is_active:
        return []
    found = EmailAddress.objects.filter(user=member, verified=True).values_list("email", flat=True)
    return [normalise_email(email) for email in found]


def entry_of(*, draw: Draw, member: User) -> Entry | None:
    """This person's entry: the account's own, or an imported one under an address they have verified."""
    own = Entry.objects.filter(draw=draw, member=member).order_by("pk").first()
    if own is not None:
        return own
    imported = Entry.objects.filter(draw=draw, member=None, identity__in=verified_addresses(member))
    return imported.order_by("pk").first()
