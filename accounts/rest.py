"""What the REST edge of every app stands on: who asks (a key, or a session), whether they may, how often, and that
nobody sends what nobody reads.
"""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions, serializers, status
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.api_keys import KEY_START, ApiKeyRefusedError, key_behind
from accounts.fresh_sign_in import is_fresh
from accounts.models import ApiKey, User

if TYPE_CHECKING:  # which imports this module, as the settings tell it to
    from rest_framework.views import APIView

WINDOW_S = 60
_REFUSALS = {
    "key_invalid": _("This is no key of this site."),
    "key_revoked": _("This key was revoked."),
    "key_expired": _("This key has expired."),
}


def bearer_token(request: Request) -> str | None:
    """What stands behind `Authorization: Bearer`; None when nothing of that kind was sent."""
    scheme, _space, token = get_authorization_header(request).partition(b" ")
    return token.strip().decode("latin-1") if scheme.lower() == b"bearer" else None


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer fg_…`: the owner of the key asks, as far as its scopes go (`request.auth` is the key)."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        token = bearer_token(request)
        if token is None:
            return None
        try:
            key = key_behind(token if token.startswith(KEY_START) else "", now=timezone.now())
        except ApiKeyRefusedError as refused:
            raise exceptions.AuthenticationFailed(_REFUSALS[refused.code], code=refused.code) from None
        return key.owner, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class ScopeMissingError(exceptions.APIException):
    """The owner may, but this key of theirs may not. Told as 404, as everything is that one has no right to."""

    status_code = status.HTTP_404_NOT_FOUND
    default_code = "scope_missing"


class SecondFactorMissingError(exceptions.APIException):
    """The session of staff was signed in without the second factor they need: for it there is nothing of staff's here."""

    status_code = status.HTTP_404_NOT_FOUND
    default_code = "second_factor_missing"


class StaleSignInError(exceptions.APIException):
    """A session that moves money has to be of a person who signed in a moment ago, as on the pages of the admin."""

    status_code = status.HTTP_403_FORBIDDEN
    default_code = "sign_in_again"


def needs(
    *, read: str = "", write: str = "", permission: str = "", moves_money: bool = False
) -> type[BasePermission]:
    """A permission class: somebody is signed in, and is staff with `permission` where one is named.

    Who comes with a key needs the scope `read` for methods that change nothing and `write` for the others; who
    comes with a session to move money, a fresh sign-in. Signed out is answered 401; without the right there is nothing
    here: 404.
    """

    class Needs(BasePermission):
        """See `needs`."""

        scopes = {"read": read, "write": write}
        right = permission

        def has_permission(self, request: Request, view: "APIView") -> bool:
            user = request.user
            if not isinstance(user, User):
                raise exceptions.NotAuthenticated
            if permission and user.lacks_second_factor:
                raise SecondFactorMissingError(
                    _("Show your second factor first: open the administration once.")
                )
            if permission and not (user.is_staff and user.has_perm(permission)):
                raise exceptions.NotFound
            scope = read if request.method in SAFE_METHODS else write
            if isinstance(request.auth, ApiKey):
                if scope not in request.auth.scopes:
                    raise ScopeMissingError(_("This key lacks the scope %(scope)s.") % {"scope": scope})
            elif moves_money and not is_fresh(request._request, now=timezone.now()):
                raise StaleSignInError(_("Sign in again, or confirm that it is you: this moves money."))
            return True

    return Needs


def seconds_over(bucket: str, who: object, limit: int) -> int:
    """Count one request of `who`; returns the seconds to wait when it is more than `limit` in this minute, else 0.

    Counted in Redis. When it is gone, nobody is held up. A limit of 0 is none.
    """
    if not limit:
        return 0
    now = time.time()
    window, gone = divmod(int(now), WINDOW_S)
    name = f"limit:{bucket}:{who}:{window}"
    try:
        count = cache.incr(name)
    except ValueError:  # the first of this minute
        if cache.add(name, 1, 2 * WINDOW_S):
            return 0
        try:
            count = cache.incr(name)
        except ValueError:  # Redis was emptied this moment
            return 0
    return WINDOW_S - gone if count > limit else 0


class PersonThrottle(BaseThrottle):
    """So many requests a minute for one key, and for one member whatever they come with. Addresses are counted by
    `config.middleware`, before anybody is known."""

    def __init__(self) -> None:
        self._wait = 0

    def allow_request(self, request: Request, view: "APIView") -> bool:
        if isinstance(request.auth, ApiKey):
            self._wait = seconds_over("key", request.auth.pk, settings.API_LIMIT_KEY)
        if not self._wait and isinstance(request.user, User):
            self._wait = seconds_over("member", request.user.pk, settings.API_LIMIT_MEMBER)
        return not self._wait

    def wait(self) -> float:
        return self._wait


class StrictSerializer(serializers.Serializer[Any]):
    """Input of which every field is known: a misspelt one is refused rather than silently dropped."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and (unknown := [name for name in data if name not in self.fields]):
            # Half a surrogate pair is valid JSON, and can't be said back in UTF-8.
            names = [str(name)[:60].encode(errors="replace").decode() for name in unknown[:20]]
            shown = {name: _("There is no such field.") for name in names}
            raise serializers.ValidationError(shown, code="unknown_field")
        return super().to_internal_value(data)
