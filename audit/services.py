"""The verbs of the trail: record, seal, erase what is personal.

Recording and sealing never wait for each other. A record is an insert in its caller's transaction; a seal is made
every few seconds, by one sealer at a time, over what is committed by then. What commits later with a lower id
goes into a later seal (`Seal.late`).
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.db import connection, models, transaction

from accounts.models import User
from audit import chain
from audit.canonical import canonical_json
from audit.context import origin
from audit.merkle import MerkleTree
from audit.models import Record, RequestContext, Seal

SEAL_SIZE = 10_000
"""Most new records under one seal, and most late ones: bounds the sealer's memory and its transaction."""

LATE_WINDOW = dt.timedelta(hours=6)
"""How long after a seal an id that it misses may still appear. No transaction lives that long; an older gap that
fills is history slipped in: it is never sealed, and `verify_audit` names it."""

KEEP_CONTEXTS = dt.timedelta(days=90)
"""How long the trail remembers where an action came from."""

ERASE_SIZE = 10_000
"""Request contexts erased by one statement."""

_SEALER = 0x46_47_53_45_41_4C  # "FGSEAL": the advisory lock of the one sealer


def target_name(target: models.Model | str) -> str:
    """How the trail names a thing: `draws.draw:<public id>`; text is taken as it is."""
    if isinstance(target, str):
        return target
    return f"{target._meta.label_lower}:{getattr(target, 'public_id', None) or target.pk}"


def record(
    *, actor: User | None, action: str, target: models.Model | str, data: Mapping[str, Any], now: dt.datetime
) -> Record:
    """Write what `actor` (None: the site itself) did, in the caller's transaction: one insert, and within a
    request a second one for where it came from.

    `data` holds strings, integers, booleans, lists and dicts only, so that it has one canonical form for the
    seals; anything else raises `audit.canonical.CanonicalError`. It must hold nothing that may have to be
    erased: people appear by public id.
    """
    content = dict(data)
    canonical_json(content)
    with transaction.atomic(savepoint=False):  # the caller's; one of its own only where there is none
        row = Record.objects.create(
            at=now, actor=actor, action=action, target=target_name(target), data=content
        )
        if (here := origin.get()) is not None:
            RequestContext.objects.create(
                record=row, request_id=here.request_id, address=here.address, user_agent=here.user_agent
            )
    return row


def newest_seal() -> Seal | None:
    """The end of the chain, for pages and proofs: one index lookup."""
    return Seal.objects.newest()


def seal_new_records(*, now: dt.datetime) -> Seal | None:
    """Chain one seal over records that no seal covers yet, at most `SEAL_SIZE` of them, the oldest first.

    None when there are none, and when another sealer is at work: there is one at a time. It waits for nobody.
    """
    with transaction.atomic():
        if not _became_the_sealer():
            return None
        previous = Seal.objects.newest()
        first_id = previous.last_id + 1 if previous else 1
        # Each look takes a snapshot of its own; what commits between the two is found by the next seal.
        late_ids = Record.objects.ids_in(_open_gaps(since=now - LATE_WINDOW), limit=SEAL_SIZE)
        late = dict(Record.objects.filter(pk__in=late_ids).order_by("pk").leaves()) if late_ids else {}
        new = Record.objects.filter(pk__range=(first_id, _last_id_given()))
        fresh = dict(new.order_by("pk")[:SEAL_SIZE].leaves())
        if not late and not fresh:
            return None
        tree = MerkleTree()
        tree.add_leaves(late.values())
        tree.add_leaves(fresh.values())
        seal = Seal(
            pk=previous.pk + 1 if previous else 1,
            first_id=first_id,
            last_id=max(fresh, default=first_id - 1),
            missing=chain.gaps_in(first_id, list(fresh)),
            late=chain.spans_of(late),
            count=tree.size,
            merkle_root=tree.root().hex(),
            previous=previous.digest if previous else chain.GENESIS,
            sealed_at=now,
        )
        seal.digest = seal.computed_digest()
        seal.save(force_insert=True)
    return seal


def seal_backlog(*, now: dt.datetime) -> list[Seal]:
    """Seal until nothing is left that was there at the start; the seals made, oldest first."""
    seals: list[Seal] = []
    while (seal := seal_new_records(now=now)) is not None:
        seals.append(seal)
        if seal.count < SEAL_SIZE:
            break
    return seals


def erase_contexts_of(*, user: User) -> int:
    """Erase from where `user` acted: request ids, addresses, browsers. The records stay. Returns how many."""
    return RequestContext.objects.filter(record__actor=user).delete()[0]


def erase_contexts_before(*, moment: dt.datetime) -> int:
    """Erase where everything recorded before `moment` came from, in short transactions. Returns how many."""
    erased = 0
    while True:
        oldest = RequestContext.objects.filter(record__at__lt=moment).order_by("pk").values("pk")[:ERASE_SIZE]
        count = RequestContext.objects.filter(pk__in=oldest).delete()[0]
        erased += count
        if count < ERASE_SIZE:
            return erased


def _became_the_sealer() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_SEALER])
        return bool(cursor.fetchone()[0])


def _last_id_given() -> int:
    """The newest id of the trail's sequence. A row beyond it was slipped in, and must not drag the chain along."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('audit_record', 'id')), 0)"
        )
        return int(cursor.fetchone()[0])


def _open_gaps(*, since: dt.datetime) -> chain.Spans:
    """Ids that seals since then miss and that no later seal holds."""
    gaps: chain.Spans = []
    late: chain.Spans = []
    seals = Seal.objects.with_gaps().filter(sealed_at__gte=since).order_by("pk")
    for missing, held in seals.values_list("missing", "late"):
        gaps += missing  # ascending, because the ranges of seals are
        late += held
    return chain.without(gaps, sorted(late))
