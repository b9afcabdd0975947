"""What is about account, money and prizes does not wait behind a broadcast; made without locking a live table."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("notifications", "0031_push_devices")]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="is_urgent",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="What is about account, money and prizes does not wait behind a broadcast.",
                verbose_name="before others",
            ),
        ),
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("is_urgent", False), ("state__in", ("planned", "retry"))),
                fields=["channel", "next_attempt_at"],
                name="notifications_delivery_by_turn",
            ),
        ),
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("is_urgent", True), ("state__in", ("planned", "retry"))),
                fields=["channel", "next_attempt_at"],
                name="notifications_delivery_urgent",
            ),
        ),
        RemoveIndexConcurrently(model_name="delivery", name="notifications_delivery_by_road"),
    ]
