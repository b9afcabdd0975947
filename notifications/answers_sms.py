"""What people answer to text messages: words that stop them, and words that let them come again. Pure.

Carriers and Twilio know the English ones (twilio.com/docs/messaging/tutorials/advanced-opt-out). People write in their own
language, whatever the message was in, so the words of all of them count; only as the whole answer, because a sentence
that holds one may mean anything.
"""

import unicodedata

from django.db import models
from django.utils.translation import gettext_lazy as _


class Meaning(models.TextChoices):
    """What an answer asks for."""

    STOP = "stop", _("nothing more")
    START = "start", _("messages again")


_STOP = {
    "en": (
        "STOP",
        "STOPALL",
        "UNSUBSCRIBE",
        "CANCEL",
        "END",
        "QUIT",
        "REVOKE",
        "OPTOUT",
        "STOP ALL",
        "OPT OUT",
    ),
    "sw": ("ACHA", "SIMAMISHA", "SITISHA"),
    "fr": ("ARRET", "ARRETER"),
    "es": ("ALTO", "BAJA"),
    "bn": ("বন্ধ",),
}
_START = {
    "en": ("START", "UNSTOP", "YES"),
    "sw": ("ANZA",),
    "fr": ("COMMENCER",),
    "es": ("INICIAR",),
    "bn": ("শুরু",),
}


def meaning_of(answer: str, *, said_by_provider: str = "") -> Meaning | None:
    """What an answer asks for, None where nothing. `said_by_provider`: what Twilio itself took it for (`OptOutType`)."""
    word = said_by_provider.strip().upper() or _plain(answer)
    if word in _words(_STOP):
        return Meaning.STOP
    return Meaning.START if word in _words(_START) else None


def _plain(text: str) -> str:
    """In capitals, without accents of Latin letters, and without what stands around the words."""
    bare = "".join(
        c for c in unicodedata.normalize("NFKD", text) if not (unicodedata.combining(c) and ord(c) < 0x370)
    )
    return " ".join(
        "".join(c if not unicodedata.category(c).startswith(("P", "S", "C")) else " " for c in bare)
        .upper()
        .split()
    )


def _words(by_language: dict[str, tuple[str, ...]]) -> frozenset[str]:
    return frozenset(_plain(word) for words in by_language.values() for word in words)
