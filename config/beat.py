"""Beat's scheduler: that of django-celery-beat, which writes down soon that it is alive."""

from django_celery_beat.schedulers import DatabaseScheduler

from config.operations_settings import BEAT_SYNC_S


class WatchedScheduler(DatabaseScheduler):  # type: ignore[misc]
    """Notes in the database every few seconds what it has sent: `draws.services.monitoring.last_beat` reads that."""

    sync_every = BEAT_SYNC_S
