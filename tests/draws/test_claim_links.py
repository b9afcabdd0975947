"""Links once more: mailed again to the winner alone, shown where the site can't write, and told of to the admins."""

import re

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from audit.models import Record
from draws import services
from draws.models import Award
from notifications.models import Delivery, Message
from notifications.services import process_notifications
from tests.draws.factories import CASH, HOUR, VOUCHER, import_csv, make_draw, make_executed
from tests.factories import admin, alice

pytestmark = pytest.mark.django_db
REASON = {"reason": "Mailbox stolen"}


@pytest.fixture
def boss(client):
    """A client signed in as a Super Admin."""
    client.force_login(admin())
    return client


def award_of(draw) -> Award:
    return Award.objects.filter(about=draw.about).order_by("pk").last()


def url(award, act):
    return reverse(f"admin:draws_award_{act}", args=[award.pk])


def drawn_by_phone(prize=VOUCHER):
    """A draw whose only entrant has only a phone, drawn."""
    draw = make_draw(closes_in=HOUR, prizes=[prize])
    import_csv(draw, "+254711000001,Zoe,1\n")
    now = timezone.now()
    services.freeze_draw(draw_id=draw.pk, now=now, by=admin(), reason="Enough")
    draw.refresh_from_db()
    services.execute_draw(draw_id=draw.pk, now=draw.draw_at)
    return draw


def links_in_mail():
    return [found[1] for one in mail.outbox for found in re.finditer(r"/prizes/claim/([^/\s]+)/", one.body)]


class TestSentAgain:
    def test_a_revoked_link_is_followed_by_the_offer_of_a_new_one(self, boss):
        award = award_of(make_executed(entrants=1, prizes=[VOUCHER]))
        assert boss.post(url(award, "revoke"), REASON).url == url(award, "resend")
        boss.post(url(award, "resend"))
        process_notifications(now=timezone.now())
        letters = [one for one in mail.outbox if one.subject.startswith("The link to your prize")]
        assert len(letters) == 1
        assert award.identity in letters[0].to[0]
        token = re.search(r"/prizes/claim/([^/\s]+)/", letters[0].body)[1]
        assert services.award_by_token(token) == award
        assert Record.objects.get(action="award.link_sent").actor == admin()

    def test_a_claimed_voucher_gets_its_page_back(self):
        award = award_of(make_executed(entrants=1, prizes=[VOUCHER]))
        services.claim_award(award=award, member=None, now=award.created_at)
        services.revoke_claim_links(award=award, by=admin(), reason="Stolen", now=timezone.now())
        services.resend_claim(award=award, by=admin(), now=timezone.now())
        process_notifications(now=timezone.now())
        assert services.award_by_token(links_in_mail()[-1]) == award

    def test_a_double_click_is_one_letter_and_a_later_wish_another(self):
        award = award_of(make_executed(entrants=1, prizes=[VOUCHER]))
        now = award.created_at
        first = services.resend_claim(award=award, by=admin(), now=now)
        assert services.resend_claim(award=award, by=admin(), now=now) == first
        second = services.resend_claim(award=award, by=admin(), now=now + HOUR)
        assert (first.idem_key[-4:], second.idem_key[-4:]) == (":1:1", ":1:2")
        assert Delivery.objects.filter(message__kind="draws.claim_link").count() == 2

    def test_it_is_refused_after_the_deadline_and_where_there_is_nobody_to_mail(self):
        award = award_of(make_executed(entrants=1, prizes=[VOUCHER]))
        late = award.claim_until + HOUR
        with pytest.raises(services.ClaimError, match="time to claim"):
            services.resend_claim(award=award, by=admin(), now=late)
        with pytest.raises(services.HandOverError, match="no e-mail address"):
            services.resend_claim(award=award_of(drawn_by_phone()), by=admin(), now=timezone.now())
        mine = award_of(make_executed(entrants=0, members=[alice()], prizes=[VOUCHER]))
        with pytest.raises(services.HandOverError, match="has an account"):
            services.resend_claim(award=mine, by=admin(), now=timezone.now())


class TestUnreachableWinners:
    def test_the_link_is_shown_with_a_reason_and_works(self, boss, client):
        award = award_of(drawn_by_phone())
        assert "required" in boss.post(url(award, "show_link"), {}).content.decode()
        assert not Record.objects.filter(action="award.link_shown").exists()
        answer = boss.post(url(award, "show_link"), {"reason": "Reads it to her on the phone"})
        assert "no-store" in answer.headers["Cache-Control"]
        token = re.search(r"/prizes/claim/([^/\s\"]+)/", answer.content.decode())[1]
        assert services.award_by_token(token) == award
        shown = Record.objects.get(action="award.link_shown")
        assert (shown.actor, shown.data["reason"]) == (admin(), "Reads it to her on the phone")
        assert token not in str(shown.data)
        client.logout()
        client.post(reverse("draws:linked_prize", args=[token]))
        award.refresh_from_db()
        assert award.state == Award.State.CLAIMED

    def test_it_is_not_shown_where_mail_reaches_the_winner_or_money_waits(self):
        mailed = award_of(make_executed(entrants=1, prizes=[VOUCHER]))
        with pytest.raises(services.HandOverError, match="send the link there"):
            services.show_claim_link(award=mailed, by=admin(), reason="Curious", now=timezone.now())
        with pytest.raises(services.HandOverError, match="Money goes only"):
            services.show_claim_link(
                award=award_of(drawn_by_phone(CASH)), by=admin(), reason="Curious", now=timezone.now()
            )

    def test_the_admins_read_of_them_in_the_summary(self):
        draw = drawn_by_phone()
        pid = draw.winners.get().entry.pid_hex
        summary = Message.objects.get(kind="draws.admin_summary", about=draw.about)
        assert summary.context["unreachable"] == f"{pid[:12]}: Dinner for two"
        process_notifications(now=draw.draw_at)
        letter = next(one for one in mail.outbox if pid[:12] in one.body)
        assert "hand it over" in letter.body

    def test_import_report_and_checklist_count_them(self, boss):
        draw = make_draw(prizes=[VOUCHER])
        report = import_csv(draw, "+254711000001,Zoe,1\nzed@example.org,Zed,1\n")
        page = boss.get(reverse("admin:draws_entryimport_change", args=[report.pk])).content.decode()
        assert "1 person has only a phone number" in page
        overview = boss.get(reverse("admin:draws_draw_change", args=[draw.pk])).content.decode()
        assert "1 person has only a phone number" in overview
