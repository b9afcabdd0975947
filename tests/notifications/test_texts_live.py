"""SMS through the running site: a worker sends, Twilio calls back, and a person answers STOP."""

import pytest
from django.utils import timezone

from accounts.models import User
from notifications import kinds, variables
from notifications.models import Delivery, State, Suppression
from notifications.services import Recipient, notify
from tests.factories import alice
from tests.fakes.twilio import SID, TOKEN, FakeTwilio
from tests.live import LiveSite, wait_until

ASHA = "+254711000001"


@pytest.fixture
def twilio():
    with FakeTwilio() as server:
        yield server


@pytest.fixture
def texting_site(cloned_db, tmp_path, twilio):
    """The site with an account of Twilio's."""
    env = {
        "TWILIO_ACCOUNT_SID": SID,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_FROM": "+15550001111",
        "TWILIO_BASE_URL": twilio.url,
    }
    site = LiveSite({**cloned_db.env, **env}, tmp_path)
    try:
        site.start_web()
        yield site
    finally:
        site.stop()


def remind(member: User, key: str) -> None:
    kind = kinds.get("draws.draw_soon")
    now = timezone.now()
    notify(
        kind=kind.name,
        about="draws.draw:1",
        context=variables.sample(kind.variables),
        idem_key=key,
        not_before=now,
        recipients=[Recipient.of(member, params=variables.sample(kind.params))],
        now=now,
    )


def process(site: LiveSite) -> None:
    site.manage("process_notifications")


def test_a_reminder_arrives_and_after_stop_none_comes_until_start(texting_site, twilio, settings):
    site = texting_site
    settings.NOTIFICATION_CHANNELS = {"sms": "notifications.channels.twilio.SmsSender"}  # as the site's
    member = alice()
    User.objects.filter(pk=member.pk).update(verified_phone=ASHA)
    member.refresh_from_db()
    texts = Delivery.objects.filter(channel="sms").order_by("pk")
    remind(member, "first")
    wait_until(lambda: process(site) or texts.get().state == State.HANDED, "the SMS to be sent", 60)
    [message] = twilio.messages
    assert message["to"] == ASHA
    assert message["body"].endswith("Reply STOP to end such messages.")

    assert twilio.tell(site.url, message, "sent") == 200
    assert twilio.tell(site.url, message, "delivered", token="not Twilio's") == 403
    assert texts.get().state == State.HANDED
    assert twilio.tell(site.url, message, "delivered") == 200
    assert texts.get().state == State.DELIVERED

    inbound = f"{site.url}/webhooks/twilio/inbound/"
    assert twilio.text_in(site.url, inbound, ASHA, "Stop", sid="SM1") == 200
    remind(member, "second")
    process(site)
    assert (texts.last().state, texts.last().skip_reason) == (State.SUPPRESSED, "stop")
    assert twilio.text_in(site.url, inbound, ASHA, "START", sid="SM2") == 200
    assert twilio.text_in(site.url, inbound, ASHA, "Stop", sid="SM1") == 200  # told again
    remind(member, "third")
    wait_until(lambda: process(site) or texts.last().state == State.HANDED, "the SMS to be sent", 60)
    assert len(twilio.messages) == 2
    assert Suppression.objects.get().lifted_at is not None
