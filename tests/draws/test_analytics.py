"""Figures of the draws: what each table counts, who may see them, and that nobody can be picked out of them."""

import csv
import datetime as dt
import io
import zoneinfo

import pytest
from django.core.cache import cache
from django.test.html import parse_html
from django.utils import timezone

from accounts.models import User
from config import roles
from draws import analytics, services
from draws.analytics import Period, merged
from draws.models import Award, Draw
from tests.draws.admin_pages import page_of, staff
from tests.draws.factories import (
    CASH,
    HOUR,
    SMALL,
    VOUCHER,
    add_entries_straight,
    make_draft,
    make_draw,
    make_executed,
    make_frozen,
)
from tests.factories import admin, alice, bob, make_user

NAIROBI = zoneinfo.ZoneInfo("Africa/Nairobi")
URL = "/admin/draws/analytics/"


def lately(days: int = 30) -> Period:
    today = timezone.now().astimezone(NAIROBI).date()
    return Period(today - dt.timedelta(days=days), today + dt.timedelta(days=1), NAIROBI)


def as_dict(table, place=1) -> dict:
    return {row[0]: row[place] for row in table.rows}


def people(count: int, **fields) -> list[User]:
    return [make_user(**fields) for _ in range(count)]


def drawn_among(members, *, prizes=None) -> Draw:
    """A draw in which every one of these members wins."""
    return make_executed(
        entrants=0, members=members, prizes=prizes or (("Prize", "cash", 1_000, len(members)),)
    )


@pytest.mark.django_db
class TestTables:
    def test_draws_are_counted_in_the_week_they_were_due_executed_and_failed(self):
        make_executed()
        broken = make_frozen()
        Draw.objects.filter(pk=broken.pk).update(secret_encrypted="broken")
        for _ in range(2):
            with pytest.raises(services.DrawError):
                services.execute_draw(draw_id=broken.pk, now=broken.draw_at)
        make_draft()
        cancelled = make_draw()
        services.cancel_draw(draw=cancelled, by=admin(), reason="No longer", now=timezone.now())
        table = analytics.draws_by_week(lately())
        assert [sum(table.column(place)) for place in (1, 2, 3)] == [2, 1, 1]
        assert all(day.weekday() == 0 for day in table.column(0))
        assert 5 <= len(table.rows) <= 6  # also the weeks in which nothing was due

    def test_a_draw_at_midnight_belongs_to_the_week_of_the_zone(self):
        draw = make_draw()
        monday = dt.datetime(2026, 11, 9, 0, 30, tzinfo=NAIROBI)  # Sunday evening in UTC
        Draw.objects.filter(pk=draw.pk).update(
            opens_at=monday - 3 * HOUR, closes_at=monday - HOUR, draw_at=monday
        )
        in_nairobi = Period(dt.date(2026, 11, 2), dt.date(2026, 11, 15), NAIROBI)
        in_utc = Period(dt.date(2026, 11, 2), dt.date(2026, 11, 15), zoneinfo.ZoneInfo("UTC"))
        assert as_dict(analytics.draws_by_week(in_nairobi))[dt.date(2026, 11, 9)] == 1
        assert as_dict(analytics.draws_by_week(in_utc))[dt.date(2026, 11, 2)] == 1

    def test_awards_add_up_by_month_and_unit_and_by_what_became_of_them(self):
        draw = make_executed(
            entrants=6, prizes=(CASH, SMALL, ("Credits", "credits", 30, 1), VOUCHER), members=[alice()]
        )
        rows = {row[1]: row[2:] for row in analytics.awarded_by_month(lately()).rows}
        assert rows["KES"][:2] == (3, 120_000)
        assert rows["CREDIT"][:2] == (1, 30)
        assert rows[""][:2] == (1, 0)
        paid = sum(award.amount for award in Award.objects.filter(state="paid", unit="KES"))
        assert rows["KES"][2] == paid
        ended = {"state": "expired", "ended_at": timezone.now(), "ended_as": "forfeited"}
        Award.objects.filter(about=draw.about, state="claimable", unit="KES").update(**ended)
        (row,) = (row for row in analytics.awarded_by_month(lately()).rows if row[1] == "KES")
        assert row[3:] == (paid, paid, 120_000 - paid)

    def test_pools_show_what_came_in_what_went_out_and_what_they_hold(self):
        make_executed(entrants=2, members=[alice()], extra=5_000, prizes=(CASH,))
        make_draw(prizes=(SMALL,))
        (row,) = analytics.pool_use(lately()).rows
        unit, funded, reserved, paid, returned, free, held, owed = row
        assert (unit, funded, returned) == ("KES", 125_000, 0)
        assert (free, held) == (5_000, 20_000)
        assert paid + owed == 100_000
        assert reserved == 120_000
        before = Period(dt.date(2020, 1, 1), dt.date(2020, 2, 1), NAIROBI)
        assert analytics.pool_use(before).rows[0][1:5] == (0, 0, 0, 0)

    def test_entries_are_counted_by_the_day_of_the_zone_and_by_draw(self):
        draw = make_draw(entrants=7)
        other = make_draw(entrants=2)
        table = analytics.entries_per_day(lately())
        day = draw.opens_at.astimezone(NAIROBI).date()
        tickets = sum(draw.entries.values_list("weight", flat=True)) + sum(
            other.entries.values_list("weight", flat=True)
        )
        assert as_dict(table)[day] == 9
        assert as_dict(table, 2)[day] == tickets
        assert len(table.rows) == 32
        assert sum(analytics.entries_per_day(lately(), draw_id=draw.pk).column(1)) == 7
        assert analytics.entries_per_draw(lately()).rows[0][::2] == (draw.title, 7)

    def test_entries_are_counted_by_hour(self):
        draw = make_draw(entrants=4)
        found = analytics.entries_per_hour(lately(2), draw_id=draw.pk)
        hour = draw.opens_at.replace(minute=0, second=0, microsecond=0)
        assert as_dict(found)[hour.astimezone(NAIROBI)] == 4
        assert sum(found.column(1)) == 4

    def test_claims_tell_what_was_paid_at_once_and_how_long_the_others_took(self):
        draw = make_executed(entrants=9, prizes=(("Prize", "cash", 1_000, 9),), members=[alice()])
        waiting = list(Award.objects.filter(about=draw.about, state="claimable").order_by("pk"))
        at_once = Award.objects.filter(about=draw.about, state="paid").count()
        for award in waiting[:2]:
            member = make_user(email=award.identity)
            services.claim_award(award=award, member=member, now=award.created_at + HOUR)
        ended = {"state": "expired", "ended_at": timezone.now()}
        Award.objects.filter(pk=waiting[2].pk).update(ended_as="forfeited", **ended)
        Award.objects.filter(pk=waiting[3].pk).update(ended_as="declined", **ended)
        (row,) = analytics.claims(lately()).rows
        assert row[:7] == ("cash", 9, at_once, 2, len(waiting) - 4, 1, 1)
        assert row[7] == pytest.approx(2 / 3)
        assert row[8:] == (3600.0, 3600.0)

    def test_lateness_is_measured_against_the_draw_time_and_early_is_not_late(self):
        for late in (0, 2, 400):
            frozen = make_frozen()
            services.execute_draw(draw_id=frozen.pk, now=frozen.draw_at + dt.timedelta(seconds=late))
        early = make_frozen(draw_at=timezone.now())
        services.execute_draw(
            draw_id=early.pk, now=early.draw_at - dt.timedelta(minutes=5), by=admin(), reason="Now"
        )
        (row,) = analytics.lateness(lately()).rows
        assert row[0] == 4
        assert row[1] == pytest.approx(1)
        assert row[3] == 400
        spread = as_dict(analytics.lateness_spread(lately()))
        assert list(spread.values()) == [2, 1, 0, 0, 1, 0]

    def test_without_anything_every_table_is_there(self):
        for report in analytics.REPORTS:
            table = report.table(lately())
            assert all(len(row) == len(table.columns) for row in table.rows)


class TestSmallGroups:
    @pytest.mark.parametrize(
        ("groups", "shown", "others"),
        [
            ([], [], 0),
            ([("KE", 5)], [("KE", 5)], 0),
            ([("KE", 9), ("BD", 3), ("CA", 2)], [("KE", 9)], 5),
            # What is left over would be small itself: the smallest large one goes with it.
            ([("KE", 9), ("BD", 6), ("CA", 2)], [("KE", 9)], 8),
            ([("KE", 9), ("CA", 2)], [], 11),
            ([("KE", 2), ("CA", 1)], [], 3),
        ],
    )
    def test_they_are_taken_together_until_nobody_stands_alone(self, groups, shown, others):
        found, rest = merged(groups)
        assert sorted(found) == sorted(shown)
        assert rest == others

    @pytest.mark.django_db
    def test_a_country_with_few_winners_is_not_named(self):
        members = people(6, country="KE") + people(5, country="BD") + people(2, country="CA")
        members += people(1, country="NG") + people(2, country="JP") + people(3)
        drawn_among(members)
        found = as_dict(analytics.winners_by_country(lately()))
        assert found == {"KE": 6, "BD": 5, "Groups under 5, together": 5, "Not told": 3}

    @pytest.mark.django_db
    def test_ages_are_those_on_the_day_of_the_draw(self):
        today = timezone.now().astimezone(NAIROBI).date()

        def born(years: int, days: int = 0) -> dt.date:
            return today.replace(year=today.year - years, day=min(today.day, 28)) - dt.timedelta(days=days)

        members = people(5, birth_date=born(24, 30)) + people(6, birth_date=born(25, 30))
        members += people(5, birth_date=born(70)) + people(2)
        drawn_among(members)
        found = as_dict(analytics.winners_by_age(lately()))
        assert found == {"18–24": 5, "25–34": 6, "65+": 5, "Not told": 2}

    @pytest.mark.django_db
    def test_winners_without_an_account_are_said_to_have_none(self):
        make_executed(entrants=8, prizes=(("Prize", "cash", 1_000, 8),))
        assert as_dict(analytics.winners_by_country(lately())) == {"No account": 8}
        assert as_dict(analytics.winners_by_age(lately())) == {"No account": 8}


@pytest.fixture
def boss(client):
    client.force_login(admin())
    return client


@pytest.mark.django_db
class TestPage:
    def test_it_shows_every_table_as_a_plot_and_links_its_csv(self, boss):
        drawn_among(people(6, country="KE") + people(5))
        html = boss.get(URL).content.decode()
        parse_html(html)
        for report in analytics.REPORTS:
            assert str(report.title) in html.replace("&#x27;", "'")
            assert f"{URL}{report.name}.csv" in html
        assert html.count('<figure class="plot') >= len(analytics.REPORTS) - 1
        ids = [part.partition('"')[0] for part in html.split('id="plot-')[1:]]
        assert len(ids) == len(set(ids))

    def test_an_empty_site_says_so(self, boss):
        assert "Nothing to show in this time." in boss.get(URL).content.decode()

    @pytest.mark.parametrize(
        ("query", "complaint"),
        [
            ("first=2026-11-01&last=2026-10-01", "The first day is after the last."),
            ("first=2020-11-01&last=2026-10-01", "Choose at most three years."),
            ("first=yesterday&last=2026-10-01", "Enter a valid date."),
            ("first=2026-10-01", "This field is required."),
            ("first=1026-10-01&last=1026-10-05", "Choose days of this century."),
        ],
    )
    def test_a_span_that_is_none_is_refused_and_the_usual_one_shown(self, boss, query, complaint):
        response = boss.get(f"{URL}?{query}")
        assert response.status_code == 200
        assert complaint in response.content.decode()
        assert boss.get(f"{URL}claims.csv?{query}").status_code == 404

    def test_a_span_can_be_chosen(self, boss):
        make_executed()
        html = boss.get(f"{URL}?first=2020-01-01&last=2020-01-31").content.decode()
        assert "1 Jan 2020 to 31 Jan 2020" in html

    @pytest.mark.parametrize("report", analytics.REPORTS, ids=lambda report: report.name)
    def test_every_table_comes_as_csv(self, boss, report):
        drawn_among(people(6, country="KE"))
        response = boss.get(f"{URL}{report.name}.csv")
        assert response.streaming
        assert response["Content-Type"] == "text/csv; charset=utf-8"
        lines = list(csv.reader(io.StringIO(b"".join(response).decode())))
        table = report.table(lately(90))
        assert lines[0] == [str(column) for column in table.columns]
        assert len(lines) > 1
        assert {len(line) for line in lines} == {len(table.columns)}

    def test_amounts_in_csv_are_decimals(self, boss):
        make_draw(prizes=(CASH,))
        lines = list(csv.reader(io.StringIO(b"".join(boss.get(f"{URL}pool-use.csv")).decode())))
        assert lines[1][:3] == ["KES", "1000.00", "1000.00"]

    def test_cells_that_a_spreadsheet_would_run_are_defused(self, boss):
        make_draw(entrants=2, title="=HYPERLINK(evil)")
        text = b"".join(boss.get(f"{URL}entries-per-draw.csv")).decode()
        assert "'=HYPERLINK(evil)" in text
        assert "\n=HYPERLINK" not in text

    def test_there_is_no_other_table(self, boss):
        assert boss.get(f"{URL}passwords.csv").status_code == 404

    @pytest.mark.parametrize(
        ("role", "status"),
        [
            (roles.SUPER_ADMIN, 200),
            (roles.MANAGER_ADMIN, 200),
            (roles.FINANCE, 404),
            (roles.SUPPORT_LEAD, 404),
        ],
    )
    def test_only_those_who_may_see_reports_see_it(self, client, role, status):
        client.force_login(staff(role))
        assert client.get(URL).status_code == status
        assert client.get(f"{URL}claims.csv").status_code == status
        assert (URL in client.get("/admin/").content.decode()) == (status == 200)

    def test_members_and_visitors_do_not_reach_it(self, client):
        assert client.get(URL).status_code == 302
        client.force_login(alice())
        assert client.get(URL).status_code != 200

    def test_counting_is_done_once_a_minute(self, boss, django_assert_max_num_queries):
        make_executed()
        boss.get(URL)
        with django_assert_max_num_queries(12):
            boss.get(URL)
        cache.clear()


@pytest.mark.django_db
class TestEntryTimes:
    def test_the_page_of_an_open_draw_plots_its_entries_by_hour(self, boss):
        draw = make_draw(entrants=5)
        assert "Entries by hour" in boss.get(page_of(draw)).content.decode()

    def test_a_long_one_by_day(self, boss):
        now = timezone.now()
        draw = make_draw(opens_at=now - dt.timedelta(days=9), draw_at=now + dt.timedelta(days=1))
        add_entries_straight(draw, [("x@example.org", 1, None)])
        assert "Entries by day" in boss.get(page_of(draw)).content.decode()

    def test_a_draft_has_none(self, boss):
        assert 'id="plot-entry-times"' not in boss.get(page_of(make_draft())).content.decode()

    def test_bob_s_name_is_on_none_of_it(self, boss):
        make_executed(members=[bob()])
        assert bob().email not in boss.get(URL).content.decode()
