"""Writing words in the admin: bad ones keep what was typed and are told; previews, tests, versions."""

import pytest
from django.core import mail
from django.test import Client

from accounts import roles
from notifications import kinds
from notifications.models import TemplateOverride, TemplateVersion
from notifications.rendering import HIDDEN_LINK
from notifications.services import process_notifications
from notifications.services.wordings import save_words
from notifications.words.parts import Parts
from tests.factories import admin, bob, make_user
from tests.notifications.outbox import NOW, named, say

pytestmark = pytest.mark.django_db
LIST = "/admin/notifications/templateoverride/"
CHOSEN = {"kind": "test.service", "language": "en"}
GOOD = {"subject": "Own: {{ prize }}", "text": "It is {{ prize }}.", "html": "", "sms": "", "seen": "0"}


@pytest.fixture
def staff(client) -> Client:
    client.force_login(admin())
    return client


def post(client, **changes):
    return client.post(f"{LIST}add/", {**CHOSEN, **GOOD, **changes})


def preview(client, **changes):
    return client.post(f"{LIST}preview/", {**CHOSEN, **GOOD, **changes}).content.decode()


def test_one_chooses_a_message_and_writes_its_words(staff):
    assert "Choose what the site says" in staff.get(f"{LIST}add/").content.decode()
    page = staff.get(f"{LIST}add/", CHOSEN).content.decode()
    assert "About {{ prize }}" in page  # it begins with the usual words
    assert post(staff).status_code == 302
    row = TemplateOverride.objects.get()
    page = staff.get(f"{LIST}{row.pk}/change/").content.decode()
    assert "Own: {{ prize }}" in page
    assert "in force" in page
    assert staff.get(f"{LIST}add/", CHOSEN).status_code == 302
    assert "version 1" in staff.get(LIST).content.decode()


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"text": "one\n{{ nobody }}"}, "Line 2: There is no variable “nobody” here"),
        ({"text": "{% load static %}"}, "Line 1: The tag {% load %} can&#x27;t be used here"),
        ({"html": "<p>never closed"}, "Line 1: &lt;p&gt; is never closed"),
        ({"subject": "x" * 300}, "at most 200 fit"),
        ({"text": "http://elsewhere.example/"}, "is not secured"),
        ({"subject": "OWN WORDS ABOUT IT"}, "I have read the warnings"),
    ],
)
def test_what_is_wrong_is_told_and_what_was_typed_is_kept(staff, typed, told):
    answer = post(staff, **{"sms": "kept short text", **typed})
    assert answer.status_code == 200
    page = answer.content.decode()
    assert told in page
    assert "kept short text" in page
    assert "It is {{ prize }}." in page or "text" in typed
    assert not TemplateOverride.objects.exists()


def test_warnings_may_be_accepted(staff):
    assert post(staff, subject="OWN WORDS ABOUT IT", accepts_warnings="on").status_code == 302
    assert "capitals" in TemplateVersion.objects.get().accepted[0]


def test_who_was_slower_sees_so_and_saves_over_it_knowingly(staff):
    assert post(staff).status_code == 302
    row = TemplateOverride.objects.get()
    page = staff.post(f"{LIST}{row.pk}/change/", {**GOOD, "subject": "Slower"}).content.decode()
    assert "version 1 meanwhile" in page
    assert 'name="seen" value="1"' in page
    assert "Slower" in page
    assert (
        staff.post(f"{LIST}{row.pk}/change/", {**GOOD, "subject": "Slower", "seen": "1"}).status_code == 302
    )


def test_the_enter_key_saves_nothing(staff):
    assert post(staff, look="1").status_code == 200
    assert not TemplateOverride.objects.exists()


def test_one_goes_back_to_a_version_and_to_the_usual_words(staff):
    post(staff)
    row = TemplateOverride.objects.get()
    staff.post(f"{LIST}{row.pk}/change/", {**GOOD, "subject": "Newer", "seen": "1"})
    staff.post(f"{LIST}{row.pk}/restore/", {"number": "1"})
    staff.post(f"{LIST}{row.pk}/restore/", {"number": "0"})
    for nonsense in ("", "x", "77", "9" * 30):
        assert staff.post(f"{LIST}{row.pk}/restore/", {"number": nonsense}).status_code == 302
    versions = row.versions.order_by("number")
    assert [(one.number, one.from_number, one.subject) for one in versions] == [
        (1, None, "Own: {{ prize }}"),
        (2, None, "Newer"),
        (3, 1, "Own: {{ prize }}"),
        (4, 0, ""),
    ]


def test_an_older_version_is_looked_at_in_the_form(staff):
    post(staff)
    row = TemplateOverride.objects.get()
    staff.post(f"{LIST}{row.pk}/change/", {**GOOD, "subject": "Newer", "seen": "1"})
    assert "Own: {{ prize }}" in staff.get(f"{LIST}{row.pk}/change/?version=1").content.decode()


def test_a_test_goes_to_who_asks_and_saves_nothing(staff):
    page = post(staff, test="1").content.decode()
    assert "A test is on its way to admin@example.com" in page
    assert "Own: {{ prize }}" in page
    process_notifications(now=NOW.replace(year=2030))
    assert [one.subject for one in mail.outbox] == ["[Test] Own: prize"]
    assert not TemplateOverride.objects.exists()


def test_a_test_of_broken_words_is_not_sent(staff):
    page = post(staff, test="1", text="{{ nobody }}").content.decode()
    assert "once what stands at each part is mended" in page
    process_notifications(now=NOW.replace(year=2030))
    assert not mail.outbox


class TestPreview:
    def test_it_shows_text_and_html_in_a_frame_without_rights(self, staff):
        shown = preview(staff, html="<p>Own <b>{{ prize }}</b></p>")
        assert "Own: prize" in shown
        assert 'sandbox=""' in shown
        assert "&lt;p&gt;Own &lt;b&gt;prize&lt;/b&gt;&lt;/p&gt;" in shown

    def test_it_says_what_is_wrong(self, staff):
        assert "Line 1: There is no variable “nobody”" in preview(staff, text="{{ nobody }}")
        assert "capitals" in preview(staff, subject="OWN WORDS ABOUT IT")

    def test_for_a_real_person_it_has_their_values_and_clock_and_no_secret(self, staff):
        say(recipients=[named(bob())])
        shown = preview(
            staff, text="{{ prize }} {{ at|date:'H:i' }} {{ name }} {{ code }}", person=bob().email
        )
        assert "a bicycle 15:00 Bob Rahman bob@example.com" in shown
        say("test.linked", key="linked", recipients=[named(bob())])
        linked = preview(staff, kind="test.linked", text="{{ claim_url }}", person=bob().email)
        assert HIDDEN_LINK in linked
        assert "-token/" not in linked

    def test_it_says_what_would_keep_it_from_them(self, staff):
        say(recipients=[named(bob())])
        assert "Bob Rahman reads another language (en)" in preview(staff, language="sw", person=bob().email)
        say("test.teaser", key="teaser", recipients=[])
        assert "Nobody has the address" in preview(staff, person="nobody@example.org")

    def test_who_may_not_see_deliveries_sees_no_persons_values(self, client):
        writer = make_user(role=roles.FINANCE, is_staff=True)
        client.force_login(writer)
        assert client.post(f"{LIST}preview/", {**CHOSEN, **GOOD}).status_code == 404

    def test_support_reads_words_and_writes_none(self, client):
        row = save_words(
            kind=kinds.get("test.service"), language="en", parts=Parts(subject="Own"), by=admin(), now=NOW
        ).override
        client.force_login(make_user(role=roles.SUPPORT_LEAD, is_staff=True))
        page = client.get(f"{LIST}{row.pk}/change/").content.decode()
        assert "Own" in page
        assert "Send me a test" not in page
        assert client.post(f"{LIST}{row.pk}/change/", GOOD).status_code == 404
        assert client.post(f"{LIST}{row.pk}/restore/", {"number": "0"}).status_code == 404


def test_words_of_a_kind_that_is_gone_are_told_and_stop_nothing(staff):
    row = TemplateOverride.objects.create(kind="gone.kind", language="en", number=0, changed_at=NOW)
    assert staff.get(f"{LIST}{row.pk}/change/").status_code == 302
    assert "no longer said" in staff.get(LIST).content.decode()
