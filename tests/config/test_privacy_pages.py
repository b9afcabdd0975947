"""A copy of one's data, and how an erasure is asked for, called off, held up: on pages, in the admin, by the job."""

import datetime as dt
import html
import json
import re

import pytest
from allauth.account.models import EmailAddress
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import ApiKey, Erasure, User
from accounts.privacy import person_at, person_of
from audit.models import Record
from config import privacy, roles
from config.privacy import ErasureError, cancel_erasure, erase_due_people, request_erasure
from draws import services
from draws.models import Award, ImportRejection, PrizeAddress
from notifications.models import Delivery, State
from payments.adjustments import adjust_wallet
from tests.config.lives import WEEK, live_a_life, request
from tests.draws.factories import (
    CASH,
    import_csv,
    make_draw,
    make_executed,
    make_frozen,
)
from tests.draws.test_claim import ADDRESS, BICYCLE
from tests.factories import admin, alice, bob, make_user
from tests.payments.asking import fatma


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
        page = client.post(link, follow=True).content.decode()
        assert "It was called off" in page
        assert reverse("account_login") in page
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

    def test_money_that_came_since_holds_it_up_and_says_so_once(self, client):
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
        client.force_login(admin())
        assert "KES 5.00 is in the wallet" in client.get(reverse("admin:index")).content.decode()
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
        assert "The last attempt failed (RuntimeError)" in Erasure.objects.get(member=alice()).problem
        monkeypatch.undo()
        assert erase_due_people(now=timezone.now() + WEEK) == privacy.ErasureSummary(erased=1)
        assert Erasure.objects.filter(problem="", done_at__isnull=False).count() == 2


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
        assert client.get(reverse(self.ASK)).status_code == 404
        assert client.get(reverse("admin:accounts_erasure_changelist")).status_code == 404


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
        assert (line.content, line.reason) == ("", "")

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
