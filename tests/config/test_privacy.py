"""A person's data: all of it in one file; and its erasure, after which no table knows them and everything else holds."""

import datetime as dt
import html
import json
import re

import psycopg
import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import ApiKey, Erasure, User
from accounts.privacy import person_at, person_of
from accounts.scopes import scopes_for
from audit.models import Record
from audit.services import seal_backlog
from audit.verification import verify_audit
from config import privacy, roles
from config.privacy import ErasureError, cancel_erasure, erase_due_people, request_erasure
from draws import services
from draws.models import Award, Draw, Entry, ImportRejection, PrizeAddress, Winner
from draws.services.executing import compute_outcome
from notifications.models import Delivery, State
from notifications.services.expansion import expand_due_messages
from notifications.services.results import Result, Tally, save_results
from payments.adjustments import adjust_wallet
from payments.checking import check_ledger
from payments.models import Account
from tests.draws.factories import (
    CASH,
    HOUR,
    VOUCHER,
    add_entry,
    import_csv,
    make_draw,
    make_executed,
    make_frozen,
    winners_of,
)
from tests.draws.processes import at_once, gate, kill, start
from tests.draws.proofs import assert_proof_holds, holders
from tests.draws.test_claim import ADDRESS, BICYCLE
from tests.factories import admin, alice, bob, make_user
from tests.live import wait_until
from tests.payments.asking import ABOVE, fatma

WEEK = dt.timedelta(days=8)
LATE = dt.timedelta(days=15)
WORDS = (
    "alice@example.com",
    "alice.at.work@example.com",
    "alice.unsure@example.com",
    "Alice Wanjiru",
    "+254711000001",
    ADDRESS.name,
    ADDRESS.street,
    ADDRESS.phone,
    "192.0.2.77",
)


def found_in_tables(word: str) -> set[str]:
    """Every column of every table in which `word` stands, whatever its case and type."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT table_name, column_name, data_type FROM information_schema.columns
            JOIN information_schema.tables USING (table_schema, table_name)
            WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
                AND data_type IN ('text', 'character varying', 'character', 'json', 'jsonb', 'ARRAY', 'inet', 'bytea')
            """
        )
        columns = cursor.fetchall()
        assert len(columns) > 100
        found = set()
        for table, column, of_type in columns:
            text = f"encode({column}, 'escape')" if of_type == "bytea" else f'"{column}"::text'
            cursor.execute(
                f'SELECT 1 FROM "{table}" WHERE position(%s IN lower({text})) > 0 LIMIT 1', [word.lower()]
            )
            if cursor.fetchone():
                found.add(f"{table}.{column}")
    return found


def everywhere() -> dict[str, set[str]]:
    """Where each of Alice's words stands; and whether a session is hers, whose data no search would find."""
    found = {word: columns for word in WORDS if (columns := found_in_tables(word))}
    pk = str(User.objects.get(public_id=_public_id[0]).pk)
    if any(pk == session.get_decoded().get("_auth_user_id") for session in Session.objects.all()):
        found["session"] = {"django_session"}
    return found


_public_id: list = []


def live_a_life() -> dict[str, Draw]:
    """Alice does everything that leaves a trace; returns the draws she is in."""
    member = alice()
    _public_id[:] = [member.public_id]
    member.birth_date = dt.date(1990, 5, 17)
    member.set_password("correct horse battery")
    member.save()
    for email, verified in (("Alice.At.Work@example.com", True), ("alice.unsure@example.com", False)):
        EmailAddress.objects.create(user=member, email=email, verified=verified, primary=False)
    client = Client(REMOTE_ADDR="192.0.2.77")
    wrong = {"login": member.email, "password": "wrong"}
    client.post(reverse("account_login"), wrong)
    client.post(reverse("account_login"), {**wrong, "password": "correct horse battery"})
    key = {"name": "Alice Wanjiru's script", "scopes": [scopes_for(member)[0].name], "days": "90"}
    client.post(reverse("api-keys"), key)
    Authenticator.objects.create(user=member, type="totp", data={"secret": "x"})
    draws = {"open": make_draw(entrants=3)}
    client.post(reverse("draws:enter", args=[draws["open"].slug]))
    import_csv(draws["open"], "alice@example.com,Alice Wanjiru,zero\nnew@example.org,,1\n")
    draws["frozen"] = make_draw(entrants=5, closes_in=-2 * HOUR, prizes=[CASH])
    add_entry(draws["frozen"], member.email, weight=1_000_000_000, member=member)
    services.freeze_draw(draw_id=draws["frozen"].pk, now=draws["frozen"].closes_at)
    draws["frozen"].refresh_from_db()
    draws["paid"] = make_executed(entrants=0, members=[member], prizes=[CASH])
    draws["voucher"] = make_executed(members=[member], entrants=0, prizes=[VOUCHER])
    award = Award.objects.get(about=draws["voucher"].about)
    services.claim_award(award=award, member=member, now=award.created_at)
    # An outsider's prize, won under her second address, and claimed with an address to send it to.
    draws["outside"] = make_draw(entrants=0, closes_in=-2 * HOUR, prizes=[BICYCLE])
    add_entry(draws["outside"], "alice.at.work@example.com", weight=1_000_000_000)
    add_entry(draws["outside"], "next@example.org")
    services.freeze_draw(draw_id=draws["outside"].pk, now=draws["outside"].closes_at)
    services.execute_draw(draw_id=draws["outside"].pk, now=draws["outside"].draw_at + HOUR)
    award = Award.objects.get(about=draws["outside"].about)
    services.claim_award(award=award, member=member, address=ADDRESS, now=award.created_at)
    # Staff: a change in the admin, and an act with her wallet that waits for a second person.
    LogEntry.objects.create(
        user=admin(),
        content_type=ContentType.objects.get_for_model(User),
        object_id=str(member.pk),
        object_repr=str(member),
        action_flag=CHANGE,
        change_message="[]",
    )
    adjust_wallet(
        member=member,
        unit="KES",
        amount=ABOVE,
        by=fatma(),
        reason="Case 17",
        idem_key="a",
        now=timezone.now(),
    )
    while expand_due_messages(now=timezone.now() + dt.timedelta(days=30)):
        pass
    return draws


def request(member=None, **fields) -> Erasure:
    member = member or alice()
    return request_erasure(person=person_of(member), by=member, now=timezone.now(), **fields)


def erase(member=None) -> User:
    """Ask for it and let the week pass."""
    member = member or alice()
    request(member, gives_up_wallet=True)
    assert erase_due_people(now=timezone.now() + WEEK) == privacy.ErasureSummary(erased=1)
    member.refresh_from_db()
    return member


@pytest.mark.django_db
class TestErased:
    def test_no_table_knows_the_person_any_more(self):
        live_a_life()
        before = everywhere()
        assert set(before) == {*WORDS, "session"}, "the test has to leave traces of each kind"
        assert len(before["alice@example.com"]) >= 5
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
        assert draw.entries.count() == 4
        assert not draw.entries.filter(identity=None).exists()
        assert ImportRejection.objects.get(entry_import__draw=draw).content == ""

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
        assert record.target == f"accounts.user:{_public_id[0]}"

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


def alice_erased() -> User:
    return User.objects.get(public_id=_public_id[0])


@pytest.mark.django_db
class TestAsking:
    def test_the_account_is_closed_at_once_and_a_link_opens_it_again(self, client, mailoutbox):
        client.force_login(alice())
        erasure = request()
        assert client.get(reverse("dashboard")).status_code == 302
        delivery = Delivery.objects.get(message__kind="config.erasure_requested")
        assert (delivery.address, delivery.member_id, delivery.state) == (
            "alice@example.com",
            None,
            State.PLANNED,
        )
        call_command("process_notifications")
        [mail] = mailoutbox
        [link] = re.findall(r"/accounts/erasure/\S+/", mail.body)
        assert "Keep my data" in client.get(link).content.decode()
        erasure.refresh_from_db()
        assert erasure.cancelled_at is None  # opening it changes nothing
        assert client.post(link).url == reverse("account_login")
        assert alice().is_active
        assert erase_due_people(now=timezone.now() + WEEK) == privacy.ErasureSummary()
        assert [
            row.action for row in Record.objects.filter(target__startswith="accounts.user").order_by("pk")
        ] == [
            "person.erasure_requested",
            "person.erasure_cancelled",
        ]
        assert "It was called off" in client.get(link).content.decode()

    def test_a_forged_link_opens_nothing(self, client):
        request()
        assert client.get(reverse("erasure", args=["A" * 43])).status_code == 404

    def test_before_the_week_is_over_nothing_is_erased(self):
        request()
        assert erase_due_people(now=timezone.now() + dt.timedelta(days=6)) == privacy.ErasureSummary()
        assert alice().email == "alice@example.com"

    def test_asking_twice_is_asking_once(self):
        assert request() == request()
        assert Delivery.objects.filter(message__kind="config.erasure_requested").count() == 1

    def test_once_erased_the_link_says_so(self, client):
        erasure = request()
        erase_due_people(now=timezone.now() + WEEK)
        with pytest.raises(ErasureError, match="erased already"):
            cancel_erasure(erasure=erasure, by=None, now=timezone.now())

    def test_an_account_that_was_closed_before_stays_closed(self):
        User.objects.filter(pk=alice().pk).update(is_active=False)
        cancel_erasure(erasure=request(), by=None, now=timezone.now())
        assert not alice().is_active

    def test_money_is_not_lost_by_a_slip(self):
        make_executed(entrants=0, members=[alice()], prizes=[CASH])
        with pytest.raises(ErasureError, match=re.escape("KES 1,000.00 would be lost")):
            request()
        assert alice().is_active

    def test_money_that_came_since_holds_it_up_and_says_so_once(self):
        erasure = request()
        adjust_wallet(
            member=alice(),
            unit="KES",
            amount=500,
            by=fatma(),
            reason="Late",
            idem_key="b",
            now=timezone.now(),
        )
        for _again in range(2):
            assert erase_due_people(now=timezone.now() + WEEK) == privacy.ErasureSummary(held=1)
        erasure.refresh_from_db()
        assert "KES 5.00 is in the wallet" in erasure.problem
        assert Record.objects.filter(action="person.erasure_held").count() == 1
        assert alice().email == "alice@example.com"

    def test_who_may_administer_the_site_has_to_lose_that_first(self):
        with pytest.raises(ErasureError, match="another admin has to take its rights away"):
            request(admin())

    def test_staff_say_why(self):
        with pytest.raises(ErasureError, match="Say who asked"):
            request_erasure(person=person_of(alice()), by=admin(), now=timezone.now())

    def test_an_account_opened_since_is_not_erased_unasked(self):
        request_erasure(person=person_at("x@example.org"), by=admin(), reason="Case 5", now=timezone.now())
        make_user(email="x@example.org")
        assert erase_due_people(now=timezone.now() + WEEK).held == 1
        assert User.objects.get(email="x@example.org").is_active

    def test_an_address_that_somebody_has_verified_is_their_account(self):
        EmailAddress.objects.create(user=alice(), email="second@example.com", verified=True, primary=False)
        assert person_at("Second@example.com").member == alice()
        EmailAddress.objects.create(user=bob(), email="third@example.com", verified=False, primary=False)
        assert person_at("third@example.com").member is None

    def test_one_who_fails_stops_no_other(self, monkeypatch):
        request()
        request(bob())
        erase_accounts = privacy.accounts_privacy.erase

        def fail_for_alice(*, person):
            if person.member == alice():
                raise RuntimeError("broken")
            return erase_accounts(person=person)

        monkeypatch.setattr(privacy.accounts_privacy, "erase", fail_for_alice)
        assert erase_due_people(now=timezone.now() + WEEK) == privacy.ErasureSummary(erased=1, failed=1)
        assert alice().email == "alice@example.com"
        assert not Entry.objects.filter(member=bob()).exists()


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


@pytest.mark.django_db
class TestPages:
    @pytest.fixture
    def member(self, client):
        client.force_login(alice())
        return client

    def test_the_copy_holds_what_each_part_of_the_site_keeps(self, member):
        live_a_life()
        member.force_login(alice())
        answer = member.get(reverse("your-data-download"))
        assert answer["Content-Disposition"].startswith('attachment; filename="fairground-data-')
        data = json.loads(answer.content)
        assert data["accounts"]["profile"]["email"] == "alice@example.com"
        assert data["accounts"]["profile"]["birth_date"] == "1990-05-17"
        assert len(data["draws"]["entries"]) == 5
        assert all(len(row["salt"]) == 64 for row in data["draws"]["entries"])
        addresses = [prize["address"] for prize in data["draws"]["prizes"] if prize["address"]]
        assert addresses[0]["street"] == ADDRESS.street
        assert any(prize["voucher"] for prize in data["draws"]["prizes"])
        assert data["payments"]["wallets"] == [{"unit": "KES", "balance": 100_000}]
        assert data["notifications"]["messages"]
        assert data["audit"]["actions"]
        text = answer.content.decode()
        assert "password" not in text
        assert ApiKey.objects.get(owner=alice()).secret_sha256 not in text
        assert "guest1@example.org" not in text

    @pytest.mark.parametrize("name", ["your-data-download", "your-data-erase"])
    def test_it_asks_who_is_there_after_a_while(self, client, name):
        person = make_user(email="zoe@example.com", password="correct horse battery")
        client.force_login(person)
        session = client.session
        session["account_authentication_methods"] = [{"method": "password", "at": 0, "email": person.email}]
        session.save()
        send = client.post if name == "your-data-erase" else client.get
        answer = send(reverse(name), {"email": person.email})
        assert "reauthenticate" in answer.url
        assert person.erasures.count() == 0

    def test_it_says_beforehand_what_will_be_lost(self, member):
        live_a_life()
        member.force_login(alice())
        page = html.unescape(member.get(reverse("your-data")).content.decode())
        assert "KES 1,000.00 in your wallet is lost." in page
        assert "Your prize “Bicycle” is lost" in page
        assert "You leave 1 draw that still takes entries." in page
        assert "Your entry in 1 sealed draw stays in its list without your name" in page
        assert "I give up KES 1,000.00 in my wallet" in page

    def test_a_wrong_address_erases_nothing(self, member):
        answer = member.post(reverse("your-data-erase"), {"email": "bob@example.com"})
        assert "This is not the address of this account." in answer.content.decode()
        assert not Erasure.objects.exists()

    def test_the_right_address_closes_the_account_and_signs_out(self, member):
        answer = member.post(reverse("your-data-erase"), {"email": " Alice@Example.com "}, follow=True)
        assert "Your account is closed." in answer.content.decode()
        assert not answer.context["user"].is_authenticated
        assert not alice().is_active

    def test_money_has_to_be_given_up_by_a_word(self, member):
        make_executed(entrants=0, members=[alice()], prizes=[CASH])
        member.post(reverse("your-data-erase"), {"email": "alice@example.com"})
        assert not Erasure.objects.exists()
        member.post(reverse("your-data-erase"), {"email": "alice@example.com", "gives_up_wallet": "on"})
        assert Erasure.objects.get().gives_up_wallet

    def test_it_stands_among_the_pages_of_the_account(self, member):
        assert reverse("your-data") in member.get(reverse("profile")).content.decode()
        assert Client().get(reverse("your-data")).status_code == 302

    def test_staff_are_told_why_they_can_not(self, client):
        client.force_login(admin())
        assert (
            "another admin has to take its rights away" in client.get(reverse("your-data")).content.decode()
        )


@pytest.mark.django_db
class TestAdmin:
    @pytest.fixture
    def boss(self, client):
        client.force_login(admin())
        return client

    ASK = "admin:accounts_erasure_ask"

    def test_somebody_who_wrote_is_erased_by_address(self, boss):
        draw = make_frozen(entrants=2)
        sent = {"identity": "Guest1@Example.org", "reason": "Case 7"}
        answer = boss.post(reverse(self.ASK), sent, follow=True)
        assert (
            "They are told, and erased in 7 days unless they or you call it off." in answer.content.decode()
        )
        record = Record.objects.get(action="person.erasure_requested")
        assert (record.actor, record.data["reason"]) == (admin(), "Case 7")
        assert "guest1" not in str(record.data) + record.target
        assert draw.entries.filter(identity="guest1@example.org").exists()

    def test_the_page_of_a_person_leads_there(self, boss):
        page = boss.get(reverse("admin:accounts_user_erase", args=[alice().pk]))
        assert page.url == f"{reverse(self.ASK)}?member={alice().public_id}"
        assert 'value="alice@example.com"' in boss.get(page.url).content.decode()

    def test_without_a_reason_or_with_money_it_is_refused(self, boss):
        make_executed(entrants=0, members=[alice()], prizes=[CASH])
        answer = boss.post(reverse(self.ASK), {"identity": "alice@example.com", "reason": "Case 8"})
        assert "KES 1,000.00 would be lost" in answer.content.decode()
        assert not Erasure.objects.exists()

    def test_it_is_called_off_and_the_due_are_erased_by_a_button(self, boss):
        erasure = request()
        boss.post(reverse("admin:accounts_erasure_call_off", args=[erasure.pk]))
        assert alice().is_active
        again = request()
        Erasure.objects.filter(pk=again.pk).update(due_at=timezone.now())
        answer = boss.post(reverse("admin:accounts_erasure_erase_now"), follow=True)
        assert "1 erased, 0 held back, 0 failed." in answer.content.decode()
        assert "Erased" in answer.content.decode()
        assert not User.objects.filter(email="alice@example.com").exists()

    @pytest.mark.parametrize("role", [roles.MANAGER_ADMIN, roles.FINANCE, roles.SUPPORT_LEAD])
    def test_nobody_else_may(self, client, role):
        client.force_login(make_user(role=role, is_staff=True))
        assert client.get(reverse(self.ASK)).status_code == 403
        assert client.get(reverse("admin:accounts_erasure_changelist")).status_code == 403


@pytest.mark.django_db
class TestOldData:
    def test_what_was_kept_long_enough_goes(self):
        draw = make_draw()
        import_csv(draw, "nobody,Somebody,1\na@example.org,,1\n")
        line = ImportRejection.objects.get()
        privacy.erase_old_data(now=timezone.now() + dt.timedelta(days=89))
        line.refresh_from_db()
        assert line.content
        privacy.erase_old_data(now=timezone.now() + dt.timedelta(days=91))
        line.refresh_from_db()
        assert (line.content, bool(line.reason)) == ("", True)

    def test_the_address_of_a_thing_long_sent_goes_and_of_one_to_be_sent_stays(self):
        draw = make_executed(entrants=1, prizes=[BICYCLE])
        award = Award.objects.get(about=draw.about)
        services.claim_award(award=award, member=None, address=ADDRESS, now=award.created_at)
        much_later = timezone.now() + dt.timedelta(days=400)
        privacy.erase_old_data(now=much_later)
        assert PrizeAddress.objects.count() == 1
        services.mark_sent(award=award, note="", by=admin(), now=timezone.now())
        privacy.erase_old_data(now=much_later)
        assert PrizeAddress.objects.count() == 0


@pytest.mark.django_db
def test_the_command_does_what_beat_does(capsys):
    erasure = request()
    Erasure.objects.filter(pk=erasure.pk).update(due_at=timezone.now())
    call_command("erase_due_people")
    assert "1 erased, 0 wait for a person." in capsys.readouterr().out
