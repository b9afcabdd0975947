"""From a message to its deliveries: one `INSERT … SELECT` a page of recipients, resumable after any kill."""

import datetime as dt
import json
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet

from notifications import backoff, kinds, variables
from notifications.channels.registry import sending_channels
from notifications.kinds import BY_PHONE, Category, Channel, Kind, Reach
from notifications.models import Delivery, Message
from notifications.privacy import keep_erasures_out
from notifications.recipients import COLUMNS, OPTIONAL, PREFIX, Recipient
from notifications.topics import SINGLE_LIMIT, tell_everybody, tell_members

log = structlog.get_logger(__name__)

CHUNK = 20_000
EXPIRED = "It was of no use any more when its turn came."

# `source` yields recipients with COLUMNS. One row of a page becomes a delivery for each channel that reaches
# it. FETCH … WITH TIES never splits rows of one cursor over two pages.
_INSERT = """
WITH page AS MATERIALIZED (
    SELECT * FROM {source}
    WHERE cursor > %(cursor)s {consent}
    ORDER BY cursor FETCH FIRST %(chunk)s ROWS WITH TIES
), added AS (
    INSERT INTO notifications_delivery (
        message_id, recipient_key, member_id, channel, address, name, language, time_zone, params,
        is_urgent, state, skip_reason, attempts, lost_answers, next_attempt_at, provider_id, provider_code, provider_text,
        created_at, handed_at)
    SELECT %(message)s, recipient_key, member_id, road.channel,
        {reached_at},
        coalesce(name, ''), coalesce(language, 'en'), coalesce(time_zone, 'UTC'),
        coalesce(params, '{{}}'::jsonb), %(is_urgent)s,
        CASE road.channel WHEN 'in_app' THEN 'delivered' ELSE 'planned' END, '', 0, 0, %(due)s, '', '', '',
        %(now)s, CASE road.channel WHEN 'in_app' THEN %(due)s END
    FROM page CROSS JOIN unnest(%(channels)s::text[], %(reaches)s::text[]) AS road(channel, reach)
    WHERE (road.reach = 'everyone' OR member_id IS NULL)
        AND CASE road.channel WHEN 'in_app' THEN member_id IS NOT NULL ELSE {reached_at} <> '' END
        {devices} {wishes}
    {conflict}
    RETURNING recipient_key
)
SELECT (SELECT max(cursor) FROM page), (SELECT count(*) FROM page), (SELECT {people} FROM added)
"""
_REACHED_AT = """CASE road.channel WHEN 'in_app' THEN '' WHEN 'sms' THEN coalesce(phone, '')
            WHEN 'whatsapp' THEN coalesce(phone, '') ELSE coalesce(address, '') END"""
_MAILED_TO = "CASE road.channel WHEN 'in_app' THEN '' ELSE coalesce(address, '') END"
# Promotions go to those who asked for them, whatever the kind's query says.
CONSENT = """AND CASE WHEN member_id IS NULL
    THEN EXISTS (
        SELECT FROM notifications_correspondent asked
        WHERE asked.person_key = recipient_key AND asked.promotions_confirmed_at IS NOT NULL)
    ELSE EXISTS (
        SELECT FROM accounts_user person
        WHERE person.id = member_id AND person.accepts_promotions AND person.is_active) END"""
# An inbox copy is there at once, so what somebody switched off is left out here; other channels ask when they send.
_WISHES = """AND NOT EXISTS (
        SELECT FROM notifications_preference AS refused
        WHERE road.channel = 'in_app' AND refused.channel = 'in_app' AND refused.kind = %(kind)s
            AND refused.person_key = page.recipient_key AND NOT refused.is_on)
    AND NOT EXISTS (
        SELECT FROM notifications_stop AS stop
        WHERE road.channel = 'in_app' AND stop.channel = 'in_app' AND stop.kind = %(kind)s
            AND stop.about = %(about)s AND stop.person_key = page.recipient_key)"""
# Push messages are planned only for who has switched a browser on; which one is asked when they are sent.
_DEVICES = """AND (road.channel <> 'push' OR EXISTS (
        SELECT FROM notifications_pushdevice AS device
        WHERE device.member_id = page.member_id AND device.gone_at IS NULL))"""
# Other programs that are told of it, once everybody has their delivery: one a message, however many people it has.
_ANNOUNCE = """
INSERT INTO notifications_delivery (
    message_id, recipient_key, channel, address, name, language, time_zone, params, state, skip_reason, attempts,
    lost_answers, next_attempt_at, provider_id, provider_code, provider_text, created_at)
SELECT %s, 'endpoint:' || endpoint.public_id, 'webhook', endpoint.url, '', %s, 'UTC',
    jsonb_build_object('endpoint', endpoint.public_id, 'version', endpoint.version),
    'planned', '', 0, 0, %s, '', '', '', %s
FROM notifications_endpoint AS endpoint
WHERE endpoint.proven_at IS NOT NULL AND endpoint.stopped_at IS NULL AND %s = ANY(endpoint.kinds)
    AND endpoint.about IN ('', %s)
ON CONFLICT DO NOTHING
"""
_TYPES = {"cursor": "bigint", "member_id": "bigint", "params": "jsonb"}


class RecipientsError(Exception):
    """A kind's recipients query doesn't have the shape that `notifications.recipients` describes."""


def expand_due_messages(*, now: dt.datetime, chunk: int = CHUNK, chunks: int | None = None) -> int:
    """Expand what is due, page by page, at most `chunks` pages; returns how many recipients were added.

    Each page is one transaction that also moves the message's cursor: a killed worker loses at most the page
    at hand, and the next goes on after the last one. Several workers take different messages. A message whose
    query fails waits its turn again with the error noted, and stops no other.
    """
    added = done = 0
    while chunks is None or done < chunks:
        one = _expand_one_chunk(now=now, chunk=chunk)
        if one is None:
            break
        added += one
        done += 1
    return added


def deliver_to(*, message: Message, kind: Kind, recipients: Sequence[Recipient], now: dt.datetime) -> int:
    """Write the deliveries of recipients named one by one, in the caller's transaction; returns how many people.

    Raises `ContextError` when somebody's params don't fit the kind.
    """
    rows = [
        {
            "cursor": at,
            "recipient_key": recipient.key,
            "member_id": recipient.member_id,
            "address": recipient.address,
            "phone": recipient.phone,
            "name": recipient.name,
            "language": recipient.language,
            "time_zone": recipient.time_zone,
            "params": variables.encode(recipient.params, kind.params),
        }
        for at, recipient in enumerate(recipients, start=1)
    ]
    columns = ", ".join(f"{column} {_TYPES.get(column, 'text')}" for column in (*COLUMNS, *OPTIONAL))
    source = f"jsonb_to_recordset(%(rows)s::jsonb) AS recipient({columns})"
    _, _, added = _insert(
        source, {"rows": json.dumps(rows)}, message=message, kind=kind, cursor=0, chunk=len(rows), now=now
    )
    message.recipient_count = added
    message.save(update_fields=["recipient_count"])
    return added


def _expand_one_chunk(*, now: dt.datetime, chunk: int) -> int | None:
    """Expand one page of the longest waiting message nobody else works on; None when there is none."""
    message: Message | None = None
    try:
        with transaction.atomic():
            message = Message.objects.to_expand(now).select_for_update(skip_locked=True).first()
            if message is None:
                return None
            if message.expires_at is not None and message.expires_at <= now:
                message.expanded_at, message.expansion_error = now, EXPIRED
                message.save(update_fields=["expanded_at", "expansion_error"])
                return 0
            return _expand_page(message, now=now, chunk=chunk)
    except Exception as error:  # the query belongs to another app: whatever it raises stops only this message
        if message is None:
            raise
        _put_off(message, error, now=now)
        return 0


def _expand_page(message: Message, *, now: dt.datetime, chunk: int) -> int:
    kind = kinds.get(message.kind)
    queryset = kind.recipients(message) if kind.recipients else None
    read, added = 0, 0
    if queryset is not None and not queryset.query.is_empty():
        keep_erasures_out()
        source, values = source_of(queryset)
        last, read, added = _insert(
            source, values, message=message, kind=kind, cursor=message.cursor, chunk=chunk, now=now
        )
        message.cursor = max(message.cursor, last or 0)
    message.recipient_count += added
    if read < chunk:
        message.expanded_at = now
        announce(message=message, kind=kind, now=now)
    message.expansion_error, message.expansion_failures = "", 0
    message.save(
        update_fields=["cursor", "recipient_count", "expanded_at", "expansion_error", "expansion_failures"]
    )
    return added


def _put_off(message: Message, error: Exception, *, now: dt.datetime) -> None:
    failures = message.expansion_failures + 1
    log.error(
        "expansion_failed",
        message=str(message.public_id),
        kind=message.kind,
        error=str(error),
        exc_info=error,
    )
    Message.objects.filter(pk=message.pk, expanded_at__isnull=True).update(
        expansion_failures=failures,
        expansion_error=f"{type(error).__name__}: {error}"[:2000],
        expand_after=now + backoff.delay(failures),
    )


def source_of(queryset: QuerySet[Any]) -> tuple[str, dict[str, Any]]:
    """SQL of a recipients query with its columns renamed to COLUMNS, and its values."""
    query = queryset.query
    selected = (query.combined_queries[0] if query.combinator else query).selected or {}
    names = [str(name).removeprefix(PREFIX) for name in selected]
    if sorted(set(names) - set(OPTIONAL)) != sorted(COLUMNS):
        raise RecipientsError(
            f"a recipients query selects {', '.join(COLUMNS)}, not {', '.join(names) or 'rows'}"
        )
    sql, values = query.sql_with_params()
    bound = {f"value_{at}": value for at, value in enumerate(values)}
    placeholders = iter(bound)
    named_sql = re.sub("%[%s]", lambda found: "%%" if found[0] == "%%" else f"%({next(placeholders)})s", sql)
    # Casts, because an untyped NULL or text literal has no type of its own in a subquery.
    casts = ", ".join(f"given.{name}::{_TYPES.get(name, 'text')} AS {name}" for name in names)
    casts += "".join(f", ''::text AS {name}" for name in OPTIONAL if name not in names)
    return f"(SELECT {casts} FROM ({named_sql}) AS given({', '.join(names)})) AS recipient", bound


def _insert(
    source: str,
    values: dict[str, Any],
    *,
    message: Message,
    kind: Kind,
    cursor: int,
    chunk: int,
    now: dt.datetime,
) -> tuple[int | None, int, int]:
    """Insert one page; returns its last cursor, how many recipients it had, and how many of them were new."""
    consent = CONSENT if kind.category == Category.PROMOTIONAL else ""
    may_refuse = kind.category != Category.TRANSACTIONAL and Channel.IN_APP in kind.channels
    roads = roads_of(kind, message)
    values = {
        **values,
        "cursor": cursor,
        "chunk": chunk,
        "message": message.pk,
        "kind": kind.name,
        "is_urgent": kind.category == Category.TRANSACTIONAL,
        "about": message.about,
        "due": max(now, message.not_before),
        "now": now,
        "channels": [str(channel) for channel in roads],
        "reaches": [str(reach) for reach in roads.values()],
    }
    # By one channel nobody is added twice, and counting different people among all would cost a sort.
    people = "count(*)" if len(roads) == 1 else "count(DISTINCT recipient_key)"
    wishes = _WISHES if may_refuse else ""
    devices = _DEVICES if Channel.PUSH in roads else ""
    reached_at = _REACHED_AT if any(channel in BY_PHONE for channel in roads) else _MAILED_TO
    sql = partial(
        _INSERT.format,
        source=source,
        consent=consent,
        wishes=wishes,
        people=people,
        reached_at=reached_at,
        devices=devices,
    )
    # ON CONFLICT costs as much again as a third of the whole insert, and hardly any query names somebody twice.
    try:
        with transaction.atomic():
            last, read, added = _execute(sql(conflict=""), values)
    except IntegrityError:
        last, read, added = _execute(sql(conflict="ON CONFLICT DO NOTHING"), values)
    if added and Channel.IN_APP in roads and message.not_before <= now:
        _tell_pages(message, added)
    return last, read, added


def announce(*, message: Message, kind: Kind, now: dt.datetime) -> None:
    """Plan what other programs are told of it, in the caller's transaction."""
    if Channel.WEBHOOK not in kind.channels or Channel.WEBHOOK not in sending_channels():
        return
    due = max(now, message.not_before)
    with connection.cursor() as cursor:
        cursor.execute(_ANNOUNCE, [message.pk, settings.LANGUAGE_CODE, due, now, kind.name, message.about])


def roads_of(kind: Kind, message: Message | None = None) -> dict[Channel, Reach]:
    """The channels of a kind by which this site can tell people: the inbox, and those it has a provider for. Of a message that
    brings its words, those that were chosen for it.
    """
    usable = {Channel.IN_APP, *sending_channels()} - {Channel.WEBHOOK}
    if message is not None and kind.brings_words:
        usable &= {Channel(name) for name in message.context["channels"]}
    return {channel: reach for channel, reach in kind.channels.items() if channel in usable}


def _execute(sql: str, values: dict[str, Any]) -> tuple[int | None, int, int]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        last, read, added = cursor.fetchone()
    return last, read, added


def _tell_pages(message: Message, added: int) -> None:
    """Let open pages know, once this is committed."""
    if message.recipient_count + added > SINGLE_LIMIT:
        transaction.on_commit(tell_everybody, robust=True)
        return
    arrived = Delivery.objects.filter(message=message, channel=Channel.IN_APP)
    public_ids = list(arrived.values_list("member__public_id", flat=True))
    transaction.on_commit(lambda: tell_members(public_ids), robust=True)
