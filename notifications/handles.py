"""Public handles of deliveries: a UUID that only this site can make from the serial id, and turn back.

The delivery table is the hottest of all and has no room for another column and index. One block of AES is
a secret permutation of 128 bits, so a handle tells nothing of the id, and a guessed one decrypts to an id
with 64 zero bits in front with a chance of 1 in 2^64. A new `LINK_KEY` voids the handles given out before.
"""

import hashlib
import uuid
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from django.conf import settings

_BLOCK = 16


def handle_of(delivery_id: int) -> uuid.UUID:
    """The public handle of the delivery with this id."""
    return _handle(delivery_id, settings.LINK_KEY)


def delivery_id_of(handle: uuid.UUID) -> int | None:
    """The id behind a handle, None when this site never gave it out."""
    decryptor = _cipher(settings.LINK_KEY).decryptor()
    number = int.from_bytes(decryptor.update(handle.bytes) + decryptor.finalize(), "big")
    return number if number < 2**63 else None


@lru_cache(maxsize=1024)  # one mail asks for it several times
def _handle(delivery_id: int, link_key: str) -> uuid.UUID:
    encryptor = _cipher(link_key).encryptor()
    return uuid.UUID(bytes=encryptor.update(delivery_id.to_bytes(_BLOCK, "big")) + encryptor.finalize())


@lru_cache(maxsize=4)
def _cipher(link_key: str) -> Cipher[modes.ECB]:
    key = hashlib.blake2b(b"notifications.delivery", key=link_key.encode()[:64], digest_size=_BLOCK).digest()
    return Cipher(algorithms.AES(key), modes.ECB())  # one block: nothing to chain
