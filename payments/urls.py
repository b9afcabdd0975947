"""Addresses of a member's money."""

from django.urls import path

from payments import views

app_name = "payments"
urlpatterns = [
    path("wallet/", views.wallet, name="wallet"),
    path("wallet/statement.csv", views.statement, name="statement"),
    path("wallet/receipts/<uuid:public_id>/", views.receipt, name="receipt"),
]
