"""Who a message goes to: the shape of a recipients query, and people named one by one.

A kind's `recipients(message)` returns a queryset whose `values()` are exactly `COLUMNS`, and perhaps `phone`. It is never
iterated in Python: expansion wraps its SQL into an `INSERT … SELECT`, page by page along `cursor`.

    cursor         bigint above 0, ascending; where a killed expansion goes on. A primary key serves.
    recipient_key  who this is, once a message: `member:42`, or `email:…` for a person without an account
    member_id      their account, or NULL
    address        e-mail address, or '' where there is none
    name           how to address them, may be ''
    language       code such as 'en'
    time_zone      IANA name such as 'Africa/Nairobi'
    params         jsonb object with what differs from person to person: the kind's `params`
    phone          may be left out: their number in E.164, shown to be theirs, or ''

A column whose name is taken by a field of the model may carry the prefix `to_` (`to_name`). `members()` and
`people()` make such queries.

A row that appears below the cursor while the message is being expanded is not seen any more: base the
query on a set that is final when the message becomes due.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Case, F, JSONField, Q, QuerySet, TextField, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Concat, JSONObject, Lower

from accounts.models import User, normalise_email

COLUMNS = ("cursor", "recipient_key", "member_id", "address", "name", "language", "time_zone", "params")
OPTIONAL = ("phone",)
PREFIX = "to_"


def members(
    people: QuerySet[User], *, params: Mapping[str, Any] | None = None
) -> "QuerySet[User, dict[str, Any]]":
    """The people of a query over accounts, as a recipients query; `params` are names and expressions."""
    return _in_shape(
        people,
        recipient_key=_member_key("pk"),
        member_id=F("pk"),
        address=F("email"),
        name=F("display_name"),
        language=F("language"),
        time_zone=F("time_zone"),
        phone=_proven_number(),
        params=params,
    )


def people(
    rows: QuerySet[Any],
    *,
    account: str,
    address: str | None = None,
    name: str | None = None,
    params: Mapping[str, Any] | None = None,
) -> "QuerySet[Any, dict[str, Any]]":
    """The people whom `rows` point to, one a row, as a recipients query in the order of their primary keys.

    `account` is their foreign key to the account. Where it may be empty, `address` (and `name`) are the fields
    that tell who is meant then; a row with neither account nor address is nobody and left out.

        people(draw.entries.all(), account="member", address="email", params={"entry": F("pid")})
    """
    known = Q(**{f"{account}__isnull": False})
    rows = rows.filter(known if address is None else known | (Q(**{f"{address}__gt": ""})))
    outside = Value("") if address is None else Lower(address)

    def either(field_name: str, otherwise: Combinable) -> Case:
        return Case(
            When(known, then=F(f"{account}__{field_name}")), default=otherwise, output_field=TextField()
        )

    return _in_shape(
        rows,
        recipient_key=Case(
            When(known, then=_member_key(f"{account}_id")),
            default=Concat(Value("email:"), outside, output_field=TextField()),
        ),
        member_id=F(f"{account}_id"),
        address=either("email", outside),
        name=either("display_name", F(name) if name else Value("")),
        language=either("language", Value("en")),
        time_zone=either("time_zone", Value("UTC")),
        phone=_proven_number(f"{account}__"),
        params=params,
    )


def _proven_number(path: str = "") -> Case:
    """A member's number once they have shown that it is theirs; what somebody only typed may be anybody's."""
    return Case(
        When(Q(**{f"{path}phone": F(f"{path}verified_phone")}), then=F(f"{path}phone")),
        default=Value(""),
        output_field=TextField(),
    )


def _member_key(primary_key: str) -> Concat:
    return Concat(Value("member:"), Cast(primary_key, TextField()), output_field=TextField())


def _in_shape(
    rows: QuerySet[Any], *, params: Mapping[str, Any] | None, **columns: Combinable
) -> "QuerySet[Any, dict[str, Any]]":
    given = {name: F(value) if isinstance(value, str) else value for name, value in (params or {}).items()}
    made = JSONObject(**given) if given else Value({}, output_field=JSONField())
    shape: dict[str, Any] = {"cursor": F("pk"), **columns, "params": made}
    return rows.order_by().values(**{PREFIX + column: expression for column, expression in shape.items()})


@dataclass(frozen=True)
class Recipient:
    """One person named by the caller; without `member_id` they have no account and need an `address`."""

    member_id: int | None = None
    address: str = ""
    phone: str = ""
    name: str = ""
    language: str = "en"
    time_zone: str = "UTC"
    params: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.member_id is None and not self.address and not self.phone:
            raise ValueError("A recipient needs an account or an address.")

    @classmethod
    def of(cls, user: User, *, params: Mapping[str, Any] | None = None) -> "Recipient":
        """The person behind an account."""
        return cls(
            member_id=user.pk,
            address=user.email,
            phone=user.proven_phone,
            name=user.display_name,
            language=user.language,
            time_zone=user.time_zone,
            params=params or {},
        )

    @property
    def key(self) -> str:
        """Who this is, once a message."""
        if self.member_id:
            return f"member:{self.member_id}"
        return f"email:{normalise_email(self.address)}" if self.address else f"phone:{self.phone}"
