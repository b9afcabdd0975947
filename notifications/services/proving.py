"""Showing that a telephone number is one's own: a code is sent to it, and typed back.

Six digits are guessed in a million tries; five a code and five codes a day leave one chance in 40,000 a day. A number is
sent at most as many codes a day, whoever asks, so that nobody fills a stranger's telephone.
"""

import datetime as dt
import hashlib
import hmac
import uuid

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from notifications.channels.registry import sending_channels
from notifications.kinds import Channel
from notifications.models import Delivery, PhoneCode, Suppression, SuppressionReason
from notifications.recipients import Recipient
from notifications.services.messages import notify
from notifications.suppressing import hash_of

CODE_KIND = "notifications.phone_code"
VALID_FOR = dt.timedelta(minutes=10)
ATTEMPTS = 5
CODES_A_DAY = 5
ASK_AGAIN_AFTER = dt.timedelta(minutes=1)
DIGITS = 6
_DOMAIN = b"fairground phone code 1"


class ProofError(Exception):
    """The number is not shown to be theirs. The message says why, and what to do."""


def is_offered() -> bool:
    """Whether this site sends SMS at all."""
    return Channel.SMS in sending_channels()


def ask_for_code(*, member: User, now: dt.datetime) -> PhoneCode:
    """Send a code to the number in the member's profile. Raises `ProofError`."""
    with transaction.atomic():
        member = _locked(member)
        if not member.phone:
            raise ProofError(_("Write your number into your profile first."))
        if member.proven_phone:
            raise ProofError(_("This number is shown to be yours already."))
        _refuse_too_many(member, now)
        suppressed = suppression_of(member.phone)
        if suppressed is not None and suppressed.reason == SuppressionReason.STOP:
            raise ProofError(
                _("This number answered STOP to us. Send START from it, then ask for a code again.")
            )
        if suppressed is not None and suppressed.reason != SuppressionReason.ERASED:
            raise ProofError(_("We can't send SMS to this number. Use another one."))
        code = PhoneCode.objects.create(member=member, phone=member.phone, sent_at=now)
        notify(
            kind=CODE_KIND,
            about=f"accounts.user:{member.public_id}",
            context={},
            recipients=[
                Recipient(
                    member_id=member.pk,
                    phone=member.phone,
                    name=member.display_name,
                    language=member.language,
                    time_zone=member.time_zone,
                    params={"asked": str(code.public_id)},
                )
            ],
            not_before=now,
            expires_at=now + VALID_FOR,
            idem_key=f"phone-code:{code.public_id}",
            now=now,
        )
    return code


def prove_phone(*, member: User, digits: str, now: dt.datetime) -> str:
    """The number that is shown to be the member's from now on, and nobody else's. Raises `ProofError`.

    Each wrong code counts, also where many are tried at once.
    """
    given = "".join(digits.split())
    with transaction.atomic():
        member = _locked(member)
        code = newest_code(member)
        if code is None or code.phone != member.phone or now >= code.sent_at + VALID_FOR:
            raise ProofError(_("There is no code that holds any more. Ask for a new one."))
        if code.attempts >= ATTEMPTS:
            raise ProofError(_("That were too many wrong codes. Ask for a new one."))
        is_right = hmac.compare_digest(given.encode(), digits_of(code.public_id).encode())
        if is_right:
            code.used_at = now
            code.save(update_fields=["used_at"])
            User.objects.filter(verified_phone=code.phone).exclude(pk=member.pk).update(verified_phone="")
            User.objects.filter(pk=member.pk).update(verified_phone=code.phone)
            record(actor=member, action="person.phone_proven", target=member, data={}, now=now)
            return code.phone
        code.attempts += 1
        code.save(update_fields=["attempts"])
    raise ProofError(_("This is not the code that we sent. Look again at the newest message."))


def newest_code(member: User) -> PhoneCode | None:
    """The last code sent to the member that is not used."""
    newest = PhoneCode.objects.filter(member=member).order_by("-sent_at", "-pk").first()
    return newest if newest is not None and newest.used_at is None else None


def suppression_of(phone: str) -> Suppression | None:
    """What keeps SMS from a number."""
    return Suppression.objects.filter(
        address_hash=hash_of(phone, Channel.SMS), channel=Channel.SMS, lifted_at=None
    ).first()


def digits_of(public_id: uuid.UUID) -> str:
    """The code itself: made from a key whenever it is needed, and stored nowhere."""
    mac = hmac.new(settings.LINK_KEY.encode(), _DOMAIN + b"\0" + public_id.bytes, hashlib.sha256).digest()
    return f"{int.from_bytes(mac[:8], 'big') % 10**DIGITS:0{DIGITS}}"


def code_in(delivery: Delivery) -> str:
    """The code that a delivery brings."""
    return digits_of(uuid.UUID(delivery.params["asked"])) if "asked" in delivery.params else ""


def _refuse_too_many(member: User, now: dt.datetime) -> None:
    recent = PhoneCode.objects.filter(sent_at__gt=now - dt.timedelta(days=1))
    mine, its = recent.filter(member=member), recent.filter(phone=member.phone)
    if mine.filter(sent_at__gt=now - ASK_AGAIN_AFTER).exists():
        raise ProofError(_("A code is on its way. Wait a minute before you ask for another one."))
    if mine.count() >= CODES_A_DAY or its.count() >= CODES_A_DAY:
        raise ProofError(_("That were enough codes for today. Try again tomorrow."))


def _locked(member: User) -> User:
    """The member, and their number for nobody else until the transaction ends.

    The number first, then the row: who proves a number takes it from the rows of others.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"phone code {member.phone}"]
        )
    locked = User.objects.select_for_update().get(pk=member.pk)
    if locked.phone != member.phone:
        raise ProofError(_("The number in your profile was changed meanwhile. Look at it, and try again."))
    return locked
