"""The `draws` app."""

from django.apps import AppConfig


class DrawsConfig(AppConfig):
    """The one draw engine, and the awards it hands out."""

    name = "draws"
