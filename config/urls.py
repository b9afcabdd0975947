"""Addresses of the site: each app brings its own."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from accounts.views import profile
from config import (
    api_key_pages,
    component_page,
    privacy_pages,
    second_factor_pages,
    session_pages,
    setup_page,
    views,
)
from config.operations import views as operations

_FACTORS = "accounts/2fa/"

urlpatterns = [
    path("", views.home, name="home"),
    path("dashboard/", views.dashboard, name="dashboard"),
    path("", include("draws.urls")),
    path("", include("payments.urls")),
    path("", include("notifications.urls")),
    path("dev/components/", component_page.components, name="components"),
    path("healthz", operations.healthz, name="healthz"),
    path("readyz", operations.readyz, name="readyz"),
    path("metrics", operations.metrics_page, name="metrics"),
    path("admin/draws/analytics/", include("draws.admin.analytics")),
    path("admin/payments/figures/", include("payments.admin.figures")),
    path("admin/login/", views.admin_login, name="admin_login"),
    path("admin/", admin.site.urls),
    path("api/", include("config.api_urls")),
    path("accounts/profile/", profile, name="profile"),
    path("accounts/api-keys/", api_key_pages.api_keys, name="api-keys"),
    path("accounts/api-keys/<uuid:key_id>/revoke/", api_key_pages.revoke, name="api-key-revoke"),
    path("accounts/data/", privacy_pages.your_data, name="your-data"),
    path("accounts/data/download/", privacy_pages.download, name="your-data-download"),
    path("accounts/data/erase/", privacy_pages.erase, name="your-data-erase"),
    path("accounts/erasure/<str:token>/", privacy_pages.erasure, name="erasure"),
    path("accounts/sessions/", session_pages.sessions, name="sessions"),
    path("accounts/sessions/end-others/", session_pages.end_others, name="sessions-end-others"),
    path("accounts/sessions/<uuid:session_id>/end/", session_pages.end, name="session-end"),
    path("setup/", setup_page.setup, name="setup"),
    # In front of allauth's own, under their names.
    path(f"{_FACTORS}totp/activate/", second_factor_pages.ActivateApp.as_view(), name="mfa_activate_totp"),
    path(
        f"{_FACTORS}totp/deactivate/", second_factor_pages.DeactivateApp.as_view(), name="mfa_deactivate_totp"
    ),
    path(f"{_FACTORS}webauthn/", second_factor_pages.passkeys, name="mfa_list_webauthn"),
    path(f"{_FACTORS}webauthn/add/", second_factor_pages.AddPasskey.as_view(), name="mfa_add_webauthn"),
    path(
        f"{_FACTORS}webauthn/reauthenticate/",
        second_factor_pages.ConfirmByPasskey.as_view(),
        name="mfa_reauthenticate_webauthn",
    ),
    path(
        f"{_FACTORS}webauthn/keys/<int:pk>/edit/",
        second_factor_pages.RenamePasskey.as_view(),
        name="mfa_edit_webauthn",
    ),
    path(
        f"{_FACTORS}webauthn/keys/<int:pk>/remove/",
        second_factor_pages.RemovePasskey.as_view(),
        name="mfa_remove_webauthn",
    ),
    path(
        f"{_FACTORS}recovery-codes/generate/",
        second_factor_pages.MakeRecoveryCodes.as_view(),
        name="mfa_generate_recovery_codes",
    ),
    path("accounts/", include("allauth.urls")),
]

if settings.PAYSTACK_STANDIN:  # no key of Paystack's: it is asked here
    urlpatterns.append(path("standin/paystack/", include("payments.standin.urls")))

handler429 = "config.form_limits.too_many_requests"  # asked for by allauth, too
handler500 = "config.views.server_error"
