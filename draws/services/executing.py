"""Executing a draw: once, at its time, whatever dies in between.

Randomness from outside is collected and stored first, by a step of its own. The order of drawing is computed from
what the freeze fixed (manifest, entries file, revealed values), before any lock is taken. Then one transaction under FOR UPDATE SKIP LOCKED writes all of it: winners, awards, payouts,
report, messages, state. A worker killed anywhere leaves either nothing of it or all of it, and the next run
computes the same winners, because the draw is a pure function.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import structlog
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import newest_seal, record
from draws import proof, vwd1
from draws.models import Disposition, Draw, DrawReport, Entry, Prize
from draws.owners import owner_of
from draws.selection import Rank, draw_ranks
from draws.services.awarding import Win, award_prizes, record_winners
from draws.services.checks import execution_checks
from draws.services.errors import DrawError
from draws.services.excluding import excluded_ranks
from draws.services.failing import EXECUTION, note_failure
from draws.services.proving import frozen_entries
from draws.services.publishing import prize_totals, release_reserved
from draws.services.randomness import collect_randomness, reveal, round_needed
from draws.services.reconnecting import drop_if_cut
from draws.services.reminding import cancel_reminders
from draws.services.removing import disqualified_ranks
from draws.services.revealing import tell_drawn
from draws.services.telling import tell_results
from draws.slots import Assignment, assign_slots, execution_dispositions, expand_prizes, ranks_due
from draws.slots import Disposition as SlotDisposition
from draws.sources import source_for
from payments import pools

log = structlog.get_logger(__name__)

_UNDER_WAY = (Draw.Status.ACTIVE, Draw.Status.EXECUTING)


class ExecutionError(DrawError):
    """The draw can't be executed now. Nothing was changed; the message says what is missing."""


@dataclass(frozen=True)
class ExecutionSummary:
    """What one run of the job, or one execution, did. Amounts are minor units by unit."""

    draws_processed: int = 0
    winners_selected: int = 0
    total_awarded: dict[str, int] = field(default_factory=dict)
    failed: int = 0


@dataclass(frozen=True)
class _Outcome:
    """The order of drawing, computed: nothing in here depends on when or where."""

    manifest: Mapping[str, Any]
    revealed: list[dict[str, Any]]
    ranks: list[Rank]
    pids: Mapping[int, str]
    tickets_of_rank: Mapping[int, int]

    @property
    def pid_of_rank(self) -> dict[int, str]:
        return {rank.rank: self.pids[rank.index] for rank in self.ranks}


@dataclass(frozen=True)
class _Result:
    """Who holds which slot, with the winners of other draws skipped, and the report that says so."""

    assignments: list[Assignment]
    skipped: list[SlotDisposition]
    report: dict[str, Any]


def execute_due_draws(*, now: dt.datetime) -> ExecutionSummary:
    """Execute every draw whose time has come, late ones too; one that fails doesn't stop the others.

    Those that wait for the network come last, so that a dead relay holds up nobody else.
    """
    processed = winners = failed = 0
    awarded: dict[str, int] = {}
    due = sorted(
        Draw.objects.due_to_execute(now).order_by("draw_at"), key=lambda draw: bool(round_needed(draw))
    )
    for draw in due:
        try:
            report = execute_draw(draw_id=draw.pk, now=now)
        except Exception:
            failed += 1  # recorded, logged and told by execute_draw
            drop_if_cut()
            continue
        if report is not None:
            processed += 1
            winners += report.winners_count
            for unit, amount in report.awarded.items():
                awarded[unit] = awarded.get(unit, 0) + amount
    return ExecutionSummary(processed, winners, awarded, failed)


def execute_draw(
    *, draw_id: int, now: dt.datetime, by: User | None = None, reason: str = ""
) -> DrawReport | None:
    """Execute one frozen draw; returns its report, or None when another process is at it or it is done.

    `by` is the admin who asked, with a `reason`. Raises `ExecutionError` when a safety check does not hold, or
    whatever else went wrong, after the failure was written down and the admins were told.
    """
    draw = Draw.objects.get(pk=draw_id)
    if draw.executed_at is not None:
        return None
    if by is not None:
        if not reason.strip():
            raise ExecutionError(_("Say why the draw is executed by hand."))
        # A refusal by hand is an answer to the one who asked; only the job's failures go on record.
        collect_randomness(draw=draw, now=now)
        _require(execution_checks(draw, now=now, by_hand=True))
    try:
        if not collect_randomness(draw=draw, now=now):
            return None  # its round comes out within seconds of its time; the job comes again sooner
        _require(execution_checks(draw, now=now, by_hand=by is not None))
        if not _mark_executing(draw_id):
            return None
        outcome = compute_outcome(draw)
        return _write(draw_id=draw_id, outcome=outcome, by=by, reason=reason.strip(), now=now)
    except Exception as error:
        if not note_failure(draw_id=draw_id, step=EXECUTION, error=error, by=by, now=now):
            return None  # another process finished it meanwhile, which is what failed us
        raise


def _require(checks: list[Any]) -> None:
    if missing := [check for check in checks if not check.ok]:
        raise ExecutionError(" ".join(f"{check.label}: {check.mend}" for check in missing))


def compute_outcome(draw: Draw) -> _Outcome:
    """The ranks of a frozen draw, from its manifest, its entries file and its revealed values. Changes nothing.

    Raises `EntriesChangedError` when the entries don't have the hash that was promised, `ExecutionError` when the
    manifest doesn't have the one that was published.
    """
    manifest = draw.manifest
    assert manifest is not None
    if vwd1.manifest_sha256(manifest) != draw.manifest_sha256:
        raise ExecutionError(_("The stored manifest is not the one whose hash was published."))
    revealed = reveal(draw)
    seed = proof.seed_of(manifest=manifest, revealed=revealed)
    slots = expand_prizes((prize["id"], prize["quantity"]) for prize in manifest["prizes"])
    due = ranks_due(slots=len(slots), alternates=manifest["alternates"], entries=manifest["entries"]["count"])
    with frozen_entries(draw) as entries:
        index = entries.index
        ranks = list(islice(draw_ranks(seed=seed, firsts=index.firsts, total=index.tickets), due))
        pids = entries.pids_at([rank.index for rank in ranks])
        tickets_of_rank = {rank.rank: entries.tickets_of(rank.index) for rank in ranks}
    return _Outcome(
        manifest=manifest, revealed=revealed, ranks=ranks, pids=pids, tickets_of_rank=tickets_of_rank
    )


def _settle(draw: Draw, outcome: _Outcome, *, now: dt.datetime) -> _Result:
    """Give out the slots, past the standing winners of the draws that this one excludes, as they stand now."""
    manifest = outcome.manifest
    skipped = execution_dispositions(
        excluded=excluded_ranks(draw, outcome.pid_of_rank),
        disqualified=disqualified_ranks(draw, outcome.pid_of_rank),
        at=vwd1.format_time(now),
    )
    assignments = assign_slots(
        prizes=expand_prizes((prize["id"], prize["quantity"]) for prize in manifest["prizes"]),
        ranks=len(outcome.ranks),
        skipped={item.rank for item in skipped},
    )
    seal = newest_seal()
    report = proof.build_report(
        manifest=manifest,
        revealed=outcome.revealed,
        ranks=outcome.ranks,
        pids=outcome.pids,
        assignments=assignments,
        audit_seal={
            "digest": seal.digest,
            "last_id": seal.last_id,
            "sealed_at": vwd1.format_time(seal.sealed_at),
        }
        if seal
        else None,
    )
    return _Result(assignments, skipped, report)


def proof_as_if_executed(draw: Draw, *, now: dt.datetime) -> dict[str, Any]:
    """The proof that a frozen draw would have had if it were executed now. Changes nothing.

    Raises like `compute_outcome`, and `RandomnessError` where a value is missing.
    """
    result = _settle(draw, compute_outcome(draw), now=now)
    return proof.full_proof(report=result.report, dispositions=result.skipped)


def _mark_executing(draw_id: int) -> bool:
    """Show the world that the draw is under way. A killed run leaves the mark; the next run goes on from it.

    False when another process holds the draw: nobody waits for it, the other draws are due as well.
    """
    with transaction.atomic():
        draw = (
            Draw.objects.select_for_update(skip_locked=True)
            .filter(pk=draw_id, status__in=_UNDER_WAY, executed_at=None)
            .first()
        )
        if draw is None:
            return False
        draw.status = Draw.Status.EXECUTING
        draw.save(update_fields=["status"])
    return True


def _write(
    *, draw_id: int, outcome: _Outcome, by: User | None, reason: str, now: dt.datetime
) -> DrawReport | None:
    """Everything the execution changes, in one transaction."""
    with transaction.atomic():
        draw = (
            Draw.objects.select_for_update(skip_locked=True)
            .filter(pk=draw_id, status__in=_UNDER_WAY, executed_at=None)
            .first()
        )
        if draw is None:
            return None
        _require(execution_checks(draw, now=now, by_hand=by is not None))
        result = _settle(draw, outcome, now=now)
        wins = _wins(draw, outcome, result.assignments)
        _reserve_what_is_missing(draw, now=now)
        awards = award_prizes(draw=draw, wins=wins, now=now)
        record_winners(draw=draw, wins=wins, awards=awards, now=now)
        _write_skipped(draw, result.skipped, now=now)
        report = _write_report(
            draw=draw,
            proof_report=result.report,
            wins=wins,
            leftover=_release_leftover(draw, now=now),
            by=by,
            reason=reason,
            now=now,
        )
        draw.status = Draw.Status.COMPLETED
        draw.executed_at = now
        draw.execution_error = ""
        draw.attempts += 1
        draw.next_attempt_at = None
        draw.save(update_fields=["status", "executed_at", "execution_error", "attempts", "next_attempt_at"])
        cancel_reminders(draw, by=None, now=now)
        source_for(draw.owner).tell_won(awards, now)
        tell_results(draw=draw, report=report, now=now)
        if (owner := owner_of(draw)) is not None and owner.on_completed is not None:
            owner.on_completed(draw, report, now)
        transaction.on_commit(lambda: tell_drawn(draw.pk, now), robust=True)
    return report


def _reserve_what_is_missing(draw: Draw, *, now: dt.datetime) -> None:
    """Set aside what prizes cost beyond what was set aside when the draw was published; the pool has it."""
    balances = pools.pool_balances(draw.pool)
    for unit, needed in sorted(prize_totals(draw).items()):
        reserved = balances[unit].reserved if unit in balances else 0
        if needed > reserved:
            pools.reserve_prizes(
                pool=draw.pool,
                unit=unit,
                amount=needed - reserved,
                idem_key=f"draw:{draw.public_id}:reserve-more:{unit}",
                by=None,
                now=now,
            )


def _wins(draw: Draw, outcome: _Outcome, assignments: list[Assignment]) -> list[Win]:
    """Who won what, with the entries of exactly those ranks. Raises `ExecutionError` if one isn't there."""
    prizes: dict[str, Prize] = {str(prize.code): prize for prize in draw.prizes.all()}
    for prize in prizes.values():
        prize.draw = draw  # the currency of a cash prize is the draw's
    taken = {item.rank: item for item in assignments if item.rank is not None}
    pid_of_rank = outcome.pid_of_rank
    pids = {rank: bytes.fromhex(pid_of_rank[rank]) for rank in taken}
    found = Entry.objects.filter(draw=draw, pid__in=pids.values()).select_related("member")
    entries = {bytes(entry.pid): entry for entry in found}
    wins = []
    for rank, item in taken.items():
        entry = entries.get(pids[rank])
        if entry is None or entry.weight != outcome.tickets_of_rank[rank]:
            raise ExecutionError(
                _("The entry of rank %(rank)d is not in the database as it was frozen.") % {"rank": rank}
            )
        prize = prizes[item.prize]
        wins.append(Win(item.slot, rank, outcome.ranks[rank].ticket, entry, prize))
    return wins


def _release_leftover(draw: Draw, *, now: dt.datetime) -> dict[str, int]:
    """Free what no slot needed, and send it back to the funder if the draw says so."""
    leftover = {}
    for unit, balance in sorted(pools.pool_balances(draw.pool).items()):
        release_reserved(draw=draw, unit=unit, amount=balance.reserved, why="leftover", now=now)
        total = balance.free + balance.reserved
        leftover[unit] = total
        if total and draw.leftover_policy == Draw.Leftover.RETURNS:
            pools.return_leftover(
                pool=draw.pool,
                unit=unit,
                by=None,
                reason="not won",
                idem_key=f"draw:{draw.public_id}:leftover-returned:{unit}",
                now=now,
            )
    return leftover


def _write_skipped(draw: Draw, skipped: list[SlotDisposition], *, now: dt.datetime) -> None:
    """The dispositions that the proof begins with: why ranks were passed by. Each is on record in the trail."""
    at = now.replace(microsecond=0)
    Disposition.objects.bulk_create(
        Disposition(draw=draw, rank=item.rank, state=item.state.value, reason=item.reason, at=at)
        for item in skipped
    )
    for item in skipped:
        record(actor=None, action=f"draw.rank_{item.state}", target=draw, data=item.as_json(), now=now)


def _write_report(
    *,
    draw: Draw,
    proof_report: dict[str, Any],
    wins: list[Win],
    leftover: dict[str, int],
    by: User | None,
    reason: str,
    now: dt.datetime,
) -> DrawReport:
    awarded: dict[str, int] = {}
    for win in wins:
        if win.prize.unit:
            awarded[win.prize.unit] = awarded.get(win.prize.unit, 0) + win.prize.amount
    digest = proof.report_sha256(proof_report)
    audit_record = record(
        actor=by,
        action="draw.executed",
        target=draw,
        data={
            "report_sha256": digest,
            "manifest_sha256": draw.manifest_sha256,
            "winners": [win.entry.pid_hex for win in wins],
            "awarded": awarded,
            "leftover": leftover,
            "late_s": max(0, int((now - draw.draw_at).total_seconds())),
            "reason": reason,
        },
        now=now,
    )
    entries = proof_report["manifest"]["entries"]
    return DrawReport.objects.create(
        draw=draw,
        proof=proof_report,
        report_sha256=digest,
        entries_count=entries["count"],
        tickets=entries["tickets"],
        winners_count=len(wins),
        awarded=awarded,
        leftover=leftover,
        audit_record=audit_record,
        created_at=now,
    )
