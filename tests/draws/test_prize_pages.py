"""The pages of prizes over HTTP: a member's own, and those a secret link opens. Opening one never changes anything."""

import datetime as dt
import re
import zoneinfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from draws import services
from draws.models import Award, PrizeAddress, Voucher
from notifications import kinds
from notifications.mail_links import links_of
from notifications.models import Delivery
from notifications.rendering import HIDDEN_LINK, mail_of, words_of
from notifications.services.expansion import expand_due_messages
from tests.config.test_pages import assert_is_a_page
from tests.draws.factories import CASH, VOUCHER, balance, make_executed
from tests.draws.test_claim import BICYCLE
from tests.factories import admin, alice, bob, make_user

pytestmark = pytest.mark.django_db

SENT = {
    "name": "Zoe Zuberi",
    "street": "12 Moi Avenue",
    "city": "Nairobi",
    "postcode": "",
    "country": "KE",
    "phone": "0711 000 009",
}


def award_of(draw) -> Award:
    return Award.objects.filter(about=draw.about).order_by("pk").last()


def page_of(award: Award) -> str:
    return reverse("draws:prize", args=[award.public_id])


def link_to(award: Award) -> str:
    return reverse("draws:linked_prize", args=[services.claim_token(award)])


def everything() -> list:
    """All that a claim could have changed."""
    awards = Award.objects.order_by("pk").values()
    return [list(awards), Voucher.objects.count(), PrizeAddress.objects.count()]


class TestMine:
    def test_the_list_shows_what_waits_what_was_claimed_and_what_was_lost(self, client):
        waiting = award_of(make_executed(entrants=0, members=[alice()], prizes=[VOUCHER]))
        paid = award_of(make_executed(entrants=0, members=[alice()], prizes=[CASH]))
        lost = make_executed(entrants=0, members=[alice()], prizes=[BICYCLE])
        services.decline_award(award=award_of(lost), member=alice(), now=lost.draw_at)
        client.force_login(alice())
        html = client.get("/prizes/").content.decode()
        assert_is_a_page(html)
        assert "data-countdown" in html
        for award in (waiting, paid, award_of(lost)):
            assert page_of(award) in html
        assert "Declined" in html

    def test_somebody_else_s_prize_is_not_there(self, client):
        award = award_of(make_executed(entrants=0, members=[alice()], prizes=[VOUCHER]))
        client.force_login(bob())
        for address in (page_of(award), reverse("draws:decline_prize", args=[award.public_id])):
            assert client.get(address).status_code == 404
            assert client.post(address).status_code == 404
        assert not Voucher.objects.exists()

    def test_a_prize_won_by_an_address_is_its_owner_s_once_the_address_is_verified(self, client):
        award = award_of(make_executed(entrants=3, prizes=[CASH]))
        member = make_user(email=award.identity, verified=False)
        client.force_login(member)
        assert client.get(page_of(award)).status_code == 404
        member.emailaddress_set.update(verified=True)
        assert "Claim into my wallet" in client.get(page_of(award)).content.decode()
        assert client.post(page_of(award)).url == page_of(award)
        assert balance(f"member:{member.pk}:KES") == 100_000
        assert "in your wallet since" in client.get(page_of(award)).content.decode()

    def test_it_names_the_deadline_once(self, client):
        award = award_of(make_executed(entrants=0, members=[alice()], prizes=[VOUCHER]))
        client.force_login(alice())
        html = client.get(page_of(award)).content.decode()
        assert "goes to the next in line" in html
        day = timezone.localtime(award.claim_until, zoneinfo.ZoneInfo(alice().time_zone))
        assert sum(html.count(date_format(day, form)) for form in ("j M Y", "j F Y")) == 1

    def test_the_form_of_a_member_knows_what_the_account_knows(self, client):
        award = award_of(make_executed(entrants=0, members=[alice()], prizes=[BICYCLE]))
        client.force_login(alice())
        form = client.get(page_of(award)).context["form"]
        assert (form["name"].value(), form["country"].value()) == ("Alice Wanjiru", "KE")


class TestLinks:
    def test_opening_never_changes_anything(self, client):
        for prize in (VOUCHER, BICYCLE, CASH):
            award = award_of(make_executed(entrants=3, prizes=[prize]))
            before = everything()
            # Money is declined by its winner alone, who signs in: the link leads back.
            declining = 302 if prize is CASH else 200
            for address, status in ((link_to(award), 200), (link_to(award) + "decline/", declining)):
                for method in (client.get, client.head):
                    assert method(address).status_code == status
            assert everything() == before

    def test_a_voucher_is_claimed_and_its_code_stays_under_the_link(self, client):
        award = award_of(make_executed(entrants=3, prizes=[VOUCHER]))
        for _again in range(2):
            assert client.post(link_to(award)).url == link_to(award)
        html = client.get(link_to(award)).content.decode()
        assert_is_a_page(html)
        assert Voucher.objects.get().spelled in html

    def test_a_thing_needs_an_address_and_what_was_typed_stays(self, client):
        award = award_of(make_executed(entrants=3, prizes=[BICYCLE]))
        response = client.post(link_to(award), SENT)
        html = response.content.decode()
        assert_is_a_page(html)
        assert "country&#x27;s code" in html
        assert "12 Moi Avenue" in html
        assert not PrizeAddress.objects.exists()
        assert client.post(link_to(award), SENT | {"phone": "+254 711 000 009"}).status_code == 302
        address = PrizeAddress.objects.get()
        assert (address.phone, address.country) == ("+254711000009", "KE")
        assert "12 Moi" not in client.get(link_to(award)).content.decode()

    @pytest.mark.parametrize(
        ("changes", "wrong"),
        [
            ({"country": "CA"}, "postcode"),
            ({"country": "XX"}, "country"),
            ({"city": " "}, "city"),
            ({"phone": "+1"}, "phone"),
            ({"phone": "zoe@example.com"}, "phone"),
            ({"street": "x" * 201}, "street"),
        ],
    )
    def test_an_address_that_no_parcel_finds_is_refused(self, client, changes, wrong):
        award = award_of(make_executed(entrants=3, prizes=[BICYCLE]))
        response = client.post(link_to(award), SENT | {"phone": "+254711000009"} | changes)
        assert list(response.context["form"].errors) == [wrong]

    def test_money_asks_for_an_account_with_the_address_filled_in(self, client):
        award = award_of(make_executed(entrants=3, prizes=[CASH]))
        html = client.get(link_to(award)).content.decode()
        sign_up = re.search(r'href="(/accounts/signup/[^"]+)"', html)[1].replace("&amp;", "&")
        form = client.get(sign_up).context["form"]
        assert form["email"].value() == award.identity
        client.post(link_to(award))
        award.refresh_from_db()
        assert award.state == Award.State.CLAIMABLE

    def test_whoever_is_signed_in_with_the_address_is_led_to_the_own_page(self, client):
        award = award_of(make_executed(entrants=3, prizes=[CASH]))
        client.force_login(make_user(email=award.identity))
        assert client.get(link_to(award)).url == page_of(award)

    def test_forged_revoked_and_foreign_links_say_so(self, client):
        award = award_of(make_executed(entrants=3, prizes=[VOUCHER]))
        old = link_to(award)
        services.revoke_claim_links(award=award, by=admin(), reason="Lost", now=award.created_at)
        for address in (old, "/prizes/claim/nonsense/", old[:-3] + "AA/"):
            for method in (client.get, client.post):
                response = method(address)
                assert response.status_code == 404
                assert "This link does not work" in response.content.decode()
        assert not Voucher.objects.exists()

    def test_after_the_deadline_it_says_so(self, client):
        award = award_of(make_executed(entrants=3, prizes=[VOUCHER]))
        Award.objects.filter(pk=award.pk).update(claim_until=award.created_at)
        assert "is over" in client.get(link_to(award)).content.decode()
        assert client.post(link_to(award)).status_code == 302
        assert not Voucher.objects.exists()

    def test_declining_asks_first_and_then_does(self, client):
        draw = make_executed(entrants=6, prizes=[VOUCHER])
        award = award_of(draw)
        assert_is_a_page(client.get(link_to(award) + "decline/").content.decode())
        client.post(link_to(award) + "decline/")
        assert "You declined this prize" in client.get(link_to(award)).content.decode()
        assert award_of(draw).winner.rank == 1

    def test_money_is_not_thrown_away_by_whoever_has_the_link(self, client):
        draw = make_executed(entrants=6, prizes=[CASH])
        award = award_of(draw)
        assert "I do not want this prize" not in client.get(link_to(award)).content.decode()
        assert client.get(link_to(award) + "decline/").url == link_to(award)
        answer = client.post(link_to(award) + "decline/", follow=True).content.decode()
        assert "Money is declined by its winner alone" in answer
        award.refresh_from_db()
        assert award.state == Award.State.CLAIMABLE

    def test_its_winner_declines_it_signed_in(self, client):
        draw = make_executed(entrants=0, members=[alice(), bob()], prizes=[CASH], pays="on_claim")
        award = award_of(draw)
        client.force_login(award.member)
        answer = client.post(reverse("draws:decline_prize", args=[award.public_id]), follow=True)
        assert "the next in line has it now" in answer.content.decode()
        assert "it has gone to the next in line" in answer.content.decode()

    def test_where_nobody_is_left_it_does_not_say_that_somebody_has_it(self, client):
        award = award_of(make_executed(entrants=1, prizes=[VOUCHER]))
        answer = client.post(link_to(award) + "decline/", follow=True).content.decode()
        assert "Nobody is next in line now" in answer
        assert "Nobody was next in line" in answer
        assert "it has gone to the next" not in answer

    @pytest.mark.parametrize(("entrants", "is_passed_on"), [(1, False), (4, True)])
    def test_so_it_is_with_what_was_not_claimed_in_time(self, client, entrants, is_passed_on):
        draw = make_executed(entrants=entrants, prizes=[VOUCHER])
        award = award_of(draw)
        services.expire_awards(now=draw.draw_at + dt.timedelta(days=15))
        html = client.get(link_to(award)).content.decode()
        assert ("it has gone to the next in line" in html) == is_passed_on
        assert ("Nobody was next in line" in html) == (not is_passed_on)

    def test_a_post_needs_the_csrf_token(self):
        award = award_of(make_executed(entrants=3, prizes=[VOUCHER]))
        assert Client(enforce_csrf_checks=True).post(link_to(award)).status_code == 403

    def test_the_mail_has_the_link_and_the_staff_s_view_of_it_has_not(self, client, settings):
        award = award_of(make_executed(entrants=3, prizes=[VOUCHER]))
        expand_due_messages(now=award.created_at)
        delivery = Delivery.objects.get(message__kind="draws.winner_announcement", address=award.identity)
        kind = kinds.get("draws.winner_announcement")
        words, html = mail_of(delivery, kind, links_of(delivery, kind))
        assert settings.SITE_URL + link_to(award) in words.text
        assert link_to(award) in html
        client.force_login(admin())
        page = client.get(reverse("admin:notifications_delivery_change", args=[delivery.pk]))
        assert services.claim_token(award) not in page.content.decode()
        assert HIDDEN_LINK in page.content.decode()

    def test_a_member_s_letter_leads_to_the_page_behind_sign_in(self):
        award = award_of(make_executed(entrants=0, members=[alice()], prizes=[VOUCHER]))
        expand_due_messages(now=award.created_at)
        for delivery in Delivery.objects.filter(message__kind="draws.winner_announcement"):
            text = words_of(delivery, kinds.get("draws.winner_announcement")).text
            assert page_of(award) in text
            assert "/prizes/claim/" not in text
