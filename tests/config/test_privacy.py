"""The erasure of a person: no table knows them afterwards, and everything else holds."""

import psycopg
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import ApiKey, Erasure
from accounts.privacy import person_at
from audit.models import Record
from audit.services import seal_backlog
from audit.verification import verify_audit
from config import privacy
from config.privacy import erase_due_people, request_erasure
from draws import services
from draws.models import Award, Entry, ImportRejection, PrizeAddress, Winner
from draws.services.executing import compute_outcome
from notifications.models import Delivery, State
from notifications.services.expansion import expand_due_messages
from notifications.services.results import Result, Tally, save_results
from payments.checking import check_ledger
from payments.models import Account
from tests.config.lives import (
    LATE,
    PUBLIC_ID,
    WEEK,
    WORDS,
    alice_erased,
    erase,
    everywhere,
    found_in_tables,
    live_a_life,
    request,
)
from tests.draws.factories import (
    HOUR,
    VOUCHER,
    make_executed,
    make_frozen,
    winners_of,
)
from tests.draws.processes import at_once, gate, kill, start
from tests.draws.proofs import assert_proof_holds, holders
from tests.factories import admin, alice, make_user
from tests.live import wait_until


@pytest.mark.django_db
class TestErased:
    def test_no_table_knows_the_person_any_more(self):
        live_a_life()
        before = everywhere()
        assert set(before) == {*WORDS, "session"}, "the test has to leave traces of each kind"
        quoted = {
            "draws_importrejection.reason",
            "draws_entryupload.why",
            "notifications_message.context",
            "axes_accessattempt.username",
        }
        assert before["alice@example.com"] >= quoted
        wishes = {
            "notifications_preference.person_key",
            "notifications_correspondent.person_key",
            "notifications_consentevent.person_key",
            "notifications_suppression.address",
            "notifications_suppression.note",
        }
        assert before["alice.at.work@example.com"] >= wishes
        assert "notifications_consentevent.evidence" in before["192.0.2.77"]
        person = erase()
        assert everywhere() == {}
        assert not person.is_active
        assert not person.has_usable_password()
        assert person.birth_date is None
        assert not person.groups.exists()
        assert not ApiKey.objects.filter(owner=person, revoked_at=None).exists()

    def test_draws_proofs_ledger_and_trail_hold(self):
        draws = live_a_life()
        sent = Delivery.objects.filter(member=alice(), state=State.PLANNED).count()
        assert sent
        erase()
        for name in ("paid", "voucher", "outside"):
            assert_proof_holds(draws[name])
        assert services.check_draws(now=timezone.now()).differences == {}
        assert check_ledger() == []
        seal_backlog(now=timezone.now())
        assert verify_audit(now=timezone.now()).is_sound
        assert not Delivery.objects.filter(
            member=alice_erased(), state__in=("planned", "retry", "claimed")
        ).exists()

    def test_a_frozen_draw_is_drawn_with_the_same_winners_and_the_prize_goes_on_at_its_deadline(self):
        draw = live_a_life()["frozen"]
        outcome = compute_outcome(draw)
        first = outcome.pids[outcome.ranks[0].index]
        assert Entry.objects.get(draw=draw, pid=bytes.fromhex(first)).member == alice()
        before = list(draw.entries.order_by("pk").values_list("pid", "weight"))
        erase()
        assert list(draw.entries.order_by("pk").values_list("pid", "weight")) == before
        entry = Entry.objects.get(draw=draw, pid=bytes.fromhex(first))
        assert (entry.identity, entry.member, entry.name, entry.salt) == (None, None, "", None)
        services.execute_draw(draw_id=draw.pk, now=draw.draw_at)
        assert winners_of(draw)[0][2] == first
        assert Award.objects.get(about=draw.about).state == Award.State.CLAIMABLE
        services.expire_awards(now=draw.draw_at + LATE)
        assert holders(draw) == {0: 1}
        assert_proof_holds(draw)

    def test_an_open_draw_is_left(self):
        draw = live_a_life()["open"]
        erase()
        assert draw.entries.count() == 5
        assert not draw.entries.filter(identity=None).exists()
        lines = ImportRejection.objects.filter(entry_import__draw=draw).order_by("pk")
        assert [(line.content, bool(line.reason)) for line in lines] == [("", True), ("", False)]

    def test_a_thing_that_was_not_sent_goes_to_the_next_in_line(self):
        draw = live_a_life()["outside"]
        erase()
        assert not PrizeAddress.objects.exists()
        award = Award.objects.get(about=draw.about)
        assert (award.state, award.claimed_at) == (Award.State.CLAIMABLE, None)
        services.expire_awards(now=award.claim_until + HOUR)
        following = Winner.objects.get(draw=draw, state__in=Winner.STANDING)
        assert following.entry.identity == "next@example.org"
        assert_proof_holds(draw)

    def test_the_wallet_is_given_up_in_the_ledger(self):
        live_a_life()
        erase()
        wallet = Account.objects.get(owner=alice_erased(), unit="KES")
        assert wallet.balance == 0
        assert wallet.postings.get(entry__kind="wallet.given_up").amount == -100_000
        record = Record.objects.get(action="person.erased")
        assert record.data["given_up"] == {"KES": 100_000}
        assert record.target == f"accounts.user:{PUBLIC_ID[0]}"

    def test_it_is_done_once_and_doing_it_again_finds_nothing(self):
        live_a_life()
        person = erase()
        assert erase_due_people(now=timezone.now() + WEEK) == privacy.ErasureSummary()
        assert Record.objects.filter(action="person.erased").count() == 1
        erasure = Erasure.objects.get()
        assert (erasure.member, erasure.identity) == (person, None)

    def test_an_erased_account_can_not_sign_in_and_its_address_is_free(self):
        live_a_life()
        erase()
        answer = Client().post(
            reverse("account_login"), {"login": "alice@example.com", "password": "correct horse battery"}
        )
        assert answer.status_code != 302
        assert make_user(email="alice@example.com").pk != alice_erased().pk

    def test_a_secret_link_to_a_prize_opens_nothing_any_more(self):
        draw = make_executed(entrants=1, prizes=[VOUCHER])
        award = Award.objects.get(about=draw.about)
        token = services.claim_token(award)
        person = person_at(award.identity)
        request_erasure(person=person, by=admin(), reason="Case 3", now=timezone.now())
        erase_due_people(now=timezone.now() + WEEK)
        assert services.award_by_token(token) is None

    def test_somebody_without_an_account_is_found_by_the_address(self):
        draw = make_frozen(entrants=3)
        stranger = "guest1@example.org"
        while expand_due_messages(now=timezone.now()):
            pass
        assert {"draws_entry.identity", "notifications_delivery.address"} <= found_in_tables(stranger)
        erasure = request_erasure(person=person_at(stranger), by=admin(), reason="Case 4", now=timezone.now())
        assert erasure.identity == stranger
        assert erase_due_people(now=timezone.now() + WEEK).erased == 1
        assert found_in_tables(stranger) == set()
        assert found_in_tables("guest2@example.org")
        assert draw.entries.count() == 3
        record = Record.objects.get(action="person.erased")
        assert record.target == f"accounts.erasure:{erasure.public_id}"

    def test_the_late_answer_of_a_provider_brings_no_address_back(self):
        live_a_life()
        delivery = Delivery.objects.filter(member=alice(), state=State.PLANNED).first()
        delivery.state, delivery.lease_until = State.CLAIMED, timezone.now() + HOUR
        delivery.save()
        erase()
        answer = Result.of(delivery, State.FAILED, provider_text="550 <alice@example.com> unknown")
        save_results([answer], Tally())
        delivery.refresh_from_db()
        assert (delivery.state, delivery.provider_text, delivery.address) == (State.CANCELLED, "", "")


class TestAtOnceAndKilled:
    def test_killed_at_the_last_step_nothing_of_it_happened_and_the_next_run_does_it(self, cloned_db):
        live_a_life()
        request(gives_up_wallet=True)
        later = timezone.now() + WEEK
        before = everywhere()
        with gate(cloned_db) as shut:
            shut.shut("audit_record", when="NEW.action = 'person.erased'")
            process = start(lambda: erase_due_people(now=later))
            backend = shut.wait_for_one()
            kill(process)
            shut.open(gone=backend)
        assert everywhere().keys() >= before.keys() - {"session"}
        assert erase_due_people(now=later) == privacy.ErasureSummary(erased=1)
        assert everywhere() == {}
        assert check_ledger() == []

    def test_many_workers_erase_once(self, cloned_db):
        live_a_life()
        request(gives_up_wallet=True)
        later = timezone.now() + WEEK
        summaries = at_once(lambda: erase_due_people(now=later), 4)
        assert sum(summary.erased for summary in summaries) == 1
        assert sum(summary.failed for summary in summaries) == 0
        assert Record.objects.filter(action="person.erased").count() == 1

    def test_an_erasure_waits_for_whoever_is_writing_addresses_down(self, cloned_db):
        """An expansion has read the entrants; what it writes when it comes to it is erased too."""
        make_frozen(entrants=3)
        stranger = "guest1@example.org"
        request_erasure(person=person_at(stranger), by=admin(), reason="Case 6", now=timezone.now())
        now, later = timezone.now(), timezone.now() + WEEK
        with gate(cloned_db) as shut:
            shut.shut("notifications_delivery", when="NEW.address = 'guest2@example.org'")
            expanding = start(lambda: expand_due_messages(now=now))
            shut.wait_for_one()
            erasing = start(lambda: erase_due_people(now=later))
            with psycopg.connect(cloned_db.url, autocommit=True) as watcher:
                waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND mode = 'ExclusiveLock'"
                wait_until(
                    lambda: watcher.execute(waiting).fetchone() is not None, "the erasure at its lock", 60
                )
            shut.open()
            for process in (expanding, erasing):
                process.join(60)
        assert Delivery.objects.filter(address="guest2@example.org").exists()
        assert found_in_tables(stranger) == set()
