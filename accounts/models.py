"""Who people are. An account is an e-mail address that signs in; there is no user name."""

import datetime as dt
import unicodedata
import uuid
import zoneinfo
from typing import Any, ClassVar

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.contrib.sessions.base_session import AbstractBaseSession
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _
from phonenumber_field.validators import validate_international_phonenumber

from accounts.devices import device_name


def normalise_email(email: str) -> str:
    """The form in which an address is stored and compared: trimmed, NFC, lower-case; nothing folded."""
    return unicodedata.normalize("NFC", email.strip()).lower()


def validate_time_zone(name: str) -> None:
    """Refuse a name that the IANA database does not know."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValidationError(_("Choose a time zone such as Africa/Nairobi."), code="time_zone") from None


class UserManager(BaseUserManager["User"]):
    """Makes users; addresses are normalised on the way in."""

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        return normalise_email(email or "")

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=normalise_email(username or ""))

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Make a user who may sign in with `password` (None: only after a reset)."""
        if not normalise_email(email):
            raise ValueError("A user needs an e-mail address.")
        user = self.model(email=normalise_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Make a user with every right."""
        return self.create_user(email, password, **{**fields, "is_staff": True, "is_superuser": True})


class User(AbstractBaseUser, PermissionsMixin):
    """A person with an account. Never deleted, only erased: money and audit rows point here."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    email = models.EmailField(_("e-mail"), unique=True)
    display_name = models.CharField(_("name"), max_length=80, blank=True)
    time_zone = models.CharField(
        _("time zone"), max_length=64, default="Africa/Nairobi", validators=[validate_time_zone]
    )
    language = models.CharField(_("language"), max_length=8, default="en")
    phone = models.CharField(
        _("phone"),
        max_length=20,
        blank=True,
        validators=[validate_international_phonenumber],
        help_text=_("With the code of the country, as in +254 711 000 001."),
    )
    verified_phone = models.CharField(
        _("number shown to be theirs"),
        max_length=20,
        blank=True,
        db_default="",
        default="",
        editable=False,
        help_text=_("Counts as long as it is the phone above."),
    )
    country = models.CharField(_("country"), max_length=2, blank=True, help_text=_("ISO 3166, two letters"))
    birth_date = models.DateField(_("birth date"), null=True, blank=True)
    shows_name = models.BooleanField(
        _("show my name among winners"),
        default=False,
        help_text=_("As “Asha K.”; otherwise only your public id is shown."),
    )
    accepts_promotions = models.BooleanField(_("tell me about coming draws"), default=False)
    is_staff = models.BooleanField(_("staff"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    date_joined = models.DateTimeField(_("joined"), default=timezone.now, editable=False)

    lacks_second_factor = False
    """Of the session that asks, never stored: staff without the second factor they need hold no rights
    (`accounts.middleware`)."""

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [
            models.UniqueConstraint(Lower("email"), name="accounts_user_email_ci"),
            models.CheckConstraint(condition=~models.Q(email=""), name="accounts_user_has_email"),
            models.UniqueConstraint(
                fields=["verified_phone"],
                condition=~models.Q(verified_phone=""),
                name="accounts_user_number_of_one",
            ),
        ]
        permissions = [
            ("reset_second_factor", "Can remove the second factor of a person who lost it"),
        ]

    def __str__(self) -> str:
        return self.display_name or self.email

    def clean(self) -> None:
        self.email = normalise_email(self.email)

    @property
    def proven_phone(self) -> str:
        """Their number, "" as long as it is not shown to be theirs."""
        return self.phone if self.phone == self.verified_phone else ""

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """As Django says it; staff who did not show the second factor they need hold no permission."""
        return not self.lacks_second_factor and super().has_perm(perm, obj)

    def has_module_perms(self, app_label: str) -> bool:
        return not self.lacks_second_factor and super().has_module_perms(app_label)

    @property
    def short_name(self) -> str:
        """First name and initial, as shown to others by consent: `Asha K.`"""
        first, _space, last = self.display_name.strip().partition(" ")
        return f"{first} {last.strip()[0]}." if last.strip() else first

    def get_full_name(self) -> str:
        """What the admin calls the person beside the address."""
        return self.display_name

    def get_short_name(self) -> str:
        return self.display_name.split(" ")[0] or self.email.partition("@")[0]

    def has_role(self, *names: str) -> bool:
        """Whether the person holds one of these roles (a superuser holds each)."""
        if self.lacks_second_factor:
            return False
        return self.is_superuser or self.groups.filter(name__in=names).exists()


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """Sets of API keys."""

    def live(self, now: dt.datetime) -> "ApiKeyQuerySet":
        """Keys that open something at `now`."""
        return self.filter(models.Q(expires_at=None) | models.Q(expires_at__gt=now), revoked_at=None)


class ApiKey(models.Model):
    """A key with which a program acts for its owner. `accounts/api_keys.py` says what it looks like."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(
        User, verbose_name=_("owner"), on_delete=models.PROTECT, related_name="api_keys"
    )
    name = models.CharField(_("name"), max_length=60)
    prefix = models.CharField(_("begins with"), max_length=12, unique=True)
    secret_sha256 = models.CharField(max_length=64)
    scopes = ArrayField(models.CharField(max_length=40), verbose_name=_("scopes"))
    created_at = models.DateTimeField(_("created"))
    expires_at = models.DateTimeField(_("expires"), null=True)
    last_used_at = models.DateTimeField(_("last used"), null=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True)

    objects: ClassVar[ApiKeyQuerySet] = ApiKeyQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ("-pk",)
        permissions = [("revoke_apikey", "Can revoke anybody's API key")]
        constraints = [
            # A form sent twice makes one key.
            models.UniqueConstraint(
                "owner", Lower("name"), name="accounts_apikey_name_once", condition=models.Q(revoked_at=None)
            ),
            models.CheckConstraint(
                condition=models.Q(expires_at=None) | models.Q(expires_at__gt=models.F("created_at")),
                name="accounts_apikey_expires_later",
            ),
        ]

    def __str__(self) -> str:
        return f"fg_{self.prefix}…"

    def is_expired(self, now: dt.datetime) -> bool:
        """Its time is over at `now`."""
        return self.expires_at is not None and self.expires_at <= now


class ErasureQuerySet(models.QuerySet["Erasure"]):
    """Sets of erasures."""

    def waiting(self) -> "ErasureQuerySet":
        """Asked for, and neither done nor called off."""
        return self.filter(done_at=None, cancelled_at=None)

    def due(self, now: dt.datetime) -> "ErasureQuerySet":
        """Those whose waiting time is over."""
        return self.waiting().filter(due_at__lte=now)


class Erasure(models.Model):
    """Somebody asked for everything about them to be erased: by their account, or by an address without one.

    Done, it no longer says whose it was but by the account's public id. `version` is that of the secret link with
    which it can be called off.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    member = models.ForeignKey(
        User, verbose_name=_("person"), on_delete=models.PROTECT, null=True, related_name="erasures"
    )
    identity = models.CharField(_("e-mail or phone"), max_length=254, null=True)
    by = models.ForeignKey(
        User,
        verbose_name=_("asked by staff"),
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text=_("Empty: by the person, on their page."),
    )
    gives_up_wallet = models.BooleanField(_("gives up what is in the wallet"), default=False)
    was_active = models.BooleanField(
        default=True, help_text=_("Whether calling it off opens the account again.")
    )
    requested_at = models.DateTimeField(_("asked"))
    due_at = models.DateTimeField(_("erased from"))
    version = models.PositiveIntegerField(default=1)
    problem = models.TextField(_("why it waits"), blank=True)
    cancelled_at = models.DateTimeField(_("called off"), null=True)
    done_at = models.DateTimeField(_("erased"), null=True)

    objects: ClassVar[ErasureQuerySet] = ErasureQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")
        ordering = ("-pk",)
        permissions = [("erase_person", "Can have a person's data erased")]
        constraints = [
            models.UniqueConstraint(
                fields=["member"],
                name="accounts_erasure_member_once",
                condition=models.Q(done_at=None, cancelled_at=None),
            ),
            models.UniqueConstraint(
                fields=["identity"],
                name="accounts_erasure_identity_once",
                condition=models.Q(done_at=None, cancelled_at=None),
            ),
            models.CheckConstraint(
                condition=models.Q(done_at=None) | models.Q(identity=None, cancelled_at=None),
                name="accounts_erasure_done_names_nobody",
            ),
        ]

    def __str__(self) -> str:
        return str(self.public_id)


class SignedInSession(AbstractBaseSession):
    """A session of a browser, in Django's format (`accounts/sessions.py`), with what its owner is shown of it."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="sessions")
    address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        default_permissions = ()

    @classmethod
    def get_session_store_class(cls) -> Any:
        """Django's way back from the row to what reads it."""
        return import_string(f"{settings.SESSION_ENGINE}.SessionStore")

    @property
    def device(self) -> str:
        """The browser in words, such as “Firefox on Windows”."""
        return device_name(self.user_agent)


class FailedSignIn(AccessAttempt):  # type: ignore[misc]
    """django-axes' row, under the name staff know it by: wrong passwords or codes for one account from one address
    and browser (`accounts/lockouts.py`). It goes when it counts no more."""

    class Meta:
        proxy = True
        verbose_name = _("failed sign-in")
        verbose_name_plural = _("failed sign-ins")
        default_permissions = ("view",)
        permissions = [
            ("unlock_sign_in", "Can let in again who was locked out for wrong passwords or codes"),
        ]
