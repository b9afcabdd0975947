"""The `draws` app."""

from django.apps import AppConfig


class DrawsConfig(AppConfig):
    """The one draw engine, and the awards it hands out."""

    name = "draws"
    verbose_name = "Draws"

    def ready(self) -> None:
        from draws import kinds, scopes, subjects  # noqa: PLC0415  (models exist only now)
        from draws.services import funding  # noqa: PLC0415

        kinds.register_kinds()
        scopes.register_scopes()
        subjects.register()
        funding.register_acts()
