"""A site that sends by the fake Mailgun."""

from typing import Any

from tests.fakes.mailgun import FakeMailgun

CHANNEL = "notifications.channels.mailgun.MailgunChannel"


def settings_of(mailgun: FakeMailgun) -> dict[str, Any]:
    """What the site's settings are then."""
    return {
        "MAILGUN_API_KEY": mailgun.key,
        "MAILGUN_SENDER_DOMAIN": mailgun.domain,
        "MAILGUN_API_URL": mailgun.url,
        "MAILGUN_WEBHOOK_SIGNING_KEY": mailgun.signing_key,
        "NOTIFICATION_CHANNELS": {"email": CHANNEL},
        "EMAIL_BACKEND": "anymail.backends.mailgun.EmailBackend",
        "ANYMAIL": {
            "MAILGUN_API_KEY": mailgun.key,
            "MAILGUN_SENDER_DOMAIN": mailgun.domain,
            "MAILGUN_API_URL": mailgun.url,
        },
        "EMAIL_TIMEOUT": 1,
    }
