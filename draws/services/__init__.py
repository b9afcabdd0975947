"""The verbs of the draw engine: publish, change, enter, freeze, execute, check, and what follows for winners.

Each opens its own transactions.
"""

from draws.services.calling_off import (
    call_off_draw,
    called_off_of,
    draw_up_called_off,
    values_missing,
    why_not_called_off,
)
from draws.services.chances import Odds, odds_of, weight_classes
from draws.services.changing import ChangeRefusedError, DrawChanges, PrizeTerms, change_draw
from draws.services.checking import CheckError, CheckSummary, check_draw, check_draws, resume_payouts
from draws.services.checks import Check, execution_checks, publishing_checks
from draws.services.claim_links import (
    resend_claim,
    show_claim_link,
    unreachable_entries,
    why_not_mailed,
    why_not_shown,
)
from draws.services.claiming import Address, ClaimError, award_by_token, claim_award, claim_token
from draws.services.entering import EntryRefusedError, NewEntry, add_entries, enter_draw
from draws.services.errors import DrawError
from draws.services.executing import ExecutionError, ExecutionSummary, execute_draw, execute_due_draws
from draws.services.freezing import FreezeError, freeze_draw, freeze_due_draws
from draws.services.funding import FundingError, fund_draw, return_leftover, waiting_funds
from draws.services.handing_over import (
    HandOverError,
    VoucherError,
    erase_address,
    mark_sent,
    redeem_voucher,
    revoke_claim_links,
)
from draws.services.holding import PayoutsStoppedError
from draws.services.importing import ImportRefusedError, import_entries
from draws.services.inclusion import Inclusion, inclusion_of
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
    published_proof,
    verify_stored_draw,
)
from draws.services.publishing import (
    PublishError,
    cancel_draw,
    prize_totals,
    publish_draw,
    why_not_cancelled,
)
from draws.services.raffles import NewPrize, draw_id_of, open_draw_for, pool_of
from draws.services.randomness import RandomnessError, confirm_text, enter_text, reject_text
from draws.services.receiving import Received, UploadRefusedError, receive_upload, retry_upload
from draws.services.removing import (
    RemovalError,
    disqualify_entry,
    entries_of_import,
    leave_draw,
    why_not_disqualified,
    withdraw_entry,
    withdraw_import,
)
from draws.services.rotating import Rotation, rotate_draw_secrets
from draws.services.taking_back import replace_winner
from draws.services.uploads import forget_uploads, import_due_uploads, import_upload
from draws.services.vacancies import VacancyError, close_vacancies, extend_ranks

__all__ = [
    "Address",
    "ChangeRefusedError",
    "Check",
    "CheckError",
    "CheckSummary",
    "ClaimError",
    "DisqualifyError",
    "DrawChanges",
    "DrawError",
    "EntriesChangedError",
    "EntryRefusedError",
    "ExecutionError",
    "ExecutionSummary",
    "ExpirySummary",
    "FreezeError",
    "FundingError",
    "HandOverError",
    "ImportRefusedError",
    "Inclusion",
    "NewEntry",
    "NewPrize",
    "Odds",
    "PayoutsStoppedError",
    "PrizeTerms",
    "PublishError",
    "RandomnessError",
    "Received",
    "RemovalError",
    "Rotation",
    "UploadRefusedError",
    "VacancyError",
    "VoucherError",
    "add_entries",
    "award_by_token",
    "call_off_draw",
    "called_off_of",
    "cancel_draw",
    "canonical_manifest",
    "change_draw",
    "check_draw",
    "check_draws",
    "claim_award",
    "claim_token",
    "close_vacancies",
    "confirm_text",
    "decline_award",
    "disqualify_entry",
    "disqualify_winner",
    "draw_id_of",
    "draw_up_called_off",
    "enter_draw",
    "enter_text",
    "entries_file",
    "entries_of_import",
    "entry_of",
    "erase_address",
    "execute_draw",
    "execute_due_draws",
    "execution_checks",
    "expire_awards",
    "extend_ranks",
    "forget_uploads",
    "freeze_draw",
    "freeze_due_draws",
    "fund_draw",
    "import_due_uploads",
    "import_entries",
    "import_upload",
    "inclusion_of",
    "leave_draw",
    "mark_sent",
    "odds_of",
    "open_draw_for",
    "pool_of",
    "prize_totals",
    "proof_of",
    "publish_draw",
    "published_proof",
    "publishing_checks",
    "receive_upload",
    "redeem_voucher",
    "reject_text",
    "replace_winner",
    "resend_claim",
    "resume_payouts",
    "retry_upload",
    "return_leftover",
    "revoke_claim_links",
    "rotate_draw_secrets",
    "show_claim_link",
    "unreachable_entries",
    "values_missing",
    "verify_stored_draw",
    "waiting_funds",
    "weight_classes",
    "why_not_called_off",
    "why_not_cancelled",
    "why_not_disqualified",
    "why_not_mailed",
    "why_not_shown",
    "withdraw_entry",
    "withdraw_import",
]
