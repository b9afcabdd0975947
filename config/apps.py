"""The `config` app: what belongs to the site as a whole."""

from django.apps import AppConfig, apps
from django.core import checks
from django.db.models.signals import post_migrate

from config import celery, roles
from config.checks import check_api
from config.setting_checks import check_production, check_settings


class ConfigConfig(AppConfig):
    """Wires the site together once all apps are loaded."""

    name = "config"
    verbose_name = "Site"

    def ready(self) -> None:
        from config import kinds  # noqa: PLC0415  (models exist only now)

        kinds.register_kinds()
        checks.register(check_api)
        checks.register(check_settings)
        checks.register(check_production, checks.Tags.security, deploy=True)
        celery.app.set_default()  # tasks queued by a web process go to our broker
        # Sent once for each app that has models: one is enough, and its permissions are made anew for all.
        post_migrate.connect(roles.sync_after_migrate, sender=apps.get_app_config("accounts"))
