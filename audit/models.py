"""The trail: rows that are only ever added, and seals that chain them. Triggers hold both (migration 0002)."""

import uuid
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import connections, models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from audit import chain
from audit.canonical import CanonicalError

# One look into the primary key for each span, however wide it is and whatever the planner expects of it.
_IDS_IN_SPANS = """
SELECT found.id
FROM unnest(%(firsts)s::bigint[], %(lasts)s::bigint[]) AS span(first, last)
CROSS JOIN LATERAL (
    SELECT id FROM audit_record WHERE id BETWEEN span.first AND span.last ORDER BY id LIMIT %(limit)s
) AS found
ORDER BY found.id LIMIT %(limit)s
"""
# A loose index scan; the operators are those of the index's varchar_pattern_ops.
_ACTIONS = """
WITH RECURSIVE step(action) AS (
    (SELECT action FROM audit_record ORDER BY action USING ~<~ LIMIT 1)
    UNION ALL
    SELECT (SELECT action FROM audit_record WHERE action ~>~ step.action ORDER BY action USING ~<~ LIMIT 1)
    FROM step WHERE step.action IS NOT NULL
)
SELECT action FROM step WHERE action IS NOT NULL
"""


class RecordQuerySet(models.QuerySet["Record"]):
    """Which records one asks for."""

    def leaves(self) -> Iterator[tuple[int, bytes]]:
        """Id and leaf (`audit.chain`) of each record, in the order of the query."""
        rows = self.values_list("pk", "at", "actor__public_id", "action", "target", "data")
        for pk, at, actor, action, target, data in rows:
            who = str(actor or "")
            yield pk, chain.record_leaf(id=pk, at=at, actor=who, action=action, target=target, data=data)

    def search(self, text: str) -> "RecordQuerySet":
        """What a person looks for: a public id, an action or a thing by how it begins, somebody by name or address.

        Every way goes through an index of the trail, however long that is; of people the first hundred count.
        """
        text = text.strip()
        try:
            public_id = uuid.UUID(text)
        except ValueError:
            wanted = Q(action__startswith=text) | Q(target__startswith=text)
            named = Q(email__icontains=text) | Q(display_name__icontains=text)
        else:
            wanted = Q(target__in=[f"{model._meta.label_lower}:{public_id}" for model in apps.get_models()])
            named = Q(public_id=public_id)
        people = User.objects.filter(named).values_list("pk", flat=True)[:100]
        return self.filter(wanted | Q(actor__in=list(people)))

    def ids(self) -> Iterator[int]:
        """The ids, ascending, without holding them all."""
        return self.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=10_000)

    def ids_in(self, spans: chain.Spans, *, limit: int) -> list[int]:
        """Ids of the records that stand in `spans`, ascending, the first `limit` of them."""
        if not spans:
            return []
        with connections[self.db].cursor() as cursor:
            firsts, lasts = [list(ends) for ends in zip(*spans, strict=True)]
            cursor.execute(_IDS_IN_SPANS, {"firsts": firsts, "lasts": lasts, "limit": limit})
            return [pk for (pk,) in cursor.fetchall()]

    def actions(self) -> list[str]:
        """Every action that occurs, by name: hops through the index from one to the next, however many rows."""
        with connections[self.db].cursor() as cursor:
            cursor.execute(_ACTIONS)
            return [action for (action,) in cursor.fetchall()]


class Record(models.Model):
    """One thing somebody did: who, what (dotted, `draw.executed`), to what, with what details."""

    at = models.DateTimeField(_("time"))
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("who"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("Empty: the site itself."),
    )
    action = models.CharField(_("action"), max_length=80)
    target = models.CharField(_("about"), max_length=120)
    data = models.JSONField(_("details"), default=dict)

    objects = RecordQuerySet.as_manager()

    class Meta:
        verbose_name = _("audit record")
        verbose_name_plural = _("audit records")
        default_permissions = ("view",)
        indexes = [
            # Rows arrive in order of time, so a few kilobytes find a day; the other two also serve prefixes.
            BrinIndex(fields=["at"], name="audit_record_at"),
            models.Index(fields=["action"], name="audit_record_action", opclasses=["varchar_pattern_ops"]),
            models.Index(fields=["target"], name="audit_record_target", opclasses=["varchar_pattern_ops"]),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(action__contains="."), name="audit_record_action_dotted"),
        ]

    def __str__(self) -> str:
        return f"{self.action} · {self.target}"


class RequestContext(models.Model):
    """Where an action came from. Beside the record, because it is personal data and may be erased."""

    record = models.OneToOneField(Record, on_delete=models.CASCADE, primary_key=True, related_name="context")
    request_id = models.CharField(_("request"), max_length=64, blank=True)
    address = models.GenericIPAddressField(_("address"), null=True, blank=True)
    user_agent = models.CharField(_("browser"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("request context")
        default_permissions = ()

    def __str__(self) -> str:
        return self.request_id


class SealQuerySet(models.QuerySet["Seal"]):
    """Which seals one asks for."""

    def newest(self) -> "Seal | None":
        """The end of the chain."""
        return self.order_by("-pk").first()

    def with_gaps(self) -> "SealQuerySet":
        """Seals that miss ids, or that hold ids an earlier one missed (the partial index has just these)."""
        return self.filter(~Q(missing=[]) | ~Q(late=[]))


class Seal(models.Model):
    """A link of the chain: the Merkle root over the records that were new when it was made.

    `id` is its number, counted from 1 without a hole by the one sealer. `missing` are ids of the range that were
    not there then (rolled back, or not yet committed); one that appears afterwards goes into a later seal's
    `late`. So writers never wait for the sealer. `audit.chain` says what is hashed, and how.
    """

    id = models.BigIntegerField(_("number"), primary_key=True)
    first_id = models.BigIntegerField(_("from record"))
    last_id = models.BigIntegerField(_("to record"))
    missing = models.JSONField(_("missing"), default=list)
    late = models.JSONField(_("late"), default=list)
    count = models.PositiveBigIntegerField(_("records"))
    merkle_root = models.CharField(_("Merkle root"), max_length=64)
    previous = models.CharField(_("digest of the seal before"), max_length=64)
    digest = models.CharField(_("digest"), max_length=64)
    sealed_at = models.DateTimeField(_("sealed"))

    objects = SealQuerySet.as_manager()

    class Meta:
        verbose_name = _("seal")
        verbose_name_plural = _("seals")
        default_permissions = ("view",)
        indexes = [
            models.Index(
                fields=["sealed_at"], name="audit_seal_with_gaps", condition=~Q(missing=[]) | ~Q(late=[])
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["previous"], name="audit_seal_one_successor"),
            models.UniqueConstraint(fields=["digest"], name="audit_seal_digest"),
            models.CheckConstraint(condition=Q(last_id__gte=F("first_id") - 1), name="audit_seal_range"),
        ]

    def __str__(self) -> str:
        return f"{self.pk} · {self.digest[:12]}"

    def computed_digest(self) -> str:
        """The digest that the other fields give; `digest` holds what it was when the seal was made."""
        fields: dict[str, Any] = {
            name: getattr(self, name)
            for name in (
                "first_id", "last_id", "missing", "late", "count", "merkle_root", "previous", "sealed_at",
            )
        }  # fmt: skip
        return chain.seal_digest(number=self.pk, **fields)

    def fits_digest(self) -> bool:
        """Whether the seal says what it said when it was made."""
        try:
            return chain.are_spans(self.missing, self.late) and self.computed_digest() == self.digest
        except CanonicalError:
            return False

    def covered(self) -> chain.Spans:
        """Ids of its range that it does not miss."""
        return chain.without([[self.first_id, self.last_id]], self.missing)
