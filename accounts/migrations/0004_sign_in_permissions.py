"""Who may end a lock-out, and who may remove a second factor that was lost."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_signed_in_sessions"),
        ("axes", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="FailedSignIn",
            fields=[],
            options={
                "verbose_name": "failed sign-in",
                "verbose_name_plural": "failed sign-ins",
                "permissions": [
                    ("unlock_sign_in", "Can let in again who was locked out for wrong passwords or codes")
                ],
                "default_permissions": ("view",),
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("axes.accessattempt",),
        ),
        migrations.AlterModelOptions(
            name="user",
            options={
                "permissions": [
                    ("reset_second_factor", "Can remove the second factor of a person who lost it"),
                ],
                "verbose_name": "person",
                "verbose_name_plural": "people",
            },
        ),
    ]
