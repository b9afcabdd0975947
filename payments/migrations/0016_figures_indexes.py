"""Indexes for what the figures of money and its alarms ask: few rows out of many, by time."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False  # without a lock on tables that are written to
    dependencies = [("payments", "0015_withdrawing_guards")]
    operations = [
        AddIndexConcurrently(
            "payment",
            models.Index(
                fields=["created_at"],
                name="payments_payment_unpaid",
                condition=Q(status__in=("failed", "abandoned", "expired")),
            ),
        ),
        AddIndexConcurrently(
            "payment",
            models.Index(
                fields=["settled_at"], name="payments_payment_taken", condition=Q(settled_at__isnull=False)
            ),
        ),
        AddIndexConcurrently(
            "refund",
            models.Index(
                fields=["requested_at"], name="payments_refund_open", condition=Q(finished_at__isnull=True)
            ),
        ),
        AddIndexConcurrently(
            "refund",
            models.Index(
                fields=["finished_at"], name="payments_refund_returned", condition=Q(state="processed")
            ),
        ),
        AddIndexConcurrently(
            "withdrawal",
            models.Index(
                fields=["requested_at"],
                name="payments_withdrawal_open",
                condition=Q(finished_at__isnull=True),
            ),
        ),
        AddIndexConcurrently(
            "webhookevent",
            models.Index(fields=["first_at"], name="payments_event_failed", condition=Q(state="failed")),
        ),
        migrations.AlterField(
            "webhookevent",
            "body",
            models.BinaryField(
                help_text="Empty once it was kept long enough: it names payers and their cards.",
                verbose_name="body",
            ),
        ),
    ]
