"""How many parts a text message takes: what the provider charges for each.

GSM 7-bit where every character is in its alphabet (3GPP TS 23.038 §6.2.1), UCS-2 otherwise, as 16-bit units. A message of
one part holds 160 septets or 70 units; the parts of a longer one lose six octets to the header that joins them (3GPP TS
23.040 §9.2.3.24.1): 153 septets or 67 units, and neither an escape with its character nor a surrogate pair is torn apart.
Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = "\f^{}\\[~]|€"
GSM, UCS2 = "GSM-7", "UCS-2"
_SEPTETS = {**dict.fromkeys(_BASIC, 1), **dict.fromkeys(_EXTENDED, 2)}
_WHOLE = {GSM: 160, UCS2: 70}
_PART = {GSM: 153, UCS2: 67}


@dataclass(frozen=True)
class Segments:
    """`count` parts of a message in `encoding`, which takes `units` septets or 16-bit units in all."""

    encoding: str
    units: int
    count: int

    def __str__(self) -> str:
        return f"{self.count} × {self.encoding}"


def segments_of(text: str) -> Segments:
    """The parts of `text`; an empty one is sent as one part."""
    encoding = GSM if all(character in _SEPTETS for character in text) else UCS2
    sizes = [_SEPTETS[c] for c in text] if encoding == GSM else [1 + (ord(c) > 0xFFFF) for c in text]
    units = sum(sizes)
    if units <= _WHOLE[encoding]:
        return Segments(encoding, units, 1)
    return Segments(encoding, units, _parts(sizes, _PART[encoding]))


def _parts(sizes: Iterable[int], room: int) -> int:
    count, used = 1, 0
    for size in sizes:
        if used + size > room:
            count, used = count + 1, 0
        used += size
    return count
