"""What never gets into a log: passwords, tokens, keys, links that open something, addresses of people. Pure functions.

Nobody logs these on purpose. They come along in the address of a page that was not found, in the message of an exception, in
what a library says.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

HIDDEN = "[hidden]"
ADDRESS = "[address]"

# Names of values that are hidden whole.
_NAMES = re.compile(r"(?i)passw|secret|token|authori[sz]ation|cookie|api_?key|claim_link|credential")
# Addresses of the site whose next part opens something.
_LINKS = "prizes/claim|accounts/password/reset/key|accounts/confirm-email|unsubscribe|preferences/confirm|preferences|register|watch"
# A quick look whether a pattern can match at all: every line of the log passes here, and most values are short and plain.
_RULES: tuple[tuple[Callable[[str], bool], re.Pattern[str], str], ...] = (
    (lambda text: "/" in text, re.compile(rf"(/(?:{_LINKS})/)[^/\s\"'?#]+"), rf"\1{HIDDEN}"),
    # White space other than " " is not printable.
    (
        lambda text: " " in text or not text.isprintable(),
        re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"),
        rf"\1 {HIDDEN}",
    ),
    (lambda text: "_" in text, re.compile(r"\b(fg_|whsec_|sk_(?:live|test)_)[\w+/=-]{8,}"), rf"\1{HIDDEN}"),
    (lambda text: "://" in text, re.compile(r"(\w://)[^/\s@\"']*:[^/\s@\"']+@"), rf"\1{HIDDEN}@"),
    # password=…, "token": "…", 'new_password1': ['…']
    (
        lambda text: "=" in text or ":" in text,
        re.compile(
            r"(?i)(\w*(?:passw\w*|secret\w*|token\w*|signature|sessionid|csrfmiddlewaretoken|key)[\"']?\s*[=:]\s*\[?[\"']?)"
            r"(?!\[)([^\s\"'&,;\])}]{6,})"
        ),
        rf"\1{HIDDEN}",
    ),
    # Names of workers look like addresses.
    (
        lambda text: "@" in text,
        re.compile(r"\b(?!(?:celery|worker|critical|bulk|default)@)[\w.+%-]+@[\w-]+(?:\.[\w-]+)+"),
        ADDRESS,
    ),
)
_PLAIN = (bool, int, float)
_OWN = (
    "SECRET_KEY",
    "LINK_KEY",
    "DRAW_SECRET_KEYS",
    "SECOND_FACTOR_KEYS",
    "ADMIN_SETUP_TOKEN",
    "CRON_SECRET",
    "METRICS_TOKEN",
    "ALERT_WEBHOOK",
    "ALERT_WEBHOOK_SECRET",
    "PAYSTACK_SECRET_KEY",
    "PAYSTACK_OLD_SECRET_KEY",
    "TWILIO_AUTH_TOKEN",
    "MAILGUN_API_KEY",
    "MAILGUN_WEBHOOK_SIGNING_KEY",
)


def redact(text: str, known: Iterable[str] = ()) -> str:
    """`text` without anything secret or personal; `known` are secrets that are hidden wherever they stand."""
    for secret in known:
        text = text.replace(secret, HIDDEN)
    if text.isalnum():  # one word, as most values are: no rule is about one
        return text
    for can_match, pattern, instead in _RULES:
        if can_match(text):
            text = pattern.sub(instead, text)
    return text


def redacted(value: Any, known: Iterable[str] = (), *, depth: int = 4) -> Any:
    """The same for what a line of a log may hold; what is nested too deep is shown as text."""
    if isinstance(value, str):
        return redact(value, known)
    if value is None or isinstance(value, _PLAIN):
        return value
    if depth and isinstance(value, Mapping):
        return {
            name: HIDDEN if _is_secret(str(name)) and item else redacted(item, known, depth=depth - 1)
            for name, item in value.items()
        }
    if depth and isinstance(value, list | tuple | set):
        return [redacted(item, known, depth=depth - 1) for item in value]
    return redact(str(value), known)


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return bool(_NAMES.search(name))


def own_secrets(environment: Mapping[str, str] = os.environ) -> list[str]:
    """The site's own secrets, as far as the environment holds them."""
    values = [part.strip() for name in _OWN for part in environment.get(name, "").split(",")]
    return [value for value in values if len(value) >= 12]
