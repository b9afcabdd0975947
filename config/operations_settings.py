"""Settings of operations: alarms, metrics, signs of life, limits of public forms, quiet hours. `config.settings` takes them in."""

from config.environment import NamingEnv

env = NamingEnv()

# How often a web process looks whether something is wrong; 0: not at all.
WATCH_SECONDS = env.int("WATCH_SECONDS", default=30)
# After how long a silence beat, and the workers of a queue, count as dead.
BEAT_LATE_SECONDS = env.int("BEAT_LATE_SECONDS", default=120)
WORKER_LATE_SECONDS = env.int("WORKER_LATE_SECONDS", default=300)
# Not of the environment: django-celery-beat writes its last runs down every three minutes; who watches beat can't wait for that.
BEAT_SYNC_S = 5
# Where alarms go. Without addresses: to every Super Admin.
ALERT_WEBHOOK = env.str("ALERT_WEBHOOK", default="")
ALERT_WEBHOOK_SECRET = env.str("ALERT_WEBHOOK_SECRET", default="")
ALERT_EMAILS = env.list("ALERT_EMAILS", default=[])
# What a scraper shows at /metrics; empty: there is no such address.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
# Forms sent in a minute; 0 is no limit: by a member, from an address, from an address by people who are not signed in.
FORM_LIMIT_MEMBER = env.int("FORM_LIMIT_MEMBER", default=30)
FORM_LIMIT_ADDRESS = env.int("FORM_LIMIT_ADDRESS", default=600)
FORM_LIMIT_STRANGER = env.int("FORM_LIMIT_STRANGER", default=60)
# When promotions wait, by the clock of whoever gets them; empty: never.
PROMOTION_QUIET_HOURS = env.str("PROMOTION_QUIET_HOURS", default="21:00-08:00")
