"""Tables of the ledger."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Account',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=120, unique=True, verbose_name='code')),
                ('unit', models.CharField(max_length=16, verbose_name='unit')),
                ('floor', models.BigIntegerField(blank=True, help_text='Empty: may fall without end.', null=True, verbose_name='floor')),
                ('is_materialised', models.BooleanField(default=True, verbose_name='keeps a balance')),
                ('balance', models.BigIntegerField(default=0, verbose_name='balance')),
                ('version', models.BigIntegerField(default=0, verbose_name='postings')),
                ('owner', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='ledger_accounts', to=settings.AUTH_USER_MODEL, verbose_name='owner')),
            ],
            options={
                'verbose_name': 'account',
                'verbose_name_plural': 'accounts',
                'permissions': [('manage_payments', 'Can move money and settle payments')],
            },
        ),
        migrations.CreateModel(
            name='LedgerEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(unique=True, verbose_name='receipt number')),
                ('idem_key', models.CharField(max_length=200, verbose_name='key')),
                ('kind', models.CharField(max_length=60, verbose_name='kind')),
                ('about', models.CharField(max_length=200, verbose_name='about')),
                ('reason', models.TextField(blank=True, verbose_name='reason')),
                ('digest', models.BinaryField(max_length=32, verbose_name='digest of its content')),
                ('created_at', models.DateTimeField(verbose_name='time')),
                ('actor', models.ForeignKey(blank=True, db_index=False, help_text='Empty: the site itself.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='who')),
            ],
            options={
                'verbose_name': 'ledger entry',
                'verbose_name_plural': 'ledger entries',
            },
        ),
        migrations.CreateModel(
            name='Posting',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.SmallIntegerField(verbose_name='leg')),
                ('unit', models.CharField(max_length=16, verbose_name='unit')),
                ('amount', models.BigIntegerField(verbose_name='amount')),
                ('balance_after', models.BigIntegerField(null=True, verbose_name='balance')),
                ('version', models.BigIntegerField(null=True, verbose_name='number in its account')),
                ('account', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='postings', to='payments.account', verbose_name='account')),
                ('entry', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='postings', to='payments.ledgerentry', verbose_name='entry')),
            ],
            options={
                'verbose_name': 'posting',
                'verbose_name_plural': 'postings',
            },
        ),
        migrations.AddConstraint(
            model_name='account',
            constraint=models.UniqueConstraint(fields=('id', 'unit'), name='payments_account_id_unit'),
        ),
        migrations.AddConstraint(
            model_name='account',
            constraint=models.CheckConstraint(condition=models.Q(('unit__regex', '^[A-Z][A-Z0-9_]*$')), name='payments_account_unit_code'),
        ),
        migrations.AddConstraint(
            model_name='account',
            constraint=models.CheckConstraint(condition=models.Q(('floor__isnull', True), ('balance__gte', models.F('floor')), _connector='OR'), name='payments_account_floor'),
        ),
        migrations.AddConstraint(
            model_name='account',
            constraint=models.CheckConstraint(condition=models.Q(('is_materialised', True), models.Q(('balance', 0), ('floor__isnull', True), ('version', 0)), _connector='OR'), name='payments_account_sum_only'),
        ),
        migrations.AddIndex(
            model_name='ledgerentry',
            index=models.Index(fields=['about'], name='payments_entry_about', opclasses=['varchar_pattern_ops']),
        ),
        migrations.AddConstraint(
            model_name='ledgerentry',
            constraint=models.UniqueConstraint(fields=('idem_key',), name='payments_entry_idem_key'),
        ),
        migrations.AddConstraint(
            model_name='ledgerentry',
            constraint=models.CheckConstraint(condition=models.Q(('idem_key', ''), _negated=True), name='payments_entry_has_key'),
        ),
        migrations.AddConstraint(
            model_name='posting',
            constraint=models.UniqueConstraint(fields=('entry', 'position'), name='payments_posting_entry_position'),
        ),
        migrations.AddConstraint(
            model_name='posting',
            constraint=models.UniqueConstraint(fields=('account', 'version'), name='payments_posting_account_version'),
        ),
        migrations.AddConstraint(
            model_name='posting',
            constraint=models.CheckConstraint(condition=models.Q(('amount', 0), _negated=True), name='payments_posting_amount_not_zero'),
        ),
        migrations.AddConstraint(
            model_name='posting',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('balance_after__isnull', True), ('version__isnull', True)), models.Q(('balance_after__isnull', False), ('version__isnull', False)), _connector='OR'), name='payments_posting_version_with_balance'),
        ),
    ]
