"""Home, dashboard and the pages of draws, with draws in every phase made by the services."""

import datetime as dt

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from draws import services
from draws.models import Draw, Prize
from draws.vwd1 import public_id
from tests.config.test_pages import assert_is_a_page
from tests.factories import admin, alice, bob, carol

HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)


def draft(title: str, *, opens: dt.timedelta, closes: dt.timedelta) -> Draw:
    """A draft whose one cash prize of KES 250.00 is funded; times are counted from now."""
    now = timezone.now()
    draw = Draw.objects.create(
        title=title,
        slug=title.lower().replace(" ", "-"),
        description=f"All about {title}.",
        rules="One ticket each.",
        opens_at=now + opens,
        closes_at=now + closes,
        draw_at=now + closes + HOUR,
        min_wait_s=30,
    )
    Prize.objects.create(draw=draw, title="Supper for two", kind=Prize.Kind.CASH, amount=25_000)
    services.fund_draw(
        draw=draw, unit="KES", amount=25_000, by=admin(), reason="Prize", idem_key=draw.slug, now=now
    )
    return draw


def published(title: str, **times: dt.timedelta) -> Draw:
    draw = draft(title, **times)
    return services.publish_draw(draw=draw, by=admin(), now=timezone.now())


def open_draw(title: str = "Summer raffle") -> Draw:
    return published(title, opens=-HOUR, closes=HOUR)


def frozen_draw(title: str = "Night market") -> Draw:
    """Closed and sealed, with Alice and Bob in it."""
    draw = open_draw(title)
    for member in (alice(), bob()):
        services.enter_draw(draw=draw, member=member, now=timezone.now())
    services.freeze_draw(draw_id=draw.pk, now=timezone.now(), by=admin(), reason="The evening is over")
    draw.refresh_from_db()
    assert draw.manifest is not None
    return draw


def drawn_draw(title: str = "Lantern night") -> Draw:
    """Drawn: one of Alice and Bob has won."""
    draw = frozen_draw(title)
    later = max(draw.draw_at, timezone.now()) + HOUR
    assert services.execute_draw(draw_id=draw.pk, now=later) is not None
    draw.refresh_from_db()
    return draw


@pytest.fixture
def member(client):
    client.force_login(alice())
    return client


def page(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    html = response.content.decode()
    assert_is_a_page(html)
    return html


@pytest.mark.django_db
class TestHome:
    def test_an_empty_ground_says_so(self, client):
        html = page(client, "/")
        assert "No draw is open just now" in html
        assert "Nothing drawn yet" in html

    def test_it_shows_what_is_on_what_comes_and_who_won(self, client):
        open_draw("Summer raffle")
        published("Harvest fair", opens=HOUR, closes=2 * HOUR)
        frozen_draw("Night market")
        drawn_draw("Lantern night")
        draft("Secret plans", opens=HOUR, closes=2 * HOUR)
        html = page(client, "/")
        for title in ("Summer raffle", "Harvest fair", "Night market", "Lantern night"):
            assert title in html
        assert "Secret plans" not in html
        assert "KES 250.00" in html
        assert reverse("draws:results", args=["lantern-night"]) in html

    def test_more_draws_cost_no_more_queries(self, client, django_assert_max_num_queries):
        for number in range(4):
            open_draw(f"Raffle {number}")
        with django_assert_max_num_queries(9):
            client.get("/")


@pytest.mark.django_db
class TestDrawPages:
    @pytest.mark.parametrize("signed_in", [False, True])
    def test_each_phase_has_its_page(self, client, signed_in):
        if signed_in:
            client.force_login(alice())
        draws = {
            "Open": open_draw("Summer raffle"),
            "Opens soon": published("Harvest fair", opens=HOUR, closes=2 * HOUR),
            "Frozen": frozen_draw("Night market"),
            "Drawn": drawn_draw("Lantern night"),
        }
        for badge, draw in draws.items():
            html = page(client, draw.get_absolute_url())
            assert f">{badge}</span>" in html
            assert draw.commitment in html
            assert draw.manifest_sha256 in html
            assert "Supper for two" in html
        listed = page(client, "/draws/")
        assert [draw.title for draw in draws.values() if draw.title not in listed] == []

    def test_a_visitor_is_asked_to_sign_in_and_comes_back(self, client):
        draw = open_draw()
        html = page(client, draw.get_absolute_url())
        assert f"{reverse('account_login')}?next={draw.get_absolute_url()}" in html
        assert reverse("draws:enter", args=[draw.slug]) not in html

    def test_entering_leads_to_a_receipt_that_proves_it(self, member):
        draw = open_draw()
        assert reverse("draws:enter", args=[draw.slug]) in page(member, draw.get_absolute_url())
        answer = member.post(reverse("draws:enter", args=[draw.slug]), follow=True)
        assert answer.redirect_chain[-1][0] == reverse("draws:receipt", args=[draw.slug])
        receipt = answer.content.decode()
        assert_is_a_page(receipt)
        entry = draw.entries.get()
        assert entry.pid_hex in receipt
        assert entry.salt_hex in receipt
        assert (
            entry.pid_hex
            == public_id(scope=str(draw.scope), salt=bytes(entry.salt), identity="alice@example.com").hex()
        )
        assert "You are in" in page(member, draw.get_absolute_url())

    def test_results_name_winners_and_say_how_to_check(self, client):
        draw = drawn_draw()
        html = page(client, reverse("draws:results", args=[draw.slug]))
        winner = draw.winners.get()
        assert winner.display_name in html
        assert "Supper for two" in html
        for name in ("draws:proof", "draws:entries", "draws:verifier"):
            assert reverse(name, args=[draw.slug] if name != "draws:verifier" else []) in html
        assert "python verify_draw.py proof.json entries.csv" in html

    def test_each_page_of_a_draw_says_that_we_knew_its_number(self, client):
        draw = drawn_draw()
        for address in (draw.get_absolute_url(), reverse("draws:results", args=[draw.slug])):
            assert "we who run it knew the number" in page(client, address)

    def test_nobody_reads_an_address_in_the_results(self, client):
        html = page(client, reverse("draws:results", args=[drawn_draw().slug]))
        assert "alice@example.com" not in html
        assert "bob@example.com" not in html
        assert "Rahman" not in html  # Bob has not agreed to be named

    def test_a_winner_finds_the_own_ticket_marked(self, client):
        draw = drawn_draw()
        winner = draw.winners.get()
        client.force_login(winner.entry.member)
        assert "That is you!" in page(client, reverse("draws:results", args=[draw.slug]))
        client.force_login(carol())
        assert "That is you!" not in page(client, reverse("draws:results", args=[draw.slug]))


@pytest.mark.django_db
class TestDashboard:
    def test_it_counts_down_to_the_next_of_my_draws(self, member):
        frozen_draw("Night market")
        html = page(member, "/dashboard/")
        assert "My next draw" in html
        assert "data-countdown" in html
        assert "Night market" in html

    def test_it_shows_what_i_won_and_what_is_in_my_wallet(self, client):
        draw = drawn_draw()
        winner = draw.winners.get().entry.member
        client.force_login(winner)
        html = page(client, "/dashboard/")
        assert "Won: Supper for two" in html
        assert "KES 250.00" in html
        client.force_login(alice() if winner == bob() else bob())
        html = page(client, "/dashboard/")
        assert "Won:" not in html
        assert "Not this time" in html

    def test_it_shows_nothing_of_others(self, client):
        frozen_draw("Night market")
        client.force_login(carol())
        assert "Night market" not in page(client, "/dashboard/")

    def test_it_offers_open_draws_i_am_not_in(self, member):
        mine, other = open_draw("Summer raffle"), open_draw("Harvest fair")
        services.enter_draw(draw=mine, member=alice(), now=timezone.now())
        html = page(member, "/dashboard/")
        offered = html[html.index("Still open") :]
        assert other.title in offered
        assert mine.title not in offered

    def test_entries_are_paged(self, member):
        for number in range(12):
            services.enter_draw(draw=open_draw(f"Raffle {number}"), member=alice(), now=timezone.now())
        assert page(member, "/dashboard/").count('<th scope="row">') == 10
        assert page(member, "/dashboard/?page=2").count('<th scope="row">') == 2


@pytest.mark.django_db
class TestTheDrawOnTheStage:
    def test_it_is_one_that_a_newcomer_has_the_time_to_enter(self, client):
        published("Last call", opens=-HOUR, closes=3 * MINUTE)
        late_show = draft("Late show", opens=-HOUR, closes=HOUR)
        late_show.min_age = 18
        late_show.save()
        services.publish_draw(draw=late_show, by=admin(), now=timezone.now())
        published("Harvest fair", opens=-HOUR, closes=2 * HOUR)
        page = client.get("/")
        assert page.context["featured"].draw.title == "Harvest fair"
        assert [stall.draw.title for stall in page.context["open_stalls"]] == ["Last call", "Late show"]
        assert "/accounts/signup/?next=/draws/harvest-fair/" in page.content.decode()

    def test_where_all_close_at_once_it_is_the_first_to_close(self, client):
        published("Last call", opens=-HOUR, closes=3 * MINUTE)
        assert client.get("/").context["featured"].draw.title == "Last call"

    def test_without_a_draw_one_joins_and_sees_the_draws(self, client):
        assert "/accounts/signup/?next=/draws/" in client.get("/").content.decode()

    def test_a_phone_leads_on_from_the_first_three(self, client):
        for name in ("One", "Two", "Three", "Four"):
            published(name, opens=-HOUR, closes=HOUR)
        assert "more_on_now" in client.get("/").context
        assert client.get("/").context["more_on_now"] == 0
        published("Five", opens=-HOUR, closes=HOUR)
        assert "See 1 more draw" in client.get("/").content.decode()


@pytest.mark.django_db
def test_a_draw_that_is_cancelled_promises_no_drawing(client):
    draw = open_draw("Rooftop concert")
    services.cancel_draw(draw=draw, by=admin(), reason="Rain", now=timezone.now())
    page = client.get(draw.get_absolute_url()).content.decode()
    assert "Nothing is drawn any more." in page
    assert 'stepper__title">Drawn' not in page
