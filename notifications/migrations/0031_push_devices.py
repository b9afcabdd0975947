"""Browsers of members that show push messages."""

import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('notifications', '0013_broadcasts'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='PushDevice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('endpoint', models.CharField(max_length=1000, unique=True)),
                ('p256dh', models.CharField(max_length=100)),
                ('auth', models.CharField(max_length=40)),
                ('name', models.CharField(max_length=80, verbose_name='device')),
                ('made_at', models.DateTimeField(verbose_name='switched on')),
                ('last_ok_at', models.DateTimeField(blank=True, null=True, verbose_name='last told')),
                ('gone_at', models.DateTimeField(blank=True, null=True, verbose_name='gone')),
                ('member', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='member')),
            ],
            options={
                'verbose_name': 'device',
                'verbose_name_plural': 'devices',
                'default_permissions': (),
            },
        ),
    ]
