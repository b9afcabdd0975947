"""What PostgreSQL itself refuses, whoever asks: each rule tried by straight SQL."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from draws import services
from draws.models import Draw, Entry
from tests.draws.factories import add_entrants, make_draft, make_draw, make_executed, make_frozen
from tests.factories import admin, alice, bob

pytestmark = pytest.mark.django_db


def execute(sql, **values):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # with checks pending, TRUNCATE is refused for those
        cursor.execute(sql, values)
        return cursor.rowcount


def assert_refused(sql, saying, **values):
    """The statement is refused by a guard of ours that says `saying`."""
    with pytest.raises(IntegrityError, match=saying):
        execute(sql, **values)


@pytest.fixture
def frozen():
    return make_frozen(entrants=4)


@pytest.fixture
def drawn():
    return make_executed(entrants=6, members=[alice()])


# ── Entries of a frozen draw ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "change",
    [
        "weight = weight + 1",
        "pid = sha256(pid)",
        "draw_id = %(other)s",
        "id = id + 1000000",
        "entered_at = now()",
        "source = 'app'",
    ],
)
def test_a_frozen_entry_does_not_change(frozen, change):
    other = make_draw()
    assert_refused(
        f"UPDATE draws_entry SET {change} WHERE draw_id = %(draw)s",
        "belongs to a frozen draw",
        draw=frozen.pk,
        other=other.pk,
    )


@pytest.mark.parametrize(
    "change",
    ["identity = 'thief@example.org'", "member_id = %(thief)s", "name = 'A. Thief'", "salt = sha256(salt)"],
)
def test_a_frozen_entry_is_not_given_to_somebody_else(frozen, change):
    assert_refused(
        f"UPDATE draws_entry SET {change} WHERE id = %(entry)s",
        "belongs to a frozen draw",
        entry=frozen.entries.first().pk,
        thief=bob().pk,
    )


def test_an_entry_erased_in_a_frozen_draw_does_not_come_back_as_another(frozen):
    entry = frozen.entries.first()
    execute("UPDATE draws_entry SET identity = NULL, salt = NULL WHERE id = %(id)s", id=entry.pk)
    assert_refused(
        "UPDATE draws_entry SET identity = 'thief@example.org' WHERE id = %(id)s", "frozen draw", id=entry.pk
    )


def test_who_a_frozen_entry_is_may_be_erased_and_its_tickets_stay():
    draw = make_frozen(entrants=2, members=[alice()])
    before = list(draw.entries.order_by("pk").values_list("pid", "weight"))
    changed = execute(
        "UPDATE draws_entry SET identity = NULL, name = '', salt = NULL, member_id = NULL WHERE draw_id = %(draw)s",
        draw=draw.pk,
    )
    assert changed == 3
    assert list(draw.entries.order_by("pk").values_list("pid", "weight")) == before


def test_the_entries_of_an_open_draw_may_still_be_mended():
    draw = make_draw(entrants=2)
    assert (
        execute("UPDATE draws_entry SET weight = 7, name = 'Mended' WHERE draw_id = %(id)s", id=draw.pk) == 2
    )


def test_a_frozen_entry_is_not_deleted(frozen):
    assert_refused("DELETE FROM draws_entry WHERE draw_id = %(draw)s", "never deleted", draw=frozen.pk)


def test_entries_are_never_truncated(frozen):
    assert_refused("TRUNCATE draws_entry CASCADE", "never truncated|never deleted")


_INSERT = """
INSERT INTO draws_entry (draw_id, identity, name, pid, salt, weight, source, entered_at)
VALUES (%(draw)s, 'late@example.org', '', sha256('late'), sha256('salt'), 1, 'button', %(now)s)
"""


def test_a_frozen_draw_takes_no_entry_by_straight_sql(frozen):
    assert_refused(_INSERT, "takes no entries", draw=frozen.pk, now=timezone.now())


def test_a_frozen_draw_takes_no_entry_by_copy(frozen):
    with pytest.raises(IntegrityError, match="takes no entries"), transaction.atomic():
        Entry.objects.bulk_create(
            [Entry(draw=frozen, identity="x", pid=b"x" * 32, entered_at=timezone.now())]
        )
    with (
        pytest.raises(Exception, match="takes no entries"),
        transaction.atomic(),
        connection.cursor() as cursor,
        cursor.copy("COPY draws_entry (draw_id, name, pid, weight, source, entered_at) FROM STDIN") as copy,
    ):
        copy.write_row((frozen.pk, "", b"y" * 32, 1, "button", timezone.now()))


def test_an_entry_is_not_moved_into_a_frozen_draw(frozen):
    add_entrants(make_draw(), 0)
    entry = add_entrants(make_draw(), 1)[0]
    assert_refused(
        "UPDATE draws_entry SET draw_id = %(draw)s, identity = 'new@example.org' WHERE id = %(entry)s",
        "frozen draw",
        draw=frozen.pk,
        entry=entry.pk,
    )


@pytest.mark.parametrize("state", ["draft", "cancelled"])
def test_a_draw_that_is_not_active_takes_no_entry(state):
    draw = make_draft() if state == "draft" else make_draw()
    if state == "cancelled":
        services.cancel_draw(draw=draw, by=admin(), reason="Rain", now=timezone.now())
    assert_refused(_INSERT, "takes no entries", draw=draw.pk, now=timezone.now())


@pytest.mark.parametrize("weight", [0, -1, 2**53])
def test_tickets_are_counted_from_one_to_what_json_can_hold(weight):
    entry = add_entrants(make_draw(), 1)[0]
    assert_refused(
        "UPDATE draws_entry SET weight = %(weight)s WHERE id = %(id)s",
        "draws_entry_weight",
        weight=weight,
        id=entry.pk,
    )


# ── What was promised ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "change",
    [
        "title = 'Another'",
        "rules = 'Other rules'",
        "currency = 'USD'",
        "alternates = alternates + 1",
        "opens_at = opens_at - interval '1 hour'",
        "closes_at = closes_at - interval '1 minute'",
        "draw_at = draw_at + interval '1 hour'",
        "min_wait_s = 30",
        "frozen_at = frozen_at + interval '1 second'",
        "frozen_at = NULL, manifest = NULL",
    ],
)
def test_what_a_frozen_draw_promises_does_not_change(frozen, change):
    assert_refused(f"UPDATE draws_draw SET {change} WHERE id = %(id)s", "never changes", id=frozen.pk)


@pytest.mark.parametrize(
    "change",
    [
        "manifest = NULL",
        "manifest = manifest || '{\"alternates\": 9}'",
        "manifest_sha256 = repeat('0', 64)",
        "entries_count = entries_count + 1",
    ],
)
def test_there_is_one_manifest_for_ever(frozen, change):
    assert_refused(f"UPDATE draws_draw SET {change} WHERE id = %(id)s", "there is one, ever", id=frozen.pk)


@pytest.mark.parametrize(
    "change",
    [
        "sources = '[]'",
        "secret_encrypted = ''",
        "public_id = gen_random_uuid()",
        "scope = gen_random_uuid()",
        "published_at = NULL",
    ],
)
def test_the_commitment_of_a_published_draw_does_not_change(change):
    draw = make_draw()
    assert_refused(
        f"UPDATE draws_draw SET {change} WHERE id = %(id)s", "commitment|was not published", id=draw.pk
    )


def test_a_published_draw_is_no_draft_again():
    assert_refused(
        "UPDATE draws_draw SET status = 'draft' WHERE id = %(id)s", "no draft again", id=make_draw().pk
    )


def test_a_draft_does_not_become_active_without_being_published():
    draw = make_draft()
    assert_refused(
        "UPDATE draws_draw SET status = 'active' WHERE id = %(id)s", "was not published", id=draw.pk
    )


def test_a_published_draw_is_not_deleted_and_a_draft_may_be():
    draw, draft = make_draw(), make_draft()
    assert_refused(
        "DELETE FROM draws_prize WHERE draw_id = %(id)s; DELETE FROM draws_draw WHERE id = %(id)s",
        "never deleted",
        id=draw.pk,
    )
    draft.delete()
    assert not Draw.objects.filter(slug=draft.slug).exists()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE draws_prize SET amount = amount * 2 WHERE draw_id = %(draw)s",
        "UPDATE draws_prize SET quantity = 9 WHERE draw_id = %(draw)s",
        "UPDATE draws_prize SET draw_id = %(other)s WHERE draw_id = %(draw)s",
        "UPDATE draws_prize SET draw_id = %(draw)s, code = 'p9' WHERE draw_id = %(other)s",
        "DELETE FROM draws_prize WHERE draw_id = %(draw)s",
        "INSERT INTO draws_prize (draw_id, title, position, quantity, kind, amount)"
        " VALUES (%(draw)s, 'One more', 9, 1, 'cash', 5)",
    ],
)
def test_the_prizes_of_a_frozen_draw_do_not_change(frozen, sql):
    assert_refused(sql, "prizes of a frozen draw", draw=frozen.pk, other=make_draft().pk)


def test_prizes_are_never_truncated(frozen):
    assert_refused("TRUNCATE draws_prize CASCADE", "never truncated|never deleted")


# ── What was drawn ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "change",
    [
        "status = 'active'",
        "status = 'cancelled'",
        "executed_at = NULL",
        "status = 'executing', executed_at = NULL",
        "executed_at = now()",
    ],
)
def test_a_completed_draw_does_not_go_back(drawn, change):
    assert_refused(f"UPDATE draws_draw SET {change} WHERE id = %(id)s", "and stays so", id=drawn.pk)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE draws_drawreport SET proof = '{}'",
        "UPDATE draws_drawreport SET report_sha256 = report_sha256",
        "DELETE FROM draws_drawreport",
        "TRUNCATE draws_drawreport",
    ],
)
def test_a_report_is_written_once(drawn, sql):
    assert_refused(sql, "written once")


def test_a_draw_has_one_report(drawn):
    assert_refused(
        "INSERT INTO draws_drawreport (draw_id, proof, report_sha256, entries_count, tickets, winners_count,"
        " awarded, leftover, audit_record_id, created_at) SELECT draw_id, proof, report_sha256, entries_count,"
        " tickets, winners_count, awarded, leftover, audit_record_id, created_at FROM draws_drawreport",
        "unique",
    )


@pytest.mark.parametrize(
    "change",
    [
        "slot = slot + 50",
        "rank = rank + 50",
        "ticket = ticket + 1",
        "entry_id = %(loser)s",
        "prize_id = %(prize)s",
        "award_id = award_id + 1",
        "draw_id = %(other)s",
    ],
)
def test_a_winner_keeps_slot_rank_entry_prize_and_award(drawn, change):
    winner = drawn.winners.get(slot=0)
    loser = drawn.entries.exclude(pk__in=drawn.winners.values("entry")).first()
    other_prize = drawn.prizes.exclude(pk=winner.prize_id).first()
    assert_refused(
        f"UPDATE draws_winner SET {change} WHERE id = %(id)s",
        "only its state may change",
        id=winner.pk,
        loser=loser.pk,
        prize=other_prize.pk,
        other=make_draw().pk,
    )


def test_a_winners_state_may_change(drawn):
    assert execute("UPDATE draws_winner SET state = 'notified' WHERE draw_id = %(id)s", id=drawn.pk) == 3


@pytest.mark.parametrize("sql", ["DELETE FROM draws_winner", "TRUNCATE draws_winner CASCADE"])
def test_winners_are_never_deleted(drawn, sql):
    assert_refused(sql, "never deleted")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE draws_disposition SET reason = 'another'",
        "DELETE FROM draws_disposition",
        "TRUNCATE draws_disposition",
    ],
)
def test_dispositions_are_only_added(drawn, sql):
    drawn.dispositions.create(rank=4, state="disqualified", reason="Staff", at=timezone.now())
    assert_refused(sql, "only added")


@pytest.mark.parametrize(
    "change",
    [
        "amount = amount + 1",
        "unit = 'USD'",
        "pool = 'draw:another'",
        "key = key || ':again'",
        "identity = 'thief@example.org'",
        "kind = 'voucher'",
    ],
)
def test_an_award_keeps_what_it_is_worth_and_whose_it_is(drawn, change):
    assert_refused(f"UPDATE draws_award SET {change}", "keeps what it is for")


def test_a_paid_award_is_not_paid_to_somebody_else_or_again():
    drawn = make_executed(entrants=0, members=[alice()])
    assert_refused("UPDATE draws_award SET member_id = %(thief)s", "keeps what it is for", thief=bob().pk)
    assert_refused("UPDATE draws_award SET state = 'claimable'", "keeps what it is for")
    assert_refused("UPDATE draws_award SET payout_id = NULL, state = 'reversed'", "keeps what it is for")
    assert drawn.winners.count() == 1


@pytest.mark.parametrize("sql", ["DELETE FROM draws_award", "TRUNCATE draws_award CASCADE"])
def test_awards_are_never_deleted(drawn, sql):
    assert_refused(sql, "never deleted|foreign key")
