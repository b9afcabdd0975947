"""What one says about oneself: numbers and days that can be, and nothing else."""

import datetime as dt

import pytest

from accounts.forms import ProfileForm
from tests.factories import alice, make_user

pytestmark = pytest.mark.django_db
GOOD = {"display_name": "Grace", "time_zone": "Africa/Nairobi", "language": "en"}


def form(**fields: str) -> ProfileForm:
    return ProfileForm({**GOOD, **fields}, instance=make_user())


@pytest.mark.parametrize(
    ("country", "typed", "kept"),
    [
        ("", "+254 711 000 001", "+254711000001"),
        ("KE", "0711 000 001", "+254711000001"),
        ("BD", "01711-000001", "+8801711000001"),
        ("CA", "(416) 555-0123", "+14165550123"),
        ("KE", "+1 416 555 0123", "+14165550123"),
        ("KE", "", ""),
    ],
)
def test_a_phone_is_kept_in_one_form(country, typed, kept):
    checked = form(country=country, phone=typed)
    assert checked.is_valid(), checked.errors
    assert checked.save().phone == kept


@pytest.mark.parametrize(
    ("country", "typed"), [("", "0711 000 001"), ("KE", "12"), ("KE", "my phone"), ("", "+999 1234567"), ("", "+254 1")]
)  # fmt: skip
def test_what_is_no_number_is_refused_with_what_to_write(country, typed):
    checked = form(country=country, phone=typed)
    assert not checked.is_valid()
    assert "+254" in str(checked.errors["phone"])


@pytest.mark.parametrize("day", ["2031-01-01", "1890-01-01", "yesterday"])
def test_a_birth_date_is_a_day_on_which_somebody_was_born(day):
    assert "birth_date" in form(birth_date=day).errors


def test_a_birth_date_and_country_are_kept():
    person = form(birth_date="1990-02-28", country="KE").save()
    assert (person.birth_date, person.country) == (dt.date(1990, 2, 28), "KE")


def test_a_country_there_is_not_is_refused():
    assert "country" in form(country="XX").errors


def test_the_page_shows_what_is_kept(client):
    client.force_login(alice())
    html = client.get("/accounts/profile/").content.decode()
    assert 'value="+254711000001"' in html
    assert '<option value="KE" selected>Kenya</option>' in html
