"""Who listens to what, and how fast: the part of the hub that knows neither Redis nor how browsers are spoken to."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterable

from notifications.live_wire import Frame, Grant


class Client:
    """One open line. Its queue is bounded: who reads too slowly is let go, comes back and catches up."""

    __slots__ = (
        "_items",
        "_noted",
        "_size",
        "_taken",
        "_waiter",
        "grant",
        "is_over",
        "newest",
        "on_end",
        "seen",
        "why",
    )

    def __init__(self, grant: Grant, size: int) -> None:
        self.grant = grant
        self.seen: dict[str, int] = {}  # the last number of each topic that was sent from history
        self.newest = 0  # the highest number that was ever offered
        self.is_over = False
        self.why = ""  # it is
        self.on_end: Callable[[], object] | None = (
            None  # told once it is over, while something is still queued
        )
        self._taken = 0  # how much was
        self._noted = -1  # of it when it was looked at last
        self._size = size
        self._items: deque[tuple[Frame, int, bool]] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def offer(self, frame: Frame, last: int = 0, *, from_history: bool = False) -> None:
        """Queue one frame, with the number to go on from after it; or end the line when the queue is full."""
        if self.is_over:
            return
        if len(self._items) >= self._size:
            self.end("slow")
            return
        self._items.append((frame, last, from_history))
        self._wake()

    def end(self, why: str) -> None:
        """Let the line end after what is queued."""
        self.is_over = True
        self.why = self.why or why
        self._wake()
        if self.on_end is not None:
            self.on_end()

    def has_stalled(self) -> bool:
        """Whether nothing was taken since this was last asked, though something was there all the time."""
        stalled = bool(self._items) and self._taken == self._noted
        self._noted = self._taken if self._items else -1
        return stalled

    async def next(self) -> tuple[Frame, int] | None:
        """What is to be sent next, as soon as there is something; None at the end."""
        while True:
            while self._items:
                frame, last, from_history = self._items.popleft()
                self._taken += 1
                if from_history or not frame.number or frame.number > self.seen.get(frame.topic, 0):
                    return frame, last
            if self.is_over:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Board:
    """All open lines by topic. In a hurry it passes on at most one frame of an event in `pace` seconds on each topic.

    Of what comes in between the last is kept, and is passed on when the time is over: it is never lost. Frames for `each`
    are passed on at once, and may so overtake one that waits.
    """

    def __init__(self, *, queue_size: int, pace: float) -> None:
        self.clients: set[Client] = set()
        self._queue_size = queue_size
        self._pace = pace
        self._listeners: defaultdict[str, set[Client]] = defaultdict(set)
        self._passed_at: dict[str, float] = {}
        self._held: dict[str, dict[str, Frame]] = {}

    def add(self, grant: Grant) -> Client:
        """A new line, which hears from now on."""
        client = Client(grant, self._queue_size)
        self.clients.add(client)
        for topic in grant.topics:
            self._listeners[topic].add(client)
        return client

    def remove(self, client: Client) -> None:
        """It hears no more."""
        self.clients.discard(client)
        for topic in client.grant.topics:
            self._listeners[topic].discard(client)
            if not self._listeners[topic]:
                del self._listeners[topic]
                self._passed_at.pop(topic, None)
                self._held.pop(topic, None)

    def tell_all(self, frame: Frame) -> None:
        """What the hub itself says to everybody."""
        for client in self.clients:
            client.offer(frame)

    def end_all(self, why: str) -> None:
        """Let all lines end."""
        for client in list(self.clients):
            client.end(why)

    def take(self, frame: Frame) -> None:
        """A frame from Redis; they come in the order of their numbers."""
        if frame.topic not in self._listeners:
            return
        if frame.is_each:
            self._pass_on(frame)
            return
        now = asyncio.get_running_loop().time()
        if frame.topic in self._held:
            self._held[frame.topic][frame.event] = frame
        elif (wait := self._passed_at.get(frame.topic, -self._pace) + self._pace - now) <= 0:
            self._passed_at[frame.topic] = now
            self._pass_on(frame)
        else:
            self._held[frame.topic] = {frame.event: frame}
            asyncio.get_running_loop().call_later(wait, self._pass_on_held, frame.topic)

    def _pass_on_held(self, topic: str) -> None:
        held = self._held.get(topic)
        if held is None:
            return
        self._passed_at[topic] = asyncio.get_running_loop().time()
        # One leaves at a time: until the last has gone, nobody is told a number behind which another still waits.
        for frame in sorted(held.values(), key=lambda frame: frame.number):
            del held[frame.event]
            if not held:
                del self._held[topic]
            self._pass_on(frame)

    def _pass_on(self, frame: Frame) -> None:
        for client in self._listeners.get(frame.topic, ()):
            client.newest = max(client.newest, frame.number)
            client.offer(frame, self._last_of(client))

    def _last_of(self, client: Client) -> int:
        """The number below which this client has everything, or has it queued."""
        if self._held:
            waiting = self._waiting_for(client.grant.topics)
            if waiting:
                return min(waiting) - 1
        return client.newest

    def _waiting_for(self, topics: Iterable[str]) -> list[int]:
        return [
            frame.number for topic in topics if topic in self._held for frame in self._held[topic].values()
        ]
