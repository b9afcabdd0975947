"""A worker process that mails by a fake Mailgun and texts by a fake Twilio, until nothing is left to send or to ask about, or
for ever.

It waits only briefly before it asks what became of a letter: the fakes show at once what they have taken.
"""

import datetime as dt
import sys
import time

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.utils import timezone  # noqa: E402

from notifications.channels.mailgun import MailgunChannel  # noqa: E402
from notifications.channels.twilio import SmsSender  # noqa: E402
from notifications.models import WAITING, Delivery, Message, State  # noqa: E402
from notifications.services import process_notifications, results  # noqa: E402
from tests.fakes.mailgun import FakeMailgun  # noqa: E402
from tests.fakes.twilio import SID, TOKEN  # noqa: E402
from tests.notifications import outbox  # noqa: E402
from tests.notifications.mailgun_site import settings_of  # noqa: E402

OPEN = (*WAITING, State.CLAIMED, State.UNKNOWN)
SETTLES_AFTER = dt.timedelta(seconds=2)
"""Longer than a request that a killed worker left on its way may take to arrive."""


class _Elsewhere(FakeMailgun):
    """One that runs in another process."""

    url = sys.argv[1]


def main(twilio_url: str, rate: float, batch: int, is_to_be_killed: bool) -> None:
    for name, value in settings_of(_Elsewhere()).items():
        setattr(settings, name, value)
    settings.EMAIL_TIMEOUT = 2
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = SID, TOKEN
    settings.TWILIO_FROM, settings.TWILIO_BASE_URL = "+15550001111", twilio_url
    settings.TWILIO_TIMEOUT_S = 2.0
    settings.NOTIFICATION_CHANNELS["sms"] = "notifications.channels.twilio.SmsSender"
    settings.NOTIFICATION_RATES = {"sms": rate}
    MailgunChannel.settles_after = SmsSender.settles_after = SETTLES_AFTER
    MailgunChannel.batch = batch
    results.ASK_AFTER = dt.timedelta(seconds=0.2)
    print("working", flush=True)
    with outbox.installed():
        while (
            is_to_be_killed
            or Message.objects.filter(expanded_at=None).exists()
            or Delivery.objects.filter(state__in=OPEN).exists()
        ):
            if not process_notifications(now=timezone.now()).found_work:
                time.sleep(0.05)  # as a sweep comes by again


if __name__ == "__main__":
    main(sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), sys.argv[5] == "for ever")
