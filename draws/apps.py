"""The `draws` app."""

from django.apps import AppConfig
from django.core import checks

from draws.checks import check_relays, check_secret_keys


class DrawsConfig(AppConfig):
    """The one draw engine, and the awards it hands out."""

    name = "draws"
    verbose_name = "Draws"

    def ready(self) -> None:
        from draws import kinds, scopes, subjects  # noqa: PLC0415  (models exist only now)

        checks.register(check_relays, checks.Tags.compatibility)
        checks.register(check_secret_keys, checks.Tags.security)
        kinds.register_kinds()
        scopes.register_scopes()
        subjects.register()
