"""By what the suppression list knows an address: a fingerprint, which stays when the address itself is erased."""

import hashlib

from accounts.models import normalise_email

_DOMAIN = "fairground suppression 1"


def normalise_address(address: str, channel: str) -> str:
    """The one spelling of an address: e-mail as accounts have it, numbers and the rest without spaces."""
    if "@" in address or channel == "email":
        return normalise_email(address)
    return "".join(address.split())


def hash_of(address: str, channel: str) -> str:
    """SHA-256 in hex over the address and the channel.

    Without a key, because it has to outlive every key: whoever holds an address can see whether it is on the list, and
    nobody can read addresses out of it but by guessing them.
    """
    said = "\0".join([_DOMAIN, channel, normalise_address(address, channel)])
    return hashlib.sha256(said.encode()).hexdigest()
