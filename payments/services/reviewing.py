"""Review: what a person has to look at is opened once, taken by somebody, noted upon, resolved.

A matter is known by its key (`payment:<id>:amount`), so that the tenth webhook about it opens nothing new.
"""

import datetime as dt

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from payments.models import Payment, ReviewItem, ReviewNote, WebhookEvent

Kind = ReviewItem.Kind
State = ReviewItem.State


class ReviewError(Exception):
    """This can't be done with the item as it stands. The message is a sentence for whoever tried."""


def open_review(
    *,
    kind: str,
    key: str,
    reason: str,
    payment: Payment | None = None,
    event: WebhookEvent | None = None,
    now: dt.datetime,
) -> ReviewItem:
    """The item of this key, opened if it isn't there; one that was resolved stays so. In the caller's transaction."""
    item, is_new = ReviewItem.objects.get_or_create(
        key=key,
        defaults={"kind": kind, "reason": reason, "payment": payment, "event": event, "opened_at": now},
    )
    if is_new:
        record(actor=None, action="review.opened", target=item, data={"kind": str(kind), "key": key}, now=now)
    return item


def take_review(*, item: ReviewItem, by: User, now: dt.datetime) -> ReviewItem:
    """Say that `by` looks after it. Raises `ReviewError` when somebody else does, or it is resolved."""
    with transaction.atomic():
        item = _locked_open(item)
        if item.taken_by_id not in (None, by.pk):
            raise ReviewError(_("%(person)s has taken this already.") % {"person": item.taken_by})
        if item.taken_by_id is None:
            item.state, item.taken_by = State.TAKEN, by
            item.save(update_fields=["state", "taken_by"])
            record(actor=by, action="review.taken", target=item, data={}, now=now)
    return item


def note_review(*, item: ReviewItem, text: str, by: User | None, now: dt.datetime) -> ReviewNote:
    """Write something down about it, for good. Raises `ReviewError` where there is nothing to write."""
    if not text.strip():
        raise ReviewError(_("Write what you found."))
    return ReviewNote.objects.create(item=item, by=by, at=now, text=text.strip())


def resolve_review(*, item: ReviewItem, note: str, by: User | None, now: dt.datetime) -> ReviewItem:
    """Close it with a note that says how it ended. Raises `ReviewError` without one, and when it is resolved."""
    with transaction.atomic():
        item = _locked_open(item)
        note_review(item=item, text=note, by=by, now=now)
        _close(item, by=by, now=now)
    return item


def resolve_by_itself(*keys: str, note: str, now: dt.datetime) -> None:
    """Close what has mended itself, as far as it is open. In the caller's transaction."""
    mended = ReviewItem.objects.select_for_update().filter(key__in=keys).exclude(state=State.RESOLVED)
    for item in mended.order_by("pk"):
        ReviewNote.objects.create(item=item, by=None, at=now, text=note)
        _close(item, by=None, now=now)


def _close(item: ReviewItem, *, by: User | None, now: dt.datetime) -> None:
    item.state, item.resolved_at = State.RESOLVED, now
    item.save(update_fields=["state", "resolved_at"])
    record(actor=by, action="review.resolved", target=item, data={"key": item.key}, now=now)


def _locked_open(item: ReviewItem) -> ReviewItem:
    item = ReviewItem.objects.select_for_update().get(pk=item.pk)
    if item.state == State.RESOLVED:
        raise ReviewError(_("This is resolved already."))
    return item
