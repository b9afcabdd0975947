"""What has to be done before the site starts, in one process: Django starts once, not five times.

`FAIRGROUND_DEMO=1` asks for the demo data, `0` forbids it; unset, a site with embedded servers gets it. It
goes into an empty database only.

The demo's sign-ins are written to standard output, everything else to standard error.
"""

import os
import sys

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from config import embedded


def main() -> None:
    """Migrate, collect static files where they are served by hash, bring the schedule in step, seed the demo."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    embedded.ensure()
    django.setup()
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        sys.stderr.write("Fairground: preparing the database …\n")
        call_command("migrate", interactive=False, verbosity=0, stdout=sys.stderr)
    if not settings.EMBEDDED:  # as in production, static files carry a hash in their names
        call_command("collectstatic", interactive=False, verbosity=0, stdout=sys.stderr)
    call_command("sync_schedule", stdout=sys.stderr)
    if _wants_demo():
        call_command("seed_demo", "--if-empty", stdout=sys.stderr)
        call_command("seed_demo", "--print-sign-ins")


def _wants_demo() -> bool:
    asked = os.environ.get("FAIRGROUND_DEMO", "")
    return asked.lower() in ("1", "true", "yes") if asked else settings.EMBEDDED


if __name__ == "__main__":
    main()
