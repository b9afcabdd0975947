"""Tables of money: the ledger, what is bought with it through Paystack, and what people have to look at.

Triggers hold what no code may change (`payments/migrations/*_guards.py`).
"""

from payments.models.buying import Package, Payment
from payments.models.inbox import WebhookEvent, WebhookRefusal
from payments.models.ledger import Account, AloneMove, Approval, LedgerEntry, Posting
from payments.models.returning import Dispute, Refund
from payments.models.review import ReviewItem, ReviewNote
from payments.models.withdrawals import Withdrawal

__all__ = [
    "Account",
    "AloneMove",
    "Approval",
    "Dispute",
    "LedgerEntry",
    "Package",
    "Payment",
    "Posting",
    "Refund",
    "ReviewItem",
    "ReviewNote",
    "WebhookEvent",
    "WebhookRefusal",
    "Withdrawal",
]
