"""What Paystack says about a charge, read with care. Pure rules.

Its events have traps (all are among the documented ones): neither `id` nor `reference`; `metadata` that is `0`, `""`, a
text of JSON, missing or an object; amounts as text; `data` that is a list. Nothing here trusts a type.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SUCCESS = "success"
FAILURES = frozenset({"failed", "reversed"})
ABANDONED = "abandoned"
_LARGEST_ID = 2**63 - 1
MOST_NESTED = 50
"""Levels of lists and objects. Theirs have five; a thousand times as many could end the process that reads them."""
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One charge as Paystack tells it. Amounts are minor units; None: not said, or not readable."""

    reference: str
    status: str
    amount: int | None
    currency: str
    domain: str
    requested_amount: int | None = None
    paystack_id: int | None = None
    channel: str = ""
    message: str = ""

    @property
    def covers(self) -> int | None:
        """What the payer was asked for. Where they bear the fees, `amount` is larger than that."""
        return self.amount if self.requested_amount is None else self.requested_amount


def read_json(content: bytes) -> Any:
    """What the bytes of JSON say. Raises ValueError where they are none, and where they are nested too deeply.

    The depth is looked at first: the parser recurses, and where the limit of recursion was raised by somebody it runs
    out of stack, which no `except` catches.
    """
    if content.count(b"[") + content.count(b"{") <= MOST_NESTED:  # nearly all: there is nothing to follow
        return json.loads(content)
    depth = 0
    for token in _BRACKETS.finditer(content):
        first = content[token.start()]
        depth += (first in b"[{") - (first in b"]}")
        if depth > MOST_NESTED:
            raise ValueError("nested too deeply")
    return json.loads(content)


def charge_of(data: Mapping[str, Any]) -> Charge:
    """The charge that `data` of an event, or of an answer, describes."""
    requested = whole(data.get("requested_amount"))
    return Charge(
        reference=text(data.get("reference"), 120),
        status=text(data.get("status"), 40).lower(),
        amount=whole(data.get("amount")),
        currency=text(data.get("currency"), 8).upper(),
        domain=text(data.get("domain"), 8).lower(),
        requested_amount=requested or None,  # 0 and null stand for "not said"
        paystack_id=identifier(data.get("id")),
        channel=text(data.get("channel"), 40),
        message=text(data.get("gateway_response") or data.get("message"), 300),
    )


def metadata_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """What was sent along with a charge; empty where there is nothing that can be read."""
    found = data.get("metadata")
    if isinstance(found, str):
        try:
            found = read_json(found.encode())
        except ValueError:
            return {}
    return found if isinstance(found, dict) else {}


def whole(value: object) -> int | None:
    """A whole number of minor units, also where it came as text; None otherwise."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 16:
        value = int(value)
    return value if isinstance(value, int) and 0 <= value <= 2**53 - 1 else None


def identifier(value: object) -> int | None:
    """One of Paystack's numbers of things; None otherwise."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19:
        value = int(value)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and isinstance(value, int) and 0 < value <= _LARGEST_ID else None


def text(value: object, length: int) -> str:
    """At most `length` characters that PostgreSQL can keep; empty where it is neither text nor a number."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return ""
    return (
        value.encode(errors="ignore").decode().replace("\x00", "")[:length]
    )  # JSON can say half a surrogate pair
