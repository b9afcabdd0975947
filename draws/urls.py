"""Addresses of the draws."""

from django.urls import path

from draws import check_views, prize_views, views

app_name = "draws"

urlpatterns = [
    path("draws/", views.draw_list, name="list"),
    path("draws/fairness/", views.fairness, name="fairness"),
    path("draws/<slug:slug>/", views.detail, name="detail"),
    path("draws/<slug:slug>/enter/", views.enter, name="enter"),
    path("draws/<slug:slug>/leave/", views.leave, name="leave"),
    path("draws/<slug:slug>/receipt/", views.receipt, name="receipt"),
    path("draws/<slug:slug>/live/", views.live, name="live"),
    path("draws/<slug:slug>/results/", views.results, name="results"),
    path("draws/<slug:slug>/verify/", check_views.verify, name="verify"),
    path("draws/<slug:slug>/proof.json", views.proof_json, name="proof"),
    path("draws/<slug:slug>/manifest.json", views.manifest_json, name="manifest"),
    path("draws/<slug:slug>/entries.csv", views.entries_csv, name="entries"),
    path(
        "draws/<slug:slug>/prizes/<slug:code>-<slug:version>.webp",
        views.prize_image,
        name="prize_image",
    ),
    path("verify_draw.py", views.verifier, name="verifier"),
    path("prizes/", prize_views.prizes, name="prizes"),
    path("prizes/<uuid:award_id>/", prize_views.prize, name="prize"),
    path("prizes/<uuid:award_id>/decline/", prize_views.decline, name="decline_prize"),
    path("prizes/claim/<str:token>/", prize_views.linked_prize, name="linked_prize"),
    path("prizes/claim/<str:token>/decline/", prize_views.decline_linked, name="decline_linked_prize"),
]
