"""The pages on which people say what they may be told."""

import datetime as dt
import re

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from accounts.models import User
from accounts.privacy import person_at
from notifications import kinds, privacy
from notifications.consent_kinds import CONFIRM
from notifications.kinds import Category, Channel, Reach
from notifications.links import make_token
from notifications.mail_links import links_of
from notifications.models import ConsentEvent, Correspondent, Delivery, Preference, Stop
from notifications.recipients import Recipient
from notifications.services.consent import wishes_of
from notifications.services.preferences import (
    ASKS_A_DAY,
    ConfirmationError,
    GoneError,
    confirm_promotions,
    save_preferences,
    stop_by_link,
)
from notifications.services.sending import send_due_deliveries
from tests.factories import alice, bob
from tests.notifications.outbox import NOW, kind_like, named, outsider, say

pytestmark = pytest.mark.django_db
PAGE = "/preferences/"
ZOES = "email:zoe@elsewhere.example"


def ticked(html: str) -> list[str]:
    """Cells that are on."""
    return re.findall(r'name="on" value="([^"]+)"[^>]*? checked', html)


def everything(html: str) -> list[str]:
    """All cells."""
    return re.findall(r'name="on" value="([^"]+)"', html)


def off(html: str) -> list[str]:
    """Cells that were off when the page was shown, as the page gives them back."""
    return re.findall(r'name="was_off" value="([^"]+)"', html)


@pytest.fixture
def member(client) -> Client:
    client.force_login(alice())
    return client


@pytest.fixture
def path_of_zoe() -> str:
    """The link at the foot of a mail to somebody without an account."""
    message = say(recipients=[outsider(name="Zoe")])
    delivery = Delivery.objects.select_related("message").get(message=message)
    return links_of(delivery, kinds.get("test.service")).preferences_url.removeprefix("http://127.0.0.1:8000")


class TestMember:
    def test_everything_is_as_its_category_says_until_switched(self, member):
        html = member.get(PAGE).content.decode()
        assert ticked(html) == everything(html)
        assert "test.service/email" in ticked(html)
        assert "test.service/in_app" in ticked(html)
        assert not any(cell.startswith("test.money") for cell in everything(html))
        assert "test.money" in html, "what can't be switched off says so"
        assert "test.outsiders/email" not in everything(html), "no mail of these goes to members"
        assert "for admins" not in html

    def test_it_keeps_only_what_differs_and_tells_the_history(self, member):
        cells = everything(member.get(PAGE).content.decode())
        wanted = [cell for cell in cells if cell != "test.service/email"]
        data = {"on": wanted, "quiet_from": "22:00", "quiet_to": "06:30"}
        answer = member.post(PAGE, data, follow=True)
        assert "Saved." in answer.content.decode()
        assert ticked(answer.content.decode()) == wanted
        [row] = Preference.objects.all()
        assert (row.person_key, row.kind, row.channel, row.is_on) == (
            f"member:{alice().pk}", "test.service", "email", False,
        )  # fmt: skip
        person = Correspondent.objects.get()
        assert (person.quiet_from, person.quiet_to) == (dt.time(22), dt.time(6, 30))
        lines = ConsentEvent.objects.order_by("pk").values_list("what", "kind", "channel", "source")
        assert list(lines) == [
            ("switched off", "test.service", "email", "preferences"),
            ("quiet hours", "", "", "preferences"),
        ]
        member.post(PAGE, data)
        assert ConsentEvent.objects.count() == 2, "saving the same says nothing new"
        member.post(PAGE, {"on": cells, "was_off": off(member.get(PAGE).content.decode())})
        assert not Preference.objects.exists()
        assert Correspondent.objects.get().quiet_from is None

    @pytest.mark.parametrize(
        ("hours", "wrong"),
        [
            ({"quiet_from": "22:00", "quiet_to": ""}, "id_quiet_to_error"),
            ({"quiet_from": "", "quiet_to": "06:00"}, "id_quiet_from_error"),
            ({"quiet_from": "22:00", "quiet_to": "22:00"}, "id_quiet_to_error"),
            ({"quiet_from": "quarter past", "quiet_to": "06:00"}, "id_quiet_from_error"),
        ],
    )
    def test_a_refused_form_keeps_what_was_typed_and_changes_nothing(self, member, hours, wrong):
        answer = member.post(PAGE, {"on": ["test.mail/email"], "promotions": "on", **hours})
        html = answer.content.decode()
        assert (answer.status_code, ticked(html)) == (200, ["test.mail/email"])
        assert f'id="{wrong}"' in html
        for typed in filter(None, hours.values()):
            assert f'value="{typed}"' in html
        assert re.search(r'name="promotions"[^>]* checked', html)
        assert not Preference.objects.exists()
        assert not ConsentEvent.objects.exists()

    @pytest.mark.parametrize("value", ["test.money/email", "nonsense", "test.service/sms", "/", ""])
    def test_what_is_not_on_the_page_is_refused(self, member, value):
        assert member.post(PAGE, {"on": [value]}).status_code == 200
        assert not Preference.objects.exists()

    def test_promotions_of_a_verified_address_begin_at_once(self, member):
        cells = everything(member.get(PAGE).content.decode())
        member.post(PAGE, {"on": cells, "promotions": "on"}, headers={"User-Agent": "Firefox"})
        assert User.objects.get(pk=alice().pk).accepts_promotions
        line = ConsentEvent.objects.get()
        assert (line.what, line.evidence["browser"]) == ("agreed", "Firefox")
        assert line.evidence["address"] == "127.0.0.1"
        member.post(PAGE, {"on": cells})
        assert not User.objects.get(pk=alice().pk).accepts_promotions
        assert ConsentEvent.objects.latest("pk").what == "withdrew"

    def test_promotions_of_an_unverified_address_have_to_be_confirmed(self, member, smtp):
        EmailAddress.objects.update(verified=False)
        cells = everything(member.get(PAGE).content.decode())
        html = member.post(PAGE, {"on": cells, "promotions": "on"}, follow=True).content.decode()
        assert "begin when you say yes" in html
        assert not User.objects.get(pk=alice().pk).accepts_promotions
        path = confirm_path(smtp)
        assert Client().post(path).status_code == 302
        assert User.objects.get(pk=alice().pk).accepts_promotions

    def test_a_stop_is_listed_and_can_be_lifted(self, member):
        key = f"member:{alice().pk}"
        mine = Stop.objects.create(
            person_key=key,
            kind="test.service",
            about="a",
            channel="email",
            subject="Draw of A",
            stopped_at=NOW,
        )
        theirs = Stop.objects.create(
            person_key=f"member:{bob().pk}", kind="test.service", about="a", channel="email", stopped_at=NOW
        )
        html = member.get(PAGE).content.decode()
        assert "Draw of A" in html
        member.post(PAGE, {"on": everything(html), "resume": [str(mine.public_id), str(theirs.public_id)]})
        assert Stop.objects.count() == 2, "another's is no choice"
        member.post(PAGE, {"on": everything(html), "resume": [str(mine.public_id)]})
        assert Stop.objects.get() == theirs
        assert ConsentEvent.objects.get().what == "resumed"

    def test_what_stood_under_the_address_is_shown_and_can_be_switched_back(self, member):
        """Somebody unsubscribed, and made an account later."""
        Preference.objects.create(
            person_key="email:alice@example.com",
            kind="test.service",
            channel="email",
            is_on=False,
            changed_at=NOW,
        )
        html = member.get(PAGE).content.decode()
        assert "test.service/email" not in ticked(html)
        assert off(html) == ["test.service/email"]
        member.post(PAGE, {"on": everything(html), "was_off": off(html)})
        assert not Preference.objects.exists()

    def test_a_page_that_stood_open_undoes_nothing_that_was_decided_since(self, member):
        html = member.get(PAGE).content.decode()
        Preference.objects.create(  # by the one click of a mail program
            person_key=f"member:{alice().pk}",
            kind="test.service",
            channel="email",
            is_on=False,
            changed_at=NOW,
        )
        wanted = [cell for cell in everything(html) if cell != "test.linked/email"]
        member.post(PAGE, {"on": wanted, "was_off": off(html)})
        assert set(Preference.objects.values_list("kind", "is_on")) == {
            ("test.service", False),
            ("test.linked", False),
        }

    def test_what_stood_under_an_address_that_is_not_shown_to_be_theirs_gives_way_to_their_own_word(
        self, member
    ):
        EmailAddress.objects.update(verified=False)
        Preference.objects.create(
            person_key="email:alice@example.com",
            kind="test.service",
            channel="email",
            is_on=False,
            changed_at=NOW,
        )
        html = member.get(PAGE).content.decode()
        assert off(html) == [], "whoever types a stranger's address does not learn what they decided"
        others = [cell for cell in everything(html) if cell != "test.service/email"]
        member.post(PAGE, {"on": others})
        html = member.get(PAGE).content.decode()
        member.post(PAGE, {"on": everything(html), "was_off": off(html)})
        say(key="2", recipients=[named(alice())])
        mail = Delivery.objects.select_related("message").get(channel="email", member=alice())
        assert wishes_of([mail])[mail.pk].is_on is True

    def test_a_page_of_somebody_erased_meanwhile_saves_nothing(self, member):
        cells = everything(member.get(PAGE).content.decode())
        with pytest.raises(GoneError):
            save_preferences(
                who=Recipient.of(User(pk=10**9, email="gone@example.com")),
                offered=[("test.service", "email")],
                wanted=[],
                promotions=False,
                quiet_hours=None,
                source="test",
                now=NOW,
            )
        assert cells
        assert not Correspondent.objects.exists()

    def test_the_button_makes_old_links_useless(self, member):
        member.post("/preferences/revoke-links/")
        assert Correspondent.objects.get(person_key=f"member:{alice().pk}").link_version == 2


class TestByLink:
    def test_an_outsider_needs_no_account(self, client, path_of_zoe):
        answer = client.get(path_of_zoe)
        html = answer.content.decode()
        assert answer.status_code == 200
        assert "z…@elsewhere.example" in html
        assert "zoe@" not in html
        assert not any(cell.endswith("/in_app") for cell in everything(html))
        assert "test.outsiders/email" in everything(html)
        wanted = [cell for cell in everything(html) if cell != "test.outsiders/email"]
        assert client.post(path_of_zoe, {"on": wanted}).status_code == 302
        assert Preference.objects.get().person_key == ZOES
        assert ConsentEvent.objects.get().source == "link in a mail"

    def test_it_asks_for_djangos_proof_that_the_form_was_ours(self, path_of_zoe):
        assert Client(enforce_csrf_checks=True).post(path_of_zoe, {"on": []}).status_code == 403

    def test_only_who_is_signed_in_makes_old_links_useless(self, client, path_of_zoe):
        assert "revoke-links" not in client.get(path_of_zoe).content.decode()


def confirm_path(smtp) -> str:
    """The path of the page to which the newest mail that asks leads."""
    send_due_deliveries(now=dt.datetime.now(dt.UTC))
    mails = [taken.content.replace(b"=\r\n", b"").decode() for taken in smtp.taken]
    found = [re.search(r"(/preferences/confirm/[^/]+/)", mail) for mail in mails]
    return [match[1] for match in found if match][-1]


class TestDoubleOptIn:
    @pytest.fixture(autouse=True)
    def _no_other_mail(self, path_of_zoe):
        Delivery.objects.update(state="cancelled")

    def ask(self, path: str) -> str:
        client = Client()
        cells = everything(client.get(path).content.decode())
        return client.post(path, {"on": cells, "promotions": "on"}, follow=True).content.decode()

    def test_nothing_begins_before_the_word_from_the_mailbox(self, path_of_zoe, smtp, client):
        assert "We sent you a mail" in self.ask(path_of_zoe)
        person = Correspondent.objects.get()
        assert person.promotions_asked_at is not None
        assert person.promotions_confirmed_at is None
        path = confirm_path(smtp)
        assert "Yes, send them" in client.get(path).content.decode()
        assert Correspondent.objects.get().promotions_confirmed_at is None, "a scanner's GET is no word"
        assert "You get news and offers" in client.post(path, follow=True).content.decode()
        assert Correspondent.objects.get().promotions_confirmed_at is not None
        lines = list(ConsentEvent.objects.order_by("pk").values_list("what", "source"))
        assert lines == [("asked", "link in a mail"), ("agreed", "confirmation page")]
        client.post(path)
        assert ConsentEvent.objects.count() == 2

    def test_asking_again_soon_sends_no_second_mail(self, path_of_zoe, smtp):
        self.ask(path_of_zoe)
        self.ask(path_of_zoe)
        confirm_path(smtp)
        assert len(smtp.taken) == 1

    def test_not_even_by_changing_ones_mind_a_mailbox_is_filled(self, path_of_zoe, smtp, client):
        for _again in range(ASKS_A_DAY):
            self.ask(path_of_zoe)
            client.post(path_of_zoe, {"on": everything(client.get(path_of_zoe).content.decode())})
        html = self.ask(path_of_zoe)
        assert "enough mails" in html
        assert re.search(r'name="promotions"[^>]* checked', html), "what was ticked stays ticked"
        assert ConsentEvent.objects.filter(what="asked").count() == ASKS_A_DAY

    def test_the_link_of_a_mail_that_was_passed_on_agrees_to_nothing_for_a_member(self, smtp):
        say(key="alices", recipients=[named(alice())])
        mail = Delivery.objects.select_related("message").get(member=alice(), channel="email")
        path = links_of(mail, kinds.get("test.service")).preferences_url.removeprefix("http://127.0.0.1:8000")
        assert "begin when you say yes" in self.ask(path)
        assert not User.objects.get(pk=alice().pk).accepts_promotions
        assert confirm_path(smtp)

    def test_a_link_of_somebody_erased_meanwhile_writes_nothing(self, path_of_zoe):
        mail = Delivery.objects.select_related("message").get(message__idem_key="key")
        privacy.erase(person=person_at("zoe@elsewhere.example"))
        with pytest.raises(GoneError):
            stop_by_link(delivery=mail, whole_kind=False, source="test", now=NOW)
        assert not Stop.objects.exists()
        assert not ConsentEvent.objects.exclude(person_key__startswith="erased:").exists()

    def test_a_changed_mind_voids_the_link(self, path_of_zoe, smtp, client):
        self.ask(path_of_zoe)
        path = confirm_path(smtp)
        cells = everything(client.get(path_of_zoe).content.decode())
        client.post(path_of_zoe, {"on": cells})
        assert client.post(path).status_code == 404
        assert Correspondent.objects.get().promotions_confirmed_at is None

    def test_a_mind_changed_and_back_while_the_button_is_pressed_takes_the_newest_link(self, path_of_zoe):
        self.ask(path_of_zoe)
        stale = Correspondent.objects.get()
        Correspondent.objects.update(asked_version=stale.asked_version + 1)
        with pytest.raises(ConfirmationError):
            confirm_promotions(correspondent=stale, source="test", now=stale.promotions_asked_at)

    def test_after_a_week_it_is_too_late(self, path_of_zoe, smtp, client):
        self.ask(path_of_zoe)
        path = confirm_path(smtp)
        person = Correspondent.objects.get()
        late = person.promotions_asked_at + dt.timedelta(days=7)
        with pytest.raises(ConfirmationError):
            confirm_promotions(correspondent=person, source="test", now=late)
        Correspondent.objects.update(promotions_asked_at=NOW - dt.timedelta(days=300))
        assert "not asked any more" in client.post(path).content.decode()

    def test_a_forged_link_opens_nothing(self, path_of_zoe, client):
        self.ask(path_of_zoe)
        person = Correspondent.objects.get()
        for purpose, version in ((CONFIRM, 1), (CONFIRM, 99), ("notifications.preferences", 2)):
            token = make_token(purpose=purpose, row=person.public_id, version=version)
            assert client.post(f"/preferences/confirm/{token}/").status_code == 404
        assert Correspondent.objects.get().promotions_confirmed_at is None

    def test_where_no_promotion_reaches_an_outsider_none_is_offered(self, path_of_zoe, client):
        inbox_only = kind_like(
            "test.teaser", category=Category.PROMOTIONAL, channels={Channel.IN_APP: Reach.EVERYONE}
        )
        kinds._kinds["test.teaser"] = inbox_only
        del kinds._kinds["notifications.news"]  # broadcasts reach everybody
        html = client.get(path_of_zoe).content.decode()
        assert 'name="promotions"' not in html


def test_every_page_that_should_leads_there(member):
    for page in ("/inbox/", "/accounts/profile/"):
        assert 'href="/preferences/"' in member.get(page).content.decode()
