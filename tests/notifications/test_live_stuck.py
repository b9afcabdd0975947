"""Browsers that stop reading for good: nobody waits for them, they count nowhere, and nothing of theirs stays open."""

import asyncio
import socket
from contextlib import closing

import pytest
import uvicorn
from django.utils import timezone

from notifications.live import make_token, present, publish
from tests.notifications.hub_client import connected, opened
from tests.notifications.test_live import TOPIC, hub_of, running


def token(*, seconds: int = 60) -> str:
    return make_token([TOPIC], timezone.now(), seconds=seconds, counted=[TOPIC])


@pytest.fixture(params=[opened, connected], ids=["stream", "socket"])
def line(request):
    return request.param


async def until_gone(hub, stream) -> None:
    await stream.wait_for(lambda: hub.clients == 0)
    await stream.wait_for(lambda: present(TOPIC).count == 0)
    assert not stream.has_ended, "nothing could be said to it any more"


def test_one_whose_queue_is_full_is_let_go(settings, line):
    async def scenario() -> None:
        hub = hub_of(settings, queue_size=5, patience=0.1)
        async with line(hub, token()) as stuck:
            await stuck.wait_for(lambda: hub.clients == 1 and present(TOPIC).count == 1)
            stuck.blocked = asyncio.Event()
            for rank in range(20):
                publish(TOPIC, "winner", {"rank": rank}, each=True)
            await until_gone(hub, stuck)
        await hub.close()

    running(scenario())


def test_one_whose_token_ends_is_let_go(settings, line):
    async def scenario() -> None:
        hub = hub_of(settings, patience=0.1)
        async with line(hub, token(seconds=2)) as stuck:
            await stuck.wait_for(lambda: hub.clients == 1)
            stuck.blocked = asyncio.Event()
            publish(TOPIC, "winner", {"rank": 1})
            await until_gone(hub, stuck)
        await hub.close()

    running(scenario())


def test_one_that_takes_nothing_between_two_beats_is_let_go(settings, line):
    async def scenario() -> None:
        hub = hub_of(settings, heartbeat=0.05, patience=0.1)
        async with line(hub, token(seconds=3_600)) as stuck:
            await stuck.wait_for(lambda: hub.clients == 1)
            stuck.blocked = asyncio.Event()
            await until_gone(hub, stuck)
        await hub.close()

    running(scenario())


def test_a_hub_that_closes_waits_for_none(settings, line):
    async def scenario() -> None:
        hub = hub_of(settings, patience=0.1)
        async with line(hub, token()) as stuck, opened(hub, token()) as quick:
            await stuck.wait_for(lambda: hub.clients == 2)
            stuck.blocked = asyncio.Event()
            publish(TOPIC, "winner", {"rank": 1})
            await quick.wait_for(lambda: b"winner" in quick.body)
            await hub.close()
            await stuck.wait_for(lambda: hub.clients == 0)

    running(scenario())


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/live/", ""),
        (
            "/ws/live/",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
        ),
    ],
)
def test_the_server_keeps_no_connection_of_one(settings, path, more):
    """The real server, and a browser whose window is full: closing politely would wait for it to read the rest."""

    async def scenario() -> None:
        hub = hub_of(settings, queue_size=5, patience=0.1)
        config = uvicorn.Config(hub, port=0, lifespan="off", log_level="critical", ws="wsproto")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        with closing(socket.create_connection(server.servers[0].sockets[0].getsockname())) as browser:
            asked = f"GET {path}?token={token()} HTTP/1.1\r\nHost: x\r\n{more}\r\n"
            browser.sendall(asked.encode())
            while hub.clients == 0:
                await asyncio.sleep(0.01)
            while hub.clients:
                publish(TOPIC, "winner", {"name": "x" * 16_000}, each=True)
                await asyncio.sleep(0)
            while server.server_state.connections:
                await asyncio.sleep(0.01)
        server.should_exit = True
        await serving
        await hub.close()

    running(scenario())
