"""The smallest Django project in which django-post_office sends by Mailgun, for `benchmarks.post_office_peer`."""

import os
import secrets

import environ

DATABASES = {"default": environ.Env().db_url("DATABASE_URL")}
DATABASES["default"]["ENGINE"] = "django.db.backends.postgresql"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "post_office", "anymail"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
SECRET_KEY = secrets.token_hex()
DEFAULT_FROM_EMAIL = "Fairground <hello@fairground.example>"
# As quick as its settings let it be: all in one batch, only failures logged.
POST_OFFICE = {
    "BACKENDS": {"default": "anymail.backends.mailgun.EmailBackend"},
    "BATCH_SIZE": 100_000,
    "LOG_LEVEL": 1,
    "THREADS_PER_PROCESS": 5,
}
ANYMAIL = {
    "MAILGUN_API_KEY": "key",
    "MAILGUN_SENDER_DOMAIN": "mg.fair.example",
    "MAILGUN_API_URL": os.environ.get("MAILGUN_API_URL", ""),
}
