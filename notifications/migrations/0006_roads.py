"""Deliveries are claimed channel by channel, so that a slow one holds up no other; made without locking a live table."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("notifications", "0005_delivery_events")]

    operations = [
        migrations.AlterField(
            model_name='delivery',
            name='channel',
            field=models.CharField(choices=[('in_app', 'inbox'), ('email', 'e-mail'), ('sms', 'SMS'), ('whatsapp', 'WhatsApp'), ('webhook', 'webhook'), ('push', 'push message')], max_length=16, verbose_name='channel'),
        ),
        AddIndexConcurrently(
            model_name='delivery',
            index=models.Index(condition=models.Q(('state__in', ('planned', 'retry'))), fields=['channel', 'next_attempt_at'], name='notifications_delivery_by_road'),
        ),
        AddIndexConcurrently(
            model_name='delivery',
            index=models.Index(condition=models.Q(('state', 'unknown')), fields=['next_attempt_at'], name='notifications_delivery_unknown'),
        ),
        RemoveIndexConcurrently(
            model_name='delivery',
            name='notifications_delivery_due',
        ),
    ]
