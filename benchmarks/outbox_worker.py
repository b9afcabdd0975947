"""A worker of the outbox that sends by Mailgun's stub: `python -m benchmarks.outbox_worker FOLDER ADDRESS`.

A line on its input makes it work until nothing is due; then it prints how many it handed over, and its processor time.
"""

import sys
import time
from pathlib import Path


def main(folder: str, address: str) -> None:
    """Work until the input ends."""
    from benchmarks.bench_outbox import NOW, set_up

    set_up(Path(folder))
    from django.conf import settings

    from notifications.services import process_notifications

    settings.MAILGUN_API_KEY, settings.MAILGUN_SENDER_DOMAIN = "key", "mg.fair.example"
    settings.MAILGUN_API_URL = address
    settings.NOTIFICATION_CHANNELS = {"email": "notifications.channels.mailgun.MailgunChannel"}
    print("ready", flush=True)
    for _line in sys.stdin:
        began, handed = time.process_time(), 0
        while (done := process_notifications(now=NOW)).found_work:
            assert done.failed == 0, done
            handed += done.processed
        print(handed, time.process_time() - began, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
