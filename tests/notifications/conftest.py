"""What tests of the outbox share."""

from collections.abc import Iterator

import pytest

from notifications.channels import mailgun as mailgun_channel
from tests.fakes.mailgun import FakeMailgun
from tests.fakes.smtp import FakeSMTP
from tests.fakes.twilio import SID, TOKEN, FakeTwilio
from tests.notifications import outbox
from tests.notifications.mailgun_site import settings_of


@pytest.fixture(autouse=True)
def _kinds() -> Iterator[None]:
    with outbox.installed():
        yield


@pytest.fixture
def smtp(settings) -> Iterator[FakeSMTP]:
    """The site sends through this server."""
    with FakeSMTP() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.EMAIL_TIMEOUT = 5
        yield server


@pytest.fixture
def twilio(settings) -> Iterator[FakeTwilio]:
    """The site sends SMS and WhatsApp by this server, as fast as it can."""
    with FakeTwilio() as server:
        settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = SID, TOKEN
        settings.TWILIO_FROM, settings.TWILIO_WHATSAPP_FROM = "+15550001111", "+15550002222"
        settings.TWILIO_BASE_URL, settings.TWILIO_TIMEOUT_S = server.url, 1.0
        settings.NOTIFICATION_CHANNELS = {
            "email": "notifications.channels.email.EmailChannel",
            "sms": "notifications.channels.twilio.SmsSender",
            "whatsapp": "notifications.channels.twilio.WhatsAppSender",
        }
        settings.NOTIFICATION_RATES = {}
        yield server


@pytest.fixture
def mailgun(settings, monkeypatch) -> Iterator[FakeMailgun]:
    """The site sends by this Mailgun."""
    monkeypatch.setattr(mailgun_channel, "caution", mailgun_channel._Caution())
    with FakeMailgun() as server:
        for name, value in settings_of(server).items():
            setattr(settings, name, value)
        yield server
