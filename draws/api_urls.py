"""Addresses of the draws in the API. Words come before slugs: no draw may be called like one of them."""

from django.urls import path

from draws import api

urlpatterns = [
    path("", api.DrawList.as_view(), name="api-draws"),
    path("due/", api.DueDraws.as_view(), name="api-draws-due"),
    path("health/", api.Health.as_view(), name="api-draws-health"),
    path("entries/", api.MyEntries.as_view(), name="api-my-entries"),
    path("<uuid:draw_id>/status/", api.DrawStatus.as_view(), name="api-draw-status"),
    path("<uuid:draw_id>/execute/", api.ExecuteDraw.as_view(), name="api-draw-execute"),
    path("<slug:slug>/", api.DrawDetail.as_view(), name="api-draw"),
    path("<slug:slug>/winners/", api.DrawWinners.as_view(), name="api-draw-winners"),
    path("<slug:slug>/proof/", api.DrawProof.as_view(), name="api-draw-proof"),
    path("<slug:slug>/entries/", api.DrawEntries.as_view(), name="api-draw-entries"),
]
