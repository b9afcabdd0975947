"""Who may enter: groups, age, country; and what a refused person is told to do."""

import datetime as dt

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from draws import services
from draws.models import Draw
from draws.services.eligibility import latest_birth_date, who_may_still_enter
from tests.draws.factories import identities, import_csv, make_draft, make_draw
from tests.factories import alice, bob, carol, dave, make_user

pytestmark = pytest.mark.django_db


def enter(draw, member):
    return services.enter_draw(draw=draw, member=member, now=timezone.now())


def born(day: str, **fields):
    return make_user(birth_date=dt.date.fromisoformat(day), **fields)


class TestAudience:
    def test_a_group_draw_takes_its_group_and_nobody_else(self):
        group = Group.objects.create(name="Choir")
        alice().groups.add(group)
        draw = make_draw(audience="group", audience_group=group)
        enter(draw, alice())
        with pytest.raises(services.EntryRefusedError, match="for the group “Choir”, and you are not in it"):
            enter(draw, bob())
        assert list(identities(draw)) == [alice().email]

    def test_a_group_draw_names_its_group(self):
        with pytest.raises(IntegrityError, match="group_is_named"), transaction.atomic():
            make_draft(audience="group")

    @pytest.mark.parametrize(
        ("audience", "says"), [("list", "invited people only"), ("app", "by themselves")]
    )
    def test_others_take_nobody_who_comes_by_themselves(self, audience, says):
        draw = make_draw(audience=audience)
        with pytest.raises(services.EntryRefusedError, match=says):
            enter(draw, alice())

    def test_who_may_enter_never_changes_once_it_is_published(self):
        draw = make_draw(min_age=18)
        for change in ({"min_age": 21}, {"audience": "list"}, {"countries": ["KE"]}):
            with pytest.raises(IntegrityError, match="who may enter"), transaction.atomic():
                Draw.objects.filter(pk=draw.pk).update(**change)


class TestAge:
    @pytest.mark.parametrize(
        ("closes", "zone", "latest"),
        [
            ("2026-12-08T15:00", "Africa/Nairobi", "2008-12-08"),
            # 22:30 UTC is the next day in Dhaka, and still the day itself in Toronto.
            ("2026-12-08T22:30", "Asia/Dhaka", "2008-12-09"),
            ("2026-12-09T03:30", "America/Toronto", "2008-12-08"),
            ("2028-02-29T12:00", "UTC", "2010-02-28"),
            ("2026-02-28T12:00", "UTC", "2008-02-28"),
            # The night in which Toronto's clocks go back: both 01:30s are of the same day.
            ("2026-11-01T05:30", "America/Toronto", "2008-11-01"),
            ("2026-11-01T06:30", "America/Toronto", "2008-11-01"),
        ],
    )
    def test_age_is_reckoned_on_the_day_entries_close_where_the_draw_is(self, closes, zone, latest):
        draw = Draw(
            min_age=18, time_zone=zone, closes_at=dt.datetime.fromisoformat(closes).replace(tzinfo=dt.UTC)
        )
        assert latest_birth_date(draw) == dt.date.fromisoformat(latest)

    def test_whoever_turns_old_enough_on_that_day_may_enter_and_a_day_later_not(self):
        draw = make_draw(min_age=18)
        day = latest_birth_date(draw)
        enter(draw, make_user(birth_date=day))
        with pytest.raises(services.EntryRefusedError, match=r"18 or older .* correct it there"):
            enter(draw, make_user(birth_date=day + dt.timedelta(days=1)))

    def test_without_a_birth_date_it_says_what_to_do(self):
        with pytest.raises(services.EntryRefusedError, match="fill in your birth date in your profile"):
            enter(make_draw(min_age=18), dave())


class TestCountry:
    def test_only_people_from_there_may_enter(self):
        draw = make_draw(countries=["KE", "BD"])
        enter(draw, alice())
        enter(draw, bob())
        with pytest.raises(services.EntryRefusedError, match=r"in KE, BD\. By your profile you are in CA"):
            enter(draw, carol())
        with pytest.raises(services.EntryRefusedError, match="fill in your country in your profile"):
            enter(draw, dave())


def test_imported_lists_are_taken_as_given_and_the_person_finds_their_entry():
    draw = make_draw(min_age=18, countries=["BD"])
    import_csv(draw, f"{dave().email},Dave,3\n")
    assert enter(draw, dave()).weight == 3


def test_the_page_says_why_the_button_is_not_there(client):
    draw = make_draw(min_age=18, countries=["KE"])
    client.force_login(dave())
    page = client.get(draw.get_absolute_url()).content.decode()
    assert "fill in your birth date in your profile" in page
    assert f'action="{reverse("draws:enter", args=[draw.slug])}"' not in page
    assert "For people of 18 or older" in page
    answer = client.post(reverse("draws:enter", args=[draw.slug]), follow=True)
    assert "fill in your birth date in your profile" in answer.content.decode()
    assert not draw.entries.exists()


def test_who_is_reminded_is_who_could_enter_and_has_not():
    group = Group.objects.create(name="Choir")
    draw = make_draw(audience="group", audience_group=group, min_age=18, countries=["KE"])
    fits = born("1990-01-01", country="KE")
    entered = born("1990-01-01", country="KE")
    imported = born("1990-01-01", country="KE")
    for person in (fits, entered, imported, born("2020-01-01", country="KE"), born("1990-01-01"), dave()):
        person.groups.add(group)
    born("1990-01-01", country="KE")
    enter(draw, entered)
    import_csv(draw, imported.email)
    assert list(who_may_still_enter(draw)) == [fits]
