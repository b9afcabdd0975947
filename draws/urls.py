"""Addresses of the draws."""

from django.urls import path

from draws import check_views, views

app_name = "draws"

urlpatterns = [
    path("draws/", views.draw_list, name="list"),
    path("draws/fairness/", views.fairness, name="fairness"),
    path("draws/<slug:slug>/", views.detail, name="detail"),
    path("draws/<slug:slug>/enter/", views.enter, name="enter"),
    path("draws/<slug:slug>/receipt/", views.receipt, name="receipt"),
    path("draws/<slug:slug>/results/", views.results, name="results"),
    path("draws/<slug:slug>/verify/", check_views.verify, name="verify"),
    path("draws/<slug:slug>/proof.json", views.proof_json, name="proof"),
    path("draws/<slug:slug>/manifest.json", views.manifest_json, name="manifest"),
    path("draws/<slug:slug>/entries.csv", views.entries_csv, name="entries"),
    path("verify_draw.py", views.verifier, name="verifier"),
    path("prizes/", views.prizes, name="prizes"),
    path("prizes/<uuid:award_id>/claim/", views.claim, name="claim"),
]
