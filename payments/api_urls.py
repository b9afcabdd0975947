"""Addresses of payments in the API."""

from django.urls import path

from payments import api, hooks

urlpatterns = [
    path("reconcile/", api.Reconcile.as_view(), name="api-payments-reconcile"),
    path("webhook/", hooks.paystack_webhook, name="api-payments-webhook"),
]
