"""Addresses under `/api/track/` that stand in mails."""

from django.urls import path

from notifications import track_views

urlpatterns = [
    path("notification/<uuid:handle>/open/", track_views.open_pixel, name="track-open"),
    path("notification/<uuid:handle>/click/", track_views.click, name="track-click"),
]
