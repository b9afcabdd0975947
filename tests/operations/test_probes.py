"""/healthz, /readyz and /metrics, for who asks the process itself."""

import datetime as dt

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from config.operations import signs, views, vitals
from tests.draws.factories import make_executed, make_frozen
from tests.factories import alice

TOKEN = "a token of thirty-two characters"


def items(client) -> dict[str, str]:
    return {name: item["state"] for name, item in client.get("/readyz").json()["items"].items()}


class TestReady:
    def test_a_healthy_site_is_ready(self, client, healthy):
        answer = client.get("/readyz")
        told = answer.json()
        assert (answer.status_code, told["state"]) == (200, "ok")
        money = {"due_events", "failed_events", "doubtful_refunds", "open_withdrawals", "open_reviews"}
        assert set(told["items"]) == {"database", "redis", "beat", "due_draws", "due_deliveries", *money}
        assert told["items"]["beat"]["age_s"] in range(5)
        assert told["items"]["due_draws"] == {"state": "ok", "age_s": None}

    def test_without_a_database_it_is_not(self, client, healthy, monkeypatch):
        def gone(now):
            raise OperationalError("connection to server at db.example failed for user fairground")

        monkeypatch.setattr(views, "_from_database", gone)
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["items"]["database"] == {"state": "down", "error": "OperationalError"}

    def test_without_redis_it_serves_all_the_same(self, client, healthy, settings):
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["state"]) == (200, "degraded")
        assert items(client)["redis"] == "degraded"

    def test_a_silent_beat_and_one_never_heard_of_degrade_it(self, client, db, healthy, settings):
        healthy(beat_ago=settings.BEAT_LATE_SECONDS + 1)
        assert items(client)["beat"] == "degraded"

    def test_it_says_how_old_the_oldest_due_things_are(self, client, healthy, monkeypatch):
        draw = make_frozen()
        make_executed(members=[alice()])
        now = draw.draw_at + dt.timedelta(minutes=10)
        monkeypatch.setattr(views.timezone, "now", lambda: now)
        told = client.get("/readyz").json()["items"]
        assert told["due_draws"] == {"state": "degraded", "age_s": 600}
        assert told["due_deliveries"]["state"] == "degraded"

    @pytest.mark.parametrize("path", ["/healthz", "/readyz"])
    def test_probes_ask_by_address_and_without_tls(self, healthy, settings, path):
        settings.ALLOWED_HOSTS = ["fairground.example"]
        settings.SECURE_SSL_REDIRECT = True
        settings.SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
        answer = Client(headers={"Host": "10.0.0.7:8000"}).get(path)
        assert answer.status_code == 200
        assert not answer.cookies


class TestMetrics:
    @pytest.fixture
    def scrape(self, healthy, settings):
        settings.METRICS_TOKEN = TOKEN

        def scrape() -> dict[str, float]:
            answer = Client(headers={"Authorization": f"Bearer {TOKEN}"}).get("/metrics")
            assert answer.status_code == 200
            families = text_string_to_metric_families(answer.content.decode())
            return {
                ":".join([sample.name.removeprefix("fairground_"), *sample.labels.values()]): sample.value
                for family in families
                for sample in family.samples
            }

        return scrape

    def test_without_a_token_there_is_no_such_page(self, client, db, settings):
        settings.METRICS_TOKEN = ""
        assert client.get("/metrics").status_code == 404

    @pytest.mark.parametrize("shown", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", "Bearer caf\u00e9"])
    def test_a_wrong_token_is_refused(self, client, db, settings, shown):
        settings.METRICS_TOKEN = TOKEN
        answer = client.get("/metrics", headers={"Authorization": shown} if shown else {})
        assert answer.status_code == 401
        assert "fairground_" not in answer.content.decode()

    def test_it_counts_what_is_due_late_and_waiting(self, scrape):
        make_executed(members=[alice()])
        told = scrape()
        assert told["draws_overdue"] == 0
        assert told["deliveries:planned"] + told["messages_to_expand"] > 0
        assert told["worker_age_seconds:critical"] < 5
        assert told["redis_up"] == 1
        assert told["queue_length:bulk"] == 0
        assert told["alarms_open"] == 0

    def test_the_check_of_the_ledger_shows(self, scrape):
        assert "ledger_faults" not in scrape(), "what is not known is not 0"
        now = timezone.now()
        signs.note(name="ledger", now=now, faults=3)
        told = scrape()
        assert told["ledger_faults"] == 3
        assert told["ledger_checked_timestamp_seconds"] == pytest.approx(now.timestamp())

    def test_without_redis_it_says_so_and_the_rest(self, scrape, settings):
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        told = scrape()
        assert told["redis_up"] == 0
        assert "queue_length:bulk" not in told
        assert told["draws_overdue"] == 0

    def test_every_query_is_cheap_and_there_are_few(self, scrape, django_assert_max_num_queries):
        with django_assert_max_num_queries(36):
            scrape()


def test_a_queue_s_length_is_what_waits_in_the_broker(db):
    with vitals.redis_client() as redis:
        redis.lpush("bulk", "a", "b")
    assert vitals.queue_lengths() == {"critical": 0, "default": 0, "bulk": 2}
