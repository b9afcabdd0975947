"""Authenticator apps of the tests: their codes, and accounts that have one."""

import base64
import hashlib
import hmac
import struct
import time

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def code_of(secret: str = SECRET, *, at: float | None = None) -> str:
    """RFC 6238: what an app shows at a moment (now), worked out apart from what is tested."""
    step = int(time.time() if at is None else at) // 30
    digest = hmac.new(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1).digest()
    start = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[start : start + 4])[0] & 0x7FFFFFFF) % 10**6:06}"


def wrong_code(secret: str = SECRET) -> str:
    """Six digits that are no code of these minutes."""
    right = {code_of(secret, at=time.time() + 30 * step) for step in range(-4, 5)}
    return next(code for code in ("000000", "111111", "222222", "333333") if code not in right)


def with_app(user, secret: str = SECRET) -> Authenticator:
    """Give the account an authenticator app."""
    return TOTP.activate(user, secret).instance


def with_recovery_codes(user) -> list[str]:
    """Give the account recovery codes; returns them."""
    return RecoveryCodes.activate(user).get_unused_codes()
