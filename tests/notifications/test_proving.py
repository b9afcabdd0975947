"""Showing that a number is one's own: the code, its limits, and the page."""

import datetime as dt
import re

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from accounts.privacy import person_of
from audit.models import Record
from notifications import kinds, mailbox, privacy
from notifications.models import Delivery, PhoneCode, State
from notifications.rendering import HIDDEN_LINK, text_of, words_of
from notifications.services import send_due_deliveries
from notifications.services.proving import (
    ATTEMPTS,
    CODES_A_DAY,
    VALID_FOR,
    ProofError,
    ask_for_code,
    digits_of,
    prove_phone,
)
from notifications.services.suppressions import suppress_address
from tests.factories import alice, bob
from tests.notifications.outbox import NOW

PAGE = "/accounts/phone/"
PREFERENCES = "/preferences/"
ASHA = "+254711000001"
SOON = NOW + dt.timedelta(minutes=2)


def wrong(digits: str) -> str:
    return f"{(int(digits) + 1) % 10**6:06}"


def refused(work, *words: str) -> None:
    with pytest.raises(ProofError) as error:
        work()
    assert all(word in str(error.value) for word in words), str(error.value)


@pytest.mark.django_db
class TestCode:
    def test_it_goes_to_the_number_and_proves_it(self, twilio):
        member = alice()
        code = ask_for_code(member=member, now=NOW)
        send_due_deliveries(now=NOW)
        [message] = twilio.messages
        digits = re.search(r"\d{6}", message["body"])[0]
        assert (message["to"], digits) == (ASHA, digits_of(code.public_id))
        assert prove_phone(member=member, digits=f" {digits[:3]} {digits[3:]} ", now=SOON) == ASHA
        member.refresh_from_db()
        assert member.proven_phone == ASHA
        assert Record.objects.filter(action="person.phone_proven").count() == 1

    def test_it_stands_in_no_table_and_staff_do_not_read_it(self, twilio):
        code = ask_for_code(member=alice(), now=NOW)
        digits = digits_of(code.public_id)
        delivery = Delivery.objects.select_related("message").get()
        assert digits not in f"{delivery.params} {delivery.message.context} {vars(code)}".replace(
            str(code.pk), ""
        )
        shown = words_of(delivery, kinds.get("notifications.phone_code"), for_links=HIDDEN_LINK)
        assert digits not in shown.text + text_of(
            delivery, kinds.get("notifications.phone_code"), for_links=HIDDEN_LINK
        )

    def test_wrong_ones_are_counted_and_the_right_one_does_not_help_after_too_many(self, twilio):
        member = alice()
        digits = digits_of(ask_for_code(member=member, now=NOW).public_id)
        for _ in range(ATTEMPTS):
            refused(lambda: prove_phone(member=member, digits=wrong(digits), now=SOON), "not the code")
        refused(lambda: prove_phone(member=member, digits=digits, now=SOON), "too many")

    def test_it_holds_for_ten_minutes_once_and_for_its_number(self, twilio):
        member = alice()
        digits = digits_of(ask_for_code(member=member, now=NOW).public_id)
        refused(lambda: prove_phone(member=member, digits=digits, now=NOW + VALID_FOR), "new one")
        User.objects.filter(pk=member.pk).update(phone="+254711000009")
        member.refresh_from_db()
        refused(lambda: prove_phone(member=member, digits=digits, now=SOON), "new one")
        User.objects.filter(pk=member.pk).update(phone=ASHA)
        member.refresh_from_db()
        prove_phone(member=member, digits=digits, now=SOON)
        refused(lambda: prove_phone(member=member, digits=digits, now=SOON), "new one")

    def test_only_the_newest_counts(self, twilio):
        member = alice()
        old = digits_of(ask_for_code(member=member, now=NOW).public_id)
        new = digits_of(ask_for_code(member=member, now=SOON).public_id)
        refused(lambda: prove_phone(member=member, digits=old, now=SOON))
        assert prove_phone(member=member, digits=new, now=SOON)

    def test_another_members_code_is_none(self, twilio):
        digits = digits_of(ask_for_code(member=alice(), now=NOW).public_id)
        refused(lambda: prove_phone(member=bob(), digits=digits, now=SOON), "new one")

    def test_not_twice_a_minute_and_not_without_end_a_day(self, twilio):
        member = alice()
        for n in range(CODES_A_DAY):
            at = NOW + n * dt.timedelta(minutes=2)
            ask_for_code(member=member, now=at)
            refused(lambda at=at: ask_for_code(member=member, now=at + dt.timedelta(seconds=59)), "minute")
        refused(lambda: ask_for_code(member=member, now=NOW + dt.timedelta(hours=1)), "tomorrow")
        ask_for_code(member=member, now=NOW + dt.timedelta(days=1, hours=1))

    def test_a_strangers_phone_is_not_filled_by_many_accounts(self, twilio):
        for n in range(CODES_A_DAY):
            member = User.objects.create_user(f"n{n}@example.com", phone=ASHA)
            ask_for_code(member=member, now=NOW)
        refused(lambda: ask_for_code(member=alice(), now=NOW), "tomorrow")

    def test_a_number_has_one_owner_the_last_who_proved_it(self, twilio):
        first, second = alice(), bob()
        User.objects.filter(pk=second.pk).update(phone=ASHA)
        second.refresh_from_db()
        for member in (first, second):
            code = ask_for_code(member=member, now=NOW)
            prove_phone(member=member, digits=digits_of(code.public_id), now=SOON)
            member.refresh_from_db()
        first.refresh_from_db()
        assert (first.proven_phone, second.proven_phone) == ("", ASHA)
        with pytest.raises(IntegrityError), transaction.atomic():
            User.objects.filter(pk=first.pk).update(verified_phone=ASHA)

    def test_a_number_that_answered_stop_is_told_what_to_do(self, twilio):
        suppress_address(address=ASHA, channel="sms", reason="stop", by=None, now=NOW)
        refused(lambda: ask_for_code(member=alice(), now=NOW), "START")
        assert not PhoneCode.objects.exists()

    def test_it_is_exported_without_the_code_and_erased(self, twilio):
        member = alice()
        ask_for_code(member=member, now=NOW)
        person = person_of(member)
        assert [row["phone"] for row in privacy.export(person=person)["phone_codes"]] == [ASHA]
        privacy.erase(person=person)
        assert not PhoneCode.objects.exists()
        assert Delivery.objects.get().address == ""


class TestAtOnce:
    def test_guesses_at_once_are_counted_each(self, cloned_db, parallel, twilio):
        member = alice()
        digits = digits_of(ask_for_code(member=member, now=NOW).public_id)

        def guess():
            return prove_phone(member=member, digits=wrong(digits), now=SOON)

        outcomes = parallel(guess, 12)
        assert {type(error) for error in outcomes.errors} == {ProofError}
        assert PhoneCode.objects.get().attempts == ATTEMPTS

    def test_asked_for_at_once_one_is_sent(self, cloned_db, parallel, twilio):
        member = alice()
        outcomes = parallel(lambda: ask_for_code(member=member, now=NOW), 6)
        assert (len(outcomes.results), {type(error) for error in outcomes.errors}) == (1, {ProofError})
        assert Delivery.objects.count() == 1

    def test_two_accounts_that_prove_a_number_at_once_do_not_both_have_it(self, cloned_db, parallel, twilio):
        people = [User.objects.create_user(f"n{n}@example.com", phone=ASHA) for n in range(2)]
        codes = [ask_for_code(member=member, now=NOW) for member in people]

        def prove(n):
            return prove_phone(member=people[n], digits=digits_of(codes[n].public_id), now=SOON)

        outcomes = parallel(prove, 2)
        assert outcomes.errors == []
        assert User.objects.filter(verified_phone=ASHA).count() == 1


@pytest.mark.django_db
class TestPages:
    @pytest.fixture(autouse=True)
    def _mailbox(self, settings, tmp_path):
        settings.MAILBOX_DIR = tmp_path / "box"
        settings.EMBEDDED = True
        settings.NOTIFICATION_CHANNELS = {"sms": "notifications.channels.mailbox_sms.MailboxSender"}
        settings.NOTIFICATION_RATES = {}

    def test_from_the_profile_to_a_proven_number_by_the_developers_mailbox(self, client):
        client.force_login(alice())
        assert PAGE in client.get("/accounts/profile/").content.decode()
        assert "Send me a code" in client.get(PAGE).content.decode()
        client.post(PAGE, {"ask": "1"})
        send_due_deliveries(now=timezone.now())
        listed = client.get("/dev/mailbox/").content.decode()
        assert "SMS" in listed
        [key] = mailbox.NewestMails(ASHA)
        opened = client.get(f"/dev/mailbox/{key}/").content.decode()
        assert "1 part in GSM-7" in opened
        digits = re.search(r"\b\d{6}\b", mailbox.read_mail(key).text)[0]
        assert "one-time-code" in client.get(PAGE).content.decode()
        page = client.post(PAGE, {"code": wrong(digits)}).content.decode()
        assert "not the code" in page
        assert "six digits" in client.post(PAGE, {"code": "12"}).content.decode()
        page = client.post(PAGE, {"code": digits}, follow=True).content.decode()
        assert "shown to be yours" in page
        assert alice_now().proven_phone == ASHA
        assert Delivery.objects.get().state == State.HANDED

    def test_who_answered_stop_reads_how_to_take_it_back(self, client):
        member = alice()
        User.objects.filter(pk=member.pk).update(verified_phone=ASHA)
        client.force_login(member)
        assert "Send START from it" not in client.get(PAGE).content.decode()
        suppress_address(address=ASHA, channel="sms", reason="stop", by=None, now=NOW)
        assert "Send START from it" in client.get(PAGE).content.decode()

    def test_where_no_sms_is_sent_there_is_no_such_page(self, client, settings):
        settings.NOTIFICATION_CHANNELS = {"email": "notifications.channels.email.EmailChannel"}
        client.force_login(alice())
        assert client.get(PAGE).status_code == 404
        assert PAGE not in client.get("/accounts/profile/").content.decode()
        assert PAGE not in client.get(PREFERENCES).content.decode()

    def test_who_has_no_number_is_led_to_the_profile(self, client):
        client.force_login(bob())
        assert "There is no number in your profile" in client.get(PAGE).content.decode()
        assert "into your profile first" in client.post(PAGE, {"ask": "1"}, follow=True).content.decode()

    def test_preferences_show_sms_only_with_a_proven_number(self, client, settings):
        member = alice()
        client.force_login(member)
        assert "draws.draw_soon/sms" not in client.get(PREFERENCES).content.decode()
        assert PAGE in client.get(PREFERENCES).content.decode()
        User.objects.filter(pk=member.pk).update(verified_phone=ASHA)
        page = client.get(PREFERENCES).content.decode()
        assert "draws.draw_soon/sms" in page
        assert "draws.draw_soon/whatsapp" not in page
        settings.NOTIFICATION_CHANNELS = {}
        assert "draws.draw_soon/sms" not in client.get(PREFERENCES).content.decode()

    def test_what_is_not_shown_is_not_switched_off_by_saving(self, client):
        member = alice()
        client.force_login(member)
        client.post(PREFERENCES, {"on": [], "quiet_from": "", "quiet_to": ""})
        User.objects.filter(pk=member.pk).update(verified_phone=ASHA)
        page = client.get(PREFERENCES).content.decode()
        assert re.search(r'value="draws.draw_soon/sms" checked', page)


def alice_now() -> User:
    return User.objects.get(email__startswith="alice")
