"""The verbs of the draw engine: publish, enter, freeze, execute, and what follows for the winners.

Each opens its own transactions.
"""

from draws.services.checks import Check, execution_checks, publishing_checks
from draws.services.claiming import Address, ClaimError, award_by_token, claim_award, claim_token
from draws.services.entering import EntryRefusedError, NewEntry, add_entries, enter_draw
from draws.services.errors import DrawError
from draws.services.executing import ExecutionError, ExecutionSummary, execute_draw, execute_due_draws
from draws.services.freezing import FreezeError, freeze_draw, freeze_due_draws
from draws.services.handing_over import (
    HandOverError,
    VoucherError,
    erase_address,
    mark_sent,
    redeem_voucher,
    revoke_claim_links,
)
from draws.services.importing import ImportRefusedError, import_entries
from draws.services.losing import (
    DisqualifyError,
    ExpirySummary,
    decline_award,
    disqualify_winner,
    expire_awards,
)
from draws.services.people import entry_of
from draws.services.proving import (
    EntriesChangedError,
    canonical_manifest,
    entries_file,
    proof_of,
    verify_stored_draw,
)
from draws.services.publishing import PublishError, cancel_draw, fund_draw, prize_totals, publish_draw
from draws.services.vacancies import VacancyError, close_vacancies, extend_ranks

__all__ = [
    "Address",
    "Check",
    "ClaimError",
    "DisqualifyError",
    "DrawError",
    "EntriesChangedError",
    "EntryRefusedError",
    "ExecutionError",
    "ExecutionSummary",
    "ExpirySummary",
    "FreezeError",
    "HandOverError",
    "ImportRefusedError",
    "NewEntry",
    "PublishError",
    "VacancyError",
    "VoucherError",
    "add_entries",
    "award_by_token",
    "cancel_draw",
    "canonical_manifest",
    "claim_award",
    "claim_token",
    "close_vacancies",
    "decline_award",
    "disqualify_winner",
    "enter_draw",
    "entries_file",
    "entry_of",
    "erase_address",
    "execute_draw",
    "execute_due_draws",
    "execution_checks",
    "expire_awards",
    "extend_ranks",
    "freeze_draw",
    "freeze_due_draws",
    "fund_draw",
    "import_entries",
    "mark_sent",
    "prize_totals",
    "proof_of",
    "publish_draw",
    "publishing_checks",
    "redeem_voucher",
    "revoke_claim_links",
    "verify_stored_draw",
]
