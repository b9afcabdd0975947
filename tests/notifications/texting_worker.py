"""A worker process that texts by the fake Twilio, within the limit it is given: until nothing is left to send."""

import sys
import time

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.utils import timezone  # noqa: E402

from notifications.models import WAITING, Delivery  # noqa: E402
from notifications.services import process_notifications  # noqa: E402
from tests.fakes.twilio import SID, TOKEN  # noqa: E402
from tests.notifications import outbox  # noqa: E402


def main(url: str, rate: float) -> None:
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = SID, TOKEN
    settings.TWILIO_FROM, settings.TWILIO_BASE_URL = "+15550001111", url
    settings.NOTIFICATION_CHANNELS = {"sms": "notifications.channels.twilio.SmsSender"}
    settings.NOTIFICATION_RATES = {"sms": rate}
    print("working", flush=True)
    with outbox.installed():
        while Delivery.objects.filter(state__in=WAITING).exists():
            if not process_notifications(now=timezone.now()).found_work:
                time.sleep(0.05)  # as a sweep comes by again


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
