"""Draws that were called off after their number may have become known."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('draws', '0009_erase_quotes'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='draw',
            options={'ordering': ('-draw_at', '-pk'), 'permissions': [('publish_draw', 'Can publish a draw'), ('fund_draw', "Can fund a draw's pool"), ('import_entries', 'Can import entries into a draw'), ('freeze_draw', 'Can freeze a draw by hand'), ('execute_draw', 'Can execute a draw by hand'), ('cancel_draw', 'Can cancel a draw'), ('call_off_draw', 'Can call off, with a second person, a draw whose number may be known'), ('amend_draw', 'Can change a published draw'), ('announce_text', 'Can enter or confirm the announced text of a draw'), ('check_draw', 'Can check a drawn draw, and let its payouts go on')], 'verbose_name': 'draw', 'verbose_name_plural': 'draws'},
        ),
        migrations.CreateModel(
            name='CalledOff',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.CharField(max_length=500, verbose_name='reason')),
                ('called_off_at', models.DateTimeField(verbose_name='called off')),
                ('proof', models.JSONField(null=True)),
                ('drawn_up_at', models.DateTimeField(null=True, verbose_name='drawn up')),
                ('waits_for', models.TextField(blank=True, verbose_name='waits for')),
                ('next_attempt_at', models.DateTimeField(null=True)),
                ('agreed_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='agreed by')),
                ('asked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='asked by')),
                ('draw', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='called_off', to='draws.draw')),
            ],
            options={
                'verbose_name': 'draw that was called off',
                'verbose_name_plural': 'draws that were called off',
                'default_permissions': (),
                'constraints': [models.CheckConstraint(condition=models.Q(('asked_by', models.F('agreed_by')), _negated=True), name='draws_calledoff_two_people'), models.CheckConstraint(condition=models.Q(models.Q(('drawn_up_at__isnull', True), ('proof__isnull', True)), models.Q(('drawn_up_at__isnull', False), ('proof__isnull', False)), _connector='OR'), name='draws_calledoff_drawn_up')],
            },
        ),
    ]
