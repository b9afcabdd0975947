"""Addresses of a member's money."""

from django.urls import path

from payments import buying, hooks, views, withdrawing

app_name = "payments"
urlpatterns = [
    path("wallet/", views.wallet, name="wallet"),
    path("wallet/statement.csv", views.statement, name="statement"),
    path("wallet/receipts/<uuid:public_id>/", views.receipt, name="receipt"),
    path("wallet/withdraw/", withdrawing.withdraw, name="withdraw"),
    path("wallet/withdraw/<uuid:public_id>/cancel/", withdrawing.cancel, name="cancel_withdrawal"),
    path("credits/", buying.packages, name="packages"),
    path("payments/", buying.history, name="payments"),
    path("payments/callback/", buying.callback, name="callback"),
    path("payments/<uuid:public_id>/", buying.payment, name="payment"),
    path("webhooks/paystack/", hooks.paystack_webhook, name="webhook"),
]
