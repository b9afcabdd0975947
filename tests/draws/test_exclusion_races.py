"""One person in several draws of a series at one moment, in processes of their own: still one public id."""

from django.utils import timezone

from draws import services
from draws.models import Entry
from draws.services import NewEntry
from tests.draws.factories import make_draw
from tests.draws.processes import together
from tests.factories import alice


def test_entering_two_draws_of_a_series_at_one_moment_gives_one_public_id(cloned_db, soak_rounds):
    for _round in range(soak_rounds(2, 50)):
        enter_at_once(alice())


def enter_at_once(member):
    first = make_draw()
    draws = [first, *(make_draw(scope=first.scope) for _ in range(3))]

    def enter(draw):
        return lambda: services.enter_draw(draw=draw, member=member, now=timezone.now()).pid_hex

    def add(draw):
        people = [NewEntry(member.email), NewEntry("other@example.org")]
        return lambda: services.add_entries(draw=draw, entries=people, now=timezone.now())

    together([enter(draws[0]), enter(draws[1]), add(draws[2]), add(draws[3])])
    entries = Entry.objects.filter(draw__in=draws)
    pids = {(entry.identity, entry.pid_hex) for entry in entries}
    assert len(entries) == 6
    assert len(pids) == 2
