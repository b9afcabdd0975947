"""Audiences: rules put together in SQL, counted by one statement, expanded like any other recipients."""

import re

import pytest
from django.contrib.auth.models import Group
from django.db import connection

from accounts import roles
from accounts.models import User
from notifications import segments
from notifications.kinds import Channel
from notifications.own_segments import RULES
from notifications.segments import Condition, SegmentError, audience, in_words
from notifications.services.audiences import size_of
from notifications.services.expansion import source_of
from tests.draws.factories import make_draw, make_executed
from tests.factories import admin, alice, bob, carol, make_user

pytestmark = pytest.mark.django_db
EVERYBODY = Condition("accounts.everybody")


def keys(*conditions):
    return sorted({row["to_recipient_key"] for row in audience(conditions)})


def key(*people):
    return sorted(f"member:{person.pk}" for person in people)


def also(rule, value="", **changes):
    return Condition(rule, value, **changes)


@pytest.fixture
def cast():
    return alice(), bob(), carol(), admin()


def test_rules_are_put_together_by_and_or_not(cast):
    one, two, three, staff = cast
    french, kenyan = also("accounts.language", "fr"), also("accounts.country", "KE")
    assert keys(EVERYBODY) == key(*cast)
    assert keys(EVERYBODY, also("accounts.language", "fr")) == key(three)
    assert keys(EVERYBODY, also("accounts.language", "fr", is_not=True)) == key(one, two, staff)
    assert keys(french, also("accounts.country", "KE", begins=True)) == key(one, three)
    assert keys(french, kenyan) == []
    assert keys(
        EVERYBODY,
        also("accounts.staff", is_not=True),
        also("accounts.country", "BD", is_not=True),
        also("accounts.role", roles.SUPER_ADMIN, begins=True),
    ) == key(one, three, staff)


@pytest.mark.parametrize("rule", [rule for rule in segments.all_rules()], ids=lambda rule: rule.name)
def test_who_it_is_not_for_is_left_out_by_one_join(rule, cast):
    """NOT IN would be gone through once a person: 200,000 people and as many to leave out are 40 thousand million looks."""
    value = next((value for value, _label in rule.choices()), "") if rule.choices else ""
    source, values = source_of(audience([EVERYBODY, Condition(rule.name, value, is_not=True)]))
    with connection.cursor() as cursor:
        cursor.execute(
            "SET LOCAL enable_nestloop = off"
        )  # what a few people are joined by is not what many are
        cursor.execute(f"EXPLAIN SELECT * FROM {source}", values)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert re.search(r"(Hash|Merge) (Right )?Anti Join", plan), plan
    assert "SubPlan" not in plan


def test_somebody_in_two_groups_counts_once(cast, django_assert_num_queries):
    conditions = [EVERYBODY, also("accounts.country", "KE", begins=True)]
    with django_assert_num_queries(1):
        size = size_of(conditions, category="service")
    assert size.people == 4
    assert size.languages == {"en": 3, "fr": 1}
    assert size.channels[Channel.EMAIL] == size.channels[Channel.IN_APP] == 4
    assert size.zones[Channel.EMAIL]["Asia/Dhaka"] == 1


def test_promotions_count_only_who_agreed(cast):
    User.objects.filter(pk=alice().pk).update(accepts_promotions=True)
    assert size_of([EVERYBODY], category="promotional").people == 1


def test_closed_accounts_are_in_no_audience(cast):
    User.objects.filter(pk=bob().pk).update(is_active=False)
    assert keys(EVERYBODY) == key(alice(), carol(), admin())


def test_people_of_a_draw_may_have_no_account(cast):
    draw = make_draw(slug="bikes", members=[alice(), bob()], entrants=2)
    mine = also("draws.entrants", str(draw.public_id))
    assert len(keys(mine)) == 4
    assert keys(mine, EVERYBODY) == key(alice(), bob())
    assert keys(EVERYBODY, also("draws.entrants", str(draw.public_id), is_not=True)) == key(carol(), admin())
    assert size_of([mine], category="service").channels[Channel.IN_APP] == 2
    assert keys(also("draws.entered", "30")) == key(alice(), bob())


def test_winners_are_those_who_hold_a_prize(cast):
    draw = make_executed(slug="won", members=[alice()], entrants=0)
    assert keys(also("draws.winners", str(draw.public_id))) == key(alice())


@pytest.mark.parametrize(
    ("conditions", "says"),
    [
        ([], "at least one rule"),
        ([also("accounts.everybody", is_not=True)], "only say whom it is not"),
        ([EVERYBODY, also("accounts.staff", is_not=True, begins=True)], "only say whom it is not"),
        ([also("no.such_rule")], "no.such_rule"),
        ([EVERYBODY] * 13, "At most 12"),
    ],
)
def test_what_makes_no_audience_is_refused(conditions, says):
    with pytest.raises(SegmentError, match=says):
        audience(conditions)


@pytest.mark.parametrize("rule", [rule for rule in segments.all_rules()], ids=lambda rule: rule.name)
def test_every_rule_can_be_counted_with_each_of_its_values_and_with_nonsense(rule, cast):
    make_draw(slug="bikes", members=[alice()], entrants=1)
    values = [value for value, _label in rule.choices()][:3] if rule.choices else []
    for value in [*values, "", "nonsense", "9" * 30]:
        assert size_of([Condition(rule.name, value)], category="service").people >= 0


def test_a_rule_is_registered_once():
    with pytest.raises(SegmentError, match="twice"):
        segments.register(segments.Rule(RULES[0].name, "x", RULES[0].people))


def test_an_audience_reads_as_a_sentence(cast):
    Group.objects.get(name=roles.HOST)
    said = in_words(
        [
            EVERYBODY,
            also("accounts.language", "fr", is_not=True),
            also("accounts.role", roles.HOST, begins=True),
        ]
    )
    assert said == "has an account and not (reads fr) or has the role Host"
    assert make_user()
