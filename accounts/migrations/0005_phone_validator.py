"""Phones are checked to be numbers that exist; the column stays as it is."""

import phonenumber_field.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_sign_in_permissions")]

    operations = [
        migrations.AlterField(
            model_name="user",
            name="phone",
            field=models.CharField(
                blank=True,
                help_text="With the code of the country, as in +254 711 000 001.",
                max_length=20,
                validators=[phonenumber_field.validators.validate_international_phonenumber],
                verbose_name="phone",
            ),
        ),
    ]
