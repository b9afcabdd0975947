"""ASGI entry point: one port for small sites. Pages go to Django, `/live/` and `/ws/live/` to the hub.

Django stays WSGI in a bounded thread pool no larger than the database pool: its async views would hold a
thread and a connection for every open stream.
"""

import os
from typing import Any

from a2wsgi import WSGIMiddleware

from config.wsgi import application as django

pages = WSGIMiddleware(django, workers=int(os.environ["DATABASE_POOL_SIZE"]))


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Hand each connection to whoever serves it."""
    if scope["type"] == "http":
        await pages(scope, receive, send)
