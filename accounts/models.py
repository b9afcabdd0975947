"""Who people are. An account is an e-mail address that signs in; there is no user name."""

import datetime as dt
import unicodedata
import uuid
import zoneinfo
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


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
    phone = models.CharField(_("phone"), max_length=20, blank=True)
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
        ]

    def __str__(self) -> str:
        return self.display_name or self.email

    def clean(self) -> None:
        self.email = normalise_email(self.email)

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
