"""Reads the environment, and names the variable that can't be read."""

from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured


class NamingEnv(environ.Env):  # type: ignore[misc]
    """django-environ's, whose complaint about `WATCH_SECONDS=often` does not say which variable it is about."""

    def get_value(self, var: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().get_value(var, *args, **kwargs)
        except (ValueError, TypeError) as error:
            raise ImproperlyConfigured(f"{var} can't be read ({error}): see docs/settings.md.") from None
