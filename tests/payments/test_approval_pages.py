"""Approvals in the admin: what waits and what it would do, deciding by form, and being asked who is there."""

import datetime as dt

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import roles
from payments import approvals
from payments.models import Account, Approval
from tests.accounts.conftest import PASSWORD, sign_in
from tests.draws.admin_pages import TOKEN, act_url, page_of
from tests.draws.factories import make_draft
from tests.factories import admin, alice
from tests.payments.asking import ABOVE, asker, farid, fatma, free, fresh, person, request
from tests.payments.books import balance, give, wallet

pytestmark = pytest.mark.django_db

LIST = "/admin/payments/approval/"
ADJUST = "/admin/payments/account/adjust/"
LATER = dt.timedelta(minutes=16)


def page(approval: Approval, act: str = "change") -> str:
    return reverse(f"admin:payments_approval_{act}", args=[approval.pk])


def as_(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text(response) -> str:
    assert response.status_code == 200, response.status_code
    return " ".join(response.content.decode().split())


def funding(amount: str = "100,000.01", **fields) -> dict[str, str]:
    return {"unit": "KES", "amount": amount, "reason": "Prize money", "token": TOKEN} | fields


class TestFunding:
    def test_a_large_amount_typed_on_the_draw_s_page_waits(self):
        draw, client = make_draft(), as_(asker())
        response = client.post(act_url(draw, "fund"), funding(), follow=True)
        assert "waits for a second person" in text(response)
        assert free(draw) == 0
        (approval,) = Approval.objects.all()
        assert approval.amounts == {"KES": ABOVE}
        assert "Waits for a second admin" in text(response)
        assert page(approval) in text(response)

    def test_the_checklist_says_that_it_waits(self):
        draw = make_draft(prizes=[("Car", "cash", ABOVE, 1)])
        request(draw)
        shown = text(as_(admin()).get(act_url(draw, "publish")))
        assert "KES 100,000.01 waits for a second admin." in shown
        assert "Fund the pool with" not in shown
        response = as_(admin()).post(act_url(draw, "publish"))
        assert "waits for a second admin" in text(response)
        draw.refresh_from_db()
        assert draw.status == "draft"

    def test_the_checklist_says_what_is_short_beyond_what_waits(self):
        draw = make_draft(prizes=[("Car", "cash", ABOVE + 500, 1)])
        request(draw)
        shown = text(as_(admin()).get(act_url(draw, "publish")))
        assert "Fund the pool with KES 5.00 more. KES 100,000.01 waits for a second admin." in shown
        form = as_(admin()).get(act_url(draw, "fund")).context["form"]
        assert form.initial["amount"] == "5.00"

    def test_the_draw_s_trail_has_the_steps(self):
        draw = make_draft()
        approvals.approve(approval=request(draw), by=fatma(), now=timezone.now())
        shown = text(as_(admin()).get(page_of(draw)))
        for action in ("approval.requested", "approval.done", "pool.funded"):
            assert f"<code>{action}</code>" in shown
        assert "Waits for a second admin" not in shown

    def test_money_is_returned_by_hand(self):
        draw, client = make_draft(), as_(fatma())
        assert client.get(act_url(draw, "return")).status_code == 302  # nothing there yet
        client.post(act_url(draw, "fund"), funding("500.00"))
        form = client.get(act_url(draw, "return")).context["form"]
        assert (form.initial["unit"], form.initial["amount"]) == ("KES", "500.00")
        response = client.post(act_url(draw, "return"), funding("200.00"), follow=True)
        assert "KES 200.00 went back to the funder." in text(response)
        assert free(draw) == 30_000
        again = client.post(act_url(draw, "return"), funding("200.00"), follow=True)
        assert again.status_code == 200
        assert free(draw) == 30_000  # the same form

    def test_more_than_is_free_is_refused_in_words(self):
        draw, client = make_draft(), as_(fatma())
        client.post(act_url(draw, "fund"), funding("500.00"))
        response = client.post(act_url(draw, "return"), funding("500.01"))
        assert "does not hold enough" in text(response)
        assert free(draw) == 50_000


class TestDeciding:
    def test_the_page_shows_what_would_happen(self):
        draw = make_draft(title="Harvest draw")
        approval = request(draw)
        shown = text(as_(fatma()).get(page(approval)))
        for words in (
            "Fund a draw&#x27;s pool: KES 100,000.01",
            "Harvest draw",
            "Prize money",
            f"pool:{draw.pool}:KES",
            "+KES 100,000.01",
            "−KES 100,000.01",
            "What would happen",
            "Holds KES 0.00 now, and would hold KES 100,000.01.",
        ):
            assert words in shown, words
        assert page_of(draw) in shown
        assert "Maina" in shown

    def test_a_second_admin_approves_by_the_form(self):
        draw = make_draft()
        approval, client = request(draw), as_(fatma())
        asked = client.get(page(approval))
        assert page(approval, "approve") in text(asked)
        response = client.post(page(approval, "approve"), {"note": "Seen"}, follow=True)
        assert "Approved and done" in text(response)
        assert (free(draw), fresh(approval).note) == (ABOVE, "Seen")
        assert "What has happened" in text(response)
        again = client.post(page(approval, "approve"), {"note": "Seen"})
        assert again.status_code == 302
        assert free(draw) == ABOVE

    def test_who_asked_is_offered_only_to_take_it_back(self):
        draw = make_draft()
        approval, client = request(draw, by=fatma()), as_(fatma())
        shown = text(client.get(page(approval)))
        assert page(approval, "approve") not in shown
        assert page(approval, "reject") not in shown
        assert page(approval, "withdraw") in shown
        assert client.get(page(approval, "approve")).status_code == 302
        for act in ("approve", "reject"):
            refused = client.post(page(approval, act), {"note": "Mine"})
            assert "somebody else decides" in text(refused)
        assert (fresh(approval).state, free(draw)) == ("requested", 0)
        client.post(page(approval, "withdraw"), {"note": ""})
        assert fresh(approval).state == "withdrawn"

    @pytest.mark.parametrize("role", [roles.MANAGER_ADMIN, roles.SUPPORT_LEAD, ""])
    @pytest.mark.parametrize("act", ["approve", "reject"])
    def test_a_direct_post_without_the_right_is_refused(self, role, act):
        approval = request(by=fatma())
        assert as_(person("other", role)).post(page(approval, act), {"note": "x"}).status_code == 404
        assert fresh(approval).state == "requested"

    @pytest.mark.parametrize("act", ["approve", "reject", "withdraw"])
    def test_strangers_are_led_to_sign_in_and_members_find_nothing(self, client, act):
        approval = request()
        assert "/login/" in client.post(page(approval, act), {"note": "x"}).url
        client.force_login(alice())
        assert client.post(page(approval, act), {"note": "x"}).status_code == 404
        assert fresh(approval).state == "requested"

    def test_a_post_needs_the_csrf_token(self):
        client = Client(enforce_csrf_checks=True)
        client.force_login(fatma())
        approval = request()
        assert client.post(page(approval, "approve"), {"note": ""}).status_code == 403
        assert fresh(approval).state == "requested"

    def test_a_rejection_needs_its_reason(self):
        approval, client = request(), as_(fatma())
        assert "required" in text(client.post(page(approval, "reject"), {"note": " "}))
        client.post(page(approval, "reject"), {"note": "Too much"})
        assert (fresh(approval).state, fresh(approval).note) == ("rejected", "Too much")

    def test_a_cancelled_draw_is_told_before_and_after_pressing(self):
        draw = make_draft()
        approval, client = request(draw), as_(fatma())
        as_(admin()).post(act_url(draw, "cancel"), {"reason": "Rain"})
        assert "nothing left to fund" in text(client.get(page(approval)))
        assert "nothing left to fund" in text(client.post(page(approval, "approve"), {"note": ""}))
        assert fresh(approval).state == "requested"

    def test_one_that_is_not_there_leads_back(self):
        assert as_(fatma()).get(f"{LIST}987654/approve/").status_code == 302


class TestList:
    def test_what_waits_comes_first(self):
        done = request(idem_key="1")
        waiting = request(idem_key="2")
        last = request(idem_key="3")
        for approval in (done, last):
            approvals.reject(approval=approval, by=fatma(), note="No", now=timezone.now())
        rows = as_(fatma()).get(LIST).context["cl"].result_list
        assert [row.pk for row in rows] == [waiting.pk, last.pk, done.pk]

    def test_it_asks_few_queries_however_many_there_are(self, django_assert_max_num_queries):
        client = as_(fatma())
        for number in range(12):
            request(idem_key=str(number))
        client.get(LIST)
        with django_assert_max_num_queries(16):
            assert text(client.get(LIST)).count("KES 100,000.01") == 12

    @pytest.mark.parametrize(
        ("role", "status"),
        [
            (roles.FINANCE, 200),
            (roles.SUPER_ADMIN, 200),
            (roles.MANAGER_ADMIN, 200),
            (roles.SUPPORT_LEAD, 404),
        ],
    )
    def test_who_sees_it(self, role, status):
        assert as_(person("somebody", role)).get(LIST).status_code == status

    def test_nothing_can_be_added_changed_or_deleted_even_by_a_superuser(self):
        approval, client = request(), as_(person("root"))
        root = person("root")
        root.is_superuser = True
        root.save()
        assert client.get(f"{LIST}add/").status_code == 404
        assert client.post(page(approval), {"note": "x"}).status_code == 404
        assert client.post(page(approval, "delete"), {"post": "yes"}).status_code == 404


class TestHome:
    def waiting_rows(self, client: Client) -> list[tuple[str, str]]:
        (panel,) = (
            panel
            for panel in client.get("/admin/").context["panels"]
            if panel.title == "Waiting for a person"
        )
        return [(row.title, row.side) for row in panel.rows if row.title.startswith("Fund a draw")]

    def badge(self, client: Client) -> int | None:
        groups = client.get("/admin/").context["sidebar_navigation"]
        (item,) = (item for group in groups for item in group["items"] if item["link"] == LIST)
        return item.get("badge")

    def test_those_who_may_decide_find_it_and_its_count(self):
        request()
        title = "Fund a draw's pool: KES 100,000.01"
        assert self.waiting_rows(as_(fatma())) == [(title, "for you to decide")]
        assert self.badge(as_(fatma())) == 1
        assert self.waiting_rows(as_(asker())) == [(title, "another decides")]
        assert self.badge(as_(asker())) is None
        assert self.waiting_rows(as_(admin())) == [(title, "for you to decide")]

    def test_what_is_decided_is_gone(self):
        approvals.approve(approval=request(), by=fatma(), now=timezone.now())
        assert self.waiting_rows(as_(farid())) == []
        assert self.badge(as_(farid())) is None


class TestAdjusting:
    def sent(self, amount: str = "5.00", **fields) -> dict[str, str]:
        form = {"member": alice().email, "direction": "in", "unit": "KES", "amount": amount}
        return form | {"reason": "Goodwill", "token": TOKEN} | fields

    def test_a_small_amount_is_done_and_shown(self):
        response = as_(fatma()).post(ADJUST, self.sent(), follow=True)
        assert "holds KES 5.00 now" in text(response)
        assert balance(wallet(alice())) == 500

    def test_a_large_one_waits(self):
        response = as_(fatma()).post(ADJUST, self.sent("100,000.01"), follow=True)
        assert "waits for a second person" in text(response)
        approval = Approval.objects.get()
        assert f"member:{alice().pk}:KES" in text(as_(farid()).get(page(approval)))
        assert "Alice Wanjiru" in text(as_(farid()).get(page(approval)))
        as_(farid()).post(page(approval, "approve"), {"note": ""})
        assert balance(wallet(alice())) == ABOVE

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"member": "nobody@example.com"}, "Nobody signs in with this address."),
            ({"member": "fatma@example.com"}, "Nobody adjusts their own wallet"),
            ({"amount": "five"}, "Write the amount in digits"),
            ({"direction": "out"}, "are needed"),
            ({"reason": ""}, "required"),
        ],
    )
    def test_what_can_not_be_is_refused_in_words(self, fields, words):
        client = as_(fatma())
        assert words in text(client.post(ADJUST, self.sent(**fields)))
        assert not Account.objects.filter(balance__gt=0).exists()

    def test_the_page_of_a_wallet_fills_it_in(self):
        give(alice(), 500)
        client, own = as_(fatma()), wallet(alice())
        response = client.get(reverse("admin:payments_account_adjust_this", args=[own.pk]), follow=True)
        assert response.context["form"].initial["member"] == alice().email
        assert alice().email not in response.redirect_chain[-1][0]

    @pytest.mark.parametrize("role", [roles.MANAGER_ADMIN, roles.SUPPORT_LEAD])
    def test_it_takes_the_right(self, role):
        client = as_(person("other", role))
        assert client.get(ADJUST).status_code == 404
        assert client.post(ADJUST, self.sent()).status_code == 404
        assert not Account.objects.exists()


class TestFreshSignIn:
    """A sign-in older than fifteen minutes moves no money before it is confirmed."""

    @pytest.fixture(autouse=True)
    def _quick_hashes(self, settings):
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

    @pytest.fixture
    def client(self) -> Client:
        """Fatma, signed in by her password through the form, just now."""
        user = fatma()
        user.set_password(PASSWORD)
        user.save()
        client = Client()
        sign_in(client, user.email)
        return client

    def confirm(self, client: Client, response, password: str = PASSWORD):
        assert (response.status_code, response.url.split("?")[0]) == (302, "/accounts/reauthenticate/")
        return client.post(response.url, {"password": password})

    def test_who_signed_in_just_now_is_not_asked(self, client):
        draw = make_draft()
        assert client.get(act_url(draw, "fund")).status_code == 200
        client.post(act_url(draw, "fund"), funding("5.00"))
        assert free(draw) == 500

    def test_later_one_confirms_first_and_comes_back_to_the_form(self, client):
        draw = make_draft()
        with time_machine.travel(timezone.now() + LATER):
            back = self.confirm(client, client.get(act_url(draw, "fund")))
            assert back.url == act_url(draw, "fund")
            assert client.get(back.url).status_code == 200

    def test_what_was_typed_is_kept_and_not_done_by_confirming(self, client):
        draw = make_draft()
        with time_machine.travel(timezone.now() + LATER):
            asked = client.post(act_url(draw, "fund"), funding("1,234.50", reason="For the & harvest"))
            assert free(draw) == 0
            back = self.confirm(client, asked)
            shown = client.get(back.url)
            assert free(draw) == 0
            assert 'value="1,234.50"' in text(shown)
            assert "For the &amp; harvest" in text(shown)
            sent = {
                name: shown.context["form"][name].value() for name in ("unit", "amount", "reason", "token")
            }
            assert sent["token"] == TOKEN
            client.post(back.url, sent)
            assert free(draw) == 123_450
            assert client.get(act_url(draw, "fund")).context["form"]["amount"].value() != "1,234.50"

    def test_what_was_typed_comes_back_on_its_own_page_only(self, client):
        draw, other = make_draft(), make_draft()
        with time_machine.travel(timezone.now() + LATER):
            self.confirm(client, client.post(act_url(draw, "fund"), funding("1,234.50")))
            assert "1,234.50" not in text(client.get(act_url(other, "fund")))
            assert "1,234.50" in text(client.get(act_url(draw, "fund")))

    def test_a_wrong_password_confirms_nothing(self, client):
        draw = make_draft()
        with time_machine.travel(timezone.now() + LATER):
            self.confirm(client, client.get(act_url(draw, "fund")), password="not the password")
            assert client.post(act_url(draw, "fund"), funding("5.00")).status_code == 302
            assert free(draw) == 0

    def test_the_page_that_asks_says_why(self, client):
        draw = make_draft()
        with time_machine.travel(timezone.now() + LATER):
            asked = client.post(act_url(draw, "fund"), funding("5.00"), follow=True)
            assert "Money is moved only soon after signing in." in text(asked)
            assert "What you typed is kept." in text(asked)

    @pytest.mark.parametrize("act", ["fund", "return", "cancel", "execute"])
    def test_every_act_on_a_draw_that_moves_money_asks(self, act):
        give_password(admin())
        draw, client = make_draft(), as_(admin())
        with time_machine.travel(timezone.now() + LATER):
            assert "/reauthenticate/" in client.post(act_url(draw, act), {"reason": "x"}).url
        draw.refresh_from_db()
        assert draw.status == "draft"

    def test_acts_that_move_none_do_not(self):
        draw, client = make_draft(), as_(admin())
        with time_machine.travel(timezone.now() + LATER):
            assert client.get(act_url(draw, "publish")).status_code == 200

    def test_deciding_and_adjusting_ask_too(self, client):
        approval = request()
        with time_machine.travel(timezone.now() + LATER):
            for address in (page(approval, "approve"), page(approval, "reject"), ADJUST):
                assert "/reauthenticate/" in client.post(address, {"note": "x"}).url
            assert fresh(approval).state == "requested"
            assert client.get(page(approval)).status_code == 200  # looking needs no confirmation
            asked = client.post(page(approval, "approve"), {"note": "Seen the budget"})
            back = self.confirm(client, asked)
            assert "Seen the budget" in text(client.get(back.url))
            client.post(back.url, {"note": "Seen the budget"})
        assert fresh(approval).state == "done"

    def test_nobody_confirms_for_what_they_may_not_do(self):
        give_password(asker())
        client = as_(asker())
        with time_machine.travel(timezone.now() + LATER):
            assert client.post(page(request(by=fatma()), "approve"), {"note": ""}).status_code == 404

    def test_a_session_that_nobody_vouched_for_is_asked(self, client):
        session = client.session
        del session["account_authentication_methods"]
        session.save()
        assert "/reauthenticate/" in client.get(act_url(make_draft(), "fund")).url

    def test_an_account_with_nothing_to_confirm_with_is_told_so(self):
        client = as_(farid())
        with time_machine.travel(timezone.now() + LATER):
            response = client.post(act_url(draw := make_draft(), "fund"), funding("5.00"), follow=True)
            assert "neither a password nor a second factor" in text(response)
            assert free(draw) == 0

    def test_the_minutes_are_a_setting(self, client, settings):
        settings.FRESH_SIGN_IN_MINUTES = 60
        with time_machine.travel(timezone.now() + LATER):
            assert client.get(act_url(make_draft(), "fund")).status_code == 200


def give_password(user) -> None:
    user.set_password(PASSWORD)
    user.save()
