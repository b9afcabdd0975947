"""Many people, two providers that misbehave, workers that are killed, a Redis that forgets: everybody hears it, and once."""

import contextlib
import datetime as dt
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from django.db.models import Count, Q
from django.utils import timezone

from accounts.models import User
from notifications.models import Delivery, State, Suppression
from tests.fakes.mailgun import FakeMailgun
from tests.fakes.mailgun import Trick as MailTrick
from tests.fakes.twilio import SID, TOKEN, FakeTwilio, Refusal
from tests.fakes.twilio import Trick as TextTrick
from tests.live import LiveSite
from tests.notifications.mailgun_site import settings_of
from tests.notifications.outbox import say

KIND = "test.everywhere"
RATE = 60.0
WHIMS = (MailTrick.HANG_TAKEN, MailTrick.CUT, MailTrick.ERROR_TAKEN, MailTrick.BUSY)
PERMANENT = (State.FAILED, State.BOUNCED)


class Worker:
    """A worker process, to be killed or to be waited for."""

    def __init__(
        self,
        env: dict[str, str],
        mailgun: FakeMailgun,
        twilio: FakeTwilio,
        *,
        batch: int,
        until: str = "nothing is left",
    ) -> None:
        module = "tests.notifications.providers_worker"
        command = [sys.executable, "-m", module, mailgun.url, twilio.url, str(RATE), str(batch), until]
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "working\n"

    def finish(self) -> None:
        assert self.process.wait(1_800) == 0


def let_leases_end() -> None:
    """As if five minutes had passed."""
    Delivery.objects.filter(state=State.CLAIMED).update(lease_until=timezone.now() - dt.timedelta(seconds=1))


def crowd(count: int) -> None:
    """So many members; every second one has a number shown to be theirs."""
    User.objects.bulk_create(
        User(
            email=f"p{n:05}@example.com",
            password="",
            phone=number_of(n) if n % 2 == 0 else "",
            verified_phone=number_of(n) if n % 2 == 0 else "",
        )
        for n in range(count)
    )


def number_of(n: int) -> str:
    return f"+2547{n:08}"


@pytest.fixture
def mailgun() -> Iterator[FakeMailgun]:
    with FakeMailgun() as server:
        yield server


@pytest.fixture
def twilio() -> Iterator[FakeTwilio]:
    with FakeTwilio() as server:
        yield server


@pytest.fixture
def channels(settings) -> None:
    """What this process plans for, as its workers do."""
    settings.NOTIFICATION_CHANNELS = {
        "email": "notifications.channels.mailgun.MailgunChannel",
        "sms": "notifications.channels.twilio.SmsSender",
    }


@pytest.fixture
def hearing_site(cloned_db, tmp_path, mailgun, twilio) -> Iterator[LiveSite]:
    """The running site, which both providers call back."""
    env = {name: value for name, value in settings_of(mailgun).items() if isinstance(value, str)}
    env |= {
        "TWILIO_ACCOUNT_SID": SID,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_FROM": "+15550001111",
        "TWILIO_BASE_URL": twilio.url,
    }
    env.pop("EMAIL_BACKEND")
    site = LiveSite({**cloned_db.env, **env}, tmp_path)
    try:
        site.start_web()
        yield site
    finally:
        site.stop()


def test_of_many_with_some_of_each_failure_each_ends_where_it_should(
    cloned_db, channels, hearing_site, mailgun, twilio, soak_rounds
):
    """Of a hundred people two each: refused, no address, bounced, reported, put off; texts: two each of what is for good. Of a
    hundred requests to Mailgun two each are lost, cut, failed, told to wait; of texts a few, because a limited channel rests
    for ten seconds after each."""
    people = soak_rounds(200, 10_000)
    crowd(people)
    chance = random.Random(5)
    of = lambda share: [n for n in range(people) if n % 50 == share]  # noqa: E731
    mail_of = lambda n: f"p{n:05}@example.com"  # noqa: E731
    mailgun.retry_after, twilio.retry_after = "1", 1
    mailgun.refused = {mail_of(n) for n in of(1)}
    for n in of(3):
        User.objects.filter(email=mail_of(n)).update(email=f"nobody {n}")
    requests = people // 50
    mailgun.tricks = [None] * requests
    whims = [trick for trick in WHIMS for _time in range(max(1, requests // 50))]
    for at, trick in zip(
        sorted(chance.sample(range(requests), min(len(whims), requests))), whims, strict=False
    ):
        mailgun.tricks[at] = trick
    for share, refusal in ((2, Refusal(21614)), (4, Refusal(21610)), (6, Refusal(30007))):
        twilio.always |= {number_of(n): refusal for n in of(share)}
    texts = people // 2
    twilio.tricks = [None] * texts
    for trick in (
        TextTrick.TAKE_AND_CUT,
        TextTrick.CUT,
        TextTrick.TAKE_AND_ERROR,
        TextTrick.ERROR,
        TextTrick.LIMITED,
    ):
        for at in chance.sample(range(texts), max(1, min(texts // 50, 12))):
            twilio.tricks[at] = trick

    message = say(KIND, now=timezone.now())
    site = f"http://127.0.0.1:{hearing_site.port}"
    env = {**cloned_db.env, "SITE_URL": site}  # callbacks are signed over it
    workers = [Worker(env, mailgun, twilio, batch=50) for _worker in range(2)]
    for worker in workers:
        worker.finish()

    message.refresh_from_db()
    assert message.recipient_count == people
    by_mail, by_text = (Delivery.objects.filter(message=message, channel=road) for road in ("email", "sms"))
    assert (by_mail.count(), by_text.count()) == (people, texts)
    # Each heard once by each channel, whatever happened on the way.
    heard = {mail_of(n) for n in range(people) if n % 50 not in (1, 3)}
    assert mailgun.counts == dict.fromkeys(heard, 1)
    reached = {number_of(n) for n in range(0, people, 2) if n % 50 not in (2, 4, 6)}
    assert Counter(text["to"] for text in twilio.messages) == dict.fromkeys(reached, 1)
    assert twilio.fullest_second() <= RATE
    # What is for good was asked once.
    assert set(by_mail.filter(state__in=PERMANENT).values_list("attempts", flat=True)) == {1}
    asked = Counter(form["To"] for form in twilio.asked)
    assert {asked[number_of(n)] for share in (2, 4, 6) for n in of(share)} == {1}
    assert not Delivery.objects.filter(state=State.UNKNOWN).exists()
    assert Delivery.objects.filter(lost_answers__gt=0, state=State.HANDED).exists()

    # What the providers tell afterwards, in any order, some of it twice.
    calls = []
    for mail in mailgun.mails:
        n = int(mail.recipient[1:6])
        match n % 50:
            case 13:
                calls.append(mailgun.fail(mail))
            case 15:
                calls += [mailgun.tell(mail, "delivered"), mailgun.tell(mail, "complained")]
            case 17:
                calls += [mailgun.fail(mail, severity="temporary"), mailgun.tell(mail, "delivered")]
            case _:
                calls.append(mailgun.tell(mail, "delivered"))
    calls += chance.sample(calls, len(calls) // 20)
    chance.shuffle(calls)
    assert {mailgun.call(site, told) for told in calls} == {200}
    for text in twilio.messages:
        is_undelivered = int(text["to"][5:]) % 50 == 8
        code = 30005 if is_undelivered else 0
        assert twilio.tell(site, text, "undelivered" if is_undelivered else "delivered", code=code) == 200

    of_mails = dict(by_mail.values_list("state").annotate(n=Count("pk")))
    of_texts = dict(by_text.values_list("state").annotate(n=Count("pk")))
    two = people // 50
    assert of_mails == {
        State.FAILED: two, State.BOUNCED: 2 * two, State.COMPLAINED: two, State.DELIVERED: people - 4 * two,
    }  # fmt: skip
    assert sum(of_mails.values()) == people
    assert sum(of_texts.values()) == texts
    assert of_texts[State.DELIVERED] == texts - 4 * two
    assert (
        not by_text.exclude(state=State.DELIVERED)
        .filter(~Q(state__in=(*PERMANENT, State.SUPPRESSED)))
        .exists()
    )
    assert Suppression.objects.filter(channel="email").count() == 3 * two
    # Nobody is told anew by the next message where it can't arrive.
    before = len(mailgun.mails)
    say(KIND, key="next", now=timezone.now())
    Worker(env, mailgun, twilio, batch=500).finish()
    dead = {mail_of(n) for share in (13, 15) for n in of(share)}
    assert not {mail.recipient for mail in mailgun.mails[before:]} & dead


def test_workers_killed_at_any_moment_and_a_redis_that_forgets_leave_nobody_out_and_tell_nobody_twice(
    cloned_db, channels, mailgun, twilio, own_redis, soak_rounds
):
    people = 40
    crowd(people)
    env = {**cloned_db.env, "REDIS_URL": own_redis.url}
    chance = random.Random(11)
    rounds = soak_rounds(3, 100)  # two workers are killed in each
    twilio.delay = 0.05  # so that most moments are moments of sending
    in_doubt = 0
    for number in range(rounds):
        with contextlib.ExitStack() as killed:
            workers = [
                Worker(env, mailgun, twilio, batch=chance.choice((2, 5, 500)), until="for ever")
                for _worker in range(2)
            ]
            for worker in workers:
                killed.callback(worker.process.kill)
            say(KIND, key=str(number), now=timezone.now())
            if number % 3 == 2:
                mailgun.tricks.append(chance.choice((MailTrick.CUT_TAKEN, MailTrick.HANG_TAKEN)))
                twilio.tricks.append(TextTrick.TAKE_AND_CUT)
            for worker in workers:
                time.sleep(chance.uniform(0, 0.6))
                worker.process.kill()
                worker.process.wait()
                if number % 4 == 1:
                    own_redis.flush()
        in_doubt += Delivery.objects.filter(state=State.CLAIMED, sending_at__isnull=False).count()
        let_leases_end()
    Worker(env, mailgun, twilio, batch=100).finish()

    states = dict(Delivery.objects.values_list("state").annotate(n=Count("pk")))
    assert states == {State.HANDED: rounds * (people + people // 2)}
    mails = Counter(mail.variables["delivery"] for mail in mailgun.mails)
    assert (len(mails), set(mails.values())) == (rounds * people, {1})
    assert Counter(text["to"] for text in twilio.messages) == {
        number_of(n): rounds for n in range(0, people, 2)
    }
    assert in_doubt or rounds < 10, "no kill met a letter on its way: this showed nothing"
    resolved = Delivery.objects.filter(lost_answers__gt=0).count()
    print(
        f"{2 * rounds} kills, {in_doubt} letters in doubt, {resolved} lost answers, all found at the provider or sent anew"
    )
