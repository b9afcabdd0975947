"""A stand-in of Paystack for sites without a key of it: its addresses, its shapes, its webhooks, and no money.

It knows nothing of `payments` and `payments` nothing of it: only HTTP connects the two, as with Paystack itself.
"""
