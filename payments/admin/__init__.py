"""Money in the admin. Importing this package registers its pages."""

from payments.admin.approvals import ApprovalAdmin
from payments.admin.buying import DisputeAdmin, PackageAdmin, PaymentAdmin, RefundAdmin, WebhookEventAdmin
from payments.admin.ledger import AccountAdmin, LedgerEntryAdmin, PostingAdmin
from payments.admin.reviewing import ReviewItemAdmin
from payments.admin.withdrawals import WithdrawalAdmin

__all__ = [
    "AccountAdmin",
    "ApprovalAdmin",
    "DisputeAdmin",
    "LedgerEntryAdmin",
    "PackageAdmin",
    "PaymentAdmin",
    "PostingAdmin",
    "RefundAdmin",
    "ReviewItemAdmin",
    "WebhookEventAdmin",
    "WithdrawalAdmin",
]
