"""The hub as a WebSocket: the same tokens and frames as the stream, said in JSON."""

import asyncio
import datetime as dt
import json

import pytest
from django.utils import timezone

from notifications.live import make_token, publish
from tests.notifications.hub_client import connected
from tests.notifications.test_live import TOPIC, hub_of, running, token_for

FOREIGN = {"origin": "https://evil.example", "host": "fair.example"}


class TestDoor:
    def answer(self, settings, token: str, **request) -> int:
        found = []

        async def scenario() -> None:
            hub = hub_of(settings)
            async with connected(hub, token, **request) as socket:
                found.append(socket.status)
            assert hub.clients == 0
            await hub.close()

        running(scenario())
        return found[0]

    def test_a_token_opens_it(self, settings):
        assert self.answer(settings, token_for(TOPIC), origin="https://fair.example") == 101

    @pytest.mark.parametrize("says_why", [True, False])
    def test_nothing_else_does(self, settings, says_why):
        expired = make_token([TOPIC], timezone.now() - dt.timedelta(hours=2))
        for token in ("", "forged.token", expired):
            assert self.answer(settings, token, says_why=says_why) == (401 if says_why else 403)
        assert self.answer(settings, token_for(TOPIC), says_why=says_why, **FOREIGN) == 403


class TestTalk:
    def test_it_passes_on_its_topics_and_no_others(self, settings):
        async def scenario() -> None:
            hub = hub_of(settings)
            async with connected(hub, token_for(TOPIC)) as socket:
                await socket.wait_for(lambda: socket.pings == 1)
                publish("draw:autumn", "winner", {"rank": 9})
                publish(TOPIC, "winner", {"name": "Zoë\n2"})
                await socket.wait_for(lambda: socket.messages)
                [message] = socket.messages
                assert message.pop("last").isdecimal()
                assert message == {"topic": TOPIC, "event": "winner", "data": {"name": "Zoë\n2"}}
            await hub.close()

        running(scenario())

    @pytest.mark.parametrize("how", ["in its address", "in its first message"])
    def test_it_goes_on_from_where_it_was(self, settings, how):
        async def scenario() -> None:
            hub = hub_of(settings)
            async with connected(hub, token_for(TOPIC)) as socket:
                await socket.wait_for(lambda: hub.clients == 1)
                publish(TOPIC, "winner", {"rank": 1}, each=True)
                await socket.wait_for(lambda: socket.messages)
                last = socket.messages[0]["last"]
            publish(TOPIC, "winner", {"rank": 2}, each=True)
            publish(TOPIC, "winner", {"rank": 3}, each=True)
            async with connected(hub, token_for(TOPIC), last=last if "address" in how else "") as again:
                if "message" in how:
                    again.say("[1]")
                    again.say(json.dumps({"last": last}))
                    again.say(json.dumps({"last": last}))  # heard once
                await again.wait_for(lambda: len(again.messages) == 2)
                publish(TOPIC, "winner", {"rank": 4}, each=True)
                await again.wait_for(lambda: len(again.messages) == 3)
                assert [message["data"]["rank"] for message in again.messages] == [2, 3, 4]
            await hub.close()

        running(scenario())

    def test_it_lives_and_ends_with_its_token(self, settings):
        async def scenario() -> None:
            hub = hub_of(settings, heartbeat=0.05)
            async with connected(hub, token_for(TOPIC, seconds=2)) as socket:
                await socket.wait_for(lambda: socket.pings > 2)
                await socket.wait_for(lambda: socket.has_ended)
                assert socket.code == 4001
            assert hub.clients == 0
            await hub.close()

        running(scenario())

    def test_who_reads_too_slowly_is_let_go_and_delays_nobody(self, settings):
        async def scenario() -> None:
            hub = hub_of(settings, queue_size=5)
            async with connected(hub, token_for(TOPIC)) as slow, connected(hub, token_for(TOPIC)) as quick:
                await quick.wait_for(lambda: hub.clients == 2)
                slow.blocked = asyncio.Event()
                for rank in range(20):
                    publish(TOPIC, "winner", {"rank": rank}, each=True)
                    await quick.wait_for(lambda rank=rank: len(quick.messages) == rank + 1)
                slow.blocked.set()
                await slow.wait_for(lambda: slow.has_ended)
                assert (slow.code, len(slow.messages) < 20, quick.has_ended) == (1013, True, False)
            await hub.close()

        running(scenario())

    def test_who_says_too_much_is_let_go(self, settings):
        async def scenario() -> None:
            hub = hub_of(settings)
            async with connected(hub, token_for(TOPIC)) as socket:
                socket.say("x" * 10_000)
                await socket.wait_for(lambda: socket.has_ended)
                assert socket.code == 1009
            await hub.close()

        running(scenario())

    def test_closing_ends_it(self, settings):
        async def scenario() -> None:
            hub = hub_of(settings)
            async with connected(hub, token_for(TOPIC)) as socket:
                await socket.wait_for(lambda: hub.clients == 1)
                await hub.close()
                await socket.wait_for(lambda: socket.has_ended)
                assert socket.code == 1012

        running(scenario())
