"""The verbs of buying: check out, settle, reconcile, refund; and what people decide about what doesn't fit."""
