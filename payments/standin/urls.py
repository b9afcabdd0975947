"""Addresses of the stand-in, which are Paystack's; there are none on a site with a key of Paystack."""

from django.urls import path

from payments.standin import checkout, views

app_name = "standin"
urlpatterns = [
    path("transaction/initialize", views.initialize, name="initialize"),
    path("transaction/verify/<str:reference>", views.verify, name="verify"),
    path("transaction", views.transactions, name="transactions"),
    path("refund", views.refund, name="refund"),
    path("transferrecipient", views.recipient, name="recipient"),
    path("transfer", views.transfer, name="transfer"),
    path("transfer/verify/<str:reference>", views.verify_transfer, name="verify-transfer"),
    path("bank", views.banks, name="banks"),
    path("checkout/<slug:access_code>/", checkout.checkout, name="checkout"),
]
