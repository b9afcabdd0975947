"""The inbox in a real browser, over the real server."""

import http.client
import json

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from notifications import kinds, variables
from notifications.kinds import Category, Channel, Reach
from notifications.live import make_token, publish
from notifications.mailbox import NewestMails, read_mail
from notifications.models import Delivery, State
from notifications.services import Recipient, notify
from tests.factories import alice
from tests.live import wait_until
from tests.notifications.outbox import named, say


@pytest.fixture
def signed_in(page, browser_context, live_site):
    """Alice's browser."""
    client = Client()
    client.force_login(alice())
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    browser_context.add_cookies(
        [{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_site.url}]
    )
    return page


def test_the_badge_follows_what_arrives_without_a_reload(signed_in, page_errors):
    with signed_in.expect_event("request", lambda request: "/live/?token=" in request.url):
        signed_in.goto("/inbox/")
    badge = signed_in.locator(".site-nav [data-inbox-unread]")
    assert badge.is_hidden()
    say(
        key="1", now=timezone.now(), recipients=[named(alice())], context={"prize": "x", "at": timezone.now()}
    )
    badge.wait_for(state="visible")
    assert badge.locator("[data-inbox-count]").inner_text() == "1"
    signed_in.reload()
    assert badge.locator("[data-inbox-count]").inner_text() == "1"
    signed_in.get_by_role("button", name="Mark all as read").click()
    badge.wait_for(state="hidden")
    assert Delivery.objects.get(channel="in_app").read_at
    assert page_errors == []


def test_a_real_worker_is_woken_by_a_commit_and_sends(live_site, settings):
    """With a kind of the site, because the worker knows those of the tests not."""
    kind = next(
        kind
        for kind in kinds.all_kinds()
        if not kind.name.startswith("test.")
        and kind.channels.get(Channel.EMAIL) == Reach.EVERYONE
        and kind.category != Category.PROMOTIONAL
    )
    live_site.start_worker(queues="bulk")
    now = timezone.now()
    recipient = Recipient.of(alice(), params=variables.sample(kind.params))
    notify(
        kind=kind.name,
        about="test.thing:1",
        context=variables.sample(kind.variables),
        idem_key="real",
        not_before=now,
        recipients=[recipient],
        now=now,
    )
    mail = Delivery.objects.filter(channel="email")
    wait_until(lambda: mail.filter(state=State.HANDED).exists(), "the mail to be sent", 30)
    settings.MAILBOX_DIR = live_site.data / "mailbox"
    [key] = NewestMails("alice@example.com")
    assert read_mail(key).message_id == mail.get().provider_id


def test_the_hub_streams_beside_the_pages_and_stops_with_the_server(live_site):
    connection = http.client.HTTPConnection("127.0.0.1", live_site.port, timeout=20)
    connection.request("GET", f"/live/?token={make_token(['draw:spring'], timezone.now())}")
    stream = connection.getresponse()
    assert stream.status == 200
    assert stream.readline().startswith(b"retry: ")
    stream.readline()
    publish("draw:spring", "winner", {"rank": 1})
    fields = dict(stream.readline().decode().strip().split(": ", 1) for _ in range(3))
    assert (fields["event"], json.loads(fields["data"])) == ("winner", {"rank": 1})
    connection.close()

    # Django's pages and the stream share the port; nothing else is at this address.
    connection.request("GET", "/live/?token=forged.token")
    assert connection.getresponse().status == 401
    connection.close()
    web = live_site.web
    web.process.terminate()
    wait_until(lambda: not web.is_alive, "the server to stop", 20)
