"""The developer's mailbox."""

import os

import pytest
from django.core.mail import EmailMultiAlternatives, get_connection, send_mail
from django.utils import timezone

from notifications import mailbox
from notifications.services import send_due_deliveries
from tests.notifications.outbox import NOW, outsider, say

pytestmark = pytest.mark.django_db
MAILBOX = "/dev/mailbox/"


@pytest.fixture(autouse=True)
def _mailbox(settings, tmp_path):
    settings.MAILBOX_DIR = tmp_path / "mail" / "box"
    settings.EMAIL_BACKEND = "notifications.mailbox.MaildirBackend"
    settings.EMBEDDED = True


def write(subject: str = "Hello", to: str = "alice@example.com", html: str = "", **headers: str) -> None:
    mail = EmailMultiAlternatives(
        subject, "See http://127.0.0.1/verify/?k=1 & <b>this</b>", to=[to], headers=headers
    )
    if html:
        mail.attach_alternative(html, "text/html")
    assert mail.send() == 1


def keys(**query: str) -> list[str]:
    return list(mailbox.NewestMails(*query.values()))


class TestBackend:
    def test_an_empty_mailbox_has_no_mails(self, client):
        assert "No mail" in client.get(MAILBOX).content.decode()

    def test_it_keeps_what_is_sent(self):
        write("Grüße", to="Zoë Z <zoe@example.com>")
        mail = mailbox.read_mail(keys()[0])
        assert (mail.subject, mail.to) == ("Grüße", "Zoë Z <zoe@example.com>")
        assert "verify/?k=1" in mail.text
        assert mail.sent_at.tzinfo

    def test_one_mail_sent_twice_is_there_twice(self):
        for _ in range(2):
            write(**{"Message-ID": "<same@example.com>"})
        assert {mailbox.read_mail(key).message_id for key in keys()} == {"<same@example.com>"}
        assert len(keys()) == 2

    def test_the_newest_come_first(self):
        for number in range(12):
            write(f"nr {number}")
        assert [mailbox.read_mail(key).subject for key in keys()] == [f"nr {n}" for n in reversed(range(12))]

    def test_the_outbox_sends_into_it(self):
        say(recipients=[outsider()])
        assert send_due_deliveries(now=NOW).handed == 1
        mail = mailbox.read_mail(keys()[0])
        assert mail.subject == "About a bicycle"
        assert "<h1" in mail.html

    def test_it_takes_several_at_once(self):
        send_mail("a", "b", None, ["x@example.com", "y@example.com"])
        assert get_connection().send_messages([]) == 0
        assert len(keys()) == 1


class TestPages:
    def test_they_list_mails_and_find_a_recipient(self, client):
        write("for Alice"), write("for Bob", to="Bob <bob@example.com>")
        page = client.get(MAILBOX, {"to": "BOB@"}).content.decode()
        assert "for Bob" in page
        assert "for Alice" not in page

    def test_they_are_paged(self, client):
        for number in range(21):
            write(f"nr {number}")
        assert len(client.get(MAILBOX).context["mails"]) == 20
        assert [mail.subject for mail in client.get(MAILBOX, {"page": 2}).context["mails"]] == ["nr 0"]

    def test_links_of_the_text_can_be_clicked_and_markup_is_text(self, client):
        write()
        page = client.get(f"{MAILBOX}{keys()[0]}/").content.decode()
        assert '<a href="http://127.0.0.1/verify/?k=1" rel="nofollow">' in page
        assert "&lt;b&gt;this&lt;/b&gt;" in page
        assert "iframe" not in page

    def test_html_is_shown_in_a_frame_that_can_do_nothing(self, client):
        write(
            html="<html><head></head><body><script>alert(1)</script><a href='http://127.0.0.1/x/'>go</a></body></html>"
        )
        key = keys()[0]
        assert f'src="{MAILBOX}{key}/html/" sandbox=' in client.get(f"{MAILBOX}{key}/").content.decode()
        answer = client.get(f"{MAILBOX}{key}/html/")
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "sandbox allow-popups" in policy
        assert "allow-scripts" not in policy
        assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
        assert '<base target="_blank">' in answer.content.decode()

    @pytest.mark.parametrize("key", ["..", "1.M1P1Q1.x", "%2e%2e%2fsecret", "1.M1P1Q1...%2f..%2fx"])
    def test_a_name_that_is_no_mail_leads_nowhere(self, client, key):
        write()
        assert client.get(f"{MAILBOX}{key}/").status_code == 404

    def test_a_site_that_really_sends_has_no_such_pages(self, client, settings):
        write(html="<p>x</p>")
        settings.EMBEDDED = False
        settings.SECURE_SSL_REDIRECT = False
        for path in (MAILBOX, f"{MAILBOX}{keys()[0]}/", f"{MAILBOX}{keys()[0]}/html/"):
            assert client.get(path).status_code == 404

    def test_a_page_of_ten_thousand_mails_reads_only_its_own(self, client, monkeypatch):
        write()
        [key] = keys()
        folder = mailbox._files_folder()
        for number in range(10_000):
            os.link(folder / key, folder / f"{2_000_000_000 + number}.M{number}P1Q{number}.host")
        read = []
        real = mailbox.read_mail
        monkeypatch.setattr(
            mailbox, "read_mail", lambda key, **options: read.append(key) or real(key, **options)
        )
        page = client.get(MAILBOX)
        assert page.context["page"].paginator.count == 10_001
        assert len(read) == 20
        assert read[0] == "2000009999.M9999P1Q9999.host"


def test_a_mail_without_a_readable_date_is_shown_all_the_same():
    write(Date="yesterday")
    assert mailbox.read_mail(keys()[0]).sent_at is None


@pytest.mark.parametrize("date", ["Fri, 20 Nov 2026 12:00:00 +0300", "Fri, 20 Nov 2026 09:00:00 -0000"])
def test_a_date_is_read_in_its_zone(date):
    write(Date=date)
    with timezone.override("Africa/Nairobi"):
        assert mailbox.read_mail(keys()[0]).sent_at == NOW
