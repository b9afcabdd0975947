"""Who holds a permission: the question `has_perm` asks of one person, asked of all."""

from django.db.models import Q, QuerySet

from accounts.models import User


def holders_of(*permissions: str) -> QuerySet[User]:
    """Active staff who hold every one of these permissions (`app.codename`), by role or of their own."""
    holders = User.objects.filter(is_active=True, is_staff=True)
    for permission in permissions:
        app, _dot, codename = permission.partition(".")
        by_role = Q(groups__permissions__codename=codename, groups__permissions__content_type__app_label=app)
        own = Q(user_permissions__codename=codename, user_permissions__content_type__app_label=app)
        holding = User.objects.filter(Q(is_superuser=True) | by_role | own)
        holders = holders.filter(pk__in=holding.values("pk"))
    return holders
