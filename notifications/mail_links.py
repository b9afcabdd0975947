"""The two links at the foot of every mail: one to stop such mails, one to the reader's preferences.

Their tokens name the delivery the mail is; whose it is and what it is about stands there, so that no row is written for a link.
The version is the reader's own (`Correspondent.link_version`): raised, every link sent before is dead.
"""

from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.urls import get_script_prefix, get_urlconf, reverse

from accounts.models import normalise_email
from notifications.handles import delivery_id_of
from notifications.kinds import Category, Channel, Kind
from notifications.links import TOKEN_LENGTH, is_genuine, make_token, row_of
from notifications.models import Correspondent, Delivery

UNSUBSCRIBE = "notifications.unsubscribe"
PREFERENCES = "notifications.preferences"
FIRST_VERSION = 1


@dataclass(frozen=True)
class MailLinks:
    """Addresses at the foot of a mail; `unsubscribe_url` is empty where nobody can unsubscribe."""

    preferences_url: str
    unsubscribe_url: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """What mail programs make their own button of: RFC 8058."""
        if not self.unsubscribe_url:
            return {}
        return {
            "List-Unsubscribe": f"<{self.unsubscribe_url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }


def links_of(delivery: Delivery, kind: Kind, *, version: int = FIRST_VERSION) -> MailLinks:
    """The links of a mail, made from keys alone; `version` is that of its reader."""
    preferences = _url("notifications:preferences_by_link", PREFERENCES, delivery, version)
    if kind.category == Category.TRANSACTIONAL:
        return MailLinks(preferences)
    return MailLinks(preferences, _url("notifications:unsubscribe", UNSUBSCRIBE, delivery, version))


def delivery_of(token: str, *, purpose: str) -> Delivery | None:
    """The delivery whose mail holds this link; None for a forged or revoked one, and once its reader is erased.

    The link to preferences opens them only as long as the mail's address is still its reader's.
    """
    handle = row_of(token)
    key = delivery_id_of(handle) if handle is not None else None
    if handle is None or key is None:
        return None
    found = Delivery.objects.select_related("message", "member").filter(pk=key).first()
    if found is None or not found.address or found.channel == Channel.IN_APP:
        return None
    version = link_version_of(found.recipient_key)
    if not is_genuine(token, purpose=purpose, row=handle, version=version):
        return None
    if purpose == PREFERENCES and found.member is not None:
        reader = found.member
        if not reader.is_active or reader.email != normalise_email(found.address):
            return None
    return found


def link_version_of(person_key: str) -> int:
    """How often this person's links were revoked, and one."""
    kept = Correspondent.objects.filter(person_key=person_key).values_list("link_version", flat=True).first()
    return kept or FIRST_VERSION


def _url(name: str, purpose: str, delivery: Delivery, version: int) -> str:
    token = make_token(purpose=purpose, row=delivery.handle, version=version)
    before, after = _path_around_token(name, get_urlconf(), get_script_prefix())
    return f"{settings.SITE_URL}{before}{token}{after}"


@lru_cache(maxsize=64)
def _path_around_token(name: str, urlconf: str | None, prefix: str) -> tuple[str, str]:
    """Looking an address up costs more than all else that a link takes; the last two arguments are what it depends on."""
    some = "0" * TOKEN_LENGTH
    before, _token, after = reverse(name, args=[some]).partition(some)
    return before, after
