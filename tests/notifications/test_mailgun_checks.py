"""Half of Mailgun's settings is said to be half."""

import pytest

from notifications.mailgun_checks import check_mailgun, check_mailgun_in_production

WHOLE = {
    "MAILGUN_API_KEY": "key",
    "MAILGUN_SENDER_DOMAIN": "mg.fair.example",
    "MAILGUN_API_URL": "https://api.eu.mailgun.net/v3",
    "MAILGUN_WEBHOOK_SIGNING_KEY": "signing",
}


@pytest.mark.parametrize(
    ("changes", "errors", "warnings"),
    [
        ({}, [], []),
        ({"MAILGUN_API_KEY": "", "MAILGUN_SENDER_DOMAIN": ""}, [], []),
        ({"MAILGUN_API_KEY": ""}, ["notifications.E020"], []),
        ({"MAILGUN_SENDER_DOMAIN": ""}, ["notifications.E020"], []),
        ({"MAILGUN_API_URL": "api.mailgun.net"}, ["notifications.E021"], []),
        ({"MAILGUN_API_URL": "http://api.mailgun.net/v3"}, ["notifications.E021"], []),
        ({"MAILGUN_API_URL": "http://127.0.0.1:8025/v3"}, [], []),
        ({"MAILGUN_SENDER_DOMAIN": "https://mg.fair.example"}, ["notifications.E022"], []),
        ({"MAILGUN_SENDER_DOMAIN": "fair"}, ["notifications.E022"], []),
        ({"MAILGUN_WEBHOOK_SIGNING_KEY": ""}, [], ["notifications.W020"]),
    ],
)
def test_what_is_missing_is_said(settings, monkeypatch, changes, errors, warnings):
    monkeypatch.delenv("EMAIL_URL", raising=False)
    for name, value in {**WHOLE, **changes}.items():
        setattr(settings, name, value)
    assert [problem.id for problem in check_mailgun()] == errors
    assert [problem.id for problem in check_mailgun_in_production()] == warnings


def test_a_mail_server_beside_it_is_not_used(settings, monkeypatch):
    monkeypatch.setenv("EMAIL_URL", "smtp://mail.example")
    for name, value in WHOLE.items():
        setattr(settings, name, value)
    assert [problem.id for problem in check_mailgun_in_production()] == ["notifications.W021"]
