"""The `draws` app."""

from django.apps import AppConfig


class DrawsConfig(AppConfig):
    """The one draw engine, and the awards it hands out."""

    name = "draws"
    verbose_name = "Draws"

    def ready(self) -> None:
        from draws.kinds import register_kinds  # noqa: PLC0415  (models exist only now)
        from draws.scopes import register_scopes  # noqa: PLC0415

        register_kinds()
        register_scopes()
