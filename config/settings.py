"""Settings of the site, all of them out of the environment (`docs/settings.md` lists each).

Importing this module starts nothing and talks to nobody; entry points call `config.embedded.ensure()`
before Django is set up, which sets `DATABASE_URL` and `REDIS_URL` where they are missing.
"""

import contextlib
import hmac
import os
import secrets
from email.utils import parseaddr
from pathlib import Path

import django_stubs_ext
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from audit.client import networks
from config.environment import NamingEnv

django_stubs_ext.monkeypatch()

env = NamingEnv()
BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.str("FAIRGROUND_DATA", default=str(BASE_DIR / ".data")))

# Embedded: at least one of the two servers is our own, so this is a developer's or a demo site.
EMBEDDED = env.bool("FAIRGROUND_EMBEDDED", default="DATABASE_URL" not in os.environ)
DEBUG = env.bool("DEBUG", default=False)


def _kept_secret(variable: str, make: str) -> str:
    """The secret from the environment, or for an embedded site one made once and kept in its data folder."""
    if value := os.environ.get(variable, ""):
        return value
    if not EMBEDDED:
        raise ImproperlyConfigured(f"Set {variable}: a site with its own DATABASE_URL needs its own secrets.")
    path = DATA_DIR / variable.lower()
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        if not path.exists():
            DATA_DIR.mkdir(parents=True, exist_ok=True)
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(make)
            # Linked into place whole: of several processes that start at once, one wins and all read its secret.
            with contextlib.suppress(FileExistsError):
                os.link(fresh, path)
            fresh.unlink()
        return path.read_text().strip()
    except OSError:
        return make  # a tool that only reads the settings (mypy, a build) in a folder it can't write


SECRET_KEY = _kept_secret("SECRET_KEY", secrets.token_urlsafe(50))
# Comma-separated Fernet keys, newest first: the first encrypts, all decrypt.
DRAW_SECRET_KEYS = _kept_secret("DRAW_SECRET_KEYS", Fernet.generate_key().decode()).split(",")
# The same for secrets of authenticator apps and recovery codes.
SECOND_FACTOR_KEYS = _kept_secret("SECOND_FACTOR_KEYS", Fernet.generate_key().decode()).split(",")
# Base addresses of drand relays, asked in turn. With any, new draws take their number from drand by default.
DRAND_RELAYS = env.list("DRAND_RELAYS", default=[])
# Signs links that open something without a sign-in (claim, preferences, live topics).
LINK_KEY = _kept_secret("LINK_KEY", secrets.token_urlsafe(50))

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if EMBEDDED else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SITE_URL = env.str("SITE_URL", default=f"http://127.0.0.1:{env.str('PORT', default='8000')}").rstrip("/")
SITE_NAME = "Fairground"
# Proxies whose X-Forwarded-For is believed.
TRUSTED_PROXIES = networks(env.list("TRUSTED_PROXIES", default=[]))

INSTALLED_APPS = [
    "config.apps.ConfigConfig",
    "draws.apps.DrawsConfig",
    "payments.apps.PaymentsConfig",
    "payments.standin.apps.StandinConfig",
    "notifications.apps.NotificationsConfig",
    "audit.apps.AuditConfig",
    "accounts.apps.AccountsConfig",
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "axes",
    "django_celery_beat",
    "django_celery_results",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "audit.middleware.AuditContextMiddleware",  # first, so that every line logged has the request's id
    "config.operations.middleware.RequestLogMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "config.middleware.ContentSecurityPolicyMiddleware",
    "config.operations.middleware.ProbeMiddleware",
    "config.middleware.HookMiddleware",
    "config.middleware.ApiMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "config.middleware.AdminMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "config.sign_in.SessionMiddleware",
    "accounts.middleware.SecondFactorMiddleware",
    "accounts.middleware.TimeZoneMiddleware",
    "config.form_limits.FormLimitMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["accounts.templatetags.moments"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "notifications.context_processors.inbox",
                "config.context_processors.site",
            ],
        },
    },
]

# Dummy address so that tools which only read the settings (mypy, makemigrations --check) can import them.
DATABASES = {"default": env.db_url("DATABASE_URL", default="postgres://localhost/fairground")}
DATABASES["default"]["ENGINE"] = "django.db.backends.postgresql"
DATABASE_POOL_SIZE = env.int("DATABASE_POOL_SIZE", default=0)
if DATABASE_POOL_SIZE:
    DATABASES["default"]["ENGINE"] = "config.database"  # checks what the pool hands out
    DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {
        "min_size": 1,
        "max_size": DATABASE_POOL_SIZE,
        "timeout": 10,
    }
    DATABASES["default"]["OPTIONS"].setdefault(
        "prepare_threshold", 5
    )  # for payments/prepared.py, nothing else
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"]["CONN_MAX_AGE"] = 60
# A server that does not answer is an error soon, and not a page that hangs.
DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="redis://localhost:6379/0")
CACHES = {
    "default": {
        "BACKEND": "config.cache.ForgivingRedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "fairground",
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    }
}
SESSION_ENGINE = "accounts.sessions"  # in PostgreSQL, with what the list of one's sessions shows

CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 5, "socket_connect_timeout": 2, "max_retries": 1}
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {
    "config.tasks.check_books": {"queue": "bulk"},
    "draws.tasks.check": {"queue": "bulk"},  # reads every entry of every draw: nobody waits for it
    "draws.tasks.import_uploads": {"queue": "bulk"},  # long: no draw waits behind it
    "draws.tasks.forget_uploads": {"queue": "bulk"},
    "draws.tasks.*": {"queue": "critical"},
    "payments.standin.tasks.*": {"queue": "default"},
    "payments.tasks.*": {"queue": "critical"},
    "notifications.tasks.*": {"queue": "bulk"},
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_BACKEND = "django-db"
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "config.beat:WatchedScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first: who is locked out does not get as far as the password
    "allauth.account.auth_backends.AuthenticationBackend",  # is Django's own too, for permissions
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = reverse_lazy("account_login")
LOGIN_REDIRECT_URL = reverse_lazy("dashboard")
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_SIGNUP_FORM_CLASS = "accounts.forms.SignUpForm"
ACCOUNT_FORMS = {
    "signup": "accounts.sign_up.SignUpPageForm",
    "change_password": "accounts.password_forms.ChangeForm",
    "set_password": "accounts.password_forms.SetForm",
    "reset_password_from_key": "accounts.password_forms.ResetForm",
}
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "http" if EMBEDDED else "https"
ACCOUNT_ADAPTER = "config.sign_in.AccountAdapter"
ACCOUNT_CHANGE_EMAIL = True  # one address; a new one counts once it is confirmed
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
# Held in Redis and gone with it; what is held in PostgreSQL, by axes, is narrower and stays.
ACCOUNT_RATE_LIMITS = {"login": "60/m/ip", "login_failed": "60/m/ip,60/h/key", "signup": "20/m/ip"}
MFA_ADAPTER = "accounts.second_factor.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
# Nobody gets in with an address that is not confirmed, so none can have a factor. What is left is somebody with a
# factor who changes the address, and a pending one keeps nobody out (accounts/sign_up.py).
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_FORMS = {
    "authenticate": "accounts.code_forms.CodeForm",
    "reauthenticate": "accounts.code_forms.ReauthenticationCodeForm",
    "activate_totp": "accounts.code_forms.ActivationForm",
    "add_webauthn": "accounts.passkey_forms.AddForm",
    "login_webauthn": "accounts.passkey_forms.SignInForm",
    "authenticate_webauthn": "accounts.passkey_forms.SecondFactorForm",
    "reauthenticate_webauthn": "accounts.passkey_forms.ConfirmationForm",
}
MFA_TOTP_ISSUER = SITE_NAME
MFA_TOTP_TOLERANCE = 1  # a clock may be half a minute off
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = EMBEDDED  # http://localhost

# Staff reach nothing of /admin/ without a second factor; only an embedded site may waive it.
STAFF_SECOND_FACTOR = env.bool("STAFF_SECOND_FACTOR", default=not EMBEDDED)
# What opens the page on which the first Super Admin is made; empty: there is none.
ADMIN_SETUP_TOKEN = env.str("ADMIN_SETUP_TOKEN", default="")
SIGN_IN_FAILURES = env.int("SIGN_IN_FAILURES", default=8)
SIGN_IN_LOCK_MINUTES = env.int("SIGN_IN_LOCK_MINUTES", default=15)
AXES_HANDLER = "axes.handlers.database.AxesDatabaseHandler"
AXES_FAILURE_LIMIT = "accounts.lockouts.failure_limit"
AXES_COOLOFF_TIME = "accounts.lockouts.lock_time"
AXES_LOCKOUT_PARAMETERS = "accounts.lockouts.counted_together"
AXES_USERNAME_CALLABLE = "accounts.lockouts.account_tried"
AXES_LOCKOUT_CALLABLE = "accounts.lockouts.locked_out"
AXES_CLIENT_IP_CALLABLE = "config.sign_in.counted_address"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True  # who signed in when is in the list of sessions
AXES_ENABLE_ADMIN = False  # config/lockout_admin.py
AXES_SENSITIVE_PARAMETERS = [
    "username",
    "ip_address",
    "login",
    "email",
    "code",
    "credential",
    "csrfmiddlewaretoken",
]
AXES_VERBOSE = False

# Acts with money: how old a sign-in may be, and from which amounts on two people are needed (payments/limits.py).
FRESH_SIGN_IN_MINUTES = env.int("FRESH_SIGN_IN_MINUTES", default=15)
ACCOUNT_REAUTHENTICATION_TIMEOUT = FRESH_SIGN_IN_MINUTES * 60
APPROVAL_LIMITS = env.list("APPROVAL_LIMITS", default=[])
APPROVAL_DAYS = env.int("APPROVAL_DAYS", default=7)

# Payments. Without a key an embedded site pays at a stand-in of its own (payments/standin), and another one not at all.
PAYSTACK_SECRET_KEY = env.str("PAYSTACK_SECRET_KEY", default="")
# The key before it: its signatures are still believed, while Paystack's last webhooks of it arrive.
PAYSTACK_OLD_SECRET_KEY = env.str("PAYSTACK_OLD_SECRET_KEY", default="")
PAYSTACK_STANDIN = EMBEDDED and not PAYSTACK_SECRET_KEY
PAYSTACK_BASE_URL = env.str("PAYSTACK_BASE_URL", default="") or (
    f"{SITE_URL}/standin/paystack" if PAYSTACK_STANDIN else "https://api.paystack.co"
)
PAYSTACK_TIMEOUT_S = env.float("PAYSTACK_TIMEOUT_S", default=10.0)
# How long the bodies of finished webhook events are kept: they name payers (payments/services/emptying.py).
PAYMENTS_WEBHOOK_BODY_DAYS = env.int("PAYMENTS_WEBHOOK_BODY_DAYS", default=90)
if PAYSTACK_STANDIN:
    PAYSTACK_SECRET_KEY = (
        f"sk_test_{hmac.digest(SECRET_KEY.encode(), b'stand-in of Paystack', 'sha256').hex()[:40]}"
    )

# Requests a minute; 0 is no limit. Many people share an address, hence the largest.
API_LIMIT_KEY = env.int("API_LIMIT_KEY", default=600)
API_LIMIT_MEMBER = env.int("API_LIMIT_MEMBER", default=600)
API_LIMIT_ADDRESS = env.int("API_LIMIT_ADDRESS", default=3000)
# Origins of other sites whose scripts may read /api/.
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])
# What an outside scheduler shows at /api/cron/; empty: there is no such address.
CRON_SECRET = env.str("CRON_SECRET", default="")

LANGUAGE_CODE = "en"
# Only what there is a catalogue for: a page half in another language, and said to be in it, helps nobody.
LANGUAGES = [("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = "config.formats"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = env.str("STATIC_ROOT", default=str(DATA_DIR / "static"))
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = EMBEDDED
WHITENOISE_AUTOREFRESH = EMBEDDED
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if EMBEDDED
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
MEDIA_ROOT = env.str("MEDIA_ROOT", default=str(DATA_DIR / "media"))
MEDIA_URL = "/media/"
UPLOAD_MAX_BYTES = env.int("UPLOAD_MAX_MB", default=200) * 2**20
FILE_UPLOAD_HANDLERS = ["config.uploads.BoundedUploadHandler"]

# E-mail: EMAIL_URL (smtp://, consolemail://, …); an embedded site without it keeps a developer's mailbox.
if EMAIL_URL := env.str("EMAIL_URL", default=""):
    vars().update(env.email_url("EMAIL_URL"))
elif EMBEDDED:
    EMAIL_BACKEND = "notifications.mailbox.MaildirBackend"
else:
    EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
EMAIL_TIMEOUT = 20
# By which channels this site sends, and the class that speaks to each one's provider.
NOTIFICATION_CHANNELS = {
    "email": "notifications.channels.email.EmailChannel",
    "webhook": "notifications.channels.webhook.WebhookSender",
}
# Webhooks to addresses inside the site's own network, and without TLS: for trying them at home.
WEBHOOKS_INSIDE = env.bool("WEBHOOKS_INSIDE", default=EMBEDDED)

# SMS and WhatsApp by Twilio; an embedded site without it keeps SMS in the developer's mailbox.
TWILIO_ACCOUNT_SID = env.str("TWILIO_ACCOUNT_SID", default="")
TWILIO_AUTH_TOKEN = env.str("TWILIO_AUTH_TOKEN", default="")
TWILIO_FROM = env.str("TWILIO_FROM", default="")
TWILIO_MESSAGING_SERVICE_SID = env.str("TWILIO_MESSAGING_SERVICE_SID", default="")
TWILIO_WHATSAPP_FROM = env.str("TWILIO_WHATSAPP_FROM", default="")
TWILIO_BASE_URL = env.str("TWILIO_BASE_URL", default="https://api.twilio.com")
TWILIO_TIMEOUT_S = env.float("TWILIO_TIMEOUT_S", default=10.0)
if TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN:
    if TWILIO_FROM or TWILIO_MESSAGING_SERVICE_SID:
        NOTIFICATION_CHANNELS["sms"] = "notifications.channels.twilio.SmsSender"
    if TWILIO_WHATSAPP_FROM:
        NOTIFICATION_CHANNELS["whatsapp"] = "notifications.channels.twilio.WhatsAppSender"
elif EMBEDDED and not TWILIO_ACCOUNT_SID:
    NOTIFICATION_CHANNELS["sms"] = "notifications.channels.mailbox_sms.MailboxSender"
# Messages a second by each channel, all workers together (notifications/limits.py); 0: no limit.
NOTIFICATION_RATES = {
    "email": env.float("EMAIL_RATE", default=0.0),
    "sms": env.float("SMS_RATE", default=10.0),
    "whatsapp": env.float("WHATSAPP_RATE", default=10.0),
}
# Mailgun, where key and domain are set: outbox in batches, and the mails of sign-in through anymail.
MAILGUN_API_KEY = env.str("MAILGUN_API_KEY", default="")
MAILGUN_SENDER_DOMAIN = env.str("MAILGUN_SENDER_DOMAIN", default="")
MAILGUN_API_URL = env.str("MAILGUN_API_URL", default="https://api.mailgun.net/v3")
MAILGUN_WEBHOOK_SIGNING_KEY = env.str("MAILGUN_WEBHOOK_SIGNING_KEY", default="")
if MAILGUN_API_KEY and MAILGUN_SENDER_DOMAIN:
    EMAIL_BACKEND = "anymail.backends.mailgun.EmailBackend"
    NOTIFICATION_CHANNELS["email"] = "notifications.channels.mailgun.MailgunChannel"
    ANYMAIL = {
        "MAILGUN_API_KEY": MAILGUN_API_KEY,
        "MAILGUN_SENDER_DOMAIN": MAILGUN_SENDER_DOMAIN,
        "MAILGUN_API_URL": MAILGUN_API_URL,
        "REQUESTS_TIMEOUT": (5, EMAIL_TIMEOUT),
    }
# Whether openings of mails and clicks in them are counted (docs/notifications.md).
TRACK_MAILS = env.bool("TRACK_MAILS", default=True)
MAILBOX_DIR = DATA_DIR / "mailbox"
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Fairground <hello@fairground.example>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
# Push messages to browsers: the key by which push services know the site. Without it there are none.
VAPID_PRIVATE_KEY = (
    _kept_secret("VAPID_PRIVATE_KEY", secrets.token_urlsafe(32))
    if EMBEDDED
    else env.str("VAPID_PRIVATE_KEY", default="")
)
VAPID_SUBJECT = env.str("VAPID_SUBJECT", default=f"mailto:{parseaddr(DEFAULT_FROM_EMAIL)[1]}")
if VAPID_PRIVATE_KEY:
    NOTIFICATION_CHANNELS["push"] = "notifications.channels.push.PushSender"
# Not of the environment: a member's browser names where it is written to, so only tests let that be inside.
PUSH_INSIDE = False

if not EMBEDDED:
    # Probes and scrapers ask the process itself, inside the network.
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
    SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    if env.bool("BEHIND_TLS_PROXY", default=True):
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_HTTPONLY = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

from config.admin_theme import UNFOLD  # noqa: E402
from config.logging import LOGGING  # noqa: E402
from config.operations_settings import *  # noqa: E402, F403
from config.rest_settings import REST_FRAMEWORK, SPECTACULAR_SETTINGS  # noqa: E402

__all__ = ["LOGGING", "REST_FRAMEWORK", "SPECTACULAR_SETTINGS", "UNFOLD"]
