"""A worker process of the outbox for the tests that kill it: says when it starts, and works until nothing is left."""

import sys

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.utils import timezone  # noqa: E402

from notifications.channels.email import EmailChannel  # noqa: E402
from notifications.services import expansion, process_notifications  # noqa: E402
from tests.notifications import outbox  # noqa: E402


def main(port: int, batch: int, chunk: int) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    EmailChannel.batch = batch
    expansion.expand_due_messages.__kwdefaults__["chunk"] = chunk
    print("working", flush=True)
    with outbox.installed():
        while process_notifications(now=timezone.now()).found_work:
            pass


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
