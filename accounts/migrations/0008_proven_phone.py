from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0007_erasures'),
    ]

    operations = [
        migrations.AddField(
            model_name='user',
            name='verified_phone',
            field=models.CharField(blank=True, db_default='', default='', editable=False, help_text='Counts as long as it is the phone above.', max_length=20, verbose_name='number shown to be theirs'),
        ),
    ]
