"""`manage.py watch_site`: one look of the watcher, by hand or by an outside scheduler."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from config.operations.alarms import watch


class Command(BaseCommand):
    """Looks once."""

    help = "Looks once whether something is wrong, and tells who is to be told; web processes do it by themselves."

    def handle(self, *args: Any, **options: Any) -> None:
        done = watch(now=timezone.now())
        self.stdout.write(f"{done.raised} alarms began, {done.resolved} are over, {done.told} notices told.")
