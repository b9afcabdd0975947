"""Beat's scheduler: that of django-celery-beat, which writes down soon that it is alive."""

from django_celery_beat.schedulers import DatabaseScheduler

SYNC_S = 5
"""The original writes its last runs down every three minutes; what watches beat can't wait for that."""


class WatchedScheduler(DatabaseScheduler):
    """Notes in the database every few seconds what it has sent: `draws.services.monitoring.last_beat` reads that."""

    sync_every = SYNC_S
