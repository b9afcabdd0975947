import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('notifications', '0004_carry_consent_over'),
    ]

    operations = [
        migrations.CreateModel(
            name='DeliveryEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.CharField(max_length=16, verbose_name='told by')),
                ('event_id', models.TextField(verbose_name='its id there')),
                ('what', models.CharField(choices=[('accepted', 'accepted by the provider'), ('deferred', 'put off by the receiving side'), ('delivered', 'delivered'), ('failed', 'given up by the provider'), ('bounced', 'the address does not exist'), ('complained', 'reported as spam'), ('unsubscribed', 'unsubscribed at the provider'), ('opened', 'opened'), ('clicked', 'clicked')], max_length=16, verbose_name='what')),
                ('at', models.DateTimeField(verbose_name='time')),
                ('received_at', models.DateTimeField(verbose_name='heard of')),
                ('by_machine', models.BooleanField(null=True, verbose_name='by a machine')),
                ('code', models.CharField(blank=True, max_length=32, verbose_name='code')),
                ('text', models.TextField(blank=True, verbose_name='text')),
                ('target', models.TextField(blank=True, help_text='Of a click: which address it led to.', verbose_name='target')),
            ],
            options={
                'verbose_name': 'event of a delivery',
                'verbose_name_plural': 'events of deliveries',
                'default_permissions': ('view',),
            },
        ),
        migrations.AddField(
            model_name='deliveryevent',
            name='delivery',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='notifications.delivery', verbose_name='delivery'),
        ),
        migrations.AddConstraint(
            model_name='deliveryevent',
            constraint=models.UniqueConstraint(fields=('provider', 'event_id'), name='notifications_event_once'),
        ),
        migrations.AddConstraint(
            model_name='deliveryevent',
            constraint=models.CheckConstraint(condition=models.Q(('target', ''), ('what', 'clicked'), _connector='OR'), name='notifications_event_target_of_click'),
        ),
    ]
