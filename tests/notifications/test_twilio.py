"""The channel to Twilio, over real HTTP."""

import datetime as dt

import pytest

from notifications.channels import twilio as channel
from notifications.channels.seam import ChannelDown, Happened, Letter, Outcome, Sought
from notifications.channels.twilio import SmsSender, WhatsAppSender
from tests.fakes.twilio import Refusal, Trick

ASHA = "+254711000001"


def letter(text: str = "You won.", key: str = "00" * 16, address: str = ASHA) -> Letter:
    return Letter(key=key, address=address, name="Asha", subject="", text=text)


def send(*letters: Letter, sender=SmsSender):
    with sender() as line:
        return list(line.hand_over(letters or [letter()]))


def find(item: Letter, sent_at: dt.datetime | None = None, sender=SmsSender):
    with sender() as line:
        return line.find([Sought(item, sent_at or dt.datetime.now(dt.UTC))])


class TestSending:
    def test_it_is_taken_with_its_parts_and_the_address_to_tell_us_at(self, twilio, settings):
        [answer] = send(letter("a" * 200))
        assert (answer.outcome, answer.code) == (Outcome.ACCEPTED, "queued")
        assert answer.provider_id == twilio.messages[0]["sid"]
        assert "2 × GSM-7" in answer.text
        assert twilio.asked == [
            {
                "To": ASHA,
                "From": "+15550001111",
                "Body": "a" * 200,
                "StatusCallback": f"{settings.SITE_URL}/webhooks/twilio/status/{'00' * 16}/",
            }
        ]

    def test_whatsapp_goes_from_and_to_its_own_addresses(self, twilio, settings):
        send(sender=WhatsAppSender)
        assert (twilio.asked[0]["To"], twilio.asked[0]["From"]) == (
            f"whatsapp:{ASHA}",
            "whatsapp:+15550002222",
        )

    def test_a_messaging_service_chooses_the_number(self, twilio, settings):
        settings.TWILIO_MESSAGING_SERVICE_SID = "MG1"
        send()
        assert twilio.asked[0]["MessagingServiceSid"] == "MG1"
        assert "From" not in twilio.asked[0]

    def test_at_twilio_itself_nobody_is_told_to_call_ones_own_computer(self, settings):
        settings.SITE_URL, settings.TWILIO_BASE_URL = "http://127.0.0.1:8000", channel.API
        assert channel._callback(letter()) == {}
        settings.SITE_URL = "https://fair.example"
        assert channel._callback(letter())["status_callback"].startswith("https://fair.example/webhooks/")

    @pytest.mark.parametrize("code", [21211, 21614, 30005, 30006])
    def test_a_number_that_takes_nothing_is_a_bad_address(self, twilio, code):
        twilio.tricks = [Refusal(code, "not a mobile number")]
        [answer] = send()
        assert (answer.outcome, answer.code) == (Outcome.PERMANENT, str(code))
        assert answer.bad_address
        assert "not a mobile number" in answer.text

    @pytest.mark.parametrize("code", [30003, 30004, 30007, 21408, 21612, 21617, 63016])
    def test_what_will_not_arrive_is_given_up_and_the_number_kept(self, twilio, code):
        twilio.tricks = [Refusal(code)]
        [answer] = send()
        assert (answer.outcome, answer.bad_address, answer.opted_out) == (Outcome.PERMANENT, False, False)

    def test_who_answered_stop_is_said(self, twilio):
        twilio.tricks = [Refusal(21610, "Attempt to send to unsubscribed recipient")]
        [answer] = send()
        assert (answer.outcome, answer.opted_out) == (Outcome.PERMANENT, True)

    def test_one_bad_number_stops_nobody_else(self, twilio):
        twilio.always["+254700000000"] = Refusal(21211)
        answers = send(letter(), letter(address="+254700000000"), letter("other"))
        assert [answer.outcome for answer in answers] == [
            Outcome.ACCEPTED,
            Outcome.PERMANENT,
            Outcome.ACCEPTED,
        ]

    def test_a_limit_of_twilios_holds_up_all_for_as_long_as_it_says(self, twilio):
        twilio.retry_after, twilio.tricks = 42, [Trick.LIMITED]
        with pytest.raises(ChannelDown) as down:
            send()
        assert (down.value.code, down.value.retry_after) == ("20429", dt.timedelta(seconds=42))

    @pytest.mark.parametrize(
        "trick",
        [
            Trick.DENIED,
            Trick.REDIRECT,
            Refusal(20003, status=403),
            Refusal(21606),
            Refusal(63007),
            Refusal(30002),
        ],
    )
    def test_what_is_wrong_on_our_side_gives_up_no_recipient(self, twilio, trick):
        twilio.tricks = [trick]
        with pytest.raises(ChannelDown):
            send()
        assert len(twilio.arrivals) == 1

    def test_a_wrong_token_lets_nobody_in(self, twilio, settings):
        settings.TWILIO_AUTH_TOKEN = "wrong"
        with pytest.raises(ChannelDown) as down:
            send()
        assert down.value.code == "20003"
        assert "wrong" not in down.value.text

    def test_where_nobody_listens_nothing_was_sent(self, twilio, settings):
        settings.TWILIO_BASE_URL = "http://127.0.0.1:9"
        with pytest.raises(ChannelDown) as down:
            send()
        assert down.value.code == "unreachable"

    @pytest.mark.parametrize(
        "trick",
        [
            Trick.TAKE_AND_HANG,
            Trick.HANG,
            Trick.TAKE_AND_CUT,
            Trick.CUT,
            Trick.ERROR,
            Trick.TAKE_AND_ERROR,
            Trick.HTML,
            Trick.TAKE_AND_HTML,
            Trick.BROKEN,
            Trick.LIST,
            Trick.DRIBBLE,
        ],
    )
    def test_whatever_may_have_been_taken_is_lost_and_not_sent_again(self, twilio, trick):
        twilio.tricks = [trick]
        [answer] = send()
        assert (answer.outcome, answer.line_broke) == (Outcome.LOST, True)
        assert len(twilio.arrivals) == 1

    def test_a_line_that_was_cut_serves_the_next_one_anew(self, twilio):
        twilio.tricks = [None, Trick.TAKE_AND_CUT, None]
        answers = send(letter("1"), letter("2"), letter("3"))
        assert [answer.outcome for answer in answers] == [Outcome.ACCEPTED, Outcome.LOST, Outcome.ACCEPTED]
        assert twilio.bodies == ["1", "2", "3"]


class TestFinding:
    def test_what_was_taken_is_found_by_number_and_text(self, twilio):
        twilio.tricks = [Trick.TAKE_AND_CUT]
        item = letter("Your prize")
        send(item)
        found = find(item)[item.key]
        assert (found.happened, found.provider_id) == (Happened.ACCEPTED, twilio.messages[0]["sid"])

    def test_by_whatsapp_too(self, twilio):
        item = letter()
        send(item, sender=WhatsAppSender)
        assert item.key in find(item, sender=WhatsAppSender)
        assert find(item) == {}

    @pytest.mark.parametrize(
        ("state", "code", "happened"),
        [
            ("sent", None, Happened.ACCEPTED),
            ("delivered", None, Happened.DELIVERED),
            ("read", None, Happened.DELIVERED),
            ("undelivered", 30003, Happened.FAILED),
            ("undelivered", 30005, Happened.BOUNCED),
            ("failed", None, Happened.FAILED),
        ],
    )
    def test_it_ends_as_twilio_says(self, twilio, state, code, happened):
        item = letter()
        send(item)
        twilio.messages[0].update(status=state, error_code=code)
        assert find(item)[item.key].happened == happened

    def test_another_text_number_or_time_is_not_it(self, twilio):
        item = letter("Your prize")
        send(letter("Another"), letter("Your prize", address="+254711000002"))
        send(item)
        assert find(item, dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)) == {}
        twilio.messages.pop()
        assert find(item) == {}

    def test_what_came_from_them_is_not_it(self, twilio):
        item = letter()
        send(item)
        twilio.messages[0]["direction"] = "inbound"
        assert find(item) == {}

    def test_a_sentence_of_a_trial_account_in_front_hides_nothing(self, twilio):
        item = letter("Your prize")
        send(item)
        twilio.messages[0]["body"] = "Sent from your Twilio trial account - Your prize"
        assert item.key in find(item)

    def test_it_looks_through_all_pages(self, twilio):
        twilio.page_size_limit = 10
        item = letter("the first")
        send(item, *(letter(f"later {n}") for n in range(34)))
        assert item.key in find(item)

    def test_two_of_the_same_text_are_two(self, twilio):
        twilio.tricks = [None, Trick.CUT]
        one, two = letter("same", "11" * 16), letter("same", "22" * 16)
        send(one, two)
        now = dt.datetime.now(dt.UTC)
        with SmsSender() as line:
            found = line.find([Sought(one, now), Sought(two, now)])
        assert list(found) == [one.key]

    @pytest.mark.parametrize(
        "trick", [Trick.ERROR, Trick.HTML, Trick.HANG, Trick.CUT, Trick.LIMITED, Trick.DENIED]
    )
    def test_what_can_not_be_asked_is_not_absent(self, twilio, trick):
        twilio.always["GET"] = trick
        with pytest.raises(ChannelDown):
            find(letter())
