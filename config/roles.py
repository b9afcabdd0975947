"""What each role of the site may do: kept in step with this table after every migrate.

It runs after the last app is migrated, because permissions exist only then (a data migration that asks
for one fails on a fresh database).
"""

from typing import Any

from django.apps import AppConfig
from django.apps import apps as registry
from django.contrib.auth.management import create_permissions

from accounts.roles import FINANCE, HOST, MANAGER_ADMIN, OPERATOR, SUPER_ADMIN, SUPPORT_LEAD

_VIEW_ALL = (
    "accounts.view_user",
    "audit.view_record",
    "audit.view_seal",
    "draws.view_draw",
    "draws.view_prize",
    "draws.view_entry",
    "draws.view_winner",
    "draws.view_award",
    "draws.view_voucher",
    "draws.view_prizeaddress",
    "draws.view_drawreport",
    "draws.view_entryimport",
    "draws.view_entryupload",
    "draws.view_importrejection",
    "notifications.view_message",
    "notifications.view_delivery",
    "notifications.view_endpoint",
    "notifications.view_preference",
    "notifications.view_stop",
    "notifications.view_suppression",
    "notifications.view_consentevent",
    "notifications.view_templateoverride",
    "notifications.view_segment",
    "notifications.view_broadcast",
    "notifications.view_sequence",
    "payments.view_approval",
)
_DRAWS = (
    "draws.add_draw",
    "draws.change_draw",
    "draws.add_prize",
    "draws.change_prize",
    "draws.delete_prize",
    "draws.publish_draw",
    "draws.freeze_draw",
    "draws.cancel_draw",
    "draws.amend_draw",
    "draws.announce_text",
    "draws.check_draw",
    "draws.import_entries",
    "draws.fund_draw",
    "draws.fill_vacancies",
    "draws.replace_winner",
    "draws.expire_awards",
    "draws.hand_over_award",
    "draws.redeem_voucher",
)
# When jobs run, and what became of long ones. Which jobs there are stands in `config/schedule.py`.
_SCHEDULE = (
    "django_celery_beat.view_periodictask",
    "django_celery_beat.change_periodictask",
    "django_celery_beat.view_intervalschedule",
    "django_celery_beat.add_intervalschedule",
    "django_celery_results.view_taskresult",
)
# Whether the site itself is well.
_WATCH = ("config.view_alarm", "config.view_alarmnotice")
_MONEY = (
    "payments.view_account",
    "payments.view_ledgerentry",
    "payments.view_posting",
    "payments.view_payment",
    "payments.view_refund",
    "payments.view_withdrawal",
    "payments.view_dispute",
    "payments.view_webhookevent",
    "payments.view_reviewitem",
    "payments.view_package",
    "payments.add_package",
    "payments.change_package",
    "payments.manage_payments",
    "payments.approve_money",
)

ROLES: dict[str, tuple[str, ...]] = {
    SUPER_ADMIN: (
        *_VIEW_ALL,
        *_DRAWS,
        *_MONEY,
        *_SCHEDULE,
        *_WATCH,
        "auth.view_group",
        "accounts.view_apikey",
        "accounts.revoke_apikey",
        "accounts.view_erasure",
        "accounts.erase_person",
        "draws.execute_draw",
        "draws.call_off_draw",
        "notifications.manage_endpoints",
        "notifications.process_notifications",
        "notifications.suppress_address",
        "notifications.write_words",
        "notifications.broadcast",
        "accounts.add_user",
        "accounts.change_user",
        "accounts.view_failedsignin",
        "accounts.unlock_sign_in",
        "accounts.reset_second_factor",
    ),
    MANAGER_ADMIN: (
        *_VIEW_ALL,
        *_DRAWS,
        *_WATCH,
        "notifications.manage_endpoints",
        "notifications.process_notifications",
        "notifications.suppress_address",
        "notifications.write_words",
        "notifications.broadcast",
    ),
    FINANCE: (
        "accounts.view_user",
        "audit.view_record",
        "audit.view_seal",
        "draws.view_draw",
        "draws.view_award",
        "draws.fund_draw",
        # To agree to it: asking takes `draws.cancel_draw` as well.
        "draws.call_off_draw",
        "payments.view_approval",
        *_MONEY,
    ),
    SUPPORT_LEAD: (
        "accounts.view_user",
        "accounts.view_failedsignin",
        "accounts.unlock_sign_in",
        "notifications.view_message",
        "notifications.view_delivery",
        "notifications.view_preference",
        "notifications.view_stop",
        "notifications.view_suppression",
        "notifications.view_consentevent",
        "notifications.view_templateoverride",
        "notifications.suppress_address",
    ),
    OPERATOR: (),
    HOST: (),
}


def sync_roles() -> None:
    """Make each role's group hold exactly the permissions of the table.

    Raises `LookupError` naming permissions that no app declares.
    """
    for app_config in registry.get_app_configs():
        create_permissions(app_config, verbosity=0)
    permissions = registry.get_model("auth", "Permission")
    groups = registry.get_model("auth", "Group")
    known = {
        f"{app}.{codename}": pk
        for pk, app, codename in permissions.objects.values_list("pk", "content_type__app_label", "codename")
    }
    for role, names in ROLES.items():
        missing = [name for name in names if name not in known]
        if missing:
            raise LookupError(f"Role {role!r} names permissions that no app declares: {', '.join(missing)}")
        group, _created = groups.objects.get_or_create(name=role)
        group.permissions.set([known[name] for name in names])


def sync_after_migrate(sender: AppConfig, **kwargs: Any) -> None:
    """Receiver of `post_migrate`. Waits until there are tables of groups and permissions to keep in step."""
    migrated = kwargs.get("apps", registry)
    try:
        migrated.get_model("auth", "Group")
    except LookupError:
        return
    sync_roles()
