"""Rehearsals: they draw as the execution does, change nothing, and name nobody."""

from hashlib import sha256
from itertools import islice

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.db.utils import InternalError

from config import roles
from draws import services
from draws.models import Draw, Entry
from draws.selection import draw_ranks
from draws.services import rehearsing
from draws.services.freezing import entries_file_name
from draws.services.rehearsing import RehearsalError, rehearse_draw
from tests.draws.admin_pages import staff
from tests.draws.factories import (
    CASH,
    add_entry,
    entries_text,
    make_draft,
    make_draw,
    make_executed,
    make_frozen,
)
from tests.factories import admin, alice


def fingerprints() -> dict[str, tuple]:
    """Rows and a hash of the content of every table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        found = {}
        for (table,) in cursor.fetchall():
            cursor.execute(
                f"SELECT count(*), md5(coalesce(string_agg(md5(t::text), '' ORDER BY md5(t::text)), '')) "
                f'FROM "{table}" t'
            )
            found[table] = cursor.fetchone()
    return found


def address(draw: Draw) -> str:
    return f"/admin/draws/draw/{draw.pk}/rehearsal/"


@pytest.mark.django_db
class TestRehearsal:
    @pytest.mark.parametrize("make", [make_draw, make_frozen, make_executed])
    def test_it_changes_nothing_whatever_state_the_draw_is_in(self, make):
        draw = make(entrants=12)
        before = fingerprints()
        stored = default_storage.exists(entries_file_name(draw))
        rehearse_draw(draw=draw, runs=5)
        assert fingerprints() == before
        assert default_storage.exists(entries_file_name(draw)) == stored

    def test_what_would_write_in_it_is_refused_by_the_database(self, monkeypatch):
        draw = make_draw(entrants=5)
        blocks = rehearsing.entries_blocks

        def careless(draw):
            Entry.objects.filter(draw=draw).update(name="Somebody else")
            return blocks(draw)

        monkeypatch.setattr(rehearsing, "entries_blocks", careless)
        with pytest.raises(InternalError, match="read-only transaction"):
            rehearse_draw(draw=draw, runs=1)

    def test_after_it_the_connection_can_write_again(self):
        draw = make_draw(entrants=5)
        rehearse_draw(draw=draw, runs=1)
        add_entry(draw, "later@example.org")
        assert draw.entries.count() == 6

    def test_it_draws_what_the_published_seed_draws_over_the_entries_of_the_moment(self):
        draw = make_draw(entrants=9)
        found = rehearse_draw(draw=draw, runs=3)
        assert found.text == f"rehearsal {draw.public_id} 1"
        assert found.value == sha256(found.text.encode()).hexdigest()
        rows = [line.split(",") for line in entries_text(draw).splitlines()]
        firsts = [int(first) for _pid, first, _count in rows]
        total = firsts[-1] + int(rows[-1][2])
        ranks = islice(draw_ranks(seed=bytes.fromhex(found.value), firsts=firsts, total=total), 6)
        expected = [(rows[rank.index][0][:12], int(rows[rank.index][2])) for rank in ranks]
        assert [(rank.pid_start, rank.tickets) for rank in found.ranks] == expected
        assert [rank.prize for rank in found.ranks] == [
            "Main prize",
            "Small prize",
            "Small prize",
            "",
            "",
            "",
        ]

    def test_it_is_drawn_by_the_function_that_executes(self, monkeypatch):
        """With the real seed in place of the dummy it would give the real winners: it is the same drawing."""
        draw = make_executed(entrants=15)
        real = draw.report.proof
        monkeypatch.setattr(rehearsing, "_seed", lambda *_: bytes.fromhex(real["seed"]))
        found = rehearse_draw(draw=draw, runs=1)
        assert [rank.pid_start for rank in found.ranks] == [row["pid"][:12] for row in real["ranks"]]

    def test_it_tells_nothing_of_the_result(self):
        draw = make_frozen(entrants=30)
        found = rehearse_draw(draw=draw, runs=1)
        services.execute_draw(draw_id=draw.pk, now=draw.draw_at)
        assert found.value != Draw.objects.get(pk=draw.pk).report.proof["seed"]

    def test_wins_are_close_to_the_odds_and_add_up(self):
        draw = make_draw(entrants=30)
        found = rehearse_draw(draw=draw)
        assert found.runs == 200
        assert found.is_exact
        assert [group.low for group in found.groups] == [1, 2, 3]
        assert sum(group.entries for group in found.groups) == 30
        assert sum(group.observed * group.entries for group in found.groups) == pytest.approx(3)
        assert sum(group.expected * group.entries for group in found.groups) == pytest.approx(3)
        for group in found.groups:
            assert abs(group.observed - group.expected) < 4 * group.error

    def test_many_different_weights_are_taken_together(self):
        draw = make_draw()
        for weight in range(1, 41):
            add_entry(draw, f"p{weight}@example.org", weight=weight)
        found = rehearse_draw(draw=draw, runs=20)
        assert len(found.groups) <= 12
        assert (found.groups[0].low, found.groups[-1].high) == (1, 40)

    def test_a_draw_with_very_many_prizes_is_rehearsed_less_often(self, monkeypatch):
        monkeypatch.setattr(rehearsing, "_MOST_RANKS", 30)
        assert rehearse_draw(draw=make_draw(entrants=9)).runs == 10

    def test_fewer_entries_than_prizes(self):
        found = rehearse_draw(draw=make_draw(entrants=2), runs=4)
        assert [group.observed for group in found.groups] == [1, 1]

    def test_it_refuses_drafts_and_draws_without_entries(self):
        with pytest.raises(RehearsalError, match="published"):
            rehearse_draw(draw=make_draft())
        with pytest.raises(RehearsalError, match="Nobody"):
            rehearse_draw(draw=make_draw())


@pytest.mark.django_db
class TestPage:
    def test_it_asks_first_and_then_says_that_it_is_no_result(self, client):
        client.force_login(admin())
        draw = make_draw(entrants=10, members=[alice()], prizes=(CASH,))
        asked = client.get(address(draw)).content.decode()
        assert "Who would win" not in asked
        shown = client.post(address(draw)).content.decode()
        for words in (
            "This is a rehearsal and no result.",
            "Who would win the first rehearsal",
            "Main prize",
        ):
            assert words in shown
        assert sha256(f"rehearsal {draw.public_id} 1".encode()).hexdigest() in shown

    def test_it_names_nobody(self, client):
        client.force_login(admin())
        draw = make_draw(members=[alice()], entrants=3)
        shown = client.post(address(draw)).content.decode()
        assert alice().email not in shown
        assert "guest0@example.org" not in shown
        for pid in draw.entries.all():
            assert pid.pid_hex not in shown

    def test_nobody_has_entered(self, client):
        client.force_login(admin())
        assert "Nobody has entered yet." in client.post(address(make_draw())).content.decode()

    def test_the_page_of_a_published_draw_links_to_it_and_a_draft_has_none(self, client):
        client.force_login(admin())
        draw, draft = make_draw(), make_draft()
        assert address(draw) in client.get(f"/admin/draws/draw/{draw.pk}/change/").content.decode()
        assert address(draft) not in client.get(f"/admin/draws/draw/{draft.pk}/change/").content.decode()
        assert client.get(address(draft)).status_code == 404

    @pytest.mark.parametrize(
        ("role", "status"), [(roles.MANAGER_ADMIN, 200), (roles.FINANCE, 200), (roles.SUPPORT_LEAD, 404)]
    )
    def test_those_who_may_see_draws_may_rehearse_them(self, client, role, status):
        client.force_login(staff(role))
        draw = make_draw(entrants=3)
        assert client.get(address(draw)).status_code == status
        assert client.post(address(draw)).status_code == status

    def test_members_and_visitors_do_not_reach_it(self, client):
        draw = make_draw(entrants=3)
        assert client.post(address(draw)).status_code == 302
        client.force_login(alice())
        assert client.post(address(draw)).status_code != 200
