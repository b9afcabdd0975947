"""The Celery application. A task message is only a hint: every job finds its work in PostgreSQL.

Worker and beat start through `config.worker`, which brings up the embedded servers first.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("fairground")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
