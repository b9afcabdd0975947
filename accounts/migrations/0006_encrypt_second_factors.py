"""Secrets of second factors that were stored in the clear are encrypted."""

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.db import migrations

SECRETS = ("secret", "seed")
FERNET = "gAAAA"  # how every Fernet token begins


def encrypt(apps, schema_editor):
    keys = MultiFernet([Fernet(key.strip()) for key in settings.SECOND_FACTOR_KEYS])
    for row in apps.get_model("mfa", "Authenticator").objects.exclude(type="webauthn"):
        for name in SECRETS:
            plain = row.data.get(name)
            if plain and not plain.startswith(FERNET):
                row.data[name] = keys.encrypt(plain.encode()).decode("ascii")
                row.save(update_fields=["data"])


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_phone_validator"),
        ("mfa", "0003_authenticator_type_uniq"),
    ]

    operations = [migrations.RunPython(encrypt, migrations.RunPython.noop)]
