"""Push messages to the browsers of members, over real HTTP to a push service that opens what it is given."""

import datetime as dt
import json
import socket

import pytest
from django.utils import timezone

from accounts.models import User
from notifications import checks, kinds
from notifications.channels import push
from notifications.channels.push import BODY_LIMIT, PAYLOAD_BYTES, TITLE_LIMIT, PushSender, _wait, payload_of
from notifications.channels.seam import ChannelDown, Device, Letter, Outcome
from notifications.kinds import Category, Channel, Kind, KindError, Reach
from notifications.models import Delivery, Preference, PushDevice, State, Suppression
from notifications.services import process_notifications, send_due_deliveries
from notifications.services.composing import opening_of
from notifications.services.devices import MOST, DeviceError, add_device, devices_of, remove_device
from notifications.vapid import public_key_of
from tests.factories import alice, bob
from tests.fakes.push import FakeBrowser, FakePushService, Trick
from tests.notifications.outbox import NOW, everybody, kind_like, say

ROADS = {Channel.IN_APP: Reach.EVERYONE, Channel.PUSH: Reach.EVERYONE}
SECOND = dt.timedelta(seconds=1)


@pytest.fixture
def service(settings):
    settings.PUSH_INSIDE = True
    with FakePushService() as fake:
        yield fake
        assert fake.faults == []


@pytest.fixture
def told_kind(db):
    kind = kind_like("test.service", channels=ROADS)
    kinds._kinds["test.service"] = kind
    return kind


def switched_on(browser: FakeBrowser, member: User, **changes: object) -> PushDevice:
    keys = browser.subscription["keys"]
    usual = {"endpoint": browser.endpoint, "user_agent": "Firefox/140 (Android)", "now": NOW}
    return add_device(member=member, **{**usual, **keys, **changes})


def letter(*browsers: FakeBrowser, **fields: object) -> Letter:
    devices = [
        Device(number, browser.endpoint, *browser.subscription["keys"].values())
        for number, browser in enumerate(browsers, start=1)
    ]
    usual = {
        "key": "1" * 32, "address": "alice@example.com", "name": "", "subject": "You won", "text": "A bicycle.",
        "url": "/inbox/x/", "headers": {"Urgency": "high"}, "devices": devices,
    }  # fmt: skip
    return Letter(**{**usual, **fields})


def push_to(*browsers: FakeBrowser, **fields: object):
    with PushSender() as sender:
        [answer] = sender.hand_over([letter(*browsers, **fields)])
    return answer


def pushed() -> list[str]:
    return list(Delivery.objects.filter(channel="push").order_by("pk").values_list("state", flat=True))


class TestPosting:
    def test_the_browser_alone_can_open_it_and_the_service_knows_who_sent_it(self, service):
        phone = service.browser("phone")
        assert push_to(phone).outcome == Outcome.ACCEPTED
        [shown] = phone.shown
        assert shown.said == {"title": "You won", "body": "A bicycle.", "url": "/inbox/x/", "tag": "1" * 32}
        assert shown.headers["topic"] == "1" * 32
        assert shown.headers["urgency"] == "high"
        assert shown.headers["ttl"] == str(3 * 86_400)

    def test_it_waits_at_the_service_as_long_as_it_is_of_use(self, service):
        phone = service.browser("phone")
        now = timezone.now()
        push_to(phone, expires_at=now + dt.timedelta(hours=1))
        push_to(phone, expires_at=now - SECOND)
        push_to(phone, expires_at=now + dt.timedelta(days=400))
        hour, over, year = (int(shown.headers["ttl"]) for shown in phone.shown)
        assert 3_500 < hour <= 3_600
        assert (over, year) == (0, 28 * 86_400)

    @pytest.mark.parametrize(
        ("status", "outcome", "is_gone"),
        [
            (201, Outcome.ACCEPTED, False),
            (403, Outcome.PERMANENT, False),
            (404, Outcome.PERMANENT, True),
            (410, Outcome.PERMANENT, True),
            (413, Outcome.PERMANENT, False),
            (429, Outcome.TEMPORARY, False),
            (503, Outcome.TEMPORARY, False),
        ],
    )
    def test_what_the_service_says_is_understood(self, service, status, outcome, is_gone):
        phone = service.browser("phone")
        phone.status, phone.retry_after = status, "120" if status == 429 else ""
        answer = push_to(phone)
        assert (answer.outcome, answer.code, answer.gone) == (outcome, str(status), (1,) if is_gone else ())
        assert not answer.bad_address, "a browser that is gone says nothing about its owner"
        assert answer.retry_after == (dt.timedelta(seconds=120) if status == 429 else None)

    def test_one_device_that_took_it_is_enough(self, service):
        gone, busy, phone = (service.browser(name) for name in ("gone", "busy", "phone"))
        gone.status, busy.status = 410, 503
        answer = push_to(gone, busy, phone)
        assert (answer.outcome, answer.took, answer.gone) == (Outcome.ACCEPTED, (3,), (1,))
        assert push_to(gone, busy).outcome == Outcome.TEMPORARY
        assert push_to(gone).outcome == Outcome.PERMANENT
        assert push_to().outcome == Outcome.PERMANENT

    @pytest.mark.parametrize("trick", list(Trick))
    def test_one_that_never_ends_is_left_and_tried_again(self, service, monkeypatch, trick):
        monkeypatch.setattr(push, "TIMEOUT_S", 0.3)
        monkeypatch.setattr(push, "WHOLE_S", 0.5)
        phone = service.browser("phone")
        phone.trick = trick
        assert push_to(phone).outcome == Outcome.TEMPORARY

    def test_devices_that_never_answer_have_one_budget_and_leave_some_of_it(self, service, monkeypatch):
        ends = []
        real = push.outside.cut_at

        def noted(line, *, until, silence):
            ends.append(until)
            return real(line, until=until, silence=silence)

        monkeypatch.setattr(push.outside, "cut_at", noted)
        monkeypatch.setattr(push, "WHOLE_S", 3.0)
        slow, odd, phone = (service.browser(name) for name in ("slow", "odd", "phone"))
        slow.trick, odd.trick = Trick.STALL, Trick.DRIP
        assert push_to(slow, odd, phone).took == (3,)
        assert max(ends) - min(ends) < 3.0
        assert ends == sorted(ends)

    def test_nobody_listening_is_tried_again(self, settings):
        settings.PUSH_INSIDE = True
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            nowhere = FakeBrowser(f"http://127.0.0.1:{free.getsockname()[1]}/push/x")
        assert push_to(nowhere).outcome == Outcome.TEMPORARY

    def test_the_longest_text_of_the_longest_script_fits(self, service):
        phone = service.browser("phone")
        long = letter(phone, subject="🎟" * 5_000, text="\N{BENGALI LETTER KA}\x01" * 5_000)
        assert len(payload_of(long)) < PAYLOAD_BYTES
        assert push_to(phone, subject=long.subject, text=long.text).outcome == Outcome.ACCEPTED
        [shown] = phone.shown
        assert (len(shown.said["title"]), len(shown.said["body"])) == (TITLE_LIMIT, BODY_LIMIT)

    @pytest.mark.parametrize("number", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:10.0.0.1"])
    def test_nothing_inside_is_asked_whatever_the_name_leads_to(self, monkeypatch, service, settings, number):
        settings.PUSH_INSIDE = False
        family = socket.AF_INET6 if ":" in number else socket.AF_INET
        monkeypatch.setattr(
            "notifications.channels.outside.socket.getaddrinfo",
            lambda *args, **more: [(family, 1, 6, "", (number, 443))],
        )
        answer = push_to(FakeBrowser("https://rebound.example.org/push/x"))
        assert (answer.outcome, answer.code) == (Outcome.PERMANENT, "address")
        assert push_to(service.browser("phone")).code == "address", "nor without TLS"
        assert service.asked == 0

    def test_connections_are_kept_and_letters_go_side_by_side(self, service):
        browsers = [service.browser(str(number)) for number in range(24)]
        with PushSender() as sender:
            answers = list(sender.hand_over([letter(browser) for browser in browsers]))
            assert len(sender._lines) <= PushSender.batch
        assert {answer.outcome for answer in answers} == {Outcome.ACCEPTED}

    @pytest.mark.parametrize("name", ["VAPID_PRIVATE_KEY", "VAPID_SUBJECT"])
    def test_without_a_key_and_subject_that_can_be_used_nothing_is_tried(self, service, settings, name):
        setattr(settings, name, "nonsense")
        with pytest.raises(ChannelDown, match=name):
            push_to(service.browser("phone"))

    def test_how_long_to_wait_is_said_in_seconds_or_as_a_date(self):
        assert _wait("30") == dt.timedelta(seconds=30)
        assert _wait("999999") == dt.timedelta(hours=1)
        assert _wait("Fri, 01 Jan 2100 00:00:00 GMT") == dt.timedelta(hours=1)
        assert [_wait("soon"), _wait(""), _wait("Fri, 01 Jan 2010 00:00:00 GMT")] == [None, None, None]
        assert _wait("Mon, 01 Jan 99999999999 00:00:00 GMT") is None

    def test_one_that_breaks_us_is_tried_again_and_the_others_are_told(self, service, monkeypatch):
        odd, phone = service.browser("odd"), service.browser("phone")
        real = push._target

        def broken(parts):
            if parts.path.endswith("odd"):
                raise RecursionError("an answer nobody thought of")
            return real(parts)

        monkeypatch.setattr(push, "_target", broken)
        with PushSender() as sender:
            answers = list(sender.hand_over([letter(odd), letter(odd, phone)]))
        assert [answer.outcome for answer in answers] == [Outcome.TEMPORARY, Outcome.ACCEPTED]
        assert (answers[0].code, answers[0].text) == ("error", "RecursionError")


@pytest.mark.django_db
class TestOutbox:
    def test_both_devices_of_a_member_are_told_by_one_delivery(self, service, told_kind):
        phone, laptop = service.browser("phone"), service.browser("laptop")
        switched_on(phone, alice())
        switched_on(laptop, alice(), user_agent="Chrome/140 (X11; Linux)")
        bob()
        message = say()
        process_notifications(now=NOW + SECOND)
        process_notifications(now=NOW + SECOND)
        [delivery] = Delivery.objects.filter(message=message, channel="push")
        assert (delivery.member_id, delivery.state) == (alice().pk, State.HANDED)
        assert delivery.provider_text == "2 of 2 devices"
        assert [len(phone.shown), len(laptop.shown)] == [1, 1]
        said = phone.shown[0].said
        assert said["url"] == f"/inbox/{delivery.handle}/"
        assert "a bicycle" in said["title"] + said["body"]
        assert phone.shown[0].headers["urgency"] == "normal"
        assert all(device.last_ok_at for device in PushDevice.objects.all())

    def test_who_has_no_device_is_planned_none(self, told_kind):
        alice()
        say()
        process_notifications(now=NOW + SECOND)
        assert not Delivery.objects.filter(channel="push").exists()

    def test_a_device_that_is_gone_is_asked_no_more(self, service, told_kind):
        phone, old = service.browser("phone"), service.browser("old")
        old.status = 410
        switched_on(phone, alice())
        switched_on(old, alice())
        say(key="1")
        process_notifications(now=NOW + SECOND)
        say(key="2")
        process_notifications(now=NOW + 2 * SECOND)
        assert pushed() == [State.HANDED, State.HANDED]
        assert service.asked == 3
        assert [device.endpoint for device in devices_of(member_id=alice().pk)] == [phone.endpoint]

    def test_when_all_are_gone_it_ends_and_nobody_is_suppressed(self, service, told_kind):
        old = service.browser("old")
        old.status = 404
        switched_on(old, alice())
        say(key="1")
        process_notifications(now=NOW + SECOND)
        say(key="2")
        process_notifications(now=NOW + 2 * SECOND)
        assert pushed() == [State.FAILED], "and the second message is planned none"
        assert not Suppression.objects.exists()
        old.status = 201
        switched_on(old, alice())
        say(key="3")
        process_notifications(now=NOW + 3 * SECOND)
        assert pushed() == [State.FAILED, State.HANDED]

    def test_busy_it_is_tried_again_no_sooner_than_asked(self, service, told_kind):
        phone = service.browser("phone")
        phone.status, phone.retry_after = 429, "600"
        switched_on(phone, alice())
        say()
        process_notifications(now=NOW + SECOND)
        [delivery] = Delivery.objects.filter(channel="push")
        assert delivery.state == State.RETRY
        assert delivery.next_attempt_at >= NOW + dt.timedelta(seconds=600)
        phone.status = 201
        process_notifications(now=delivery.next_attempt_at + SECOND)
        assert pushed() == [State.HANDED]

    def test_a_worker_that_died_meanwhile_leaves_nothing_in_doubt(self, service, told_kind):
        phone = service.browser("phone")
        switched_on(phone, alice())
        say()
        process_notifications(now=NOW + SECOND)
        Delivery.objects.filter(channel="push").update(
            state=State.CLAIMED, lease_until=NOW, sending_at=NOW, handed_at=None
        )
        for minutes in range(1, 4):
            process_notifications(now=NOW + dt.timedelta(minutes=minutes))
        assert pushed() == [State.HANDED]
        first, second = phone.shown
        assert first.said["tag"] == second.said["tag"], "the second takes the place of the first"

    def test_who_switched_the_kind_off_there_is_not_told_there(self, service, told_kind):
        phone = service.browser("phone")
        switched_on(phone, alice())
        Preference.objects.create(
            person_key=f"member:{alice().pk}",
            kind="test.service",
            channel="push",
            is_on=False,
            changed_at=NOW,
        )
        say()
        process_notifications(now=NOW + SECOND)
        assert pushed() == [State.SUPPRESSED]
        assert phone.shown == []
        assert Delivery.objects.filter(channel="in_app", member=alice()).exists()

    def test_a_promotion_goes_only_to_who_asked(self, service, told_kind):
        kinds._kinds["test.service"] = kind_like(
            "test.service", category=Category.PROMOTIONAL, channels=ROADS
        )
        switched_on(service.browser("phone"), alice())
        switched_on(service.browser("other"), bob())
        User.objects.filter(pk=bob().pk).update(accepts_promotions=True)
        User.objects.filter(pk=alice().pk).update(accepts_promotions=False)
        say()
        process_notifications(now=NOW + SECOND)
        assert [len(browser.shown) for browser in service.browsers.values()] == [0, 1]
        assert service.browsers["other"].shown[0].headers["urgency"] == "low"

    def test_quiet_hours_hold_it(self, service, told_kind, settings):
        kinds._kinds["test.service"] = kind_like(
            "test.service", category=Category.PROMOTIONAL, channels=ROADS
        )
        settings.PROMOTION_QUIET_HOURS = "08:00-10:00"
        switched_on(service.browser("phone"), alice())
        User.objects.filter(pk=alice().pk).update(accepts_promotions=True, time_zone="UTC")
        say()
        process_notifications(now=NOW + SECOND)
        assert pushed() == [State.PLANNED]
        send_due_deliveries(now=NOW.replace(hour=10))
        assert pushed() == [State.HANDED]

    def test_switching_the_last_device_off_takes_back_what_waits(self, service, told_kind):
        phone = service.browser("phone")
        phone.status = 503
        device = switched_on(phone, alice())
        say()
        process_notifications(now=NOW + SECOND)
        assert pushed() == [State.RETRY]
        assert remove_device(member=alice(), public_id=device.public_id)
        assert pushed() == [State.CANCELLED]

    def test_links_for_the_reader_alone_are_in_none(self, service, db):
        kinds._kinds["test.linked"] = kind_like(
            "test.linked",
            channels=ROADS,
            links={"claim_url": lambda delivery: "https://fair.example/claim/secret/"},
        )
        phone = service.browser("phone")
        switched_on(phone, alice())
        say("test.linked")
        process_notifications(now=NOW + SECOND)
        [shown] = phone.shown
        assert "secret" not in json.dumps(shown.said)

    def test_the_number_of_questions_does_not_grow_with_the_people(
        self, service, told_kind, django_assert_max_num_queries
    ):
        for number in range(6):
            member = User.objects.create_user(email=f"m{number}@example.org", password=None)
            switched_on(service.browser(str(number)), member)
        say()
        with django_assert_max_num_queries(70):
            process_notifications(now=NOW + SECOND)
        assert pushed() == [State.HANDED] * 6


@pytest.mark.django_db
class TestDevices:
    def test_another_member_at_the_same_browser_takes_it_over(self, service):
        phone = service.browser("phone")
        first = switched_on(phone, alice())
        second = switched_on(phone, bob())
        assert devices_of(member_id=alice().pk) == []
        [device] = devices_of(member_id=bob().pk)
        assert device.public_id == second.public_id != first.public_id

    def test_an_address_that_the_browser_changed_stays_with_its_member(self, service):
        old, new = service.browser("old"), service.browser("new")
        switched_on(old, alice())
        with pytest.raises(DeviceError, match="by its button"):
            switched_on(new, bob(), replaces=old.endpoint)
        switched_on(new, alice(), replaces=old.endpoint)
        assert [device.endpoint for device in PushDevice.objects.all()] == [new.endpoint]

    def test_there_are_only_so_many_and_the_oldest_goes(self, service):
        for number in range(MOST + 2):
            switched_on(service.browser(str(number)), alice(), now=NOW + number * SECOND)
        kept = [device.endpoint.rpartition("/")[2] for device in devices_of(member_id=alice().pk)]
        assert kept == [str(number) for number in range(MOST + 1, 1, -1)]

    @pytest.mark.parametrize(
        "changes",
        [
            {"endpoint": ""}, {"endpoint": "http://inside.example/"}, {"endpoint": "https://x.example:8443/"},
            {"endpoint": "https://a:b@x.example/"}, {"endpoint": "https://x.example/" + "x" * 1_000},
            {"p256dh": ""}, {"p256dh": "AAAA"}, {"p256dh": "BA" + "A" * 85}, {"p256dh": "ключ"}, {"auth": "AAAA"}, {"auth": "?"},
        ],
    )  # fmt: skip
    def test_what_can_not_be_written_to_is_refused_at_once(self, changes):
        usual = {
            **FakeBrowser("https://push.example/x").subscription["keys"],
            "endpoint": "https://push.example/x",
        }
        with pytest.raises(DeviceError):
            add_device(member=alice(), user_agent="", now=NOW, **{**usual, **changes})
        assert add_device(member=alice(), user_agent="", now=NOW, **usual).name == "An unknown browser"

    def test_an_account_that_was_closed_gets_none(self, service):
        User.objects.filter(pk=alice().pk).update(is_active=False)
        with pytest.raises(DeviceError):
            switched_on(service.browser("phone"), alice())


class TestDeclaring:
    def test_people_without_an_account_have_no_device(self):
        with pytest.raises(KindError, match="no device"):
            Kind(
                name="test.own", title="x", category=Category.SERVICE, channels={Channel.PUSH: Reach.OUTSIDERS},
                recipients=everybody,
            )  # fmt: skip

    @pytest.mark.parametrize(
        ("text", "opening"),
        [
            ("You won.\nClaim it:\nhttps://x.example/\n\nMore.", "You won."),
            ("“May”, in which you hold a ticket, is drawn today. Your id in it:\n\nabc", "“May”, in which you hold a ticket, is drawn today."),
            ("https://x.example/\n\nSecond.", "Second."),
            ("", ""),
        ],
    )  # fmt: skip
    def test_the_opening_of_a_text_stands_by_itself(self, text, opening):
        assert opening_of(text) == opening

    @pytest.mark.parametrize(
        ("changes", "found"),
        [
            ({}, []),
            ({"VAPID_PRIVATE_KEY": ""}, []),
            ({"VAPID_PRIVATE_KEY": "short"}, ["notifications.E006"]),
            ({"VAPID_PRIVATE_KEY": "A" * 43}, ["notifications.E006"]),
            ({"VAPID_SUBJECT": "me"}, ["notifications.E007"]),
            ({"VAPID_SUBJECT": "https://fair.example"}, []),
        ],
    )
    def test_the_check_says_what_can_not_be_read(self, settings, changes, found):
        for name, value in changes.items():
            setattr(settings, name, value)
        assert [problem.id for problem in checks.check_push()] == found

    def test_the_public_half_is_the_one_of_the_standard(self):
        """RFC 8291 §5 gives both halves of an application server's key."""
        public = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"
        assert public_key_of("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw") == public
