"""A prize may have a picture. The column may be empty: adding it rewrites no row."""

from django.db import migrations, models

import draws.models.draw


class Migration(migrations.Migration):
    dependencies = [("draws", "0013_disqualification_guards")]

    operations = [
        migrations.AddField(
            model_name="prize",
            name="image",
            field=models.ImageField(
                blank=True, max_length=120, null=True, upload_to=draws.models.draw.picture_path, verbose_name="picture"
            ),
        ),
    ]
