"""What tests of the outbox share."""

from collections.abc import Iterator

import pytest

from tests.fakes.smtp import FakeSMTP
from tests.notifications import outbox


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
