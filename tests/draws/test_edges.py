"""The edges of a draw's life. Of each: what happens, what the draw's page in the admin says, what is on record.

Each page is the real one, asked for over HTTP; its sentences say what happened and what to do.
"""

import datetime as dt
import html

import psycopg
import pytest
from django.core.files.storage import default_storage
from django.urls import reverse

from accounts.privacy import person_at
from audit.models import Record
from draws import privacy, services
from draws.admin.clocks import in_zone
from draws.models import Award, Draw, Entry, Winner
from draws.services import freezing
from draws.services.executing import compute_outcome
from notifications.models import Message
from payments import pools
from tests.draws.admin_pages import act_url, draft_form, page_of
from tests.draws.factories import (
    CASH,
    HOUR,
    SMALL,
    add_entry,
    assert_ledger_balances,
    entries_text,
    fund,
    make_draft,
    make_draw,
    make_executed,
    make_frozen,
    pool_of,
    stored_text,
    winners_of,
)
from tests.draws.proofs import assert_proof_holds, holders
from tests.factories import admin, alice

THREE = ("Prize", "cash", 10_000, 3)
LATE = dt.timedelta(days=15)


@pytest.fixture
def told(db, client):
    """`told(draw)`: what the page of a draw in the admin says, as one line of text."""
    client.force_login(admin())
    return lambda draw: page_text(client, draw)


def page_text(client, draw: Draw) -> str:
    response = client.get(page_of(draw))
    assert response.status_code == 200
    return " ".join(html.unescape(response.content.decode()).split())


def on_record(draw: Draw) -> list[str]:
    """What the trail has of a draw, in order."""
    return list(Record.objects.filter(target=draw.about).order_by("pk").values_list("action", flat=True))


def latest(draw: Draw, action: str) -> dict:
    """Details of the newest record of this action."""
    record = Record.objects.filter(target=draw.about, action=action).order_by("-pk").first()
    assert record is not None, on_record(draw)
    return record.data


# ── Empty pool ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_draft_with_an_empty_pool_is_not_published(told, client):
    draw = make_draft(prizes=[CASH])
    answer = client.post(act_url(draw, "publish"))
    assert "Fund the pool with KES 1,000.00 more." in html.unescape(answer.content.decode())
    draw.refresh_from_db()
    assert draw.status == Draw.Status.DRAFT
    page = told(draw)
    assert "1 thing is missing before it can be published" in page
    assert "Fund the pool with KES 1,000.00 more." in page
    assert latest(draw, "draw.publish_refused") == {"missing": ["pool:KES"]}
    assert Record.objects.get(action="draw.publish_refused").actor == admin()


def test_a_pool_that_was_emptied_after_the_freeze_holds_the_draw_up_until_it_is_funded(told):
    draw = make_frozen(prizes=[CASH])
    pools.release_prizes(
        pool=draw.pool, unit="KES", amount=100_000, idem_key="slip", by=admin(), now=draw.draw_at
    )
    pools.return_leftover(
        pool=draw.pool, unit="KES", by=admin(), reason="A slip", idem_key="slip:back", now=draw.draw_at
    )
    assert services.execute_due_draws(now=draw.draw_at).failed == 1
    page = told(draw)
    assert "The last execution failed (attempts: 1). Nothing was drawn." in page
    assert "Fund the pool with KES 1,000.00 more." in page
    assert (
        "caught up by itself, with the same winners, as soon as what is missing in the checklist is there"
        in page
    )
    assert "Fund the pool" in latest(draw, "draw.execution_failed")["error"]
    fund(draw)
    assert services.execute_due_draws(now=draw.draw_at + HOUR).draws_processed == 1
    assert on_record(draw)[-1] == "draw.executed"
    assert "The last execution failed" not in told(draw)


# ── No prizes ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_draft_without_prizes_is_not_published(told, client):
    draw = make_draft(prizes=[])
    client.post(act_url(draw, "publish"))
    draw.refresh_from_db()
    assert draw.status == Draw.Status.DRAFT
    assert "Add at least one prize, with an amount if it is cash, credits or points." in told(draw)
    assert latest(draw, "draw.publish_refused") == {"missing": ["prizes"]}


def test_the_last_prize_of_a_published_draw_is_not_taken_out(told):
    draw = make_draw(prizes=[CASH])
    changes = services.DrawChanges(prizes=[])
    with pytest.raises(services.ChangeRefusedError, match="needs at least one prize"):
        services.change_draw(draw=draw, changes=changes, by=admin(), reason="None left", now=draw.opens_at)
    assert "draw.amended" not in on_record(draw)
    assert "1 in all" in told(draw)


# ── No entries ────────────────────────────────────────────────────────────────────────────────────────────


def test_while_nobody_has_entered_the_page_says_what_that_will_mean(told):
    page = told(make_draw())
    assert "Nobody has entered yet" in page
    assert "the draw is void and its prizes go back: announce it, or import entrants." in page


def test_a_draw_that_nobody_entered_is_void_and_its_pool_goes_back(told):
    draw = make_draw(closes_in=-HOUR, prizes=[CASH])
    assert [frozen.status for frozen in services.freeze_due_draws(now=draw.closes_at)] == [Draw.Status.VOID]
    assert services.execute_due_draws(now=draw.draw_at).draws_processed == 0
    assert pool_of(draw) == (0, 0, 0)
    page = told(draw)
    assert "The draw is void: nothing was drawn, and everything in its pool went back to the funder." in page
    assert "make a new draw and leave more time for entries" in page
    assert latest(draw, "draw.voided") == {"returned": {"KES": 100_000}}
    assert_ledger_balances()


# ── Few entrants ──────────────────────────────────────────────────────────────────────────────────────────


def test_with_fewer_entries_than_slots_everybody_wins_once_and_the_rest_is_left(told):
    draw = make_frozen(entrants=2, prizes=[THREE])
    assert "2 people are in for 3 prizes: each wins one. 1 prize will have no winner" in told(draw)
    services.execute_draw(draw_id=draw.pk, now=draw.draw_at)
    assert [slot for slot, *_ in winners_of(draw)] == [0, 1]
    page = told(draw)
    assert "1 prize went to nobody" in page
    assert "Everybody who entered has been drawn (2 people), and nobody wins twice in a draw." in page
    assert "KES 100.00 lies free in the pool: “Return money” sends it back." in page
    assert latest(draw, "draw.executed")["leftover"] == {"KES": 10_000}
    assert_proof_holds(draw)


def test_what_is_not_won_goes_back_by_itself_where_the_draw_says_so(told):
    draw = make_executed(entrants=2, prizes=[THREE], leftover_policy="returns")
    assert pool_of(draw)[0] == 0
    assert "What they were worth went back to the funder. Nothing to do." in told(draw)


def test_all_tickets_with_one_person_win_one_prize(told):
    draw = make_draw(closes_in=-HOUR, prizes=[THREE])
    entry = add_entry(draw, "rich@example.org", weight=5_000)
    services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
    page = told(draw)
    assert "Only one person is in" in page
    assert "All 5,000 tickets are theirs, and they win one prize, whatever the number is." in page
    services.execute_draw(draw_id=draw.pk, now=draw.draw_at + HOUR)
    assert [pid for _slot, _rank, pid, _prize in winners_of(draw)] == [entry.pid_hex]
    page = told(draw)
    assert "2 prizes went to nobody" in page
    assert "One person held all 5,000 tickets, and nobody wins twice in a draw." in page
    assert latest(draw, "draw.executed")["winners"] == [entry.pid_hex]
    assert_proof_holds(draw)


# ── The site was down ─────────────────────────────────────────────────────────────────────────────────────


def test_a_draw_missed_while_the_site_was_down_is_caught_up_with_the_same_winners(told):
    draw = make_frozen(prizes=[CASH])
    page = told(draw)
    assert "Overdue" in page
    assert "It is caught up by itself, with the same winners" in page
    assert "“Scheduled jobs” on the admin's home says whether they do" in page
    in_time = compute_outcome(draw).ranks
    late = draw.draw_at + 3 * HOUR
    assert services.execute_due_draws(now=late).draws_processed == 1
    draw.refresh_from_db()
    assert [row["ticket"] for row in draw.report.proof["ranks"]] == [rank.ticket for rank in in_time]
    page = told(draw)
    assert f"and drawn on {in_zone(late, draw.zone)}, with the winners it would have had in time." in page
    assert latest(draw, "draw.executed")["late_s"] == 3 * 3600


def test_a_freeze_missed_while_the_site_was_down_moves_the_draw_and_says_so(told):
    draw = make_draw(entrants=3, closes_in=-2 * HOUR)
    assert "Closed, and not sealed yet" in told(draw)
    announced, back = draw.draw_at, draw.closes_at + HOUR
    services.freeze_due_draws(now=back)
    draw.refresh_from_db()
    assert draw.draw_at == back + dt.timedelta(seconds=draw.min_wait_s) > announced
    page = told(draw)
    assert "Frozen later than announced" in page
    assert "The draw moved where that was needed to keep the least time between sealing and drawing" in page
    assert latest(draw, "draw.entries_locked")["frozen_at"] == f"{back:%Y-%m-%dT%H:%M:%SZ}"


# ── The freeze fails ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def full_disk(monkeypatch):
    """Nothing can be stored."""

    def refuse(file, draw):
        raise OSError("No space left on device")

    monkeypatch.setattr(freezing, "store_entries_file", refuse)
    return monkeypatch


def test_a_freeze_that_fails_is_told_once_tried_again_and_mended(told, client, full_disk):
    draw = make_draw(entrants=3, closes_in=-HOUR)
    moment = draw.closes_at
    for attempt in (1, 2):
        assert services.freeze_due_draws(now=moment) == []
        draw.refresh_from_db()
        assert (draw.attempts, draw.manifest) == (attempt, None)
        assert draw.next_attempt_at > moment
        assert services.freeze_due_draws(now=moment) == []  # not before its turn
        moment = draw.next_attempt_at
    assert on_record(draw).count("draw.freeze_failed") == 2
    assert latest(draw, "draw.freeze_failed")["error"] == "No space left on device"
    assert Message.objects.filter(kind="draws.freeze_failed", about=draw.about).count() == 1
    page = told(draw)
    assert "The last freeze failed (attempts: 2). Nobody can enter any more, and no entry is lost." in page
    assert "No space left on device" in page
    assert "“Freeze now” does it by hand." in page
    home = html.unescape(client.get(reverse("admin:index")).content.decode())
    assert "No space left on device" in home
    full_disk.undo()
    assert [frozen.pk for frozen in services.freeze_due_draws(now=moment)] == [draw.pk]
    draw.refresh_from_db()
    assert (draw.execution_error, draw.attempts, draw.next_attempt_at) == ("", 0, None)
    assert "The last freeze failed" not in told(draw)
    services.execute_draw(draw_id=draw.pk, now=draw.draw_at + HOUR)
    assert_proof_holds(draw)


def test_a_freeze_by_hand_that_fails_is_answered_with_a_sentence_and_on_record(told, client, full_disk):
    draw = make_draw(entrants=3)
    answer = client.post(act_url(draw, "freeze"), {"reason": "Enough"})
    assert "The freeze failed and is on record" in answer.content.decode()
    assert Record.objects.get(action="draw.freeze_failed").actor == admin()


def test_a_refusal_of_a_freeze_by_hand_is_no_failure(db):
    draw = make_draw(entrants=3)
    with pytest.raises(services.DrawError, match="Say why"):
        services.freeze_draw(draw_id=draw.pk, now=draw.opens_at + HOUR, by=admin(), reason=" ")
    draw.refresh_from_db()
    assert (draw.attempts, draw.execution_error) == (0, "")


# ── At the cutoff ─────────────────────────────────────────────────────────────────────────────────────────


def test_an_entry_whose_transaction_is_open_at_the_cutoff_is_in_the_sealed_list(cloned_db, client):
    draw = make_draw(entrants=2)
    client.force_login(admin())
    with psycopg.connect(cloned_db.url) as slow:
        slow.execute(
            "SELECT 1 FROM draws_draw WHERE id = %s AND closes_at > clock_timestamp() FOR SHARE", [draw.pk]
        )
        slow.execute(
            """
            INSERT INTO draws_entry (draw_id, identity, name, pid, salt, weight, source, entered_at)
            VALUES (%s, 'slow@example.org', '', sha256('pid'), sha256('salt'), 1, 'button', now())
            """,
            [draw.pk],
        )
        after = draw.closes_at + HOUR
        assert services.freeze_due_draws(now=after) == []  # the job passes by, and comes again
        assert Draw.objects.get(pk=draw.pk).attempts == 0  # which is no failure
        slow.commit()
    services.freeze_due_draws(now=after)
    draw.refresh_from_db()
    assert draw.manifest["entries"]["count"] == 3
    assert stored_text(draw) == entries_text(draw)
    page = page_text(client, draw)
    assert "Whoever pressed the button before the cutoff is in the list; everybody later was refused." in page
    assert latest(draw, "draw.frozen")["manifest"]["entries"]["count"] == 3
    with pytest.raises(services.EntryRefusedError, match="Entries are closed"):
        services.enter_draw(draw=draw, member=alice(), now=after)


def test_between_cutoff_and_freeze_the_page_says_that_entries_under_way_are_waited_for(told):
    draw = make_draw(entrants=2, closes_in=dt.timedelta(seconds=-2))
    assert (
        "An entry that was being made at the cutoff is waited for: it is in the list, or it was refused."
        in told(draw)
    )


# ── The two nights in which clocks change ─────────────────────────────────────────────────────────────────

NIGHTS = {
    "clocks go back": ("2026-11-01T05:30", "2026-11-01T06:30", "01:30 EDT", "01:30 EST"),
    "clocks go forward": ("2026-03-08T06:45", "2026-03-08T07:15", "01:45 EST", "03:15 EDT"),
}


@pytest.mark.parametrize("night", NIGHTS)
def test_a_draw_in_a_night_when_clocks_change_is_made_at_its_moment(told, night):
    closes, draws, shown_closes, shown_draws = NIGHTS[night]
    closes_at, draw_at = (dt.datetime.fromisoformat(f"{text}:00+00:00") for text in (closes, draws))
    draw = make_draw(
        entrants=4,
        prizes=[CASH],
        time_zone="America/New_York",
        opens_at=closes_at - 5 * HOUR,
        closes_at=closes_at,
        draw_at=draw_at,
    )
    second = dt.timedelta(seconds=1)
    assert services.freeze_due_draws(now=closes_at - second) == []
    assert services.freeze_due_draws(now=closes_at) == [draw]
    assert services.execute_due_draws(now=draw_at - second).draws_processed == 0
    assert services.execute_due_draws(now=draw_at).draws_processed == 1
    page = told(draw)
    # Twice the same numbers on the clock: zone and UTC tell them apart.
    assert shown_closes in page
    assert shown_draws in page
    assert f"{closes_at:%H:%M} UTC" in page
    assert f"{draw_at:%H:%M} UTC" in page
    assert latest(draw, "draw.published")["draw_at"] == f"{draws}:00Z"
    assert latest(draw, "draw.executed")["late_s"] == 0
    assert_proof_holds(draw)


@pytest.mark.parametrize(
    ("wall", "sentence"),
    [
        (
            "2027-03-14T02:30",
            "they go forward, and 02:30 is skipped. Choose another time, such as an hour later.",
        ),
        ("2027-11-07T01:30", "they go back, and 01:30 comes twice. Choose a time that comes once"),
    ],
)
@pytest.mark.parametrize("name", ["opens_at", "closes_at", "draw_at"])
def test_a_time_that_clocks_skip_or_show_twice_is_refused_in_the_form(told, client, name, wall, sentence):
    times = {"opens_at": "2027-01-01T08:00", "closes_at": "2027-11-20T08:00", "draw_at": "2027-11-20T09:00"}
    sent = draft_form({"amount": "10"}, **{**times, name: wall}, time_zone="America/New_York")
    answer = html.unescape(client.post(reverse("admin:draws_draw_add"), sent).content.decode())
    assert sentence in answer
    assert not Draw.objects.exists()


def test_a_published_draw_is_not_moved_to_a_time_that_comes_twice(told, client):
    draw = make_draw(entrants=1, time_zone="America/New_York", closes_in=dt.timedelta(days=400))
    form = client.get(reverse("admin:draws_draw_change_terms", args=[draw.pk])).context["form"]
    sent = {name: form[name].value() for name in form.fields}
    sent = {
        name: f"{value:%Y-%m-%dT%H:%M}" if isinstance(value, dt.datetime) else value
        for name, value in sent.items()
    }
    sent |= {"draw_at": "2028-11-05T01:30", "reason": "Later"}
    answer = html.unescape(
        client.post(reverse("admin:draws_draw_change_terms", args=[draw.pk]), sent).content.decode()
    )
    assert "they go back, and 01:30 comes twice" in answer
    assert "draw.amended" not in on_record(draw)


# ── Winners who leave, and nobody who follows ─────────────────────────────────────────────────────────────


def test_an_entrant_erased_after_the_freeze_still_wins_and_the_prize_goes_on_at_its_deadline(told):
    draw = make_frozen(entrants=6, prizes=[CASH])
    before = compute_outcome(draw)
    pid = before.pids[before.ranks[0].index]
    winner = Entry.objects.get(draw=draw, pid=bytes.fromhex(pid))
    privacy.erase(person=person_at(winner.identity), now=draw.draw_at)
    services.execute_draw(draw_id=draw.pk, now=draw.draw_at)
    draw.refresh_from_db()
    assert [row[2] for row in winners_of(draw)] == [pid]
    award = Award.objects.get(about=draw.about)
    assert (award.state, award.is_reachable) == (Award.State.CLAIMABLE, False)
    page = told(draw)
    assert "A winner has erased their account" in page
    assert "Nobody can claim the prize of slot 1 any more. It is forfeited by itself on" in page
    assert "“Replace winner” on the page of the prize does it at once." in page
    services.expire_awards(now=draw.draw_at + LATE)
    assert holders(draw) == {0: 1}
    assert {"draw.rank_forfeited", "draw.rank_promoted"} <= set(on_record(draw))
    assert "A winner has erased their account" not in told(draw)
    assert_proof_holds(draw)


def test_when_all_alternates_are_used_up_a_person_decides(told, client):
    draw = make_executed(entrants=8, prizes=[CASH], alternates=1)
    for window in (1, 2):
        services.expire_awards(now=draw.draw_at + window * LATE)
    draw.refresh_from_db()
    assert draw.vacant_slots == 1
    page = told(draw)
    assert "Alternates are used up" in page
    assert (
        "“Extend ranks” goes on with the same published sequence; “Close vacancies” gives it to nobody."
        in page
    )
    assert Message.objects.filter(kind="draws.slots_vacant", about=draw.about).count() == 1
    client.post(act_url(draw, "close"), {"reason": "Nobody claims"})
    page = told(draw)
    assert "Its vacancies were closed by hand on" in page
    assert latest(draw, "draw.vacancies_closed") == {"reason": "Nobody claims", "slots": 1}
    assert_proof_holds(draw)


# ── Cancelled after the freeze ────────────────────────────────────────────────────────────────────────────


def test_a_draw_cancelled_after_the_freeze_is_never_drawn_and_its_list_stays_published(told, client):
    draw = make_frozen(entrants=4, prizes=[CASH, SMALL])
    client.post(act_url(draw, "cancel"), {"reason": "The sponsor withdrew"})
    assert services.execute_due_draws(now=draw.draw_at + HOUR).draws_processed == 0
    assert not Winner.objects.filter(draw=draw).exists()
    assert pool_of(draw) == (0, 0, 0)
    assert default_storage.exists(freezing.entries_file_name(draw))
    page = told(draw)
    assert (
        "It will never be drawn. Everything in its pool went back, and whoever had entered was told why."
        in page
    )
    assert (
        "the list and its manifest stay published, so that anyone can see that nobody drew from them" in page
    )
    assert "The sponsor withdrew" in page
    assert latest(draw, "draw.cancelled") == {"reason": "The sponsor withdrew", "returned": {"KES": 120_000}}
    assert Message.objects.filter(kind="draws.draw_cancelled", about=draw.about).count() == 1
