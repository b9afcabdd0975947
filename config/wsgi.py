"""WSGI entry point: Django alone, as granian serves it in production."""

import os

from django.core.wsgi import get_wsgi_application

from config import embedded

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Only the web server pools connections: a worker process holds one connection of its own.
os.environ.setdefault("DATABASE_POOL_SIZE", "10")
embedded.ensure()

application = get_wsgi_application()

from config.operations.watcher import start_watcher  # noqa: E402  (models exist only now)

watcher = start_watcher()
