"""Names of the roles, for every floor; what each may do stands in `config/roles.py`, which knows all apps."""

SUPER_ADMIN = "Super Admin"
MANAGER_ADMIN = "Manager Admin"
FINANCE = "Finance"
SUPPORT_LEAD = "Support lead"
OPERATOR = "Operator"
HOST = "Host"
