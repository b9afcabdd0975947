"""Changing a published draw: with a recorded reason and a notice to everybody in it, and never once it is frozen."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.plain_text import unseen_in
from audit.services import record
from draws import vwd1
from draws.models import Draw, DrawChange, Prize
from draws.models.draw import MOST_SLOTS
from draws.services.errors import DrawError
from draws.services.excluding import why_not_excludable
from draws.services.history import FIELD_WORDS, note_change
from draws.services.publishing import prize_totals
from draws.services.reminding import move_reminders
from draws.services.revealing import tell_phase
from draws.services.telling import tell
from payments import pools
from payments.ledger import InsufficientFundsError
from payments.money import LARGEST_AMOUNT, format_amount

_TIMES = ("opens_at", "closes_at", "draw_at")
MOST_VALID_DAYS = 3650


class ChangeRefusedError(DrawError):
    """The draw can't be changed like this. Nothing was; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrizeTerms:
    """A prize as it shall be; `code` is that of an existing one, empty for a new one. Amounts are minor units.

    `terms`, `pays` and `valid_days` are those of the model; None leaves them as they are.
    """

    title: str
    kind: str
    amount: int = 0
    quantity: int = 1
    code: str = ""
    terms: str | None = None
    pays: str | None = None
    valid_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawChanges:
    """What shall be otherwise; None stays as it is. `prizes` is the whole list, in its order."""

    title: str | None = None
    description: str | None = None
    rules: str | None = None
    opens_at: dt.datetime | None = None
    closes_at: dt.datetime | None = None
    draw_at: dt.datetime | None = None
    prizes: Sequence[PrizeTerms] | None = None


def change_draw(
    *,
    draw: Draw,
    changes: DrawChanges,
    by: User,
    reason: str,
    now: dt.datetime,
    based_on: int | None = None,
) -> DrawChange | None:
    """Change a published draw that is not frozen; returns the change on record, or None if nothing is otherwise.

    Other rules are a new version of them. Prizes that cost more are reserved from the free part of the pool, what
    they cost less is free again. Reminders move with the times, and whoever has entered is told what changed and
    why. `based_on` is how many changes the caller knew of: with more there, somebody else was faster.

    Raises `ChangeRefusedError`.
    """
    reason = reason.strip()
    if not reason:
        raise ChangeRefusedError(
            _("Say why the draw changes: whoever has entered is told, and it is published.")
        )
    if len(reason) > 500:
        raise ChangeRefusedError(_("Say why in at most 500 characters."))
    with transaction.atomic():
        # Waits for entries under way, and the freeze waits for this.
        draw = Draw.objects.select_for_update().get(pk=draw.pk)
        if draw.status != Draw.Status.ACTIVE:
            raise ChangeRefusedError(_("Only a published draw that is not over is changed like this."))
        if draw.frozen_at is not None or draw.closes_at <= now:
            raise ChangeRefusedError(_("Entries are closed: what was promised can't be changed any more."))
        number = draw.changes.count()
        if based_on is not None and based_on != number:
            raise ChangeRefusedError(_("Somebody changed this draw meanwhile: look at it again."))
        fields = _change_words(draw, changes) | _change_times(draw, changes, now=now)
        draw.save(update_fields=["title", "description", "rules", "rules_version", *_TIMES])
        if changes.prizes is not None:
            fields |= _change_prizes(draw, changes.prizes, number=number + 1, by=by, now=now)
        if not fields:
            return None
        change = note_change(
            draw=draw, kind=DrawChange.Kind.CHANGED, by=by, reason=reason, fields=fields, now=now
        )
        record(
            actor=by,
            action="draw.amended",
            target=draw,
            data={
                "reason": reason,
                "number": change.number,
                "fields": fields,
                "rules_sha256": draw.rules_sha256,
                "rules_version": draw.rules_version,
            },
            now=now,
        )
        if any(name in fields for name in ("title", *_TIMES)):
            move_reminders(draw, by=by, now=now)
        tell_phase(draw)
        tell(
            draw=draw,
            kind="draws.draw_changed",
            context={
                "reason": reason,
                "what": ", ".join(str(FIELD_WORDS[name]) for name in fields),
                "closes_at": draw.closes_at,
                "draw_at": draw.draw_at,
            },
            idem_key=f"draw:{draw.public_id}:changed:{change.number}",
            now=now,
        )
    return change


def _change_words(draw: Draw, changes: DrawChanges) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    if changes.title is not None and (title := changes.title.strip()) != draw.title:
        if not title or len(title) > 120:
            raise ChangeRefusedError(_("A draw needs a title of at most 120 characters."))
        _require_plain(title)
        fields["title"] = [draw.title, title]
        draw.title = title
    if changes.description is not None and (text := changes.description.strip()) != draw.description:
        fields["description"] = [draw.description, text]
        draw.description = text
    if changes.rules is not None and changes.rules != draw.rules:
        if not changes.rules.strip():
            raise ChangeRefusedError(_("A draw needs rules."))
        before = _("version %(n)d") % {"n": draw.rules_version} + f" ({draw.rules_sha256[:12]}…)"
        draw.rules = changes.rules
        draw.rules_version += 1
        fields["rules"] = [
            before,
            _("version %(n)d") % {"n": draw.rules_version} + f" ({draw.rules_sha256[:12]}…)",
        ]
    return fields


def _change_times(draw: Draw, changes: DrawChanges, *, now: dt.datetime) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    has_opened = draw.opens_at <= now
    for name in _TIMES:
        wanted: dt.datetime | None = getattr(changes, name)
        before: dt.datetime = getattr(draw, name)
        if wanted is not None and (wanted := wanted.replace(microsecond=0)) != before:
            fields[name] = [vwd1.format_time(before), vwd1.format_time(wanted)]
            setattr(draw, name, wanted)
    if not fields:
        return fields
    if "opens_at" in fields and has_opened:
        raise ChangeRefusedError(_("Entries have opened already: when they did can't be changed."))
    if not draw.opens_at < draw.closes_at:
        raise ChangeRefusedError(_("Entries must close after they open."))
    if draw.closes_at <= now:
        raise ChangeRefusedError(_("Let entries close in the future; “Freeze now” closes them at once."))
    if draw.draw_at < draw.closes_at + dt.timedelta(seconds=draw.min_wait_s):
        raise ChangeRefusedError(
            _("Draw at least %(seconds)d seconds after entries close.") % {"seconds": draw.min_wait_s}
        )
    if why_not := why_not_excludable(draw):
        raise ChangeRefusedError(why_not)
    later = Draw.objects.filter(
        excludes__contains=[str(draw.public_id)], status=Draw.Status.ACTIVE, draw_at__lte=draw.draw_at
    )
    if (other := later.first()) is not None:
        raise ChangeRefusedError(
            _("“%(other)s” skips the winners of this draw, so this one must be drawn before it.")
            % {"other": other}
        )
    return fields


def _change_prizes(
    draw: Draw, terms: Sequence[PrizeTerms], *, number: int, by: User, now: dt.datetime
) -> dict[str, list[str]]:
    """Make the prizes what they shall be, and reserve or release the difference in the pool."""
    known = {str(prize.code): prize for prize in draw.prizes.all()}
    before, costs_before = _prizes_text(draw), prize_totals(draw)
    details_before = _details(draw)
    asked = [item.code for item in terms if item.code]
    if not terms or len(asked) != len(set(asked)) or set(asked) - set(known):
        raise ChangeRefusedError(_("A draw needs at least one prize, and each of its prizes once."))
    if sum(item.quantity for item in terms) > MOST_SLOTS:
        raise ChangeRefusedError(
            _("A draw has at most %(most)s prizes in all.") % {"most": f"{MOST_SLOTS:,}"}
        )
    next_code = max((int(code.removeprefix("p")) for code in known), default=0) + 1
    for position, item in enumerate(terms, start=1):
        _check_terms(draw, item, known.get(item.code))
        prize = known.pop(item.code, None)
        if prize is None:
            # A number that was once given is not given again: the trail speaks of prizes by it.
            prize = Prize(draw=draw, code=f"p{next_code}")
            next_code += 1
        prize.title, prize.kind, prize.amount = item.title.strip(), item.kind, item.amount
        prize.quantity, prize.position = item.quantity, position
        for name in ("terms", "pays", "valid_days"):
            if (value := getattr(item, name)) is not None:
                setattr(prize, name, value)
        prize.save()
    for gone in known.values():
        gone.delete()
    fields = {}
    if (after := _prizes_text(draw)) != before:
        _reserve_difference(draw, costs_before, number=number, by=by, now=now)
        fields["prizes"] = [before, after]
    details = _details(draw)
    # Of prizes that came or went the line above tells.
    changed = [code for code, text in details.items() if details_before.get(code, text) != text]
    if changed:
        fields["prize_details"] = [
            "; ".join(texts[code] for code in changed) for texts in (details_before, details)
        ]
    return fields


def _check_terms(draw: Draw, item: PrizeTerms, prize: Prize | None) -> None:
    if not item.title.strip() or len(item.title.strip()) > 120:
        raise ChangeRefusedError(_("A prize needs a title of at most 120 characters."))
    _require_plain(item.title.strip())
    if (item.pays is not None and item.pays not in Prize.Pays.values) or not (
        item.valid_days is None or 1 <= item.valid_days <= MOST_VALID_DAYS
    ):
        raise ChangeRefusedError(
            _("A prize is paid at once or when it is claimed, and a voucher is valid for 1 to %(days)d days.")
            % {"days": MOST_VALID_DAYS}
        )
    if item.kind not in Prize.Kind.values or (prize is not None and prize.kind != item.kind):
        raise ChangeRefusedError(_("A prize keeps its kind: take it out and add another."))
    has_amount = item.kind in Prize.LEDGER_KINDS
    if has_amount != bool(item.amount) or item.amount < 0 or item.quantity < 1:
        raise ChangeRefusedError(
            _(
                "Cash, credits and points need an amount, other things have none; and of each there is at least one."
            )
        )
    if item.amount * item.quantity > LARGEST_AMOUNT:
        raise ChangeRefusedError(_("This is more than the ledger can hold."))


def _require_plain(text: str) -> None:
    if unseen := unseen_in(text):
        raise ChangeRefusedError(
            _("Write titles as plain text on one line: “%(text)s” holds %(character)s.")
            % {"text": text[:40], "character": unseen}
        )


def _details(draw: Draw) -> dict[str, str]:
    """By code of a prize: how it is paid, how long it is valid, on which terms."""
    details = {}
    for prize in draw.prizes.order_by("position", "pk"):
        prize.draw = draw
        words = [_("paid %(when)s") % {"when": prize.get_pays_display()}] if prize.unit else []
        if prize.kind == Prize.Kind.VOUCHER:
            words.append(_("valid for %(days)d days") % {"days": prize.valid_days})
        if prize.terms:
            words.append(_("terms: %(terms)s") % {"terms": prize.terms})
        details[str(prize.code)] = f"{prize.title}: {', '.join(words) or '—'}"
    return details


def _prizes_text(draw: Draw) -> str:
    parts = []
    for prize in draw.prizes.order_by("position", "pk"):
        prize.draw = draw
        amount = f" ({format_amount(prize.amount, prize.unit)})" if prize.unit else ""
        parts.append(f"{prize.quantity} × {prize.title}{amount}")
    return "; ".join(parts)


def _reserve_difference(
    draw: Draw, before: dict[str, int], *, number: int, by: User, now: dt.datetime
) -> None:
    after = prize_totals(draw)
    for unit in sorted({*before, *after}):
        difference = after.get(unit, 0) - before.get(unit, 0)
        move = pools.reserve_prizes if difference > 0 else pools.release_prizes
        if difference:
            try:
                move(
                    pool=draw.pool,
                    unit=unit,
                    amount=abs(difference),
                    idem_key=f"draw:{draw.public_id}:change:{number}:{unit}",
                    by=by,
                    now=now,
                )
            except InsufficientFundsError as error:
                raise ChangeRefusedError(
                    _("The pool doesn't cover these prizes: fund it with %(short)s more first.")
                    % {"short": _shortage(draw, unit, difference)}
                ) from error


def _shortage(draw: Draw, unit: str, wanted: int) -> str:
    held = pools.pool_balances(draw.pool)
    free = held[unit].free if unit in held else 0
    return format_amount(max(wanted - free, 0), unit)
