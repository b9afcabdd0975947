"""Words of staff in the place of a kind's own: who reads them, which version, and that broken ones stop nothing."""

import dataclasses
import datetime as dt
from unittest.mock import patch

import pytest
from django.core import mail
from django.db import DatabaseError, connection, transaction
from django.test import override_settings

from audit.models import Record
from config.operations.metrics import exposition
from config.operations.troubles import all_troubles
from notifications import kinds, overrides, variables
from notifications.checks import check_templates
from notifications.mail_links import MailLinks
from notifications.models import Delivery, State, TemplateOverride, TemplateVersion
from notifications.rendering import mail_of, text_of, words_of
from notifications.services import ContextError, process_notifications
from notifications.services.previews import made_up_reader, preview_words, usual_words
from notifications.services.wordings import WordingError, restore_words, save_words, send_test
from notifications.words.parts import Parts
from tests.factories import admin, alice, bob, carol, make_user
from tests.notifications.outbox import NOW, named, outsider, say

pytestmark = pytest.mark.django_db
LINKS = MailLinks("https://site.example/preferences/", "https://site.example/unsubscribe/")
OWN = Parts(subject="Own: {{ prize }}", text="It is {{ prize }} at {{ at|date:'H:i' }}, {{ name }}.")


def save(parts=OWN, *, kind="test.service", language="en", now=NOW, **changes):
    return save_words(kind=kinds.get(kind), language=language, parts=parts, by=admin(), now=now, **changes)


def delivery_to(person, *, kind="test.service", key="key"):
    message = say(kind, key=key, recipients=[named(person)])
    return Delivery.objects.select_related("message").filter(message=message).order_by("pk").first()


def read(person, **changes):
    delivery = delivery_to(person, **changes)
    return words_of(delivery, kinds.get(delivery.message.kind))


def break_it(row: TemplateOverride):
    """As if a release took a variable away: the words in force name one that is no more."""
    newest = row.versions.latest("number")
    TemplateVersion.objects.create(
        override=row, number=newest.number + 1, text="It is {{ no_more }}", made_at=NOW, made_by=admin()
    )
    TemplateOverride.objects.filter(pk=row.pk).update(number=newest.number + 1)
    overrides.forget()


class TestWhoReadsThem:
    def test_words_of_a_persons_language_replace_the_kinds_own(self):
        save()
        words = read(alice())
        assert words.subject == "Own: a bicycle"
        assert words.text == "It is a bicycle at 12:00, Alice Wanjiru.\n"  # her clock, in Nairobi

    def test_words_of_another_language_do_not_replace_what_somebody_can_read(self):
        save(language="sw")
        assert read(alice()).subject == "About a bicycle"
        assert read(make_user(language="sw"), key="two").subject == "Own: a bicycle"

    def test_a_language_without_its_country_serves_all_its_countries(self):
        save(language="sw")
        assert read(make_user(language="sw-KE")).subject == "Own: a bicycle"

    def test_who_reads_what_the_site_does_not_speak_gets_the_words_of_its_usual_language(self):
        save()
        assert carol().language == "fr"
        assert read(carol()).subject == "Own: a bicycle"

    def test_dates_stand_in_the_language_of_the_words(self):
        save(Parts(text="{{ at|date:'l' }}"), language="sw")
        assert read(make_user(language="sw")).text.strip() == "Ijumaa"

    def test_an_empty_part_is_the_kinds_own(self):
        save(Parts(subject="Own"))
        words = read(alice())
        assert words.subject == "Own"
        assert "& co at" in words.text

    def test_html_stands_between_the_head_and_the_foot_of_all_mails(self):
        save(dataclasses.replace(OWN, html="<p>Own <b>{{ prize }}</b></p>"))
        _words, html = mail_of(delivery_to(alice()), kinds.get("test.service"), LINKS)
        assert "<p>Own <b>a bicycle</b></p>" in html
        assert all(link in html for link in (LINKS.preferences_url, LINKS.unsubscribe_url))

    def test_a_text_of_ones_own_is_the_html_too_also_where_the_kind_has_html_itself(self):
        save(Parts(text="Own text {{ claim_url }}"), kind="test.linked")
        _words, html = mail_of(delivery_to(alice(), kind="test.linked"), kinds.get("test.linked"), LINKS)
        assert "Own text" in html
        assert "Press <a" not in html

    def test_what_people_wrote_is_escaped_in_html(self):
        save(dataclasses.replace(OWN, html="<p>{{ name }}</p>"))
        person = make_user(display_name="<img src=x onerror=y>")
        _words, html = mail_of(delivery_to(person), kinds.get("test.service"), LINKS)
        assert "<img" not in html

    def test_they_are_read_once_for_many(self, django_assert_num_queries):
        save()
        deliveries = [delivery_to(alice(), key=str(n)) for n in range(5)]
        overrides.forget()
        with django_assert_num_queries(1):
            for delivery in deliveries:
                words_of(delivery, kinds.get("test.service"))


class TestVersions:
    def test_each_save_is_a_version_with_who_and_what(self):
        first, second = (
            save(),
            save(dataclasses.replace(OWN, subject="Newer"), now=NOW + dt.timedelta(hours=1)),
        )
        assert (first.number, second.number) == (1, 2)
        assert (second.changed, second.made_by) == (["subject"], admin())
        assert read(alice()).subject == "Newer"
        acts = Record.objects.filter(action="notification.words_saved").order_by("pk")
        assert [act.data["version"] for act in acts] == [1, 2]
        assert acts[1].data["changed"] == ["subject"]

    def test_going_back_is_a_new_version(self):
        row = save().override
        save(dataclasses.replace(OWN, subject="Newer"))
        back = restore_words(override=row, number=1, by=admin(), now=NOW)
        assert (back.number, back.from_number, back.parts) == (3, 1, OWN)
        assert read(alice()).subject == "Own: a bicycle"

    def test_nobody_goes_back_to_words_that_are_not_good_any_more(self):
        row = save().override
        save(dataclasses.replace(OWN, subject="Newer"))
        without = dataclasses.replace(kinds.get("test.service"), variables={"at": dt.datetime})
        with patch.dict(kinds._kinds, {"test.service": without}), pytest.raises(WordingError) as refused:
            restore_words(override=row, number=1, by=admin(), now=NOW)
        assert "no variable “prize”" in str(refused.value.findings.errors[0])
        assert row.versions.count() == 2

    def test_going_back_to_the_usual_words_is_a_version_too(self):
        row = save().override
        assert restore_words(override=row, number=0, by=admin(), now=NOW).number == 2
        assert read(alice()).subject == "About a bicycle"

    def test_saving_what_is_in_force_changes_nothing(self):
        assert save() == save()
        assert TemplateVersion.objects.count() == 1

    def test_what_somebody_else_saved_meanwhile_is_not_overwritten_unread(self):
        save()
        with pytest.raises(WordingError, match="version 1 meanwhile"):
            save(dataclasses.replace(OWN, subject="Mine"), seen_number=0)

    @pytest.mark.parametrize(
        "statement", ["UPDATE {} SET text = 'x'", "DELETE FROM {}", "TRUNCATE {} CASCADE"]
    )
    def test_the_database_refuses_to_change_history(self, statement):
        save()
        cursor = connection.cursor()
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            cursor.execute(statement.format("notifications_templateversion"))

    @pytest.mark.parametrize(
        ("parts", "says"),
        [
            (Parts(text="{{ nobody_knows }}"), "There is no variable “nobody_knows”"),
            (Parts(text="{% if prize %}"), "never closed"),
            (Parts(subject="x" * 500), "Shorten"),
        ],
    )
    def test_broken_words_are_refused_at_save(self, parts, says):
        with pytest.raises(WordingError) as refused:
            save(parts)
        assert says in str(refused.value.findings.errors[0])
        assert not TemplateOverride.objects.exists()

    def test_warnings_are_accepted_by_name(self):
        shouting = Parts(subject="YOU WON A BICYCLE")
        with pytest.raises(WordingError, match="Look at the warnings"):
            save(shouting)
        assert "capitals" in save(shouting, accepts_warnings=True).accepted[0]


class TestBrokenWords:
    """A broken wording: the usual words are said, the alarm is raised once, and nothing else stops."""

    def test_the_usual_words_are_said_and_everybody_gets_their_mail(self):
        row = save().override
        save(Parts(subject="Fine"), kind="test.mail")
        break_it(row)
        say("test.service", recipients=[outsider("zoe"), outsider("yan")])
        say("test.mail", key="other", recipients=[outsider("xi")])
        done = process_notifications(now=NOW)
        assert (done.processed, done.failed) == (3, 0)
        assert sorted(one.subject for one in mail.outbox) == ["About a bicycle", "About a bicycle", "Fine"]
        assert set(Delivery.objects.values_list("state", flat=True)) == {State.HANDED}

    def test_the_alarm_is_raised_once_and_ends_with_the_next_version(self, capfd):
        row = save().override
        break_it(row)
        for key in ("one", "two", "three"):
            assert read(alice(), key=key).subject == "About a bicycle"
        row.refresh_from_db()
        assert "no_more" in row.broken_why
        alarms = [one for one in all_troubles(now=NOW, watched_since=NOW) if one.key.startswith("words:")]
        assert [one.key for one in alarms] == ["words:test.service:en"]
        assert f"/{row.pk}/change/" in alarms[0].page
        assert b"fairground_wordings_broken 1.0" in exposition(now=NOW)
        save(dataclasses.replace(OWN, subject="Mended"))
        assert not [one for one in all_troubles(now=NOW, watched_since=NOW) if one.key.startswith("words:")]
        assert read(alice(), key="four").subject == "Mended"

    def test_it_is_written_down_by_one_statement_however_many_mails_fail(self, django_assert_num_queries):
        row = save().override
        deliveries = [delivery_to(alice(), key=str(n)) for n in range(5)]
        break_it(row)
        with django_assert_num_queries(2):  # the words in force, and that they fail
            for delivery in deliveries:
                words_of(delivery, kinds.get("test.service"))

    def test_words_that_come_out_empty_count_as_broken(self):
        row = save(Parts(subject="{{ name }}")).override
        assert read(make_user(display_name="")).subject == "About a bicycle"
        row.refresh_from_db()
        assert row.broken_at is not None

    def test_a_kind_that_is_broken_itself_is_still_an_error(self):
        with pytest.raises(Exception, match="widthratio"):
            read(alice(), kind="test.broken")


class TestTooMuch:
    def test_a_context_too_large_is_refused_with_the_limit(self):
        with pytest.raises(ContextError, match=r"at most 131072 .* largest is prize"):
            say(context={"prize": "x" * variables.LIMIT, "at": NOW})
        assert not Delivery.objects.exists()

    def test_so_are_one_persons_values_and_nobody_is_told_half(self):
        much = dataclasses.replace(named(bob()), params={"code": "ß" * variables.LIMIT})
        with pytest.raises(ContextError, match="bytes"):
            say(recipients=[named(alice()), much])
        assert not Delivery.objects.exists()

    def test_an_address_that_is_none_fails_alone(self):
        say("test.mail", recipients=[outsider("not an address, "), outsider("zoe")])
        process_notifications(now=NOW)
        states = dict(Delivery.objects.values_list("address", "state"))
        assert states["zoe@elsewhere.example"] == State.HANDED
        assert sorted(states.values()) == [State.FAILED, State.HANDED]
        assert "not one address" in Delivery.objects.get(state=State.FAILED).provider_text


class TestTrying:
    def test_a_test_goes_to_oneself_alone_by_the_outbox_marked_as_one(self):
        by = admin()
        send_test(
            kind=kinds.get("test.service"),
            language="en",
            subject="Own",
            text="Text\n",
            html="<p>H</p>",
            by=by,
            now=NOW,
        )
        process_notifications(now=NOW)
        (sent,) = mail.outbox
        assert sent.recipients() == [f'"Amina Admin" <{by.email}>']
        assert sent.subject == "[Test] Own"
        assert "sent to you alone" in sent.body
        assert "<p>H</p>" in sent.alternatives[0].content
        act = Record.objects.get(action="notification.test_sent")
        assert (act.actor, act.data) == (by, {"kind": "test.service", "language": "en"})

    def test_a_preview_shows_the_times_of_its_reader(self):
        kind, person = kinds.get("test.service"), bob()
        reader = made_up_reader(kind, at=NOW, person=person)
        found, preview = preview_words(kind=kind, language="en", parts=OWN, reader=reader, at=NOW)
        assert not found.errors
        assert "at 15:00" in preview.text  # a day ahead, in Dhaka
        assert preview.read_at == "20 November 2026, 15:00 +06"

    @override_settings(SITE_URL="https://fair.example")
    def test_one_may_begin_with_the_usual_words(self):
        assert usual_words(kinds.get("test.linked")) == Parts(
            "Claim {{ prize }}", "Claim it: {{ claim_url }}"
        )
        soon = usual_words(kinds.get("draws.draw_soon"))
        assert soon.subject == "Soon: {{ draw }}"
        assert '{{ draw_at|date:"j F Y, H:i T" }}' in soon.text
        assert "{{ tickets|intcomma }} tickets" in soon.text
        assert "{{ site_url }}/draws/{{ slug }}/" in soon.text

    def test_the_usual_words_of_every_kind_can_be_saved(self):
        for kind in kinds.all_kinds():
            if kind.name.startswith("test.") or kind.fixed_words:
                continue
            parts = usual_words(kind)
            assert parts, kind.name
            save(parts, kind=kind.name, accepts_warnings=True)

    def test_the_kinds_of_tests_have_all_their_templates(self):
        assert not [one for one in check_templates() if "wording_test" in str(one.msg)]


class TestTelephones:
    """The short text of staff is what is said by SMS and WhatsApp."""

    KIND = "test.everywhere"

    def text(self):
        delivery = delivery_to(alice(), kind=self.KIND)
        return text_of(delivery, kinds.get(self.KIND))

    def test_their_short_text_replaces_the_kinds_own(self):
        save(Parts(sms="Short:\n\n{{ prize }}"), kind=self.KIND)
        assert self.text().startswith("Short:\na bicycle")

    def test_without_one_the_kinds_own_is_said(self):
        before = self.text()
        save(OWN, kind=self.KIND)
        assert words_of(Delivery.objects.select_related("message").first(), kinds.get(self.KIND)).subject == (
            "Own: a bicycle"
        )
        assert text_of(Delivery.objects.select_related("message").first(), kinds.get(self.KIND)) == before

    def test_a_broken_one_falls_back_too(self):
        before = self.text()
        row = save(Parts(sms="{{ name }}"), kind=self.KIND).override
        TemplateVersion.objects.create(
            override=row, number=2, sms="{{ no_more }}", made_at=NOW, made_by=admin()
        )
        TemplateOverride.objects.filter(pk=row.pk).update(number=2)
        overrides.forget()
        delivery = Delivery.objects.select_related("message").first()
        assert text_of(delivery, kinds.get(self.KIND)) == before
        row.refresh_from_db()
        assert row.broken_at is not None
