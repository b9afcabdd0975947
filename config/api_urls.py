"""Addresses under `/api/`. Without the slash at the end they work as well: `config.middleware.ApiMiddleware`."""

from django.urls import include, path

from config import api_schema, cron
from payments import api as payments_api

urlpatterns = [
    path("draws/", include("draws.api_urls")),
    path("payments/", include("payments.api_urls")),
    path("packages/", payments_api.PackageList.as_view(), name="api-packages"),
    path("track/", include("notifications.track_urls")),
    path("cron/freeze-draws/", cron.FreezeDraws.as_view(), name="cron-freeze-draws"),
    path("cron/execute-draws/", cron.ExecuteDraws.as_view(), name="cron-execute-draws"),
    path("cron/send-notifications/", cron.SendNotifications.as_view(), name="cron-send-notifications"),
    path("schema/", api_schema.SchemaView.as_view(), name="api-schema"),
    path("docs/", api_schema.DocsView.as_view(), name="api-docs"),
]
