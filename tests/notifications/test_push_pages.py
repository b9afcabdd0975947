"""The pages and addresses by which members switch their devices on, what is kept of them, and the service worker at work."""

import json
import re
import uuid

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import User
from accounts.privacy import person_of
from draws import kinds as draw_kinds
from notifications import kinds, privacy
from notifications.handles import handle_of
from notifications.kinds import Channel, Reach, get
from notifications.models import Delivery, Preference, PushDevice
from notifications.services import process_notifications
from notifications.services.devices import add_device
from notifications.vapid import public_key_of
from tests.factories import alice, bob
from tests.fakes.push import FakeBrowser
from tests.notifications.outbox import NOW, kind_like, say

PATH, PAGE = "/push/devices/", "/preferences/"
FIREFOX = "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0"


def subscription(name: str = "phone") -> dict:
    return FakeBrowser(f"https://push.example/{name}").subscription


def signed_in(member: User, **more) -> Client:
    client = Client(**more)
    client.force_login(member)
    return client


def told(client: Client, said: object, **more):
    return client.post(PATH, json.dumps(said), content_type="application/json", **more)


def device_of(member: User, name: str = "phone") -> PushDevice:
    said = subscription(name)
    return add_device(
        member=member, endpoint=said["endpoint"], **said["keys"], user_agent=FIREFOX, now=timezone.now()
    )


@pytest.mark.django_db
class TestAddresses:
    def test_a_browser_is_switched_on_and_off(self):
        client = signed_in(alice(), HTTP_USER_AGENT=FIREFOX)
        assert "js/push.js" in client.get(PAGE).content.decode()
        answer = told(client, subscription())
        device = PushDevice.objects.get()
        assert (answer.status_code, answer.json()) == (
            201,
            {"id": str(device.public_id), "name": "Firefox on Android"},
        )
        html = client.get(PAGE).content.decode()
        assert "Firefox on Android" in html
        assert device.fingerprint in html
        for secret in (device.endpoint, device.p256dh, device.auth):
            assert secret not in html
        path = f"{PATH}{device.public_id}/remove/"
        assert signed_in(bob()).post(path).status_code == 404
        assert client.post(path)["Location"] == PAGE
        assert not PushDevice.objects.exists()
        assert client.post(path).status_code == 404

    @pytest.mark.parametrize(
        "said",
        [
            {}, [], "x", None, 7, {"endpoint": 7}, {**subscription(), "keys": []}, {**subscription(), "keys": None},
            {**subscription(), "endpoint": "http://127.0.0.1/"}, {**subscription(), "endpoint": "https://x.example/\0"},
            {**subscription(), "padding": "x" * 9_000},
        ],
    )  # fmt: skip
    def test_what_is_no_subscription_is_refused_in_a_sentence(self, said):
        answer = told(signed_in(alice()), said)
        assert (answer.status_code, answer.json()["code"]) == (400, "device")
        assert answer.json()["detail"].endswith(".")
        assert not PushDevice.objects.exists()

    def test_it_takes_a_session_and_a_token_of_the_page(self, settings):
        assert told(Client(), subscription()).status_code == 401
        client = signed_in(alice(), enforce_csrf_checks=True)
        assert told(client, subscription()).status_code == 403
        asked = client.get(PATH)
        assert asked.json()["key"] == public_key_of(settings.VAPID_PRIVATE_KEY)
        assert "no-store" in asked["Cache-Control"]
        assert told(client, subscription(), HTTP_X_CSRFTOKEN=asked.json()["token"]).status_code == 201

    def test_a_new_address_is_taken_from_its_own_member_alone(self):
        device_of(alice(), "old")
        new = {**subscription("new"), "replaces": "https://push.example/old"}
        assert told(signed_in(bob()), new).status_code == 400
        assert told(signed_in(alice()), new).status_code == 201
        assert PushDevice.objects.get().endpoint == "https://push.example/new"

    def test_without_a_key_there_is_nothing_of_it(self, settings):
        settings.VAPID_PRIVATE_KEY = ""
        client = signed_in(alice())
        assert "data-push" not in client.get(PAGE).content.decode()
        assert told(client, subscription()).status_code == client.get(PATH).status_code == 404
        assert client.post(f"{PATH}{uuid.uuid4()}/remove/").status_code == 404

    def test_the_worker_stands_at_the_root_and_is_looked_for_anew(self):
        answer = Client().get("/push-worker.js")
        assert answer["Content-Type"].startswith("text/javascript")
        assert answer["Cache-Control"] == "no-cache"
        assert "'unsafe" not in answer["Content-Security-Policy"]
        words = answer.content.decode()
        assert 'addEventListener("push"' in words
        assert 'fetch", ' not in words, "pages are not kept"
        assert "caches" not in words


@pytest.mark.django_db
class TestPreferences:
    def test_the_column_is_there_for_who_has_a_device(self):
        client = signed_in(alice())
        assert "draws.draw_soon/push" not in client.get(PAGE).content.decode()
        device_of(alice())
        html = client.get(PAGE).content.decode()
        assert 'value="draws.draw_soon/push" checked' in html
        ticked = re.findall(r'name="on" value="([^"]+)" checked', html)
        client.post(PAGE, {"on": [value for value in ticked if value != "draws.draw_soon/push"]})
        [off] = Preference.objects.all()
        assert (off.person_key, off.kind, off.channel, off.is_on) == (
            f"member:{alice().pk}", "draws.draw_soon", "push", False,
        )  # fmt: skip

    def test_what_people_wait_for_goes_there_and_staff_are_not_told_so(self):
        for name in ("winner_announcement", "claim_reminder", "draw_soon", "non_winner", "draw_cancelled"):
            assert get(f"draws.{name}").channels[Channel.PUSH] == Reach.EVERYONE
        assert not any(kind.for_staff and Channel.PUSH in kind.channels for kind in draw_kinds.KINDS)


@pytest.mark.django_db
class TestOpening:
    @pytest.fixture
    def delivery(self):
        roads = {Channel.IN_APP: Reach.EVERYONE, Channel.PUSH: Reach.EVERYONE}
        kinds._kinds["test.service"] = kind_like("test.service", channels=roads)
        device_of(alice())
        bob()
        say()
        process_notifications(now=NOW)
        return Delivery.objects.get(channel="push")

    def test_it_leads_to_the_copy_in_the_inbox_which_is_read_then(self, delivery):
        html = signed_in(alice()).get(f"/inbox/{delivery.handle}/").content.decode()
        assert "a bicycle" in html
        assert Delivery.objects.get(channel="in_app", member=alice()).read_at is not None
        assert signed_in(bob()).get(f"/inbox/{delivery.handle}/").status_code == 404

    def test_without_a_copy_it_shows_what_was_said(self, delivery):
        Delivery.objects.filter(channel="in_app").delete()
        assert "a bicycle" in signed_in(alice()).get(f"/inbox/{delivery.handle}/").content.decode()
        assert signed_in(alice()).get(f"/inbox/{handle_of(2**40)}/").status_code == 404


@pytest.mark.django_db
class TestPrivacy:
    def test_a_copy_of_ones_data_names_devices_without_what_opens_them(self):
        device = device_of(alice())
        device_of(bob(), "other")
        said = privacy.export(person=person_of(alice()))
        [listed] = said["devices"]
        assert listed["name"] == "Firefox on Android"
        for secret in (device.endpoint, device.p256dh, device.auth):
            assert secret not in str(said)

    def test_an_erasure_forgets_them(self):
        device_of(alice())
        kept = device_of(bob(), "other")
        assert privacy.erase(person=person_of(alice()))["devices"] == 1
        assert list(PushDevice.objects.all()) == [kept]


# What a browser without a push service of its vendor lacks: a subscription. The rest is the site's own.
STUB = """
const said = %s;
const made = () => ({
  endpoint: said.endpoint, options: {}, toJSON: () => said,
  unsubscribe: async () => { sessionStorage.removeItem("on"); return true; },
});
PushManager.prototype.subscribe = async () => { sessionStorage.setItem("on", "yes"); return made(); };
PushManager.prototype.getSubscription = async () => (sessionStorage.getItem("on") ? made() : null);
"""

# What stands on the screen, once this title does.
SHOWN = """async (title) => {
  const worker = await navigator.serviceWorker.ready;
  for (let tries = 0; tries < 400; tries += 1) {
    const shown = await worker.getNotifications();
    if (shown.some((one) => one.title === title)) {
      return shown.map((one) => [one.title, one.body, one.tag, new URL(one.data.url).pathname]);
    }
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`nothing called ${title} is shown`);
}"""


class TestBrowser:
    @pytest.fixture
    def preferences(self, live_site, page, browser_context):
        """The page, open in a browser that says yes."""
        member = alice()
        browser_context.grant_permissions(["notifications"], origin=live_site.url)
        client = Client()
        client.force_login(member)
        browser_context.add_cookies(
            [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_site.url}]
        )
        page.add_init_script(STUB % json.dumps(subscription()))
        page.goto(PAGE)
        return page

    def test_from_the_button_to_a_message_that_is_shown_and_off_again(
        self, preferences, browser_context, page_errors
    ):
        page = preferences
        page.get_by_role("button", name="Switch this device on").click()
        expect(page.get_by_text("this one")).to_be_visible()
        expect(page.get_by_role("button", name="Switch this device on")).to_be_hidden()
        assert PushDevice.objects.get().member_id == alice().pk
        shown = pushed_to(
            page, browser_context, {"title": "You won", "body": "A mug.", "url": "/inbox/", "tag": "one"}
        )
        assert shown == [["You won", "A mug.", "one", "/inbox/"]]
        shown = pushed_to(
            page,
            browser_context,
            {"title": "You won!", "body": "A mug.", "url": "https://evil.example/", "tag": "one"},
        )
        assert shown == [["You won!", "A mug.", "one", "/inbox/"]], "in its place, and to no other site"
        shown = pushed_to(page, browser_context, "nonsense")
        assert ["Fairground", "", "fairground", "/inbox/"] in shown
        page.get_by_role("button", name=re.compile("Switch .* off")).click()
        expect(page.get_by_role("button", name="Switch this device on")).to_be_visible()
        assert not PushDevice.objects.exists()
        assert page_errors == []

    def test_a_click_opens_what_it_is_about_and_a_new_address_is_told(self, preferences, browser_context):
        page = preferences
        page.get_by_role("button", name="Switch this device on").click()
        expect(page.get_by_text("this one")).to_be_visible()
        [worker] = browser_context.service_workers
        opened = worker.evaluate(
            """(url) => new Promise((done) => {
                self.clients.openWindow = done;
                const event = new Event("notificationclick");
                Object.assign(event, { waitUntil() {}, notification: { close() {}, data: { url } } });
                self.dispatchEvent(event);
            })""",
            "/inbox/",
        )
        assert opened.endswith("/inbox/")
        worker.evaluate(
            """(fresh) => new Promise((done) => {
                const event = new Event("pushsubscriptionchange");
                Object.assign(event, {
                    waitUntil: done,
                    oldSubscription: { endpoint: "https://push.example/phone" },
                    newSubscription: { endpoint: fresh.endpoint, toJSON: () => fresh },
                });
                self.dispatchEvent(event);
            })""",
            subscription("new"),
        )
        assert PushDevice.objects.get().endpoint == "https://push.example/new"

    def test_who_said_no_reads_what_to_do(self, preferences, browser_context):
        browser_context.clear_permissions()
        preferences.add_init_script(
            "Object.defineProperty(Notification, 'permission', {get: () => 'denied'});"
            "Notification.requestPermission = async () => 'denied';"
        )
        preferences.reload()
        expect(preferences.get_by_role("alert")).to_contain_text("Allow them in its settings")
        preferences.get_by_role("button", name="Switch this device on").click()
        expect(preferences.get_by_role("alert")).to_contain_text("Allow them in its settings")

    def test_a_browser_that_can_not_shows_nothing_of_it(self, preferences):
        preferences.add_init_script("delete window.PushManager;")
        preferences.reload()
        expect(preferences.get_by_role("heading", name="Quiet hours")).to_be_visible()
        expect(preferences.get_by_role("heading", name="This device")).to_be_hidden()


def pushed_to(page, context, said: object) -> list[list[str]]:
    """What the browser shows after its push service brought this."""
    session = context.new_cdp_session(page)
    found: list[str] = []
    session.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: found.extend(
            one["registrationId"] for one in event["registrations"] if not one["isDeleted"]
        ),
    )
    session.send("ServiceWorker.enable")
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    origin = re.match(r"https?://[^/]+", page.url)[0]
    session.send(
        "ServiceWorker.deliverPushMessage",
        {
            "origin": origin,
            "registrationId": found[-1],
            "data": said if isinstance(said, str) else json.dumps(said),
        },
    )
    title = said["title"] if isinstance(said, dict) else "Fairground"
    shown = page.evaluate(SHOWN, title)
    session.detach()
    return shown
