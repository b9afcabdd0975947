"""The `draws` app."""

from django.apps import AppConfig


class DrawsConfig(AppConfig):
    """The one draw engine, and the awards it hands out."""

    name = "draws"
    verbose_name = "Draws"

    def ready(self) -> None:
        from draws.kinds import register_kinds  # noqa: PLC0415  (models exist only now)
        from draws.services.funding import APPROVABLE_KINDS, name_draws  # noqa: PLC0415
        from payments.approvable import register_approvable  # noqa: PLC0415
        from payments.subjects import register_subjects  # noqa: PLC0415

        register_kinds()
        register_subjects("draws.draw", name_draws)
        for kind in APPROVABLE_KINDS:
            register_approvable(kind)
