"""Addresses of the site: each app brings its own."""

from django.contrib import admin
from django.urls import include, path

from accounts.views import profile
from config import views

urlpatterns = [
    path("", views.home, name="home"),
    path("dashboard/", views.dashboard, name="dashboard"),
    path("", include("draws.urls")),
    path("", include("payments.urls")),
    path("", include("notifications.urls")),
    path("healthz", views.healthz, name="healthz"),
    path("admin/draws/analytics/", include("draws.admin.analytics")),
    path("admin/login/", views.admin_login, name="admin_login"),
    path("admin/", admin.site.urls),
    path("accounts/profile/", profile, name="profile"),
    path("accounts/", include("allauth.urls")),
]

handler500 = "config.views.server_error"
