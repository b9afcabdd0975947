"""What is typed lies within bounds: years, waits, numbers of prizes, characters of titles."""

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from accounts.plain_text import unseen_in
from draws import services
from draws.models import Draw, Prize
from draws.models.draw import MOST_ALTERNATES, MOST_SLOTS
from draws.services import DrawChanges, PrizeTerms
from tests.draws.admin_pages import act_url, draft_form
from tests.draws.factories import VOUCHER, import_csv, make_draft, make_draw
from tests.draws.promises import LOTTERY
from tests.factories import admin, alice

pytestmark = pytest.mark.django_db

TURNED = "Prize \u202e001 SEK"


@pytest.fixture
def boss(client):
    client.force_login(admin())
    return client


def refused(boss, *prizes, **fields) -> str:
    """The page of a new draft that was not taken."""
    answer = boss.post(reverse("admin:draws_draw_add"), draft_form(*prizes, **fields))
    assert answer.status_code == 200
    assert not Draw.objects.exists()
    return answer.content.decode()


def test_the_days_of_a_voucher_are_said_in_the_draft(boss):
    row = {"title": "Dinner", "kind": "voucher", "valid_days": "30"}
    without = {"title": "Lunch", "kind": "voucher"}
    emptied = {"title": "Tea", "kind": "voucher", "valid_days": ""}
    assert boss.post(reverse("admin:draws_draw_add"), draft_form(row, without, emptied)).status_code == 302
    days = dict(Prize.objects.values_list("title", "valid_days"))
    assert days == {"Dinner": 30, "Lunch": 365, "Tea": 365}


class TestTimes:
    @pytest.mark.parametrize("zone", ["Africa/Nairobi", "Asia/Dhaka", "America/Toronto"])
    @pytest.mark.parametrize("name", ["opens_at", "closes_at", "draw_at"])
    @pytest.mark.parametrize(
        "wall", ["9999-12-31T23:59:59", "0001-01-01T00:00", "1999-12-31T23:59", "2100-01-01T00:00"]
    )
    def test_years_at_the_ends_of_the_calendar_are_refused_with_a_sentence(self, boss, zone, name, wall):
        assert "Write a year from 2000 to 2099." in refused(boss, **{name: wall, "time_zone": zone})

    def test_so_they_are_where_a_published_draw_is_changed(self, boss):
        draw = make_draw()
        url = reverse("admin:draws_draw_change_terms", args=[draw.pk])
        form = boss.get(url).context["form"]
        sent = {name: form[name].value() for name in form.fields if form[name].value() is not None}
        sent |= {"draw_at": "9999-12-31T23:59:59", "reason": "Later"}
        assert "Write a year from 2000 to 2099." in boss.post(url, sent).content.decode()

    @pytest.mark.parametrize("wait", ["2592001", "999999999999", "2147483648"])
    def test_a_wait_is_at_most_thirty_days(self, boss, wait):
        assert "less than or equal to 2592000" in refused(boss, min_wait_s=wait)

    def test_the_longest_wait_at_the_last_moment_is_only_out_of_order(self, boss):
        times = {"closes_at": "2099-12-31T23:58", "draw_at": "2099-12-31T23:59", "min_wait_s": "2592000"}
        assert "Draw at least 2592000 seconds" in refused(boss, **times)


class TestSizes:
    def test_a_prize_is_there_at_most_ten_thousand_times(self, boss):
        row = {"title": "Pen", "kind": "voucher", "quantity": "2147483647"}
        assert "less than or equal to 10000" in refused(boss, row)

    def test_so_are_all_prizes_together(self, boss):
        rows = [{"title": f"Pen {n}", "kind": "voucher", "quantity": "5001"} for n in range(2)]
        assert "at most 10,000 prizes in all" in refused(boss, *rows)

    def test_extra_ranks_are_bounded(self, boss):
        assert "less than or equal to 100000" in refused(boss, alternates="100001")

    def test_what_came_in_by_another_way_is_not_published(self):
        draw = make_draft(prizes=[("Pen", "voucher", 0, MOST_SLOTS), ("Cap", "voucher", 0, 1)])
        with pytest.raises(services.PublishError, match="at most 10,000 prizes in all"):
            services.publish_draw(draw=draw, by=admin(), now=timezone.now())

    def test_as_many_as_are_allowed_are_published_with_bounded_extra_ranks(self):
        draw = make_draw(prizes=[("Pen", "voucher", 0, MOST_SLOTS)])
        assert draw.alternates == MOST_SLOTS <= MOST_ALTERNATES

    def test_a_published_draw_is_not_changed_beyond_it(self):
        draw = make_draw(prizes=[VOUCHER])
        changes = DrawChanges(prizes=[PrizeTerms(code="p1", title="Pen", kind="voucher", quantity=10_001)])
        with pytest.raises(services.ChangeRefusedError, match="at most 10,000"):
            services.change_draw(draw=draw, changes=changes, by=admin(), reason="More", now=timezone.now())

    def test_the_database_holds_to_it(self):
        draw = make_draft(prizes=[VOUCHER])
        for rows, value in (
            (Prize.objects.filter(draw=draw), {"quantity": MOST_SLOTS + 1}),
            (Draw.objects.filter(pk=draw.pk), {"alternates": MOST_ALTERNATES + 1}),
        ):
            with pytest.raises(IntegrityError), transaction.atomic():
                rows.update(**value)


class TestPlainText:
    @pytest.mark.parametrize(
        ("text", "unseen"),
        [
            ("Main\r\nBcc: x", "U+000D CONTROL CHARACTER"),
            ("a\x7fb", "U+007F CONTROL CHARACTER"),
            (TURNED, "U+202E RIGHT-TO-LEFT OVERRIDE"),
            ("a\u2066b", "U+2066 LEFT-TO-RIGHT ISOLATE"),
            ("a\u2028b", "U+2028 LINE SEPARATOR"),
        ],
    )
    def test_what_can_not_be_seen_is_named(self, text, unseen):
        assert unseen_in(text) == unseen

    @pytest.mark.parametrize(
        "text", ["", "KES 1,000 – “big”", "ক্\u200dষ", "👨\u200d👩\u200d👧", "مرحبا", "שלום"]
    )
    def test_what_people_write_is_left_alone(self, text):
        assert unseen_in(text) == ""

    @pytest.mark.parametrize("title", ["Main\r\nBcc: x", TURNED])
    def test_titles_of_drafts_and_prizes_are_refused(self, boss, title):
        assert "a character that can&#x27;t be seen" in refused(boss, title=title)
        prize = {"title": title, "kind": "voucher"}
        assert "a character that can&#x27;t be seen" in refused(boss, prize)

    @pytest.mark.parametrize("title", ["Main\r\nBcc: x", TURNED])
    def test_no_other_way_brings_them_in(self, title):
        draw = make_draw(prizes=[VOUCHER])
        for changes in (
            DrawChanges(title=title),
            DrawChanges(prizes=[PrizeTerms(code="p1", title=title, kind="voucher")]),
        ):
            with pytest.raises(services.ChangeRefusedError, match="plain text"):
                services.change_draw(draw=draw, changes=changes, by=admin(), reason="So", now=timezone.now())
        for draft in (make_draft(title=title), make_draft(prizes=[(title, "voucher", 0, 1)])):
            with pytest.raises(services.PublishError, match="Titles are plain text"):
                services.publish_draw(draw=draft, by=admin(), now=timezone.now())

    def test_names_of_an_imported_list_lose_them(self):
        draw = make_draw()
        import_csv(draw, f"email,name\na@example.org,{TURNED}\n")
        assert draw.entries.get().name == "Prize 001 SEK"

    @pytest.mark.parametrize("path", ["/accounts/profile/", "/accounts/signup/"])
    def test_members_are_not_called_so(self, client, path):
        if "profile" in path:
            client.force_login(alice())
        sent = {"display_name": TURNED, "email": "new@example.com", "password1": "a long enough one"}
        html = client.post(path, sent | {"time_zone": "UTC"}).content.decode()
        assert "a character that can&#x27;t be seen" in html


class TestPublished:
    """What the admin is told once a draw is published."""

    def told(self, boss, draw) -> str:
        return boss.post(act_url(draw, "publish"), follow=True).content.decode()

    def test_of_a_draw_with_a_commitment(self, boss):
        draw = make_draft(prizes=[VOUCHER])
        html = self.told(boss, draw)
        draw.refresh_from_db()
        assert f"Its commitment is {draw.commitment}." in html

    def test_of_one_without_it_says_where_the_number_comes_from(self, boss, settings):
        settings.DRAND_RELAYS = ["https://relay.example"]
        draw = make_draft(prizes=[VOUCHER], randomness=[{"type": "drand"}, LOTTERY])
        html = self.told(boss, draw)
        assert "commitment is ." not in html
        assert f"round {draw.drand_round} of drand" in html
        assert LOTTERY["label"] in html
