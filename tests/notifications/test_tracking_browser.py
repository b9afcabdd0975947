"""A mail as Mailgun delivers it, opened in a real browser, over the real server."""

import datetime as dt
import html as markup
import re
import urllib.error
import urllib.request
from collections import Counter

import pytest
from django.utils import timezone

from notifications.models import Delivery, DeliveryEvent
from notifications.services import process_notifications
from tests.notifications.outbox import outsider, say
from tests.notifications.test_tracking import PERSON

pytestmark = pytest.mark.browser


@pytest.fixture
def mail(live_site, mailgun, settings):
    settings.SITE_URL = live_site.url
    now = timezone.now()
    say("test.mail", now=now, recipients=[outsider()])
    process_notifications(now=now)
    Delivery.objects.update(handed_at=now - dt.timedelta(minutes=3))
    return mailgun.mails[-1]


@pytest.fixture
def reader(browser, live_site):
    """A person's browser; a headless one says what it is."""
    context = browser.new_context(user_agent=PERSON)
    yield context.new_page()
    context.close()


def counted() -> Counter[tuple[str, bool]]:
    return Counter(DeliveryEvent.objects.values_list("what", "by_machine"))


def open_mail(reader, mailgun, mail):
    with reader.expect_response(lambda answer: answer.url.endswith("/open")) as answer:
        reader.goto(mailgun.page_of(mail))
    return answer.value


def test_opened_and_clicked_once_or_twice_counts_once(mail, mailgun, reader, live_site):
    for _time in range(2):
        pixel = open_mail(reader, mailgun, mail)
        assert (pixel.status, "set-cookie" in pixel.headers) == (200, False)
        link = reader.get_by_role("link", name="Fairground", exact=True)
        with reader.expect_response(lambda answer: "/click?" in answer.url) as led:
            link.click()
        assert (led.value.status, "set-cookie" in led.value.headers) == (302, False)
        reader.wait_for_url(f"{live_site.url}/")
    assert counted() == {("opened", False): 1, ("clicked", False): 1}


def test_the_link_that_nobody_sees_is_seen_by_nobody(mail, mailgun, reader):
    open_mail(reader, mailgun, mail)
    hidden = reader.locator("a[href*='trap=1']")
    assert hidden.count() == 1
    assert hidden.is_hidden()
    reader.keyboard.press("Tab")
    assert reader.locator("a[href*='trap=1']:focus").count() == 0


def test_a_scanner_that_fetches_every_link_is_a_machine(mail):
    for link in re.findall(r'href="(http[^"]+)"', mail.html):
        if "/click?" in link:
            assert fetch(markup.unescape(link)) == 302
    assert DeliveryEvent.objects.filter(what="clicked").count() >= 3
    assert DeliveryEvent.objects.by_people().count() == 0


def test_a_forged_target_leads_nowhere(mail):
    link = markup.unescape(re.search(r'href="([^"]+/click\?[^"]+)"', mail.html)[1])
    forged = re.sub(r"to=[^&]+", "to=https%3A%2F%2Fevil.example%2F", link)
    assert fetch(forged) == 404
    assert counted() == {}


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object, **more: object) -> None:
        return None


def fetch(url: str) -> int:
    request = urllib.request.Request(url, headers={"User-Agent": PERSON})
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
