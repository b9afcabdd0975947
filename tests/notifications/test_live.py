"""Live updates: tokens, publishing, and the hub with a real Redis."""

import asyncio
import datetime as dt
import json

import pytest
from django.db import transaction
from django.utils import timezone

from notifications import live, live_wire
from notifications.hub import Hub
from notifications.live import TokenError, make_token, publish, publish_many, read_token
from tests.notifications.hub_client import RedisProxy, numbers_of, opened, polled
from tests.notifications.outbox import NOW

TOPIC = "draw:spring"


class TestToken:
    def test_it_names_its_topics_until_it_expires(self):
        token = make_token([TOPIC, "inbox:1"], NOW, seconds=60)
        grant = read_token(token, NOW + dt.timedelta(seconds=59))
        assert grant.topics == (TOPIC, "inbox:1")
        with pytest.raises(TokenError, match="expired"):
            read_token(token, NOW + dt.timedelta(seconds=60))

    @pytest.mark.parametrize("token", ["", ".", "a.b", "é.ü", "e30.AAAA", "\0"])
    def test_it_refuses_what_is_no_token(self, token):
        with pytest.raises(TokenError):
            read_token(token, NOW)

    def test_it_refuses_a_token_whose_topics_were_changed(self):
        mine, theirs = make_token(["inbox:1"], NOW), make_token(["inbox:2"], NOW)
        forged = f"{theirs.partition('.')[0]}.{mine.partition('.')[2]}"
        with pytest.raises(TokenError, match="not signed here"):
            read_token(forged, NOW)

    def test_it_refuses_a_token_of_another_site(self, settings):
        token = make_token([TOPIC], NOW)
        settings.LINK_KEY = "another key"
        with pytest.raises(TokenError, match="not signed here"):
            read_token(token, NOW)

    @pytest.mark.parametrize(
        "topics", [[], ["draw"], ["draw:a b"], ["draw:\n"], ["x:" + "y" * 200], ["a:b"] * 21]
    )
    def test_it_is_not_made_for_what_can_be_no_topic(self, topics):
        with pytest.raises(ValueError):
            make_token(topics, NOW)


class TestPublish:
    @pytest.fixture(autouse=True)
    def _fresh(self, monkeypatch):
        monkeypatch.setattr(live, "_quiet_until", 0.0)

    def test_it_never_raises_when_redis_is_gone(self, settings, monkeypatch):
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        publish(TOPIC, "winner", {"rank": 1})
        assert live._quiet_until > 0

    def test_it_does_not_ask_a_dead_redis_at_once_again(self, settings, monkeypatch):
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        publish(TOPIC, "winner", {})
        monkeypatch.setattr(live, "_client", lambda url: pytest.fail("asked again"))
        publish(TOPIC, "winner", {})

    @pytest.mark.parametrize(
        ("topic", "event", "data"),
        [
            ("spring", "winner", {}),
            (TOPIC, "two\nlines", {}),
            (TOPIC, "big", {"x": "y" * 20_000}),
            (TOPIC, "x", {1j}),
            (TOPIC, "resync", {}),
            (TOPIC, "presence", {"count": 9}),
        ],
    )
    def test_it_refuses_what_would_break_the_stream_without_raising(self, topic, event, data, monkeypatch):
        monkeypatch.setattr(live, "_client", lambda url: pytest.fail("published"))
        publish(topic, event, data)

    def test_a_commit_survives_it(self, cloned_db, settings):
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        with transaction.atomic():
            transaction.on_commit(lambda: publish(TOPIC, "winner", {}))


def hub_of(settings, **options) -> Hub:
    usual = {
        "redis_url": settings.REDIS_URL,
        "key": settings.LINK_KEY.encode(),
        "origins": ["https://fair.example"],
        "pace": 0.0,
    }
    return Hub(**{**usual, **options})


def token_for(*topics: str, seconds: int = 60) -> str:
    return make_token(topics, timezone.now(), seconds=seconds)


def running(scenario) -> None:
    """Run an asynchronous test."""
    asyncio.run(asyncio.wait_for(scenario, 60))


class TestDoor:
    def status(self, settings, token: str, **request: str) -> int:
        found = []

        async def scenario() -> None:
            hub = hub_of(settings)
            async with opened(hub, token, **request) as stream:
                found.append(stream.status)
            await hub.close()

        running(scenario())
        return found[0]

    def test_a_token_opens_a_stream(self, settings):
        assert self.status(settings, token_for(TOPIC)) == 200

    @pytest.mark.parametrize("token", ["", "forged.token"])
    def test_nothing_else_does(self, settings, token):
        assert self.status(settings, token) == 401

    def test_an_expired_token_does_not(self, settings):
        assert self.status(settings, make_token([TOPIC], timezone.now() - dt.timedelta(hours=2))) == 401

    def test_a_page_from_elsewhere_does_not(self, settings):
        assert (
            self.status(settings, token_for(TOPIC), origin="https://evil.example", host="fair.example") == 403
        )

    @pytest.mark.parametrize("origin", ["https://fair.example", "http://other.example:8000"])
    def test_our_own_pages_do(self, settings, origin):
        assert self.status(settings, token_for(TOPIC), origin=origin, host="other.example:8000") == 200

    def test_only_reading_does(self, settings):
        assert self.status(settings, token_for(TOPIC), method="POST") == 405

    def test_a_full_hub_sends_away(self, settings):
        async def scenario() -> None:
            hub = hub_of(settings, clients_limit=1)
            async with opened(hub, token_for(TOPIC)), opened(hub, token_for(TOPIC)) as second:
                assert second.status == 503
                assert b"retry-after" in second.headers
            assert hub.clients == 0
            await hub.close()

        running(scenario())


class TestStream:
    def test_it_passes_on_its_topics_and_no_others(self, settings):
        async def scenario() -> None:
            hub = hub_of(settings)
            async with opened(hub, token_for(TOPIC, "inbox:1")) as stream:
                await stream.wait_for(lambda: hub.clients == 1)
                publish("draw:autumn", "winner", {"rank": 9})
                publish_many([TOPIC, "inbox:1"], "winner", {"name": "Zoë\n2"})
                await stream.wait_for(lambda: len(stream.events) == 2)
                assert [json.loads(event["data"]) for event in stream.events] == [{"name": "Zoë\n2"}] * 2
                assert numbers_of(stream.events) == sorted(set(numbers_of(stream.events)))
                assert stream.body.startswith(b"retry: ")
                assert stream.headers[b"content-type"].startswith(b"text/event-stream")
            await hub.close()

        running(scenario())

    def test_it_says_that_it_lives_and_ends_with_its_token(self, settings):
        async def scenario() -> None:
            hub = hub_of(settings, heartbeat=0.05)
            async with opened(hub, token_for(TOPIC, seconds=2)) as stream:
                await stream.wait_for(lambda: stream.body.count(b"event: ping\n") > 1)
                await stream.wait_for(lambda: stream.has_ended)
            assert hub.clients == 0
            await hub.close()

        running(scenario())

    def test_a_browser_that_comes_back_gets_what_it_missed(self, settings):
        async def scenario() -> None:
            hub = hub_of(settings)
            async with opened(hub, token_for(TOPIC, "inbox:1")) as stream:
                await stream.wait_for(lambda: hub.clients == 1)
                publish(TOPIC, "winner", {"rank": 1}, each=True)
                await stream.wait_for(lambda: stream.events)
                [last] = numbers_of(stream.events)
            publish(TOPIC, "winner", {"rank": 2}, each=True)
            publish("inbox:1", "inbox", {})
            publish(TOPIC, "winner", {"rank": 3}, each=True)
            async with opened(hub, token_for(TOPIC, "inbox:1"), last_event_id=str(last)) as again:
                await again.wait_for(lambda: len(again.events) == 3)
                publish(TOPIC, "winner", {"rank": 4}, each=True)
                await again.wait_for(lambda: len(again.events) == 4)
                assert [event["data"] for event in again.events] == [
                    '{"rank":2}',
                    "{}",
                    '{"rank":3}',
                    '{"rank":4}',
                ]
            await hub.close()

        running(scenario())

    def test_of_what_stands_for_what_was_before_it_gets_the_last(self, settings):
        async def scenario() -> None:
            hub = hub_of(settings)
            publish(TOPIC, "count", {"n": 0})
            last = live.number_at(timezone.now())
            for n in range(1, 4):
                publish(TOPIC, "count", {"n": n})
                publish(TOPIC, "said", {"n": n}, each=True)
            async with opened(hub, token_for(TOPIC), last=str(last)) as stream:
                await stream.wait_for(lambda: len(stream.events) == 4)
                assert [(event["event"], event["data"]) for event in stream.events] == [
                    ("said", '{"n":1}'),
                    ("said", '{"n":2}'),
                    ("count", '{"n":3}'),
                    ("said", '{"n":3}'),
                ]
            await hub.close()

        running(scenario())

    def test_after_redis_came_back_empty_nobody_is_told_that_nothing_was_missed(self, settings):
        async def scenario() -> None:
            async with RedisProxy(settings.REDIS_URL) as proxy:
                hub = hub_of(settings, redis_url=proxy.url)
                async with opened(hub, token_for(TOPIC)) as stream:
                    await stream.wait_for(lambda: hub.clients == 1)
                    publish(TOPIC, "winner", {"rank": 1})
                    await stream.wait_for(lambda: stream.events)
                    [last] = numbers_of(stream.events)
                    proxy.cut()
                    proxy.mend()
                    await stream.wait_for(lambda: len(stream.events) == 2)  # the resync
                async with opened(hub, token_for(TOPIC), last_event_id=str(last)) as again:
                    await again.wait_for(lambda: again.events)
                    assert again.events[0]["event"] == live_wire.RESYNC
                answer = json.loads((await polled(hub, token_for(TOPIC), last=str(last))).body)
                assert (answer["resync"], answer["frames"]) == (True, [])
                answer = json.loads((await polled(hub, token_for(TOPIC), last=answer["last"])).body)
                assert (answer["resync"], answer["frames"]) == (False, [])
                await hub.close()

        running(scenario())

    @pytest.mark.parametrize("minutes", [1, 60])
    def test_a_browser_that_missed_too_much_is_told_to_ask(self, settings, minutes):
        async def scenario() -> None:
            hub = hub_of(settings)
            for rank in range(400 if minutes == 1 else 1):
                publish(TOPIC, "winner", {"rank": rank})
            last = int((timezone.now() - dt.timedelta(minutes=minutes)).timestamp() * 1e6)
            async with opened(hub, token_for(TOPIC), last_event_id=str(last)) as stream:
                await stream.wait_for(lambda: stream.events)
                assert [event["event"] for event in stream.events] == [live_wire.RESYNC]
            await hub.close()

        running(scenario())

    def test_who_reads_too_slowly_is_let_go_and_delays_nobody(self, settings):
        async def scenario() -> None:
            hub = hub_of(settings, queue_size=5)
            async with opened(hub, token_for(TOPIC)) as slow, opened(hub, token_for(TOPIC)) as quick:
                await quick.wait_for(lambda: hub.clients == 2)
                slow.blocked = asyncio.Event()
                for rank in range(20):
                    publish(TOPIC, "winner", {"rank": rank})
                    await quick.wait_for(lambda rank=rank: len(quick.events) == rank + 1)
                slow.blocked.set()
                await slow.wait_for(lambda: slow.has_ended)
                assert 1 <= len(slow.events) < 20
                assert not quick.has_ended
            await hub.close()

        running(scenario())

    def test_it_returns_to_redis_and_tells_pages_to_ask(self, settings):
        async def scenario() -> None:
            async with RedisProxy(settings.REDIS_URL) as proxy:
                hub = hub_of(settings, redis_url=proxy.url)
                async with opened(hub, token_for(TOPIC)) as stream:
                    await stream.wait_for(lambda: hub.clients == 1)
                    proxy.cut()
                    publish(TOPIC, "winner", {"rank": 1})  # missed by the hub
                    await asyncio.sleep(0.2)
                    proxy.mend()
                    await stream.wait_for(lambda: stream.events)
                    assert stream.events[0]["event"] == live_wire.RESYNC
                    publish(TOPIC, "winner", {"rank": 2})
                    await stream.wait_for(lambda: len(stream.events) == 2)
                    assert stream.events[1]["data"] == '{"rank":2}'
                await hub.close()

        running(scenario())

    def test_it_serves_while_redis_is_away(self, settings):
        async def scenario() -> None:
            async with RedisProxy(settings.REDIS_URL) as proxy:
                proxy.cut()
                hub = hub_of(settings, redis_url=proxy.url)
                async with opened(hub, token_for(TOPIC), last_event_id="1") as stream:
                    assert stream.status == 200
                    proxy.mend()
                    await stream.wait_for(lambda: stream.events)
                    assert {event["event"] for event in stream.events} == {live_wire.RESYNC}
                await hub.close()

        running(scenario())

    def test_closing_ends_all_streams(self, settings):
        async def scenario() -> None:
            hub = hub_of(settings)
            async with opened(hub, token_for(TOPIC)) as stream:
                await stream.wait_for(lambda: hub.clients == 1)
                await hub.close()
                await stream.wait_for(lambda: stream.has_ended)

        running(scenario())
