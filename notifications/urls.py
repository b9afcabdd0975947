"""Addresses of the inbox and of the developer's mailbox."""

from django.urls import path

from notifications import mailgun_hooks, phone_views, preference_views, push_views, twilio_hooks, views

app_name = "notifications"
urlpatterns = [
    path("inbox/", views.inbox, name="inbox"),
    path("inbox/read/", views.read_all, name="read_all"),
    path("inbox/live/", views.live_inbox, name="live_inbox"),
    path("inbox/<uuid:handle>/", views.letter, name="letter"),
    path("preferences/", preference_views.preferences, name="preferences"),
    path("preferences/revoke-links/", preference_views.revoke, name="revoke_links"),
    path("preferences/confirm/<str:token>/", preference_views.confirm, name="confirm_promotions"),
    path("preferences/<str:token>/", preference_views.preferences_by_link, name="preferences_by_link"),
    path("unsubscribe/<str:token>/", preference_views.unsubscribe, name="unsubscribe"),
    path("push-worker.js", push_views.worker, name="push_worker"),
    path("push/devices/", push_views.devices, name="push_devices"),
    path("push/devices/<uuid:public_id>/remove/", push_views.remove, name="remove_push_device"),
    path("accounts/phone/", phone_views.phone, name="phone"),
    path("webhooks/twilio/status/<str:key>/", twilio_hooks.twilio_status, name="twilio_status"),
    path("webhooks/twilio/inbound/", twilio_hooks.twilio_inbound, name="twilio_inbound"),
    path("webhooks/mailgun/", mailgun_hooks.mailgun_webhook, name="mailgun_webhook"),
    path("dev/mailbox/", views.mailbox_list, name="mailbox"),
    path("dev/mailbox/<str:key>/", views.mailbox_mail, name="mailbox_mail"),
    path("dev/mailbox/<str:key>/html/", views.mailbox_html, name="mailbox_html"),
]
