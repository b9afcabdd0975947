"""A worker process of the outbox that sends by a fake Mailgun elsewhere: says when it starts, works until nothing is left."""

import sys

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.utils import timezone  # noqa: E402

from notifications.services import process_notifications  # noqa: E402
from tests.fakes.mailgun import FakeMailgun  # noqa: E402
from tests.notifications import outbox  # noqa: E402
from tests.notifications.mailgun_site import settings_of  # noqa: E402


class _Elsewhere(FakeMailgun):
    """One that runs in another process."""

    url = sys.argv[1]


def main() -> None:
    for name, value in settings_of(_Elsewhere()).items():
        setattr(settings, name, value)
    settings.EMAIL_TIMEOUT = 30
    print("working", flush=True)
    with outbox.installed():
        while process_notifications(now=timezone.now()).found_work:
            pass


if __name__ == "__main__":
    main()
