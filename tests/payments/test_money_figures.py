"""Money in figures: what is counted, who sees it, where each number leads, and what it asks of the database."""

import datetime as dt
import zoneinfo

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.test.html import parse_html
from django.utils import timezone
from justhtml import JustHTML

from config import roles
from payments.analytics import DAYS, Open, Reason, Span, Spent, money_figures, most_spent
from payments.models import Payment, Posting, Refund, WebhookEvent, WebhookRefusal
from payments.services.figures import total_spent
from tests.factories import alice, bob, make_user, treasurer
from tests.payments.shop import (
    dispute_event,
    make_package,
    make_payment,
    paid,
    refund_of,
    send,
    settle,
    success_event,
    withdrawal_of,
)

pytestmark = pytest.mark.django_db
NAIROBI = zoneinfo.ZoneInfo("Africa/Nairobi")
URL = "/admin/payments/figures/"


def today() -> dt.date:
    return timezone.now().astimezone(NAIROBI).date()


def figures(last: dt.date | None = None):
    return money_figures(span=Span(last or today(), NAIROBI))


def failed(reason: str = "Declined", **fields) -> Payment:
    payment = make_payment(**fields)
    settle(payment, status="failed", message=reason)
    return payment


def processed(client, payment: Payment) -> Refund:
    """Ten credits of it refunded, as Paystack's event tells."""
    refund = refund_of(payment)
    Refund.objects.filter(pk=refund.pk).update(was_sent=True, state="asked", paystack_id=9)
    data = {"id": 9, "amount": refund.amount, "status": "processed"}
    data["transaction"] = {"reference": payment.reference}
    send(client, {"event": "refund.processed", "data": data})
    refund.refresh_from_db()
    assert refund.state == "processed"
    return refund


@pytest.fixture
def money(client):
    """Who may manage payments."""
    client.force_login(treasurer())
    return client


class TestWhatIsCounted:
    def test_payments_that_came_to_nothing_by_day_and_reason(self):
        for reason in ("Declined", "Declined", ""):
            failed(reason)
        settle(make_payment(), status="abandoned")
        paid()
        make_payment()  # still under way
        found = figures()
        assert found.lost == {today(): {"failed": 3, "abandoned": 1}}
        assert found.reasons == [
            Reason("failed", "Declined", 2),
            Reason("abandoned", "", 1),
            Reason("failed", "", 1),
        ]

    def test_one_that_is_paid_after_all_is_not_among_them(self):
        settle(failed())
        assert figures().lost == {}

    def test_a_day_is_one_of_the_reader_s_zone_and_thirty_are_shown(self):
        late = dt.datetime(2026, 11, 1, 22, 30, tzinfo=dt.UTC)  # half past one on the second, in Nairobi
        failed(now=late)
        assert list(figures(dt.date(2026, 11, 20)).lost) == [dt.date(2026, 11, 2)]
        assert list(figures(dt.date(2026, 12, 1)).lost) == [dt.date(2026, 11, 2)]
        assert figures(dt.date(2026, 12, 2)).lost == {}
        assert figures(dt.date(2026, 11, 1)).lost == {}

    def test_money_is_what_the_ledger_says_by_currency(self, client):
        kes = make_package()
        paid(package=kes)
        # The payer bore the fees.
        settle(make_payment(package=kes), amount=41_000, requested_amount=40_000)
        settle(make_payment(package=make_package(currency="CAD", price=700)))
        refund = processed(client, paid(package=kes))
        lost = paid(package=kes)
        send(client, dispute_event(lost))
        resolved = {"status": "resolved", "resolution": "merchant-accepted", "refund_amount": 30_000}
        send(client, dispute_event(lost, "resolve", **resolved))
        found = figures()
        assert found.taken == {"KES": {today(): 160_000}, "CAD": {today(): 700}}
        assert found.returned == {"KES": {today(): refund.amount + 30_000}}
        assert found.currencies == ["CAD", "KES"]
        of_paystack = Posting.objects.filter(account__code="paystack:KES").values_list("amount", flat=True)
        assert found.taken["KES"][today()] == -sum(amount for amount in of_paystack if amount < 0)
        assert found.returned["KES"][today()] == sum(amount for amount in of_paystack if amount > 0)

    def test_reviews_by_kind_with_the_oldest(self, client):
        send(client, success_event(make_payment(), amount=5))
        send(client, success_event(make_payment(), amount=6))
        send(client, success_event(make_payment(), currency="USD"))
        found = figures().reviews
        assert {kind: one.count for kind, one in found.items()} == {"amount": 2, "currency": 1}
        assert isinstance(found["amount"], Open)
        assert found["amount"].oldest_at <= found["currency"].oldest_at

    def test_events_by_what_became_of_them_and_how_often_they_came(self, client):
        known = success_event(make_payment())
        for _time in range(3):
            send(client, known)
        send(client, {"event": "customeridentification.success", "data": {}})
        send(client, b"nonsense")
        WebhookEvent.objects.create(
            digest=b"x" * 32,
            body=b"{}",
            first_at=timezone.now(),
            last_at=timezone.now(),
            try_after=timezone.now(),
        )
        send(client, b"{}", **{"x-paystack-signature": "x"})
        found = figures()
        day = found.events[today()]
        assert (day.good, day.bad, day.waiting, day.repeated, day.repeats) == (2, 1, 1, 1, 2)
        assert (day.rate, found.success_rate) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
        assert found.refused == {today(): 1}
        assert (found.events_waiting.count, found.events_failed.count) == (1, 0)

    def test_withdrawals_and_refunds_that_wait(self):
        withdrawal_of(alice(), 50_000)
        withdrawal_of(bob(), 20_000)
        refund_of(paid())
        found = figures()
        [waiting] = found.withdrawals
        assert (waiting.state, waiting.unit, waiting.count, waiting.amount) == ("requested", "KES", 2, 70_000)
        assert found.refunds_in_doubt.count == 1

    def test_who_paid_most_comes_out_of_the_ledger_less_what_went_back(self, client):
        processed(client, paid())
        paid()
        paid(buyer=bob())
        settle(make_payment(buyer=bob(), package=make_package(currency="CAD", price=700)))
        found = most_spent()
        hers, his = total_spent(alice()), total_spent(bob())
        assert found == [
            Spent(bob().pk, "CAD", 700),
            Spent(alice().pk, "KES", hers["KES"]),
            Spent(bob().pk, "KES", his["KES"]),
        ]
        assert 40_000 < hers["KES"] < 80_000

    def test_ten_of_each_currency_are_shown(self):
        for _number in range(12):
            paid(buyer=make_user())
        assert len(most_spent()) == 10

    def test_with_nothing_there_is_nothing(self):
        found = figures()
        assert found.is_empty
        assert most_spent() == []
        assert found.success_rate is None

    @pytest.mark.parametrize(
        "happen",
        [
            failed,
            paid,
            lambda: withdrawal_of(alice()),
            lambda: WebhookRefusal.objects.create(hour=timezone.now(), reason="signature", count=1),
        ],
    )
    def test_with_anything_at_all_there_is_something(self, happen):
        happen()
        assert not figures().is_empty


class TestThePage:
    @pytest.fixture
    def busy(self, money):
        """Something of everything."""
        failed("Insufficient <funds>")
        refund_of(paid())
        send(money, success_event(make_payment(), amount=5))
        known = success_event(make_payment())
        for _time in range(2):
            send(money, known)
        send(money, b"{}", **{"x-paystack-signature": "x"})
        withdrawal_of(alice())
        WebhookEvent.objects.create(
            digest=b"x" * 32,
            body=b"{}",
            state="failed",
            first_at=timezone.now(),
            last_at=timezone.now(),
            try_after=timezone.now(),
        )
        return money

    def test_it_shows_all_of_it_as_plots_with_their_figures(self, busy):
        html = busy.get(URL).content.decode()
        parse_html(html)
        for name in ("lost", "money-kes", "rate", "events", "repeats", "refused"):
            assert f'id="plot-{name}"' in html
            assert f'aria-labelledby="plot-{name}-title plot-{name}-about"' in html
        assert "Insufficient &lt;funds&gt;" in html
        assert str(alice()) in html
        assert "KES 800.00 taken" in html

    def test_every_number_leads_to_a_list_that_holds_as_many(self, busy):
        page = JustHTML(busy.get(URL).content.decode(), sanitize=False)
        looked = set()
        for node in page.query("a.fg-stat"):
            label = node.query(".fg-stat__label")[0].to_text()
            value = node.query(".fg-stat__value")[0].to_text().strip()
            href = node.attrs["href"]
            if not href.startswith("/"):
                continue
            answer = busy.get(href)
            assert answer.status_code == 200, href
            assert "e=1" not in href
            looked.add(label)
            if value.isdigit():
                assert answer.context["cl"].result_count == int(value), (label, href)
        assert looked == {
            "For review",
            "Events waiting",
            "Events failed",
            "Withdrawals waiting",
            "Refunds in doubt",
            "Payments not paid",
            "Webhook success",
            "Events repeated",
        }

    def test_every_bar_and_every_day_leads_to_what_it_counts(self, busy):
        page = JustHTML(busy.get(URL).content.decode(), sanitize=False)
        bars = page.query(".fg-barlist li")
        assert len(bars) >= 4
        lists = 0
        for bar in bars:
            href = bar.query("a")[0].attrs["href"]
            answer = busy.get(href)
            assert answer.status_code == 200, href
            value = bar.query(".plot__row-value")[0].to_text().strip().split(" ")[0]
            if "cl" in answer.context:  # and not the page of a member
                assert answer.context["cl"].result_count == int(value), href
                lists += 1
        assert lists >= 3
        days = page.query(".plot__data th a")
        assert len(days) == 4  # one day, in four plots whose numbers can be looked into
        for day in days:
            answer = busy.get(day.attrs["href"])
            assert answer.context["cl"].result_count > 0, day.attrs["href"]

    @pytest.mark.parametrize("which", ["taken", "returned"])
    def test_money_leads_to_the_payments_and_refunds_it_is_of(self, busy, which):
        processed(busy, paid())
        cache.clear()
        context = busy.get(URL).context
        answer = busy.get(context[f"{which}_href"])
        assert answer.context["cl"].result_count == {"taken": 3, "returned": 1}[which]

    def test_an_empty_site_says_so_and_where_to_begin(self, money):
        html = money.get(URL).content.decode()
        assert "Figures come with the first payment." in html
        assert "/admin/payments/package/" in html
        assert "<figure" not in html

    @pytest.mark.parametrize(
        ("role", "sees"),
        [
            (roles.SUPER_ADMIN, True),
            (roles.FINANCE, True),
            (roles.MANAGER_ADMIN, False),
            (roles.SUPPORT_LEAD, False),
        ],
    )
    def test_only_who_may_manage_payments_sees_it_and_is_led_to_it(self, client, role, sees):
        client.force_login(make_user(role=role, is_staff=True))
        assert client.get(URL).status_code == (200 if sees else 404)
        home = client.get("/admin/").content.decode()
        assert home.count(f'href="{URL}"') == (2 if sees else 0)  # in the sidebar and on the page

    def test_who_may_not_see_a_list_is_not_led_to_it(self, client):
        person = make_user(is_staff=True)
        person.user_permissions.add(Permission.objects.get(codename="manage_payments"))
        paid()
        failed()
        client.force_login(person)
        html = client.get(URL).content.decode()
        assert "Payments not paid" in html
        for place in ("payment/", "webhookevent/", "withdrawal/", "accounts/user/"):
            assert f'href="/admin/payments/{place}?' not in html
        assert f"/admin/accounts/user/{alice().pk}/" not in html

    def test_members_and_visitors_do_not_reach_it(self, client):
        assert client.get(URL).status_code == 302
        client.force_login(alice())
        assert client.get(URL).status_code != 200

    def test_it_asks_as_much_of_the_database_however_much_there_is(self, busy, django_assert_max_num_queries):
        def count() -> int:
            cache.clear()
            with django_assert_max_num_queries(60) as captured:
                busy.get(URL)
            return len(captured)

        before = count()
        for number in range(5):
            failed(f"Reason {number}")
            paid(buyer=make_user())
            send(busy, success_event(make_payment(), amount=number + 6))
            withdrawal_of(make_user())
        settle(make_payment(package=make_package(currency="CAD", price=700)))
        assert count() == before

    def test_it_counts_once_a_minute(self, busy, django_assert_max_num_queries):
        busy.get(URL)
        with django_assert_max_num_queries(14):
            busy.get(URL)

    def test_without_redis_it_counts_each_time(self, busy, settings):
        settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
        assert busy.get(URL).status_code == 200

    def test_a_reason_like_no_other_is_among_the_others(self, money):
        for number in range(10):
            failed(f"Reason {number}")
        page = JustHTML(money.get(URL).content.decode(), sanitize=False)
        shown = [node.to_text().strip() for node in page.query(".fg-barlist .plot__row-label")]
        assert sum("Reason" in label for label in shown) == 8
        assert "Others" in shown


def test_the_span_is_whole_days():
    span = Span(dt.date(2026, 11, 25), NAIROBI)
    assert (len(span.days), span.days[0], span.days[-1]) == (DAYS, dt.date(2026, 10, 27), span.last)
    assert span.until - span.since == dt.timedelta(days=DAYS)
