"""From which amount on two people are needed, and the checks of the settings that say so."""

import pytest
from django.core import checks

from payments.checks import check_settings
from payments.limits import DEFAULT_LIMITS, limit_of, needs_second_person, read_limits
from payments.money import CURRENCIES


def test_every_currency_credits_and_points_have_a_limit():
    assert set(DEFAULT_LIMITS) == {*CURRENCIES, "CREDIT", "POINT"}


@pytest.mark.parametrize(
    ("items", "unit", "limit"),
    [
        ([], "KES", 10_000_000),
        ([], "GEM", 0),
        (["KES=500"], "KES", 500),
        (["KES=500"], "BDT", 10_000_000),
        (["KES=0"], "KES", 0),
        ([" GEM=30 "], "GEM", 30),
        # One bad item: nothing is raised above the defaults until it is mended.
        (["KES=99999999999", "BDT=1e9"], "KES", 10_000_000),
        (["KES=500", "BDT=lots"], "KES", 500),
        (["KES=500", "KES=900"], "KES", 500),
    ],
)
def test_what_the_setting_names_stands_before_the_defaults(settings, items, unit, limit):
    settings.APPROVAL_LIMITS = items
    assert limit_of(unit) == limit


def test_the_limit_itself_is_still_for_one(settings):
    settings.APPROVAL_LIMITS = ["KES=500", "CREDIT=0"]
    assert not needs_second_person({"KES": 500})
    assert needs_second_person({"KES": 501})
    assert needs_second_person({"KES": 1, "CREDIT": 1})
    assert needs_second_person({"GEM": 1})


@pytest.mark.parametrize(
    "item", ["KES", "KES=", "KES=1,000", "KES=1000.00", "KES=-5", "kes=5", "=5", "KES:5", "KES=٥"]
)
def test_the_check_names_what_it_can_not_read(settings, item):
    settings.APPROVAL_LIMITS = ["BDT=7", item]
    (problem,) = check_settings()
    assert isinstance(problem, checks.Error)
    assert problem.id == "payments.E001"
    assert repr(item) in problem.msg


def test_the_check_names_a_unit_that_stands_twice(settings):
    settings.APPROVAL_LIMITS = ["KES=7", "KES=9"]
    (problem,) = check_settings()
    assert "KES stands twice" in problem.msg


def test_the_check_refuses_requests_that_expire_at_once(settings):
    settings.APPROVAL_DAYS = 0
    (problem,) = check_settings()
    assert problem.id == "payments.E002"


def test_the_settings_as_they_are_need_no_mending():
    assert check_settings() == []
    assert read_limits([]) == ({}, [])
