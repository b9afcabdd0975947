"""Webhooks of the site: set up, proven by a test message, switched off."""

import base64
import datetime as dt
import hashlib
import hmac
import secrets
import uuid
from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from notifications import kinds
from notifications.channels.outside import AddressError
from notifications.channels.registry import sender_class
from notifications.channels.seam import Answer, Letter, Outcome
from notifications.channels.webhook import checked
from notifications.kinds import Channel
from notifications.models import WAITING, Delivery, Endpoint, State, Suppression, SuppressionReason
from notifications.services.suppressions import lift_suppression
from notifications.standard_webhooks import secret_of
from notifications.suppressing import hash_of

CODE_LENGTH = 8
TEST_AGAIN_AFTER = dt.timedelta(seconds=10)
WRONG_CODES = 5
"""After so many a new test message is needed."""
_SECRET, _CODE = b"fairground webhook secret 1", b"fairground webhook code 1"


class EndpointError(Exception):
    """A webhook can't be set up, tested or proven like this. The message says why."""


def kinds_for_endpoints() -> list[kinds.Kind]:
    """The kinds that a webhook can be told, by title."""
    return sorted(
        (kind for kind in kinds.all_kinds() if Channel.WEBHOOK in kind.channels),
        key=lambda kind: str(kind.title),
    )


def add_endpoint(
    *, name: str, url: str, told: Sequence[str], about: str, by: User, now: dt.datetime
) -> Endpoint:
    """Set one up; nothing goes there before `prove_endpoint`. Raises `EndpointError`."""
    url = url.strip()
    try:
        checked(url)
    except AddressError as error:
        raise EndpointError(str(error)) from None
    unknown = set(told) - {kind.name for kind in kinds_for_endpoints()}
    if unknown or not told:
        raise EndpointError(_("Choose what it is told."))
    with transaction.atomic():
        endpoint = Endpoint.objects.create(
            name=name.strip(), url=url, kinds=sorted(told), about=about.strip(), made_at=now, made_by=by
        )
        _note("notification.webhook_added", endpoint, by, now, {"host": endpoint.host, "kinds": sorted(told)})
    return endpoint


def send_test(*, endpoint: Endpoint, by: User, now: dt.datetime) -> Answer:
    """Post a test message with a code, now; returns what the receiver said. Raises `EndpointError` when it was just done.

    The code of each test is another one. No transaction is open while the receiver is talked to.
    """
    with transaction.atomic():
        locked = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
        if locked.tested_at is not None and now < locked.tested_at + TEST_AGAIN_AFTER:
            raise EndpointError(_("A test was sent just now. Wait ten seconds."))
        Endpoint.objects.filter(pk=locked.pk).update(
            tested_at=now, code_version=F("code_version") + 1, wrong_codes=0
        )
        locked.refresh_from_db()
        _note("notification.webhook_tested", locked, by, now, {})
    letter = Letter(
        key=secrets.token_hex(16),
        address=locked.url,
        name="",
        subject=_("%s: a test") % settings.SITE_NAME,
        text=_("Type this code on the page of the webhook: %s") % code_of(locked),
        kind="notifications.test",
        values={"code": code_of(locked)},
        secret=secret_for(locked.public_id, locked.version),
    )
    with sender_class(Channel.WEBHOOK)() as sender:
        return next(iter(sender.hand_over([letter])))


def prove_endpoint(*, endpoint: Endpoint, code: str, by: User, now: dt.datetime) -> None:
    """Let messages go there from now on: whoever typed the code reads what arrives. Raises `EndpointError`."""
    with transaction.atomic():
        locked = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
        if locked.tested_at is None:
            raise EndpointError(_("Send a test first; its code goes here."))
        is_right = locked.wrong_codes < WRONG_CODES and hmac.compare_digest(
            code.strip().upper().encode(), code_of(locked).encode()
        )
        if is_right:
            if locked.proven_at is None:
                Endpoint.objects.filter(pk=locked.pk).update(proven_at=now)
                _note("notification.webhook_proven", locked, by, now, {})
            _hear_again(locked, by, now)
            return
        Endpoint.objects.filter(pk=locked.pk).update(wrong_codes=F("wrong_codes") + 1)
    if locked.wrong_codes + 1 >= WRONG_CODES:
        raise EndpointError(_("Too many wrong codes. Send another test and type its code."))
    raise EndpointError(_("This is not the code of the newest test."))


def _hear_again(endpoint: Endpoint, by: User, now: dt.datetime) -> None:
    """A test has just arrived there, so that it was once gone does not count any more."""
    fingerprint = hash_of(endpoint.url, Channel.WEBHOOK)
    gone = Suppression.objects.filter(
        address_hash=fingerprint,
        channel=Channel.WEBHOOK,
        reason=SuppressionReason.BOUNCE,
        lifted_at__isnull=True,
    )
    for row in gone:
        lift_suppression(suppression=row, note=f"Proven anew: {endpoint.name}", by=by, now=now)


def switch_endpoint(*, endpoint: Endpoint, is_on: bool, by: User, now: dt.datetime) -> bool:
    """Switch one off, or on again; False when it is so already. What waits for one that is switched off is taken back."""
    with transaction.atomic():
        changed = Endpoint.objects.filter(pk=endpoint.pk, stopped_at__isnull=not is_on).update(
            stopped_at=None if is_on else now
        )
        if not changed:
            return False
        if not is_on:
            waiting = Delivery.objects.filter(
                channel=Channel.WEBHOOK, state__in=WAITING, recipient_key=key_of(endpoint.public_id)
            )
            waiting.update(state=State.CANCELLED)
        what = "notification.webhook_switched_on" if is_on else "notification.webhook_switched_off"
        _note(what, endpoint, by, now, {})
    return True


def was_heard(answer: Answer) -> bool:
    """Whether a test arrived."""
    return answer.outcome == Outcome.ACCEPTED


def key_of(public_id: uuid.UUID) -> str:
    """Its `Delivery.recipient_key`."""
    return f"endpoint:{public_id}"


def secret_for(public_id: uuid.UUID, version: int) -> str:
    """By what its receiver checks our signature: `whsec_…`."""
    return secret_of(_derived(_SECRET, public_id, version))


def code_of(endpoint: Endpoint) -> str:
    """The code of its newest test."""
    digest = _derived(_CODE, endpoint.public_id, endpoint.code_version)
    return base64.b32encode(digest).decode()[:CODE_LENGTH]


def _derived(purpose: bytes, public_id: uuid.UUID, version: int) -> bytes:
    said = b"\0".join([purpose, public_id.bytes, str(version).encode()])
    return hmac.new(settings.LINK_KEY.encode(), said, hashlib.sha256).digest()


def _note(action: str, endpoint: Endpoint, by: User, now: dt.datetime, data: dict[str, object]) -> None:
    record(actor=by, action=action, target=endpoint, data=data, now=now)
