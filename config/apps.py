"""The `config` app: what belongs to the site as a whole."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from config import celery, roles


class ConfigConfig(AppConfig):
    """Wires the site together once all apps are loaded."""

    name = "config"
    verbose_name = "Site"

    def ready(self) -> None:
        celery.app.set_default()  # tasks queued by a web process go to our broker
        # Runs once an app; roles need the permissions of all of them, which exist after the last.
        post_migrate.connect(roles.sync_after_migrate, sender=self)
