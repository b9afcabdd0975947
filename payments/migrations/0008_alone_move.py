"""What people moved without a second person, to be counted against the limit."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0007_post_by_index'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='AloneMove',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('unit', models.CharField(max_length=16, verbose_name='unit')),
                ('amount', models.BigIntegerField(verbose_name='amount')),
                ('at', models.DateTimeField(verbose_name='time')),
                ('by', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('entry', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='payments.ledgerentry')),
            ],
            options={
                'verbose_name': 'move without a second person',
                'verbose_name_plural': 'moves without a second person',
                'default_permissions': (),
                'indexes': [models.Index(fields=['by', 'at'], name='payments_alone_by_at')],
                'constraints': [models.UniqueConstraint(fields=('entry', 'unit'), name='payments_alone_once'), models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='payments_alone_amount')],
            },
        ),
    ]
