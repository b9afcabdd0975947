"""Winners, awards, vouchers and vacancies in the admin: who may do what, and that it is done by the same services."""

import re

import pytest
from django.urls import reverse

from audit.models import Record
from config import roles
from draws import services
from draws.models import Award, PrizeAddress, Voucher
from tests.draws.admin_pages import page_of, staff
from tests.draws.factories import CASH, VOUCHER, balance, make_executed, pool_of
from tests.draws.proofs import assert_proof_holds, holders
from tests.draws.test_claim import ADDRESS, BICYCLE
from tests.draws.test_losing_a_prize import LATE
from tests.factories import admin, alice, bob

pytestmark = pytest.mark.django_db

ACTS = ("replace", "sent", "resend", "show_link", "revoke", "erase_address")
REASON = {"reason": "Entered twice"}


@pytest.fixture
def boss(client):
    """A client signed in as a Super Admin."""
    client.force_login(admin())
    return client


def award_of(draw) -> Award:
    return Award.objects.filter(about=draw.about).order_by("pk").last()


def act_url(award: Award, act: str) -> str:
    return reverse(f"admin:draws_award_{act}", args=[award.pk])


def award_page(award: Award) -> str:
    return reverse("admin:draws_award_change", args=[award.pk])


def offered(client, award: Award) -> set[str]:
    html = client.get(award_page(award)).content.decode()
    return {act for act in ACTS if f'href="{act_url(award, act)}"' in html}


class TestAwards:
    @pytest.mark.parametrize(
        ("role", "may"),
        [
            (roles.SUPER_ADMIN, {"replace", "resend", "revoke"}),
            (roles.MANAGER_ADMIN, {"replace", "resend", "revoke"}),
            (roles.FINANCE, set()),
        ],
    )
    def test_each_role_is_offered_what_it_may_do(self, client, role, may):
        award = award_of(make_executed(entrants=4, prizes=[VOUCHER]))
        client.force_login(staff(role))
        assert offered(client, award) == may
        if not may:
            for act in ACTS:
                assert client.post(act_url(award, act), REASON).status_code == 404
            assert client.post(reverse("admin:draws_award_expire_now")).status_code == 404
        award.refresh_from_db()
        assert award.state == Award.State.CLAIMABLE

    def test_a_winner_is_replaced_with_a_reason_on_record(self, boss):
        draw = make_executed(entrants=4, prizes=[CASH])
        award = award_of(draw)
        assert "required" in boss.post(act_url(award, "replace"), {}).content.decode()
        assert boss.post(act_url(award, "replace"), REASON).url == award_page(award)
        assert holders(draw) == {0: 1}
        assert Record.objects.get(action="award.disqualified").actor == admin()
        assert_proof_holds(draw)

    def test_a_prize_in_a_wallet_is_taken_back_only_by_choice(self, boss):
        draw = make_executed(entrants=0, members=[alice(), bob()], prizes=[CASH])
        award = award_of(draw)
        assert (
            "It can&#x27;t be taken away silently"
            in boss.post(act_url(award, "replace"), REASON).content.decode()
        )
        boss.post(act_url(award, "replace"), REASON | {"take_back": "on"})
        assert balance(f"member:{award.member_id}:KES") == 0
        assert_proof_holds(draw)

    def test_a_thing_is_sent_and_its_address_erased(self, boss):
        award = award_of(make_executed(entrants=4, prizes=[BICYCLE]))
        services.claim_award(award=award, member=None, address=ADDRESS, now=award.created_at)
        assert offered(boss, award) == {"replace", "sent", "resend", "revoke"}
        asked = boss.get(act_url(award, "sent")).content.decode()
        assert "12 Moi Avenue" in asked
        assert re.search(r"<button[^>]*>\s*It is sent", asked)
        boss.post(act_url(award, "sent"), {"note": "DHL 123"})
        award.refresh_from_db()
        assert (award.state, award.note) == (Award.State.PAID, "DHL 123")
        boss.post(act_url(award, "erase_address"))
        assert not PrizeAddress.objects.exists()

    def test_links_are_revoked(self, boss):
        award = award_of(make_executed(entrants=4, prizes=[VOUCHER]))
        token = services.claim_token(award)
        boss.post(act_url(award, "revoke"), {"reason": "Mailbox stolen"})
        assert services.award_by_token(token) is None

    def test_overdue_prizes_expire_by_a_button_that_asks_first(self, boss):
        draw = make_executed(entrants=4, prizes=[VOUCHER])
        Award.objects.filter(about=draw.about).update(claim_until=draw.draw_at)
        button = reverse("admin:draws_award_expire_now")
        assert button in boss.get(reverse("admin:draws_award_changelist")).content.decode()
        assert boss.get(button).status_code == 200
        assert holders(draw) == {0: 0}
        boss.post(button)
        assert holders(draw) == {0: 1}

    def test_lists_and_pages_open(self, boss):
        draw = make_executed(entrants=8, prizes=[VOUCHER, BICYCLE])
        for award in Award.objects.filter(about=draw.about):
            services.claim_award(award=award, member=None, address=ADDRESS, now=award.created_at)
        for name, row in (
            ("award", Award.objects.first()),
            ("voucher", Voucher.objects.get()),
            ("prizeaddress", PrizeAddress.objects.get()),
        ):
            assert boss.get(reverse(f"admin:draws_{name}_changelist")).status_code == 200
            assert boss.get(reverse(f"admin:draws_{name}_change", args=[row.pk])).status_code == 200


class TestVouchers:
    def test_a_code_is_redeemed_once_and_never_shown_whole(self, boss):
        award = award_of(make_executed(entrants=4, prizes=[VOUCHER]))
        voucher = services.claim_award(award=award, member=None, now=award.created_at).voucher
        shown = boss.get(reverse("admin:draws_voucher_change", args=[voucher.pk])).content.decode()
        assert voucher.code not in shown
        assert voucher.spelled not in shown
        button = reverse("admin:draws_voucher_redeem")
        assert boss.get(button).status_code == 200
        response = boss.post(button, {"code": voucher.spelled, "note": "Table 4"})
        assert response.url == reverse("admin:draws_voucher_change", args=[voucher.pk])
        assert "used already" in boss.post(button, {"code": voucher.code}).content.decode()

    def test_finance_redeems_none(self, client):
        client.force_login(staff(roles.FINANCE))
        assert client.post(reverse("admin:draws_voucher_redeem"), {"code": "x"}).status_code == 404


class TestVacancies:
    def vacant(self):
        draw = make_executed(entrants=6, prizes=[CASH], alternates=0)
        services.expire_awards(now=draw.draw_at + LATE)
        draw.refresh_from_db()
        return draw

    def url(self, draw, act):
        return reverse(f"admin:draws_draw_{act}", args=[draw.pk])

    def test_both_acts_are_offered_while_a_slot_is_vacant(self, boss):
        whole = make_executed(entrants=6, prizes=[CASH])
        for draw, count in ((whole, 0), (self.vacant(), 2)):
            html = boss.get(page_of(draw)).content.decode()
            assert sum(f'href="{self.url(draw, act)}"' in html for act in ("extend", "close")) == count
        rows = [
            row.title for panel in boss.get("/admin/").context["panels"] for row in panel.rows if row.note
        ]
        assert draw.title in rows

    def test_the_ranks_are_extended(self, boss):
        draw = self.vacant()
        assert boss.get(self.url(draw, "extend")).status_code == 200
        assert boss.post(
            self.url(draw, "extend"), {"extra": "2", "reason": "Nobody answered"}
        ).url == page_of(draw)
        assert holders(draw) == {0: 1}
        assert_proof_holds(draw)

    def test_the_vacancy_is_closed(self, boss):
        draw = self.vacant()
        boss.post(self.url(draw, "close"), {"reason": "Enough"})
        assert pool_of(draw) == (100_000, 0, 0)
        assert_proof_holds(draw)

    def test_finance_may_do_neither(self, client):
        draw = self.vacant()
        client.force_login(staff(roles.FINANCE))
        for act in ("extend", "close"):
            assert client.post(self.url(draw, act), {"extra": "2", **REASON}).status_code == 404
