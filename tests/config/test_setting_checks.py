"""Each setting has a check that says what to do; one table."""

import re
from pathlib import Path

import pytest
from django.core import checks

from audit.client import networks
from config import setting_checks
from config.checks import check_api
from config.setting_checks import check_production, check_settings

PROJECT = Path(__file__).resolve().parent.parent.parent
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

ERRORS = [
    ({}, []),
    ({"SITE_URL": "fairground.example"}, ["config.E003"]),
    ({"SITE_URL": "https://fairground.example?x=1"}, ["config.E003"]),
    ({"REDIS_URL": "localhost:6379"}, ["config.E004"]),
    ({"REDIS_URL": "rediss://:x@redis.example/0"}, []),
    ({"WATCH_SECONDS": -1}, ["config.E005"]),
    ({"FORM_LIMIT_MEMBER": -1, "FORM_LIMIT_ADDRESS": -1, "FORM_LIMIT_STRANGER": -1}, ["config.E005"] * 3),
    ({"DATABASE_POOL_SIZE": -1}, ["config.E005"]),
    ({"UPLOAD_MAX_BYTES": 0}, ["config.E016"]),
    ({"BEAT_LATE_SECONDS": 5}, ["config.E006"]),
    ({"WORKER_LATE_SECONDS": 5}, ["config.E007"]),
    ({"ALERT_WEBHOOK": "hooks.example/x"}, ["config.E008"]),
    ({"ALERT_WEBHOOK_SECRET": "secret"}, ["config.E009"]),
    ({"ALERT_WEBHOOK_SECRET": "whsec_%%%"}, ["config.E009"]),
    ({"ALERT_WEBHOOK_SECRET": "whsec_AAAA"}, ["config.E009"]),
    ({"ALERT_WEBHOOK_SECRET": SECRET, "ALERT_WEBHOOK": "https://hooks.example/x"}, []),
    ({"ALERT_EMAILS": ["ops@fairground.org", "nobody"]}, ["config.E010"]),
    ({"DEFAULT_FROM_EMAIL": "Fairground"}, ["config.E011"]),
    ({"TWILIO_ACCOUNT_SID": "AC1"}, ["config.E017"]),
    ({"TWILIO_FROM": "+15550001111"}, ["config.E017"]),
    ({"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "x"}, ["config.E018"]),
    ({"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "x", "TWILIO_FROM": "Fairground"}, []),
    ({"TWILIO_ACCOUNT_SID": "SK1", "TWILIO_AUTH_TOKEN": "x", "TWILIO_FROM": "+1555"}, ["config.E019"]),
    (
        {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "x", "TWILIO_MESSAGING_SERVICE_SID": "+1555"},
        ["config.E020"],
    ),
    (
        {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "x", "TWILIO_WHATSAPP_FROM": "me"},
        ["config.E021"],
    ),
    (
        {
            "TWILIO_ACCOUNT_SID": "AC1",
            "TWILIO_AUTH_TOKEN": "x",
            "TWILIO_WHATSAPP_FROM": "whatsapp:+15550002222",
            "TWILIO_TIMEOUT_S": 0,
        },
        ["config.E022"],
    ),
    ({"NOTIFICATION_RATES": {"sms": -1}}, ["config.E023"]),
    ({"STATIC_ROOT": "static", "MEDIA_ROOT": "media"}, ["config.E014"] * 2),
]
IN_PRODUCTION = {
    "EMBEDDED": False,
    "SITE_URL": "https://fairground.org",
    "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
    "DEFAULT_FROM_EMAIL": "Fairground <hello@fairground.org>",
    "TRUSTED_PROXIES": networks(["10.0.0.0/8"]),
    "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
    "ALERT_WEBHOOK": "https://hooks.example/x",
    "WATCH_SECONDS": 30,
}
WARNINGS = [
    ({}, []),
    ({"SITE_URL": "http://fairground.org"}, ["config.W002"]),
    ({"LINK_KEY": "short"}, ["config.W003"]),
    ({"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}, ["config.W004"]),
    ({"TRUSTED_PROXIES": []}, ["config.W005"]),
    ({"TRUSTED_PROXIES": [], "SECURE_PROXY_SSL_HEADER": None}, []),
    ({"METRICS_TOKEN": "short"}, ["config.W006"]),
    ({"WATCH_SECONDS": 0}, ["config.W007"]),
    ({"ALERT_WEBHOOK": ""}, ["config.W008"]),
    ({"ALERT_WEBHOOK": "", "ALERT_EMAILS": ["ops@fairground.org"]}, []),
    ({"ALERT_WEBHOOK": "http://hooks.example/x"}, ["config.W009"]),
    ({"DEFAULT_FROM_EMAIL": "Fairground <hello@fairground.example>"}, ["config.W010"]),
    ({"EMBEDDED": True, "ALERT_WEBHOOK": "", "TRUSTED_PROXIES": [], "SITE_URL": "http://127.0.0.1:8000"}, []),
]


def found(check, settings, values) -> list[checks.CheckMessage]:
    for name, value in values.items():
        setattr(settings, name, value)
    return check()


def _spelt(name: str) -> str:
    """As in the environment."""
    return {"UPLOAD_MAX_BYTES": "UPLOAD_MAX_MB", "NOTIFICATION_RATES": "SMS_RATE"}.get(name, name)


@pytest.mark.parametrize(("values", "ids"), ERRORS)
def test_what_can_t_work_is_an_error(settings, values, ids):
    problems = found(check_settings, settings, values)
    assert [problem.id for problem in problems] == ids
    assert all(
        problem.msg.endswith(".") and any(_spelt(name) in problem.msg for name in values)
        for problem in problems
    )


@pytest.mark.parametrize(("values", "ids"), WARNINGS)
def test_what_production_should_have_is_a_warning(settings, values, ids):
    problems = found(check_production, settings, IN_PRODUCTION | values)
    assert [problem.id for problem in problems] == ids
    assert all(problem.msg.endswith(".") for problem in problems)


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        ("LOG_LEVEL", "LOUD", "config.E012"),
        ("LOG_FORMAT", "xml", "config.E013"),
        ("DATABASE_URL", "mysql://db/x", "config.E015"),
    ],
)
def test_what_only_the_environment_says_is_checked_there(monkeypatch, name, value, number):
    monkeypatch.setenv(name, value)
    assert [problem.id for problem in check_settings()] == [number]


def test_every_number_is_given_once_and_tested():
    text = Path(setting_checks.__file__).read_text()
    numbers = re.findall(r'yield\s*\(?\s*"([EW]\d{3})"', text)
    assert len(numbers) == len(set(numbers))
    tested = {number.removeprefix("config.") for _values, ids in ERRORS + WARNINGS for number in ids}
    assert set(numbers) - tested == {"E012", "E013", "E015"}, "tested by a test of their own"


def test_no_answer_shows_a_secret(settings):
    settings.ALERT_WEBHOOK_SECRET = settings.METRICS_TOKEN = settings.LINK_KEY = "hush"
    settings.CRON_SECRET = settings.TWILIO_AUTH_TOKEN = "hush"
    shown = [str(problem) for problem in (*check_settings(), *check_production(), *check_api())]
    assert shown
    assert not [text for text in shown if "hush" in text]
