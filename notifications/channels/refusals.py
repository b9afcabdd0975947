"""Whether a mail server's refusal means that nobody has the address, or only that it did not want the mail."""

import re

_ENHANCED = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
# RFC 3463 §3.2 and RFC 7505: bad mailbox, bad domain, bad syntax, a domain that takes no mail.
_NOBODY = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.10"})
_SAID = re.compile(
    r"user unknown|unknown (user|recipient|mailbox)|no such (user|mailbox|recipient|address|person)"
    r"|(user|mailbox|recipient|account|address)( that you tried to reach)? (does not|doesn'?t) exist"
    r"|(mailbox|user|recipient) not found|invalid (mailbox|recipient)",
    re.IGNORECASE,
)
NO_MAILBOX = 550
BAD_NAME = 553  # RFC 5321 §4.2.2: mailbox name not allowed


def says_nobody_is_there(code: int, text: str) -> bool:
    """Of a refused recipient: the address takes nothing, now or ever.

    The enhanced code (RFC 3463) decides where there is one: `550 5.7.1` is a policy, and says nothing of the address.
    """
    if found := _ENHANCED.search(text):
        return code >= 500 and found[1] in _NOBODY
    return code == BAD_NAME or (code == NO_MAILBOX and _SAID.search(text) is not None)
