"""Money in the admin. Importing this package registers its pages."""

from payments.admin.approvals import ApprovalAdmin
from payments.admin.ledger import AccountAdmin, LedgerEntryAdmin, PostingAdmin

__all__ = ["AccountAdmin", "ApprovalAdmin", "LedgerEntryAdmin", "PostingAdmin"]
