"""ASGI entry point: one port for small sites. Pages go to Django, `/live/` and `/ws/live/` to the hub.

Django stays WSGI in a bounded thread pool no larger than the database pool: its async views would hold a
thread and a connection for every open stream.
"""

import os
from typing import Any

from a2wsgi import WSGIMiddleware

from config import wsgi  # before the hub: it says how large the database pool is
from config.hub import hub, live_with_server, refuse_socket
from notifications.hub import PATHS

pages = WSGIMiddleware(wsgi.application, workers=int(os.environ["DATABASE_POOL_SIZE"]))  # type: ignore[arg-type]


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Hand each connection to whoever serves it."""
    if scope["type"] == "lifespan":
        await live_with_server(receive, send)
    elif scope["path"] in PATHS:
        await hub(scope, receive, send)
    elif scope["type"] == "websocket":
        await refuse_socket(receive, send)
    else:
        await pages(scope, receive, send)
