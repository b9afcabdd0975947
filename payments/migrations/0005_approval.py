"""Acts with money that wait for a second person."""

import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0004_entry_key_prefixes'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Approval',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name='number')),
                ('idem_key', models.CharField(max_length=200, unique=True, verbose_name='key')),
                ('kind', models.CharField(max_length=60, verbose_name='kind')),
                ('amounts', models.JSONField(help_text='Minor units by unit.', verbose_name='amounts')),
                ('params', models.JSONField(verbose_name='parameters')),
                ('about', models.CharField(max_length=200, verbose_name='about')),
                ('reason', models.TextField(verbose_name='reason')),
                ('digest', models.BinaryField(max_length=32, verbose_name='digest of what is asked')),
                ('requested_at', models.DateTimeField(verbose_name='asked')),
                ('expires_at', models.DateTimeField(verbose_name='waits until')),
                ('state', models.CharField(choices=[('requested', 'Waiting'), ('approved', 'Approved'), ('done', 'Done'), ('rejected', 'Rejected'), ('withdrawn', 'Withdrawn'), ('expired', 'Expired')], default='requested', max_length=12, verbose_name='state')),
                ('decided_at', models.DateTimeField(blank=True, null=True, verbose_name='decided')),
                ('note', models.TextField(blank=True, verbose_name='note')),
                ('decided_by', models.ForeignKey(blank=True, help_text='Empty: nobody has, or it was withdrawn or expired.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='decided by')),
                ('requested_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='asked by')),
                ('result', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='approval', to='payments.ledgerentry', verbose_name='ledger entry')),
            ],
            options={
                'verbose_name': 'approval',
                'verbose_name_plural': 'approvals',
                'permissions': [('approve_money', 'Can decide about what others ask to do with money')],
                'indexes': [models.Index(condition=models.Q(('state', 'requested')), fields=['expires_at'], name='payments_approval_waiting'), models.Index(fields=['about'], name='payments_approval_about')],
                'constraints': [models.CheckConstraint(condition=models.Q(('decided_by__isnull', True), models.Q(('decided_by', models.F('requested_by')), _negated=True), _connector='OR'), name='payments_approval_two_people'), models.CheckConstraint(condition=models.Q(models.Q(('decided_at__isnull', True), ('decided_by__isnull', True), ('state', 'requested')), models.Q(('decided_at__isnull', False), ('decided_by__isnull', True), ('state__in', ('withdrawn', 'expired'))), models.Q(('decided_at__isnull', False), ('decided_by__isnull', False), ('state__in', ('approved', 'done', 'rejected'))), _connector='OR'), name='payments_approval_decided'), models.CheckConstraint(condition=models.Q(models.Q(('result__isnull', False), ('state', 'done')), models.Q(models.Q(('state', 'done'), _negated=True), ('result__isnull', True)), _connector='OR'), name='payments_approval_result')],
            },
        ),
    ]
