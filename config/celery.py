"""The Celery application. A task message is only a hint: every job finds its work in PostgreSQL.

Worker and beat start through `config.worker`, which brings up the embedded servers first. A message takes along the id
of the request in which it was sent, and the lines that its task logs carry both ids.
"""

import os
from typing import Any

import structlog
from celery import Celery, Task
from celery.worker.request import Request
from kombu.asynchronous import get_event_loop

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


class SettledRequest(Request):
    """A task message whose failed receipt makes the worker connect again.

    Celery logs that it could not acknowledge and goes on; the message then holds one of the few places for messages
    in hand until the process ends, and when all are held the worker takes no more, although it is connected. A Redis
    that hangs for ten seconds is enough. A new connection starts with all places free.
    """

    def acknowledge(self) -> None:
        """As Celery's."""
        if self.acknowledged:
            return
        super().acknowledge()
        loop = get_event_loop()
        if not self.message.acknowledged and loop is not None:
            loop.call_soon(_connect_again, self.name)  # raised here, it would end in the log of the pool


def _connect_again(name: str) -> None:
    """Celery's consumer connects anew at any such error in its loop."""
    raise BrokenPipeError(f"The broker did not take the receipt of {name}.")


class LoggedTask(Task):  # type: ignore[type-arg]
    """A task whose every line in the log names it, and the request that asked for it."""

    abstract = True
    Request = f"{__name__}:{SettledRequest.__name__}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        ids = {"task_id": self.request.id, "task": self.name, "request_id": self.request.get("request_id")}
        with structlog.contextvars.bound_contextvars(**{name: value for name, value in ids.items() if value}):
            return super().__call__(*args, **kwargs)


class Site(Celery):
    """Celery that hands the id of the current request on."""

    def send_task(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """As Celery's; every message goes through here, also that of `Task.delay`."""
        if request_id := structlog.contextvars.get_contextvars().get("request_id"):
            kwargs["headers"] = {"request_id": request_id} | (kwargs.get("headers") or {})
        return super().send_task(name, *args, **kwargs)


app = Site("fairground", task_cls=LoggedTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
