"""Mailgun, asked over real HTTP: what is posted, what each person gets, and what every answer means."""

import datetime as dt
import socket

import pytest
from django.core.mail import send_mail

from notifications.channels.mailgun import MailgunChannel, caution
from notifications.channels.seam import ChannelDown, Happened, Letter, Outcome, Sought
from tests.fakes.mailgun import Trick

HEADERS = {
    "List-Unsubscribe": "<https://fair.example/unsubscribe/{}/>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
}


def letter(who: str = "zoe", *, number: int = 1, **more: object) -> Letter:
    usual = {
        "key": f"{number:032x}",
        "message_id": f"<{number:032x}@fair.example>",
        "address": f"{who}@elsewhere.example",
        "name": who.title(),
        "subject": f"To {who}, {number}",
        "text": f"Hello {who}: 100 %, ünï 🎈\n",
        "html": f"<p>Hello {who}</p>",
        "headers": {name: value.format(number) for name, value in HEADERS.items()},
    }
    return Letter(**{**usual, **more})


def letters(count: int) -> list[Letter]:
    return [letter(f"nr{n}", number=n + 1) for n in range(count)]


def give(*given: Letter):
    with MailgunChannel() as channel:
        return list(channel.hand_over(given))


def outcomes(answers) -> list[Outcome]:
    return [answer.outcome for answer in answers]


class TestBatch:
    def test_five_hundred_letters_are_one_request_and_each_person_gets_their_own(self, mailgun):
        answers = give(*letters(500))
        assert set(outcomes(answers)) == {Outcome.ACCEPTED}
        assert len(mailgun.posts) == 1
        assert len(mailgun.mails) == 500
        mail = mailgun.mails[7]
        assert mail.to == "Nr7 <nr7@elsewhere.example>"
        assert (mail.subject, mail.text) == ("To nr7, 8", "Hello nr7: 100 %, ünï 🎈\n")
        assert mail.html == "<p>Hello nr7</p>"
        assert mail.message_id == f"<{8:032x}@fair.example>"
        assert mail.variables == {"delivery": f"{8:032x}"}
        assert mail.headers["List-Unsubscribe"] == "<https://fair.example/unsubscribe/8/>"
        assert mail.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert mail.headers["Auto-Submitted"] == "auto-generated"
        assert answers[7].provider_id == mail.batch_id
        assert mailgun.posts[0]["o:tracking"] == ["no"]

    @pytest.mark.parametrize("again", ["zoe", "ZOE"])
    def test_two_letters_to_one_address_are_two_mails(self, mailgun, again):
        answers = give(letter(number=1), letter("yan", number=2), letter(again, number=3))
        assert outcomes(answers) == [Outcome.ACCEPTED] * 3
        assert [mail.variables["delivery"] for mail in mailgun.mails] == [f"{n:032x}" for n in (1, 2, 3)]

    def test_letters_with_other_heads_go_by_themselves(self, mailgun):
        give(letter(number=1), letter("yan", number=2, headers={}), letter("xia", number=3, headers={}))
        assert [set(mail.headers) - {"From"} for mail in mailgun.mails[1:]] == [
            {"Auto-Submitted", "Message-Id"}
        ] * 2
        assert len(mailgun.posts) == 2

    def test_big_letters_are_spread_over_requests(self, mailgun, monkeypatch):
        monkeypatch.setattr("notifications.channels.mailgun.BYTES_A_REQUEST", 1_000)
        give(*(letter(f"nr{n}", number=n, text="x" * 400) for n in range(5)))
        assert len(mailgun.posts) == 3

    def test_nobodys_words_are_a_command_to_mailgun(self, mailgun):
        words = "%recipient.key% and %unsubscribe_url% and %recipient%, 50 %"
        give(letter(subject=words, text=words, html=f"<p>{words}</p>", name="%recipient.key%"))
        mail = mailgun.mails[0]
        for text in (mail.subject, mail.text, mail.html):
            assert text.replace("\N{WORD JOINER}", "").strip("</p>") == words

    def test_an_address_that_is_none_is_not_asked_about(self, mailgun):
        bad = [
            "nobody",
            "a@b.example, c@d.example",
            "a@b.example\nBcc: c@d.example",
            "ünï@x.example",
            "a@b..example",
        ]
        given = [letter(number=n, address=address) for n, address in enumerate(bad[:4])]
        answers = give(letter("yan", number=9), *given)
        assert outcomes(answers) == [Outcome.ACCEPTED, *[Outcome.PERMANENT] * 4]
        assert mailgun.counts == {"yan@elsewhere.example": 1}

    def test_a_domain_with_letters_of_its_own_is_written_as_mailgun_takes_it(self, mailgun):
        give(letter(address="zoe@bücher.example"))
        assert mailgun.mails[0].recipient == "zoe@xn--bcher-kva.example"


class TestAnswers:
    def test_one_refused_address_fails_nobody_else(self, mailgun):
        mailgun.refused = {"nr13@elsewhere.example", "nr77@elsewhere.example"}
        answers = give(*letters(100))
        bad = [at for at, answer in enumerate(answers) if answer.outcome != Outcome.ACCEPTED]
        assert bad == [13, 77]
        assert answers[13].bad_address
        assert answers[13].code == "400"
        assert set(mailgun.counts.values()) == {1}
        assert len(mailgun.mails) == 98

    @pytest.mark.parametrize(
        "trick",
        [Trick.HANG_TAKEN, Trick.CUT_TAKEN, Trick.ERROR_TAKEN, Trick.HTML_TAKEN, Trick.CUT, Trick.ERROR],
    )
    def test_what_may_have_been_taken_is_lost_and_never_posted_again(self, mailgun, trick):
        mailgun.tricks = [trick]
        assert outcomes(give(*letters(3))) == [Outcome.LOST] * 3
        assert len(mailgun.posts) == 1

    def test_after_a_lost_answer_nothing_more_is_put_in_doubt(self, mailgun):
        mailgun.tricks = [Trick.CUT_TAKEN]
        with MailgunChannel() as channel:
            answers = channel.hand_over([letter(number=1), letter(number=2)])
            assert next(answers).outcome == Outcome.LOST
            with pytest.raises(ChannelDown):
                next(answers)
        assert caution.is_due is False  # the fixture has its own
        give(*letters(30))
        sizes = [len(post["to"][0].split(",")) for post in mailgun.posts]
        assert sizes == [1, 10, 20]

    @pytest.mark.parametrize("retry_after", ["90", "", "soon", "Mon, 01 Jan 99999999999 00:00:00 GMT"])
    def test_too_many_requests_fail_nobody_and_say_when_to_come_back(self, mailgun, retry_after):
        mailgun.tricks = [Trick.BUSY]
        mailgun.retry_after = retry_after
        with pytest.raises(ChannelDown) as down:
            give(*letters(3))
        assert down.value.code == "429"
        assert down.value.retry_after == dt.timedelta(seconds=90 if retry_after == "90" else 60)

    @pytest.mark.parametrize("name", ["MAILGUN_API_KEY", "MAILGUN_SENDER_DOMAIN"])
    def test_a_wrong_setting_fails_nobody(self, mailgun, settings, name):
        setattr(settings, name, "other.example")
        with pytest.raises(ChannelDown) as down:
            give(*letters(3))
        assert down.value.code in ("401", "404")

    def test_a_wrong_sender_fails_nobody(self, mailgun, settings):
        settings.DEFAULT_FROM_EMAIL = ""
        with pytest.raises(ChannelDown):
            give(*letters(3))
        assert len(mailgun.posts) == 1

    def test_nobody_there_is_no_doubt(self, mailgun, settings):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            settings.MAILGUN_API_URL = f"http://127.0.0.1:{closed.getsockname()[1]}/v3"
            with pytest.raises(ChannelDown):
                give(letter())

    def test_a_request_too_big_is_halved(self, mailgun):
        mailgun.tricks = [Trick.TOO_BIG]
        assert outcomes(give(*letters(4))) == [Outcome.ACCEPTED] * 4
        assert len(mailgun.posts) == 3


def find(*given: Letter, ago: float = 0):
    sent_at = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=ago)
    with MailgunChannel() as channel:
        return channel.find([Sought(one, sent_at) for one in given])


class TestFind:
    def test_what_it_has_is_found_and_what_it_lacks_is_not(self, mailgun):
        mailgun.tricks = [Trick.CUT_TAKEN]
        give(letter(number=1))
        found = find(letter(number=1), letter(number=2), letter("yan", number=3))
        assert {key: what.happened for key, what in found.items()} == {f"{1:032x}": Happened.ACCEPTED}
        assert found[f"{1:032x}"].provider_id == f"{1:032x}@fair.example"

    def test_the_last_word_of_several_counts(self, mailgun):
        give(*letters(3))
        delivered, bounced, put_off = mailgun.mails
        mailgun.tell(delivered, "delivered")
        mailgun.tell(delivered, "opened")
        mailgun.fail(bounced)
        mailgun.fail(put_off, severity="temporary", code=421)
        happened = [what.happened for what in find(*letters(3)).values()]
        assert happened == [Happened.DELIVERED, Happened.BOUNCED, Happened.DEFERRED]

    def test_a_policy_is_no_bounce(self, mailgun):
        give(letter())
        mailgun.fail(mailgun.mails[0], message="5.7.1 blocked by policy")
        [found] = find(letter()).values()
        assert (found.happened, found.code) == (Happened.FAILED, "550")

    def test_it_shows_late(self, mailgun):
        give(letter())
        mailgun.lag = 3_600
        assert find(letter()) == {}

    def test_pages_are_turned(self, mailgun):
        for number in range(7):
            give(letter(number=number))
        mailgun.page = 2
        assert len(find(*(letter(number=number) for number in range(7)))) == 7
        assert len(mailgun.asked) == 1

    @pytest.mark.parametrize("way", ["fails", "key"])
    def test_events_that_cant_be_read_are_no_absence(self, mailgun, settings, way):
        if way == "fails":
            mailgun.asks_fail = True
        else:
            settings.MAILGUN_API_KEY = "other"
        with pytest.raises(ChannelDown):
            find(letter())


def test_mails_of_the_sign_in_go_by_it_too(mailgun):
    send_mail("Confirm your address", "Follow this link.", None, ["zoe@elsewhere.example"])
    [mail] = mailgun.mails
    assert (mail.subject, mail.variables) == ("Confirm your address", {})
