"""A Redis cache that forgives: with Redis gone it misses instead of failing the page (sign-in must work)."""

from typing import Any, TypeVar

import structlog
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)


class ForgivingRedisCache(RedisCache):
    """Django's Redis cache in which an unreachable Redis is a miss, and a write that went nowhere.

    What this means for each use stands in `docs/architecture.md`: sessions live in PostgreSQL, throttles
    and caches fail open.
    """

    def add(self, *args: Any, **kwargs: Any) -> bool:
        try:
            return bool(super().add(*args, **kwargs))
        except (RedisError, OSError) as error:
            return self._miss(error, True)

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        try:
            return super().get(key, default, version)
        except (RedisError, OSError) as error:
            return self._miss(error, default)

    def set(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().set(*args, **kwargs)
        except (RedisError, OSError) as error:
            self._miss(error, None)

    def touch(self, *args: Any, **kwargs: Any) -> bool:
        try:
            return bool(super().touch(*args, **kwargs))
        except (RedisError, OSError) as error:
            return self._miss(error, False)

    def delete(self, *args: Any, **kwargs: Any) -> bool:
        try:
            return bool(super().delete(*args, **kwargs))
        except (RedisError, OSError) as error:
            return self._miss(error, False)

    def get_many(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        try:
            return dict(super().get_many(*args, **kwargs))
        except (RedisError, OSError) as error:
            return self._miss(error, {})

    def set_many(self, *args: Any, **kwargs: Any) -> list[Any]:
        try:
            return list(super().set_many(*args, **kwargs))
        except (RedisError, OSError) as error:
            return self._miss(error, [])

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        try:
            return int(super().incr(key, delta, version))
        except (RedisError, OSError) as error:
            return self._miss(error, delta)

    def has_key(self, *args: Any, **kwargs: Any) -> bool:
        try:
            return bool(super().has_key(*args, **kwargs))
        except (RedisError, OSError) as error:
            return self._miss(error, False)

    @staticmethod
    def _miss(error: Exception, answer: Answer) -> Answer:
        log.warning("cache_unreachable", error=str(error))
        return answer
