"""In a hurry: one frame a second on a topic, and the last state always arrives."""

import asyncio
import json
import random

import pytest

from notifications.hub.board import Board
from notifications.live import publish
from notifications.live_wire import Frame, Grant
from tests.notifications.hub_client import opened
from tests.notifications.test_live import TOPIC, hub_of, running, token_for

PACE = 0.2


def frame(number: int, event: str = "count", topic: str = "a:1", *, each: bool = False) -> Frame:
    return Frame(number, topic, event, f'{{"n":{number}}}', each)


async def next_of(client, count: int = 1) -> list[tuple[int, int]]:
    """(number, where to go on from) of what comes next."""
    found = []
    for _ in range(count):
        passed, last = await asyncio.wait_for(client.next(), 10)
        found.append((passed.number, last))
    return found


@pytest.fixture
def board():
    return Board(queue_size=64, pace=PACE)


class TestBoard:
    def listener(self, board, *topics):
        return board.add(Grant(topics or ("a:1",), 0))

    def test_the_first_frame_goes_at_once_and_then_the_last_of_each_event(self, board):
        async def scenario() -> None:
            client = self.listener(board)
            began = asyncio.get_running_loop().time()
            for number in range(1, 100):
                board.take(frame(number, "odd" if number % 2 else "even"))
            assert await next_of(client) == [(1, 1)]
            assert await next_of(client, 2) == [(98, 98), (99, 99)]
            assert asyncio.get_running_loop().time() - began >= PACE * 0.9
            board.take(frame(100))
            assert await next_of(client) == [(100, 100)]

        running(scenario())

    def test_each_topic_has_a_pace_of_its_own(self, board):
        async def scenario() -> None:
            client = self.listener(board, "a:1", "b:1")
            board.take(frame(1))
            board.take(frame(2, topic="b:1"))
            assert await next_of(client, 2) == [(1, 1), (2, 2)]

        running(scenario())

    def test_what_is_for_each_waits_for_nothing_and_is_never_left_out(self, board):
        async def scenario() -> None:
            client = self.listener(board)
            board.take(frame(1))
            board.take(frame(2))
            for number in (3, 4, 5):
                board.take(frame(number, "said", each=True))
            # Frame 2 is still to come: who leaves now goes on from before it.
            assert await next_of(client, 4) == [(1, 1), (3, 1), (4, 1), (5, 1)]
            assert await next_of(client) == [(2, 5)]

        running(scenario())

    def test_nobody_is_told_a_number_behind_which_a_frame_waits(self, board):
        """Whatever comes: of all that a client was told to have, nothing is missing, and in the end it has the last."""
        chance = random.Random(6)

        async def scenario() -> None:
            client = self.listener(board, "a:1", "b:1", "c:1")
            sent = []
            for number in range(1, 400):
                item = frame(
                    number,
                    chance.choice("xy"),
                    chance.choice(["a:1", "b:1", "c:1"]),
                    each=chance.random() < 0.2,
                )
                sent.append(item)
                board.take(item)
                client._size = 10_000
                if not number % 40:
                    await asyncio.sleep(PACE / 3)
            got, told = [], 0
            while len(got) < 400:
                try:
                    passed, last = await asyncio.wait_for(client.next(), PACE * 3)
                except TimeoutError:
                    break
                got.append(passed)
                assert last >= told
                told = last
                for missing in set(sent) - set(got):
                    if missing.number <= last:
                        # Only what a later one of its event stands for, which came or is still to come.
                        assert not missing.is_each
                        later = [
                            item
                            for item in sent
                            if (item.topic, item.event) == (missing.topic, missing.event)
                            and item.number > missing.number
                            and not item.is_each
                        ]
                        assert any(item in got or item.number > last for item in later)
            assert [item for item in sent if item.is_each] == [item for item in got if item.is_each]
            last_of = {(item.topic, item.event): item for item in sent if not item.is_each}
            assert set(last_of.values()) <= set(got)
            assert told == 399

        running(scenario())

    def test_nothing_is_kept_for_nobody(self, board):
        async def scenario() -> None:
            client = self.listener(board)
            board.take(frame(1))
            board.take(frame(2))
            board.remove(client)
            await asyncio.sleep(PACE * 1.5)
            assert (board._held, board._passed_at, dict(board._listeners)) == ({}, {}, {})

        running(scenario())


def test_a_browser_gets_the_last_state_of_a_storm(settings):
    async def scenario() -> None:
        hub = hub_of(settings, pace=PACE)
        async with opened(hub, token_for(TOPIC)) as stream:
            await stream.wait_for(lambda: hub.clients == 1)
            for n in range(200):
                publish(TOPIC, "count", {"n": n})
            await stream.wait_for(lambda: stream.events and stream.events[-1]["data"] == '{"n":199}')
            assert len(stream.events) < 100
            numbers = [json.loads(event["data"])["n"] for event in stream.events]
            assert numbers == sorted(numbers)
        await hub.close()

    running(scenario())
