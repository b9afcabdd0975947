"""People taken out before the freeze, and disqualified between the freeze and the draw."""

import pytest
from django.db import DatabaseError, transaction
from django.urls import reverse
from django.utils import timezone

from audit.models import Record
from config import roles
from draws import proof, services
from draws.models import Draw, Entry, EntryDisqualification
from draws.selection import draw_ranks
from draws.services.proving import frozen_entries
from draws.services.randomness import reveal
from notifications.models import Delivery
from tests.draws.admin_pages import staff
from tests.draws.factories import HOUR, VOUCHER, import_csv, make_draw, make_executed, make_frozen, winners_of
from tests.draws.proofs import assert_proof_holds, holders
from tests.draws.test_losing_a_prize import LATE
from tests.factories import admin, alice, bob

pytestmark = pytest.mark.django_db
REASON = {"reason": "Entered under a false name"}
MUGS = [("Mug", "physical", 0, 2)]


def url(row, act):
    return reverse(f"admin:draws_{row._meta.model_name}_{act}", args=[row.pk])


def soon_drawn(**fields) -> Draw:
    """A frozen draw whose time is still to come."""
    draw = make_draw(closes_in=HOUR, **fields)
    services.freeze_draw(draw_id=draw.pk, now=timezone.now(), by=admin(), reason="All are in")
    draw.refresh_from_db()
    return draw


def draw_it(draw) -> Draw:
    services.execute_draw(draw_id=draw.pk, now=draw.draw_at)
    draw.refresh_from_db()
    return draw


def pids_in_order(draw) -> list[str]:
    """Who is going to be drawn, as the operator of a committed number can know."""
    seed = proof.seed_of(manifest=draw.manifest, revealed=reveal(draw))
    with frozen_entries(draw) as entries:
        ranks = list(draw_ranks(seed=seed, firsts=entries.index.firsts, total=entries.index.tickets))
        pids = entries.pids_at([rank.index for rank in ranks])
        return [pids[rank.index] for rank in ranks]


def told(kind, person) -> bool:
    return Delivery.objects.filter(message__kind=f"draws.{kind}", member=person, channel="in_app").exists()


class TestDisqualified:
    def test_its_rank_is_skipped_with_the_reason_and_the_proof_holds(self, client):
        draw = soon_drawn(prizes=MUGS, members=[alice(), bob()], entrants=1)
        unwanted = Entry.objects.get(draw=draw, member=alice())
        client.force_login(staff(roles.MANAGER_ADMIN))
        client.post(url(unwanted, "disqualify"), REASON)
        draw_it(draw)
        assert alice().pk not in draw.winners.values_list("entry__member", flat=True)
        assert draw.winners.count() == 2
        [skipped] = draw.dispositions.all()
        assert (skipped.state, skipped.reason) == ("disqualified", REASON["reason"])
        assert_proof_holds(draw)
        assert told("entry_disqualified", alice())
        assert Record.objects.get(action="draw.entry_disqualified").data["pid"] == unwanted.pid_hex

    def test_it_is_skipped_among_ranks_drawn_later_too(self):
        draw = soon_drawn(prizes=[VOUCHER], entrants=8, alternates=0)
        second = pids_in_order(draw)[1]
        unwanted = draw.entries.get(pid=bytes.fromhex(second))
        services.disqualify_entry(entry=unwanted, by=admin(), reason="Not ours", now=timezone.now())
        draw_it(draw)
        assert pids_in_order(draw)[:2] == [winners_of(draw)[0][2], second]
        assert (holders(draw), draw.dispositions.count()) == ({0: 0}, 0)
        later = draw.draw_at + LATE
        services.expire_awards(now=later)
        services.extend_ranks(draw=draw, extra=2, by=admin(), reason="More", now=later)
        assert holders(draw) == {0: 2}
        assert (1, "disqualified", "Not ours") in draw.dispositions.values_list("rank", "state", "reason")
        assert_proof_holds(draw)

    def test_nobody_is_once_the_number_may_be_known(self):
        due = make_frozen(entrants=3)
        done = make_executed(entrants=3)
        open_one = make_draw(entrants=3)
        for draw, words in (
            (due, "may be known"),
            (done, "between the freeze"),
            (open_one, "between the freeze"),
        ):
            with pytest.raises(services.RemovalError, match=words):
                services.disqualify_entry(
                    entry=draw.entries.first(), by=admin(), reason="Late", now=timezone.now()
                )
        assert not EntryDisqualification.objects.exists()

    def test_it_needs_a_reason_happens_once_and_is_never_undone(self):
        entry = soon_drawn(entrants=3).entries.first()
        with pytest.raises(services.RemovalError, match="Say why"):
            services.disqualify_entry(entry=entry, by=admin(), reason=" ", now=timezone.now())
        made = services.disqualify_entry(entry=entry, by=admin(), reason="Why", now=timezone.now())
        with pytest.raises(services.RemovalError, match="already"):
            services.disqualify_entry(entry=entry, by=admin(), reason="Why", now=timezone.now())
        for change in (made.delete, lambda: EntryDisqualification.objects.update(reason="Other")):
            with pytest.raises(DatabaseError), transaction.atomic():
                change()

    def test_the_database_refuses_one_of_a_draw_that_is_drawn(self):
        draw = make_executed(entrants=3)
        with pytest.raises(DatabaseError), transaction.atomic():
            EntryDisqualification.objects.create(
                draw=draw, entry=draw.entries.first(), reason="Late", by=admin(), at=timezone.now()
            )


class TestWithdrawn:
    def test_an_admin_takes_an_entry_out_and_its_person_is_told(self, client):
        draw = make_draw(members=[alice(), bob()])
        client.force_login(staff(roles.MANAGER_ADMIN))
        entry = Entry.objects.get(member=alice())
        assert "required" in client.post(url(entry, "withdraw"), {}).content.decode()
        client.post(url(entry, "withdraw"), REASON)
        assert list(draw.entries.values_list("member", flat=True)) == [bob().pk]
        assert told("entry_withdrawn", alice())
        record = Record.objects.get(action="draw.entry_withdrawn")
        assert (record.data["pid"], record.data["reason"]) == (entry.pid_hex, REASON["reason"])

    def test_a_wrong_import_goes_and_who_was_in_before_stays(self, client):
        draw = make_draw(members=[bob()])
        first = import_csv(draw, "kept@example.org,K,1\n")
        wrong = import_csv(
            draw, f"x@example.org,X,1\ny@example.org,Y,2\n{alice().email},A,1\nkept@example.org,K,1\n"
        )
        client.force_login(staff(roles.MANAGER_ADMIN))
        client.post(url(wrong, "withdraw_import"), REASON)
        assert set(draw.entries.values_list("identity", flat=True)) == {bob().email, "kept@example.org"}
        assert Record.objects.get(action="draw.import_withdrawn").data["entries"] == 3
        assert told("entry_withdrawn", alice())
        assert not Delivery.objects.filter(address="x@example.org").exists()
        with pytest.raises(services.RemovalError, match="Nobody of this import"):
            services.withdraw_import(entry_import=wrong, by=admin(), reason="Again", now=timezone.now())
        assert services.entries_of_import(first).count() == 1

    def test_a_member_leaves_and_may_come_back(self, client):
        draw = make_draw(members=[alice()])
        client.force_login(alice())
        page = client.get(draw.get_absolute_url()).content.decode()
        assert reverse("draws:leave", args=[draw.slug]) in page
        client.post(reverse("draws:leave", args=[draw.slug]))
        assert not draw.entries.exists()
        assert Record.objects.get(action="draw.entry_withdrawn").actor == alice()
        services.enter_draw(draw=draw, member=alice(), now=timezone.now())
        assert draw.entries.count() == 1

    def test_nobody_leaves_or_is_taken_out_once_entries_are_closed(self, client):
        draw = soon_drawn(members=[alice()])
        client.force_login(alice())
        client.post(reverse("draws:leave", args=[draw.slug]))
        with pytest.raises(services.EntryRefusedError):
            services.withdraw_entry(entry=draw.entries.get(), by=admin(), reason="Late", now=timezone.now())
        assert draw.entries.count() == 1
