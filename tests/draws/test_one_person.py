"""One person, one entry: whichever of their addresses a list names, and whatever becomes of those addresses."""

import pytest
from allauth.account.models import EmailAddress
from django.utils import timezone

from accounts.models import User
from audit.models import Record
from config.addresses import AddressError, change_email
from draws import services, vwd1
from draws.models import Award, Entry, ImportRejection
from draws.services.awarding import claimable_awards
from notifications.models import Delivery
from tests.config.test_people_admin import form_of, page_of
from tests.draws.factories import CASH, identities, import_csv, make_draw, make_executed
from tests.factories import admin, alice, bob

pytestmark = pytest.mark.django_db

OTHER = "alice.at.work@example.com"


@pytest.fixture
def work_address():
    """Alice has shown that a second address is hers."""
    EmailAddress.objects.create(user=alice(), email=OTHER.title(), verified=True, primary=False)


class TestLists:
    def test_a_second_address_enters_the_member_under_their_own(self, work_address):
        draw = make_draw()
        import_csv(draw, f"{OTHER},Alice at work,3\n")
        entry = Entry.objects.get(draw=draw)
        assert (entry.member, entry.identity, entry.weight) == (alice(), alice().email, 3)
        # The receipt still proves the public id.
        assert bytes(entry.pid) == vwd1.public_id(
            scope=draw.scope, salt=bytes(entry.salt), identity=entry.identity
        )
        assert services.enter_draw(draw=draw, member=alice(), now=timezone.now()) == entry

    def test_both_addresses_in_one_list_make_one_entry_and_the_second_line_says_why(self, work_address):
        draw = make_draw()
        report = import_csv(draw, f"alice@example.com,,2\n{OTHER},,5\nbob@example.org,,1\n")
        assert identities(draw) == {"alice@example.com": 2, "bob@example.org": 1}
        assert (report.accepted, report.rejected) == (2, 1)
        refused = ImportRejection.objects.get()
        assert (refused.line, refused.content) == (2, OTHER)
        assert refused.reason == "This person stands in line 1 already."

    def test_who_is_in_already_is_refused_under_another_address(self, work_address):
        draw = make_draw()
        services.enter_draw(draw=draw, member=alice(), now=timezone.now())
        import_csv(draw, f"{OTHER}\nbob@example.org\n")
        assert set(identities(draw)) == {"alice@example.com", "bob@example.org"}
        refused = ImportRejection.objects.get()
        assert (refused.content, refused.reason) == (
            OTHER,
            "This person is in the draw already, under another address of theirs.",
        )

    def test_who_entered_before_their_address_changed_is_refused_under_the_new_one(self):
        draw = make_draw()
        services.enter_draw(draw=draw, member=alice(), now=timezone.now())
        EmailAddress.objects.create(user=alice(), email="new@example.com", verified=True, primary=False)
        member = alice()
        EmailAddress.objects.filter(user=member).update(primary=False)
        User.objects.filter(pk=member.pk).update(email="new@example.com")
        report = import_csv(draw, "new@example.com\nbob@example.org\n")
        assert report.rejected == 1
        assert set(identities(draw)) == {"alice@example.com", "bob@example.org"}

    def test_an_address_that_was_not_verified_is_nobodys(self):
        EmailAddress.objects.create(user=alice(), email=OTHER, verified=False, primary=False)
        draw = make_draw()
        import_csv(draw, f"{OTHER}\n")
        entry = Entry.objects.get(draw=draw)
        assert (entry.identity, entry.member) == (OTHER, None)

    def test_the_address_of_a_closed_account_is_an_outsiders(self, work_address):
        User.objects.filter(pk=alice().pk).update(is_active=False)
        draw = make_draw()
        import_csv(draw, f"{OTHER}\n")
        assert Entry.objects.get(draw=draw).member is None


class TestPrizes:
    def test_what_an_imported_address_won_is_claimed_by_whoever_verifies_it(self):
        draw = make_executed(entrants=1, prizes=[CASH])
        award = Award.objects.get(about=draw.about)
        with pytest.raises(services.ClaimError, match="somebody else"):
            services.claim_award(award=award, member=alice(), now=draw.executed_at)
        EmailAddress.objects.create(user=alice(), email=award.identity, verified=True, primary=False)
        assert claimable_awards(alice()) == [award]
        award = services.claim_award(award=award, member=alice(), now=draw.executed_at)
        assert (award.state, award.member) == (Award.State.PAID, alice())


class TestAddressesChangedByStaff:
    def change(self, email="new@example.com"):
        return change_email(person=alice(), email=email, by=admin(), now=timezone.now())

    def test_what_staff_typed_is_not_verified_and_the_old_address_is_off_the_account(self):
        person = alice()
        assert self.change(" New@Example.com ")
        person.refresh_from_db()
        assert person.email == "new@example.com"
        assert list(EmailAddress.objects.filter(user=person).values_list("email", "verified", "primary")) == [
            ("new@example.com", False, True)
        ]
        record = Record.objects.get(action="person.email_changed")
        assert (record.actor, record.target) == (admin(), f"accounts.user:{person.public_id}")
        assert "example.com" not in str(record.data)

    def test_the_old_address_is_told(self):
        self.change()
        told = Delivery.objects.get(message__kind="config.email_changed")
        assert (told.address, told.member_id) == ("alice@example.com", None)

    def test_nothing_won_under_the_old_address_is_claimed_from_there(self):
        draw = make_executed(entrants=1, prizes=[CASH])
        award = Award.objects.get(about=draw.about)
        person = alice()
        EmailAddress.objects.filter(user=person).update(email=award.identity)
        User.objects.filter(pk=person.pk).update(email=award.identity)
        person.refresh_from_db()
        change_email(person=person, email="new@example.com", by=admin(), now=timezone.now())
        person.refresh_from_db()
        assert claimable_awards(person) == []
        with pytest.raises(services.ClaimError):
            services.claim_award(award=award, member=person, now=draw.executed_at)

    def test_an_address_they_had_verified_before_stays_verified(self, work_address):
        self.change(OTHER)
        assert EmailAddress.objects.get(user__email=OTHER).verified

    def test_the_same_address_again_changes_nothing(self):
        assert not self.change("ALICE@example.com")
        assert not Record.objects.filter(action="person.email_changed").exists()

    def test_an_address_of_another_account_is_refused(self, work_address):
        with pytest.raises(AddressError, match="Another account has this address"):
            change_email(person=bob(), email=OTHER, by=admin(), now=timezone.now())

    def test_the_admin_goes_the_same_way(self, client):
        User.objects.filter(pk=admin().pk).update(is_superuser=True)
        client.force_login(admin())
        person = alice()
        sent = {**form_of(client, person), "email": "new@example.com", "display_name": "Alice W."}
        assert client.post(page_of(person), sent).status_code == 302
        person.refresh_from_db()
        assert (person.email, person.display_name) == ("new@example.com", "Alice W.")
        assert not EmailAddress.objects.get(user=person).verified
        answer = client.post(page_of(person), {**sent, "email": bob().email})
        assert "has this address" in answer.content.decode() or "already exists" in answer.content.decode()

    def test_a_second_address_of_somebody_else_is_refused_in_the_form(self, client, work_address):
        User.objects.filter(pk=admin().pk).update(is_superuser=True)
        client.force_login(admin())
        answer = client.post(page_of(bob()), {**form_of(client, bob()), "email": OTHER})
        assert "Another account has this address." in answer.content.decode()
