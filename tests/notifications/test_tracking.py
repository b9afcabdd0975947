"""Openings and clicks: what a mail holds, what is counted, for whom, and what is refused."""

import datetime as dt
import html as markup
import re

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from notifications.click_classes import is_machine
from notifications.models import Delivery, DeliveryEvent
from notifications.services import process_notifications
from notifications.words.parts import Parts
from tests.factories import admin, make_user
from tests.notifications.outbox import NOW, outsider, say
from tests.notifications.test_broadcasts import AT, draft, schedule

PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
APPLE, GMAIL = (
    "Mozilla/5.0",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
)
LATER = NOW + dt.timedelta(minutes=5)
pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(time_machine):
    time_machine.move_to(LATER, tick=False)
    return time_machine


def sent(mailgun, kind: str = "test.mail", **more):
    say(kind, recipients=[outsider(**more)])
    process_notifications(now=NOW)
    return mailgun.mails[-1]


def tracked(mail) -> list[str]:
    """Addresses of its links that people see, as a browser asks for them."""
    links = [markup.unescape(link) for link in re.findall(r'href="([^"]*/click[^"]*)"', mail.html)]
    return [_path(link) for link in links if "trap" not in link]


def trap(mail) -> str:
    [link] = re.findall(r'href="([^"]*trap=1)"', mail.html)
    return _path(markup.unescape(link))


def pixel(mail) -> str:
    return _path(re.search(r'<img src="([^"]*/open)"', mail.html)[1])


def _path(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def ask(client, path: str, agent: str = PERSON, **more):
    return client.get(path, headers={"User-Agent": agent, **more})


def kept() -> list[tuple[str, bool]]:
    return list(DeliveryEvent.objects.order_by("pk").values_list("what", "by_machine"))


class TestMail:
    def test_links_lead_over_the_site_and_those_of_consent_do_not(self, mailgun):
        mail = sent(mailgun)
        targets = re.findall(r'href="([^"]+)"', mail.html)
        assert any("/unsubscribe/" in target and "click" not in target for target in targets)
        assert any("/preferences/" in target and "click" not in target for target in targets)
        assert not any("unsubscribe" in link or "preferences" in link for link in tracked(mail))
        assert len(tracked(mail)) >= 2
        assert "click?" not in mail.text

    @pytest.mark.parametrize("kind", ["test.money", "test.evidence"])
    def test_mails_about_money_and_accounts_are_left_alone(self, mailgun, kind):
        assert "/api/track/" not in sent(mailgun, kind).html

    def test_a_mail_with_a_secret_link_keeps_its_links(self, mailgun):
        mail = sent(mailgun, "test.linked")
        assert 'href="https://fair.example/claim/zoe-token/"' in mail.html
        assert tracked(mail) == []
        assert "/open" in mail.html

    def test_the_site_may_do_without(self, mailgun, settings):
        settings.TRACK_MAILS = False
        assert "/api/track/" not in sent(mailgun).html


class TestNames:
    """Anybody names themselves, and a name is no link."""

    @pytest.mark.parametrize(
        "name",
        [
            "https://evil.example/login",
            "www.evil.example",
            "evil.com",
            "evil.com/login",
            "HTTP://evil.example",
            "a@evil.example",
            "(https://evil.example)",
            "https:/\u200b/evil.com",
        ],
    )
    @pytest.mark.parametrize(
        "words",
        [
            Parts(subject="Hello", text="Hello {{ name }}, this is news."),
            Parts(subject="Hello", text="Hello.", html="<p>Hello {{ name|urlize }}, this is news.</p>"),
        ],
    )
    def test_a_name_becomes_no_link(self, name, words):
        html = self.broadcast(words, name)
        assert "evil" in html
        assert not any(
            "evil" in target or "mailto" in target for target in re.findall(r'href="([^"]+)"', html)
        )

    def test_of_what_comes_out_of_a_value_nothing_is_led_over_the_site(self):
        text = (
            "https://good.example/a?b=1&c=ü\nhttps://good.example/{{ name }}\nhttps://good.example{{ name }}"
        )
        html = self.broadcast(Parts(subject="Hello", text=text), "-evil")
        targets = re.findall(r'href="([^"]+)"', html)
        assert "https://good.example-evil" in targets  # a link, and nobody's promise where it leads
        assert "https://good.example/-evil" in targets
        led = [
            markup.unescape(target) for target in targets if "good.example" in target and "click?" in target
        ]
        assert len(led) == 1
        answer = Client().get(_path(led[0]))
        assert (answer.status_code, answer["Location"]) == (302, "https://good.example/a?b=1&c=%C3%BC")
        assert Client().get(_path(led[0].replace("good", "evil"))).status_code == 404

    def test_links_that_staff_wrote_in_html_are_led_over_the_site(self):
        html = self.broadcast(
            Parts(
                subject="Hello",
                text="Hello",
                html="<a href='https://single.example'>a</a>"
                '<a href="https://good.example/?a=1&amp;b=2">b</a>{% if name %}<a href="https://if.example/">c</a>{% endif %}',
            ),
            "Asha",
        )
        led = re.findall(r'href="([^"]+click\?to=[^"]+)"', html)
        places = [Client().get(_path(markup.unescape(link)))["Location"] for link in led]
        assert "https://good.example/?a=1&b=2" in places
        assert "https://if.example/" in places

    @staticmethod
    def broadcast(words: Parts, name: str) -> str:
        """The HTML that somebody of this name gets."""
        make_user(display_name=name, email="somebody@example.com")
        schedule(draft(words=words, channels=["email"]))
        while process_notifications(now=AT).found_work:
            pass
        [letter] = [letter for letter in mail.outbox if "somebody@example.com" in letter.to[0]]
        return letter.alternatives[0][0]


class TestOpen:
    def test_it_is_a_picture_that_nobody_keeps(self, client, clock, mailgun):
        answer = ask(client, pixel(sent(mailgun)))
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/gif")
        assert answer.content.startswith(b"GIF89a")
        assert "no-store" in answer["Cache-Control"]
        assert not answer.cookies
        assert "Cookie" not in answer.get("Vary", "")

    def test_however_often_it_counts_once_for_people_and_once_for_machines(self, client, clock, mailgun):
        path = pixel(sent(mailgun))
        for agent in (APPLE, GMAIL, PERSON, APPLE, PERSON):
            ask(client, path, agent)
        client.head(path, headers={"User-Agent": PERSON})
        assert kept() == [("opened", True), ("opened", False)]

    def test_at_once_it_was_a_machine(self, client, time_machine, mailgun):
        mail = sent(mailgun)
        Delivery.objects.update(handed_at=NOW)
        time_machine.move_to(NOW + dt.timedelta(seconds=1), tick=False)
        ask(client, pixel(mail))
        assert kept() == [("opened", True)]

    @pytest.mark.parametrize("header", ["DNT", "Sec-GPC"])
    def test_who_does_not_want_to_be_tracked_is_not(self, client, clock, mailgun, header):
        mail = sent(mailgun)
        assert ask(client, pixel(mail), **{header: "1"}).status_code == 200
        assert ask(client, tracked(mail)[0], **{header: "1"}).status_code == 302
        assert kept() == []

    def test_a_handle_that_is_none_gets_the_same_picture(self, client, clock):
        answer = ask(client, "/api/track/notification/00000000-0000-4000-8000-000000000000/open")
        assert (answer.status_code, kept()) == (200, [])

    def test_of_somebody_erased_nothing_is_kept(self, client, clock, mailgun):
        mail = sent(mailgun)
        Delivery.objects.update(address="")
        ask(client, pixel(mail))
        ask(client, tracked(mail)[0])
        assert kept() == []

    def test_it_asks_the_database_little(self, client, clock, mailgun, django_assert_max_num_queries):
        path = pixel(sent(mailgun))
        with django_assert_max_num_queries(5):  # delivery, insert, and the savepoints of the test
            ask(client, path)


class TestClick:
    def test_it_leads_on_and_counts_once_a_target(self, client, clock, mailgun):
        mail = sent(mailgun)
        first, second = tracked(mail)[:2]
        answer = ask(client, first)
        assert (answer.status_code, answer["Location"]) == (302, "http://127.0.0.1:8000/")
        clock.shift(60)
        ask(client, second)
        clock.shift(60)
        ask(client, first)
        assert kept() == [("clicked", False)] * 2
        assert DeliveryEvent.objects.by_people().count() == 2

    @pytest.mark.parametrize(
        "change",
        [
            lambda path: path.replace("to=http", "to=https%3A%2F%2Fevil.example%2F%3Fhttp"),
            lambda path: path[:-1] + ("0" if path[-1] != "0" else "1"),
            lambda path: path.split("&sig")[0],
            lambda path: path.split("?")[0],
            lambda path: (
                path.replace("notification/", "notification/00000000-0000-4000-8000-", 1)[:60] + "/click"
            ),
        ],
    )
    def test_a_forged_target_is_refused(self, client, clock, mailgun, change):
        answer = ask(client, change(tracked(sent(mailgun))[0]))
        assert answer.status_code == 404
        assert "Location" not in answer
        assert kept() == []

    def test_a_target_of_another_mail_is_refused(self, client, clock, mailgun):
        first = sent(mailgun)
        say("test.mail", key="2", recipients=[outsider("yan")])
        process_notifications(now=NOW)
        theirs = pixel(mailgun.mails[-1]).removesuffix("/open")
        query = tracked(first)[0].partition("?")[2]
        assert ask(client, f"{theirs}/click?{query}").status_code == 404

    def test_a_scanner_that_follows_every_link_is_a_machine_from_its_first(self, client, clock, mailgun):
        mail = sent(mailgun)
        for path in tracked(mail):
            ask(client, path)
            clock.shift(0.3)
        assert kept()[0] == ("clicked", False)
        assert all(by_machine for _what, by_machine in kept()[1:])
        assert DeliveryEvent.objects.by_people().count() == 0

    def test_a_person_who_comes_after_the_scanner_counts(self, client, clock, mailgun):
        mail = sent(mailgun)
        for path in tracked(mail):
            ask(client, path)
        clock.shift(600)
        for _time in range(2):
            ask(client, tracked(mail)[0])
        assert DeliveryEvent.objects.by_people().count() == 1

    def test_the_link_that_nobody_sees_tells(self, client, clock, mailgun):
        mail = sent(mailgun)
        ask(client, tracked(mail)[0])
        clock.shift(4)
        assert ask(client, trap(mail)).status_code == 302
        assert kept() == [("clicked", False), ("clicked", True)]
        assert DeliveryEvent.objects.by_people().count() == 0

    def test_a_look_at_the_link_somebody_follows_takes_nothing_from_them(self, client, clock, mailgun):
        path = tracked(sent(mailgun))[0]
        ask(client, path, "Mozilla/5.0 (compatible; Mimecast)")
        ask(client, path)
        assert DeliveryEvent.objects.by_people().count() == 1


@pytest.mark.parametrize(
    ("agent", "machine"),
    [
        (PERSON, False),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148", False),
        ("Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Microsoft Outlook 16.0; ms-office)", False),
        ("Thunderbird/128.0", False),
        (APPLE, True),
        (GMAIL, True),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", True),
        ("Mozilla/5.0 (compatible; Proofpoint URL Defense)", True),
        ("Mimecast/1.0", True),
        ("BarracudaCentral", True),
        ("curl/8.5.0", True),
        ("python-requests/2.32", True),
        ("Mozilla/5.0 HeadlessChrome/120.0", True),
        ("Googlebot/2.1", True),
        ("", True),
    ],
)
def test_machines_are_known_by_what_they_say(agent, machine):
    assert is_machine(user_agent=agent) is machine


def test_staff_see_it(client, clock, mailgun):
    mail = sent(mailgun)
    ask(client, pixel(mail))
    ask(client, pixel(mail), APPLE)
    clock.shift(60)
    ask(client, tracked(mail)[0])
    client.force_login(admin())
    delivery = Delivery.objects.get()
    page = client.get(reverse("admin:notifications_delivery_change", args=[delivery.pk])).content.decode()
    assert "opened (site)" in page
    assert "opened by a machine (site)" in page
    assert "clicked http://127.0.0.1:8000/ (site)" in page
    page = client.get(
        reverse("admin:notifications_message_change", args=[delivery.message_id])
    ).content.decode()
    assert "opened · people: 1, machines alone: 0" in page
