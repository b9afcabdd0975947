"""The `draws` app."""

from django.apps import AppConfig
from django.core import checks

from draws.checks import check_relays, check_secret_keys


class DrawsConfig(AppConfig):
    """The one draw engine, and the awards it hands out."""

    name = "draws"
    verbose_name = "Draws"

    def ready(self) -> None:
        from draws import acts, kinds, occasions, scopes, segments, sources, subjects  # noqa: PLC0415  (models exist only now)
        from draws.services.draw_awards import DRAW_AWARDS  # noqa: PLC0415

        checks.register(check_relays, checks.Tags.compatibility)
        checks.register(check_secret_keys, checks.Tags.security)
        kinds.register_kinds()
        segments.register_rules()
        occasions.register_occasions()
        scopes.register_scopes()
        subjects.register()
        sources.register_source(DRAW_AWARDS)
        acts.register_acts()
