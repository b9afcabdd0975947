"""Who agreed to promotions before there was a history of it gets its first line."""

from django.db import migrations

FORWARD = """
INSERT INTO notifications_consentevent (person_key, at, what, kind, about, channel, source, evidence)
SELECT 'member:' || id, now(), 'carried over', '', '', '', 'profile', '{}'::jsonb
FROM accounts_user WHERE accepts_promotions ORDER BY id
"""


class Migration(migrations.Migration):
    dependencies = [("notifications", "0003_consent_guard"), ("accounts", "0007_erasures")]
    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
