"""Draws that another part of the site orders: in one call, once, with its own notices, handed back when they end."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from draws import owners, services
from draws.models import Draw, Entry
from draws.owners import Owner, OwnerError, register_owner
from draws.services import NewEntry, NewPrize
from notifications.models import Message
from payments import pools
from tests.draws.factories import identities, pool_of, winners_of
from tests.draws.promises import assert_verifies
from tests.factories import admin, alice

pytestmark = pytest.mark.django_db
PEOPLE = [NewEntry(f"guest{n}@example.org", 1 + n % 3) for n in range(20)]


@pytest.fixture
def handed():
    """What the show was handed back; it is registered for the time of a test."""
    got = []
    register_owner(
        Owner(
            name="shows.raffle",
            notices=frozenset({"draws.winner_announcement"}),
            on_completed=lambda draw, report, now: got.append(("completed", draw.pk, report.winners_count)),
            on_ended=lambda draw, now: got.append(("ended", draw.pk, str(draw.status))),
        )
    )
    yield got
    owners._owners.pop("shows.raffle")


def raffle(key="evening", entrants=PEOPLE, **fields):
    arguments = {
        "owner": "shows.raffle",
        "key": key,
        "title": "Raffle of the evening",
        "rules": "Whoever is here.",
        "prizes": [NewPrize(title="Mug", kind="physical", quantity=2)],
        "by": admin(),
        "now": timezone.now(),
    }
    return services.open_draw_for(entrants=entrants, **(arguments | fields))


def kinds_said(draw):
    return set(Message.objects.filter(about=draw.about).values_list("kind", flat=True))


def run(draw):
    """Freeze and make it at its times."""
    services.freeze_due_draws(now=draw.closes_at)
    draw.refresh_from_db()
    services.execute_due_draws(now=draw.draw_at)
    draw.refresh_from_db()


def test_one_call_opens_fills_and_publishes_and_the_jobs_do_the_rest(handed, tmp_path):
    draw = raffle()
    assert draw.status == Draw.Status.ACTIVE
    assert identities(draw) == {person.identity: person.weight for person in PEOPLE}
    assert (draw.closes_at - draw.opens_at, draw.min_wait_s) == (dt.timedelta(seconds=1), 30)
    run(draw)
    assert draw.status == Draw.Status.COMPLETED
    assert len(winners_of(draw)) == 2
    assert handed == [("completed", draw.pk, 2)]
    assert_verifies(draw, tmp_path)


def test_called_again_it_returns_the_first_draw_and_adds_nobody(handed):
    first = raffle()
    again = raffle(entrants=[NewEntry("late@example.org")], title="Another title")
    assert again == first
    assert again.title == "Raffle of the evening"
    assert Entry.objects.count() == len(PEOPLE)
    assert raffle(key="matinee") != first


def test_prizes_of_money_come_from_a_pool_that_is_known_before(handed):
    cash = [NewPrize(title="Cash", kind="cash", amount=500, quantity=2)]
    with pytest.raises(services.PublishError, match=r"Fund the pool with KES 10\.00 more"):
        raffle(prizes=cash)
    assert not Draw.objects.exists()
    pools.fund_pool(
        pool=services.pool_of(owner="shows.raffle", key="evening"),
        unit="KES",
        amount=1_000,
        by=admin(),
        reason="From the show's budget",
        idem_key="show",
        now=timezone.now(),
    )
    assert pool_of(raffle(prizes=cash)) == (0, 1_000, 0)


@pytest.mark.parametrize(
    ("entrants", "says"),
    [
        ([], "nobody to draw from"),
        ([NewEntry("Big@Example.org")], "not normalised"),
        ([NewEntry("nobody")], "not an e-mail address"),
        ([NewEntry("a@example.org", 0)], "whole number of tickets"),
    ],
)
def test_a_bad_list_leaves_nothing_behind(handed, entrants, says):
    with pytest.raises(services.EntryRefusedError, match=says):
        raffle(entrants=entrants)
    assert not Draw.objects.exists()
    assert not Entry.objects.exists()


def test_a_list_is_copied_in_as_many_statements_whatever_its_length(handed):
    counts = []
    raffle()  # what is looked up once a process is known then
    for key, length in (("few", 10), ("many", 5_000)):
        people = [NewEntry(f"p{n}@example.org") for n in range(length)]
        with CaptureQueriesContext(connection) as queries:
            raffle(key=key, entrants=people)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_only_what_the_owner_left_to_the_engine_is_said(handed):
    draw = raffle()
    run(draw)
    assert kinds_said(draw) == {"draws.winner_announcement", "draws.admin_summary"}


def test_a_draw_of_admins_says_everything():
    assert owners.is_said(Draw(owner=""), "draws.non_winner")
    assert owners.is_said(Draw(owner="gone"), "draws.non_winner")


def test_nobody_else_enters_it(handed):
    draw = raffle()
    with pytest.raises(services.EntryRefusedError, match="by themselves"):
        services.enter_draw(draw=draw, member=alice(), now=timezone.now())


def test_a_cancelled_one_is_handed_back_as_ended_once(handed):
    draw = raffle()
    for _again in range(2):
        services.cancel_draw(draw=draw, by=admin(), reason="Power cut", now=timezone.now())
    assert handed == [("ended", draw.pk, "cancelled")]


def test_a_callback_that_breaks_undoes_the_draw_which_is_tried_again(handed, tmp_path):
    draw = raffle()
    owner = owners._owners["shows.raffle"]

    def broken(*_arguments):
        raise RuntimeError("the show is not there")

    owners._owners["shows.raffle"] = Owner(name="shows.raffle", on_completed=broken)
    run(draw)
    assert draw.status == Draw.Status.ACTIVE
    assert "the show is not there" in draw.execution_error
    assert not draw.winners.exists()
    owners._owners["shows.raffle"] = owner
    services.execute_due_draws(now=draw.next_attempt_at)
    assert_verifies(draw, tmp_path)


def test_the_winners_of_one_raffle_are_skipped_by_the_next_of_the_evening(handed, tmp_path):
    first = raffle(key="one")
    run(first)
    second = raffle(
        key="two",
        series=first.scope,
        excludes=[first.public_id],
        now=first.draw_at + dt.timedelta(seconds=1),
    )
    run(second)
    won = [{pid for _slot, _rank, pid, _prize in winners_of(draw)} for draw in (first, second)]
    assert len(won[0]) == len(won[1]) == 2
    assert not won[0] & won[1]
    assert_verifies(second, tmp_path)


def test_an_owner_is_registered_once_and_speaks_of_kinds_that_exist(handed):
    with pytest.raises(OwnerError, match="registered twice"):
        register_owner(Owner(name="shows.raffle"))
    with pytest.raises(OwnerError, match=r"doesn't say draws\.nonsense"):
        register_owner(Owner(name="other", notices=frozenset({"draws.nonsense"})))
    with pytest.raises(OwnerError, match="registered as 'nobody'"):
        raffle(owner="nobody")
