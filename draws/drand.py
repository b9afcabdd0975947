"""The drand quicknet beacon: which round a draw waits for, and whether a signature is really that round's.

Owns the constants of the chain and the check of its signatures (scheme `bls-unchained-g1-rfc9380`: the
signature is a point on G1 of BLS12-381, the public key one on G2). Pure: fetching a round from a relay is
somebody else's. No relay is trusted, because what it answers is checked here.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from hashlib import sha256

from py_ecc.bls.g2_primitives import subgroup_check
from py_ecc.bls.hash_to_curve import hash_to_G1
from py_ecc.bls.point_compression import decompress_G1, decompress_G2
from py_ecc.bls.typing import G1Compressed, G2Compressed
from py_ecc.fields import optimized_bls12_381_FQ12 as FQ12
from py_ecc.optimized_bls12_381.optimized_curve import G2, is_inf, neg
from py_ecc.optimized_bls12_381.optimized_pairing import final_exponentiate, pairing

# py_ecc lifts it to 100,000 for all of the process, so that 80 KB of "[" sent to any page that reads JSON would overflow the
# stack and kill it. The optimized curve needs no more than Python's own.
sys.setrecursionlimit(1_000)

SIGNATURE_DOMAIN = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"

_SIGNATURE_HEX = re.compile(r"[0-9a-f]{96}")
_PUBLIC_KEY_HEX = re.compile(r"[0-9a-f]{192}")


@dataclass(frozen=True, slots=True)
class DrandChain:
    """One drand chain: its hash and public key in hex, `genesis` (Unix seconds) and `period` (seconds)."""

    chain_hash: str
    public_key: str
    genesis: int
    period: int

    def round_at(self, draw_at: int) -> int:
        """The round a draw at `draw_at` (Unix seconds) uses: the first to come out at or after that moment.

        ceil((draw_at − genesis) / period) + 1. Raises `ValueError` before the chain began.
        """
        if draw_at < self.genesis:
            raise ValueError("the drand chain had not begun at that time")
        return -(-(draw_at - self.genesis) // self.period) + 1

    def time_of(self, round_number: int) -> int:
        """When a round comes out, in Unix seconds. Round 1 comes out at genesis."""
        return self.genesis + (round_number - 1) * self.period


QUICKNET = DrandChain(
    chain_hash="52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971",
    public_key=(
        "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c"
        "8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb"
        "5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
    ),
    genesis=1692803367,
    period=3,
)


def value_of(*, signature_hex: str) -> str:
    """What a round contributes to the seed: hex(SHA256(signature)), drand's own "randomness" of the round."""
    return sha256(bytes.fromhex(signature_hex)).hexdigest()


def verify_signature(
    *, round_number: int, signature_hex: str, public_key_hex: str = QUICKNET.public_key
) -> bool:
    """Whether the chain with this key signed this round. About 0.2 s of pure Python.

    False for anything that is not: wrong lengths or characters, a point off the curve, outside the subgroup
    of prime order, or at infinity, another round's signature.
    """
    if not 1 <= round_number < 2**64:
        return False
    if not (_SIGNATURE_HEX.fullmatch(signature_hex) and _PUBLIC_KEY_HEX.fullmatch(public_key_hex)):
        return False
    try:
        signature = decompress_G1(G1Compressed(int(signature_hex, 16)))
        public_key = decompress_G2(G2Compressed((int(public_key_hex[:96], 16), int(public_key_hex[96:], 16))))
    except ValueError:
        return False
    if is_inf(signature) or not subgroup_check(signature):
        return False
    if is_inf(public_key) or not subgroup_check(public_key):
        return False
    message = sha256(round_number.to_bytes(8, "big")).digest()
    # The stubs of py_ecc name the type of a hash object where they mean its constructor.
    hashed = hash_to_G1(message, SIGNATURE_DOMAIN, sha256)  # type: ignore[arg-type]
    # e(H(m), key) = e(signature, G2), as one product, so that the costly final exponentiation is done once.
    product = pairing(public_key, hashed, final_exponentiate=False) * pairing(
        G2, neg(signature), final_exponentiate=False
    )
    return bool(final_exponentiate(product) == FQ12.one())
