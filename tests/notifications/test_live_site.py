"""The inbox in a real browser, over the real server."""

import http.client
import json
import sys

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from playwright.sync_api import expect

from config.supervisor import WEB_OPTIONS
from notifications import kinds, variables
from notifications.kinds import Category, Channel, Reach
from notifications.live import make_token, number_at, publish
from notifications.mailbox import NewestMails, read_mail
from notifications.models import Delivery, State
from notifications.services import Recipient, notify
from tests.factories import alice
from tests.live import LiveSite, is_healthy, wait_until
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


SOCKET = """address => new Promise((resolve) => {
    const said = [];
    const socket = new WebSocket(address);
    socket.onmessage = ({ data }) => {
      said.push(JSON.parse(data));
      window.said = said;
    };
    socket.onopen = () => resolve("open");
    socket.onclose = ({ code }) => resolve(code);
    window.socket = socket;
})"""


def test_a_websocket_of_a_page_hears_it_too(page, live_site):
    page.goto("/draws/")
    address = f"{live_site.url.replace('http', 'ws')}/ws/live/?token="
    assert page.evaluate(SOCKET, f"{address}forged.token") == 1006
    assert page.evaluate(SOCKET, f"{live_site.url.replace('http', 'ws')}/elsewhere/") == 1006
    token = make_token(["draw:spring"], timezone.now())
    assert page.evaluate(SOCKET, address + token) == "open"
    page.wait_for_function("() => window.said?.length === 1")  # the first ping: it listens
    publish("draw:spring", "winner", {"rank": 1})
    page.wait_for_function("() => window.said.length === 2")
    assert page.evaluate("window.said[1]")["data"] == {"rank": 1}
    assert token not in live_site.web.log


def test_where_no_stream_gets_through_the_badge_follows_by_asking_and_then_by_a_stream_again(signed_in):
    """A proxy that keeps streams back; later it is mended."""
    signed_in.clock.install()
    signed_in.route("**/live/?token=*", lambda route: route.abort())
    with signed_in.expect_response(lambda answer: "/live/poll/?token=" in answer.url and answer.ok):
        signed_in.goto("/inbox/")
    badge = signed_in.locator(".site-nav [data-inbox-unread]")
    say(
        key="1", now=timezone.now(), recipients=[named(alice())], context={"prize": "x", "at": timezone.now()}
    )
    badge.wait_for(state="visible")
    with signed_in.expect_response(lambda answer: "/live/poll/" in answer.url and answer.status == 304):
        pass
    signed_in.unroute("**/live/?token=*")
    with signed_in.expect_response(lambda answer: "/live/?token=" in answer.url and answer.ok):
        signed_in.clock.fast_forward(90_000)
    polls = []
    signed_in.on("request", lambda request: "/live/poll/" in request.url and polls.append(request.url))
    say(
        key="2", now=timezone.now(), recipients=[named(alice())], context={"prize": "x", "at": timezone.now()}
    )
    expect(badge.locator("[data-inbox-count]")).to_have_text("2")
    polls.clear()
    signed_in.clock.fast_forward(30_000)
    assert polls == []


def test_the_hub_alone_serves_streams_and_no_pages(live_site):
    hub = LiveSite(live_site.env, live_site.folder)
    command = ["config.hub:application", "--host", "127.0.0.1", "--port", str(hub.port), *WEB_OPTIONS]
    process = hub._start("hub", [sys.executable, "-m", "uvicorn", *command])
    try:
        wait_until(lambda: is_healthy(hub.url), "the hub", 60, process)
        connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=20)
        connection.request("GET", f"/live/?token={make_token(['draw:spring'], timezone.now())}")
        stream = connection.getresponse()
        assert stream.status == 200
        assert stream.readline().startswith(b"retry: ")
        connection.close()
        connection.request("GET", "/draws/")
        assert connection.getresponse().status == 404
        connection.close()
    finally:
        hub.stop()


def test_the_hub_streams_beside_the_pages_and_stops_with_the_server(live_site):
    connection = http.client.HTTPConnection("127.0.0.1", live_site.port, timeout=20)
    connection.request("GET", f"/live/?token={make_token(['draw:spring'], timezone.now())}")
    stream = connection.getresponse()
    assert stream.status == 200
    first = [stream.readline() for _ in range(5)]
    assert first[0].startswith(b"retry: ")
    assert first[2] == b"event: ping\n"
    publish("draw:spring", "winner", {"rank": 1})
    fields = dict(stream.readline().decode().strip().split(": ", 1) for _ in range(3))
    assert (fields["event"], json.loads(fields["data"])) == ("winner", {"rank": 1})
    connection.close()

    poll = f"/live/poll/?token={make_token(['draw:spring'], timezone.now())}&last={number_at(timezone.now())}"
    connection.request("GET", poll)
    answer = connection.getresponse()
    assert json.loads(answer.read())["frames"][0]["data"] == {"rank": 1}

    # Django's pages and the stream share the port; nothing else is at this address.
    connection.request("GET", "/live/?token=forged.token")
    assert connection.getresponse().status == 401
    connection.close()
    web = live_site.web
    web.process.terminate()
    wait_until(lambda: not web.is_alive, "the server to stop", 20)
