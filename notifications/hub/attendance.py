"""Who is here, now: counted over all processes of the hub, in Redis, where what a process says fades within seconds."""

import asyncio
import json
import secrets
import time
from collections import defaultdict

import structlog

from notifications import live_wire as wire
from notifications.hub.board import Client
from notifications.hub.relay import LOST, Relay
from notifications.live_wire import Frame, Presence

log = structlog.get_logger(__name__)

_AGAIN = wire.PRESENT_MS / 1000 / 3
"""Seconds after which a process says again who is with it, changed or not."""


class Attendance:
    """This process' part of it. Its lines hear of a change within `beat` seconds of each other's, and no more often."""

    def __init__(self, relay: Relay, *, beat: float) -> None:
        self._relay = relay
        self._beat = beat
        self._process = secrets.token_hex(8)
        self._here: defaultdict[str, set[Client]] = defaultdict(set)
        self._changed: set[str] = set()
        self._left: set[str] = set()
        self._told: dict[str, Presence] = {}
        self._untold: set[Client] = set()
        self._task: asyncio.Task[None] | None = None

    def join(self, client: Client) -> None:
        """A line is open."""
        if not client.grant.counted:
            return
        for topic in client.grant.counted:
            self._here[topic].add(client)
            self._changed.add(topic)
            self._left.discard(topic)
        self._untold.add(client)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._go_round())

    def leave(self, client: Client) -> None:
        """It is closed."""
        self._untold.discard(client)
        for topic in client.grant.counted:
            self._here[topic].discard(client)
            self._changed.add(topic)
            if not self._here[topic]:
                del self._here[topic]
                self._changed.discard(topic)
                self._told.pop(topic, None)
                self._left.add(topic)

    async def close(self) -> None:
        """Nobody is with this process any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._left |= set(self._here)
        self._here.clear()
        try:
            await self._say(set())
        except LOST as error:
            log.warning("presence_lost", error=str(error))

    async def _go_round(self) -> None:
        said_at, is_lost = 0.0, False
        while self._here or self._left:
            again = time.monotonic() - said_at >= _AGAIN
            topics = set(self._here) if again else set(self._changed)
            try:
                await self._say(topics)
                is_lost = False
                if again:
                    said_at = time.monotonic()
            except LOST as error:
                if not is_lost:
                    log.warning("presence_lost", error=str(error))
                is_lost = True
            await asyncio.sleep(self._beat)

    async def _say(self, topics: set[str]) -> None:
        """Say who is with us on these topics, and pass on what all say together."""
        self._changed -= topics
        left, self._left = self._left, set()
        asked = [*topics, *left]
        if not asked:
            return
        try:
            async with self._relay.redis.pipeline(transaction=False) as pipeline:
                for topic in asked:
                    said = _said_of(self._here.get(topic, set()))
                    pipeline.eval(
                        wire.PRESENT_SCRIPT,
                        1,
                        wire.present_key(topic),
                        self._process,
                        said,
                        str(wire.PRESENT_MS),
                    )
                answers = await pipeline.execute()
        except LOST:
            self._changed |= topics & set(self._here)
            self._left |= left - set(self._here)
            raise
        for topic, answer in zip(asked, answers, strict=True):
            if topic in self._here:
                self._tell(topic, wire.presence_of(answer))
        self._untold = {client for client in self._untold if not topics & set(client.grant.counted)}

    def _tell(self, topic: str, presence: Presence) -> None:
        has_changed = self._told.get(topic) != presence
        self._told[topic] = presence
        counted = {"topic": topic, "count": presence.count}
        counts = Frame(0, topic, wire.PRESENCE, json.dumps(counted))
        names = Frame(0, topic, wire.PRESENCE, json.dumps({**counted, "members": presence.members}))
        for client in self._here[topic]:
            if has_changed or client in self._untold:
                client.offer(names if client.grant.sees_who else counts)


def _said_of(clients: set[Client]) -> str:
    strangers = sum(not client.grant.shown_as for client in clients)
    return wire.said_of(strangers, (client.grant.shown_as for client in clients if client.grant.shown_as))
