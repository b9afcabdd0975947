"""Addresses of the site: each app brings its own."""

from django.contrib import admin
from django.urls import include, path

from accounts.views import profile
from config import api_key_pages, views
from config.operations import views as operations

urlpatterns = [
    path("", views.home, name="home"),
    path("dashboard/", views.dashboard, name="dashboard"),
    path("", include("draws.urls")),
    path("", include("payments.urls")),
    path("", include("notifications.urls")),
    path("healthz", operations.healthz, name="healthz"),
    path("readyz", operations.readyz, name="readyz"),
    path("metrics", operations.metrics_page, name="metrics"),
    path("admin/draws/analytics/", include("draws.admin.analytics")),
    path("admin/login/", views.admin_login, name="admin_login"),
    path("admin/", admin.site.urls),
    path("api/", include("config.api_urls")),
    path("accounts/profile/", profile, name="profile"),
    path("accounts/api-keys/", api_key_pages.api_keys, name="api-keys"),
    path("accounts/api-keys/<uuid:key_id>/revoke/", api_key_pages.revoke, name="api-key-revoke"),
    path("accounts/", include("allauth.urls")),
]

handler429 = "config.form_limits.too_many_requests"
handler500 = "config.views.server_error"
