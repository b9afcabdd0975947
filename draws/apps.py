"""The `draws` app."""

from django.apps import AppConfig


class DrawsConfig(AppConfig):
    """The one draw engine, and the awards it hands out."""

    name = "draws"
    verbose_name = "Draws"

    def ready(self) -> None:
        from draws.kinds import register_kinds  # noqa: PLC0415  (models exist only now)
        from draws.services.draw_awards import DRAW_AWARDS  # noqa: PLC0415
        from draws.sources import register_source  # noqa: PLC0415

        register_kinds()
        register_source(DRAW_AWARDS)
