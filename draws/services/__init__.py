"""The verbs of the draw engine: publish, enter, freeze, execute. Each opens its own transactions."""

from draws.services.awarding import ClaimError, claim_award
from draws.services.chances import Odds, odds_of, weight_classes
from draws.services.checks import Check, execution_checks, publishing_checks
from draws.services.entering import EntryRefusedError, NewEntry, add_entries, enter_draw
from draws.services.errors import DrawError
from draws.services.executing import ExecutionError, ExecutionSummary, execute_draw, execute_due_draws
from draws.services.freezing import FreezeError, freeze_draw, freeze_due_draws
from draws.services.importing import ImportRefusedError, import_entries
from draws.services.inclusion import Inclusion, inclusion_of
from draws.services.people import entry_of
from draws.services.proving import (
    EntriesChangedError,
    canonical_manifest,
    entries_file,
    proof_of,
    verify_stored_draw,
)
from draws.services.publishing import PublishError, cancel_draw, fund_draw, prize_totals, publish_draw

__all__ = [
    "Check",
    "ClaimError",
    "DrawError",
    "EntriesChangedError",
    "EntryRefusedError",
    "ExecutionError",
    "ExecutionSummary",
    "FreezeError",
    "ImportRefusedError",
    "Inclusion",
    "NewEntry",
    "Odds",
    "PublishError",
    "add_entries",
    "cancel_draw",
    "canonical_manifest",
    "claim_award",
    "enter_draw",
    "entries_file",
    "entry_of",
    "execute_draw",
    "execute_due_draws",
    "execution_checks",
    "freeze_draw",
    "freeze_due_draws",
    "fund_draw",
    "import_entries",
    "inclusion_of",
    "odds_of",
    "prize_totals",
    "proof_of",
    "publish_draw",
    "publishing_checks",
    "verify_stored_draw",
    "weight_classes",
]
