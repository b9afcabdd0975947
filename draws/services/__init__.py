"""The verbs of the draw engine: publish, change, enter, freeze, execute, check. Each opens its own transactions."""

from draws.services.awarding import ClaimError, claim_award
from draws.services.changing import ChangeRefusedError, DrawChanges, PrizeTerms, change_draw
from draws.services.checking import CheckError, CheckSummary, check_draw, check_draws, resume_payouts
from draws.services.checks import Check, execution_checks, publishing_checks
from draws.services.entering import EntryRefusedError, NewEntry, add_entries, enter_draw
from draws.services.errors import DrawError
from draws.services.executing import ExecutionError, ExecutionSummary, execute_draw, execute_due_draws
from draws.services.freezing import FreezeError, freeze_draw, freeze_due_draws
from draws.services.funding import FundingError, fund_draw, return_leftover, waiting_funds
from draws.services.holding import PayoutsStoppedError
from draws.services.importing import ImportRefusedError, import_entries
from draws.services.people import entry_of
from draws.services.proving import (
    EntriesChangedError,
    canonical_manifest,
    entries_file,
    proof_of,
    verify_stored_draw,
)
from draws.services.publishing import PublishError, cancel_draw, prize_totals, publish_draw
from draws.services.raffles import NewPrize, draw_id_of, open_draw_for, pool_of
from draws.services.randomness import RandomnessError, confirm_text, enter_text, reject_text
from draws.services.rotating import Rotation, rotate_draw_secrets

__all__ = [
    "ChangeRefusedError",
    "Check",
    "CheckError",
    "CheckSummary",
    "ClaimError",
    "DrawChanges",
    "DrawError",
    "EntriesChangedError",
    "EntryRefusedError",
    "ExecutionError",
    "ExecutionSummary",
    "FreezeError",
    "FundingError",
    "ImportRefusedError",
    "NewEntry",
    "NewPrize",
    "PayoutsStoppedError",
    "PrizeTerms",
    "PublishError",
    "RandomnessError",
    "Rotation",
    "add_entries",
    "cancel_draw",
    "canonical_manifest",
    "change_draw",
    "check_draw",
    "check_draws",
    "claim_award",
    "confirm_text",
    "draw_id_of",
    "enter_draw",
    "enter_text",
    "entries_file",
    "entry_of",
    "execute_draw",
    "execute_due_draws",
    "execution_checks",
    "freeze_draw",
    "freeze_due_draws",
    "fund_draw",
    "import_entries",
    "open_draw_for",
    "pool_of",
    "prize_totals",
    "proof_of",
    "publish_draw",
    "publishing_checks",
    "reject_text",
    "resume_payouts",
    "return_leftover",
    "rotate_draw_secrets",
    "verify_stored_draw",
    "waiting_funds",
]
