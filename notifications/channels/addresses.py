"""E-mail addresses as they stand in a head: one address, with a name that can't break out of its quotes."""

import re

# One address and nothing else; whether it exists is for the server to say.
_ADDRESS = re.compile(r"""[^\s@<>()\[\]\\,;:"]+@[^\s@<>()\\,;"]+""")


def is_one_address(text: str) -> bool:
    """Whether this can be sent to, and to nobody else besides."""
    return _ADDRESS.fullmatch(text) is not None


def named_address(name: str, address: str) -> str:
    """`"Asha Kamau" <asha@example.com>`, or the address alone."""
    name = " ".join(name.replace('"', "").replace("\\", "").split())
    return f'"{name}" <{address}>' if name else address
