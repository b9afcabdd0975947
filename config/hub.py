"""ASGI entry point of the live hub alone, for sites whose pages are served by `config.wsgi`. It asks no database."""

import os
from typing import Any

from django.conf import settings
from django.utils.log import configure_logging

from config import embedded
from notifications.hub import PATHS, Hub

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
embedded.ensure()
configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)

hub = Hub(
    redis_url=settings.REDIS_URL,
    key=settings.LINK_KEY.encode(),
    origins=[settings.SITE_URL, *settings.CSRF_TRUSTED_ORIGINS],
)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Hand what is the hub's to the hub; there is nothing else here but a word for who restarts processes."""
    if scope["type"] == "lifespan":
        await live_with_server(receive, send)
    elif scope["path"] in PATHS:
        await hub(scope, receive, send)
    elif scope["type"] == "websocket":
        await refuse_socket(receive, send)
    else:
        status, body = (200, b"ok\n") if scope["path"] == "/healthz" else (404, b"Nothing is here.\n")
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def refuse_socket(receive: Any, send: Any) -> None:
    """A WebSocket to an address that takes none."""
    await receive()
    await send({"type": "websocket.close", "code": 1000})  # before accepting: answers 403


async def live_with_server(receive: Any, send: Any) -> None:
    """Start and stop with the server; the hub itself starts with its first line."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await hub.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
