"""ASGI entry point: one port for small sites. Pages go to Django, `/live/` to the hub.

Django stays WSGI in a bounded thread pool no larger than the database pool: its async views would hold a
thread and a connection for every open stream.
"""

import os
from typing import Any

from a2wsgi import WSGIMiddleware
from django.conf import settings

from config.wsgi import application as django
from notifications.hub import Hub

pages = WSGIMiddleware(django, workers=int(os.environ["DATABASE_POOL_SIZE"]))  # type: ignore[arg-type]
hub = Hub(
    redis_url=settings.REDIS_URL,
    key=settings.LINK_KEY.encode(),
    origins=[settings.SITE_URL, *settings.CSRF_TRUSTED_ORIGINS],
)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Hand each connection to whoever serves it."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1000})  # before accepting: answers 403
    elif scope["path"] == "/live/":
        await hub(scope, receive, send)
    else:
        await pages(scope, receive, send)


async def _live(receive: Any, send: Any) -> None:
    """Start and stop with the server; the hub itself starts with its first stream."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await hub.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
