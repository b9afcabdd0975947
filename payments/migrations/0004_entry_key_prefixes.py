"""The unique index of entry keys also finds their beginnings: `draw:<uuid>:` is all that a draw has paid."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0003_post_function")]
    operations = [
        migrations.RemoveConstraint(model_name="ledgerentry", name="payments_entry_idem_key"),
        migrations.AddConstraint(
            model_name="ledgerentry",
            constraint=models.UniqueConstraint(
                fields=("idem_key",), name="payments_entry_idem_key", opclasses=["varchar_pattern_ops"]
            ),
        ),
    ]
