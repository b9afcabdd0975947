"""Rules of which audiences are made: each app registers those over what it knows, as it does with kinds.

A rule gives people in the shape of `notifications.recipients`. Rules are put together by what the three words and, or, not mean of
`recipient_key`, in SQL: an audience is one query, however many rules it has and however many people.

    register(Rule("draws.entrants", _("entered the draw"), _entrants, choices=_draws))
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.utils.functional import _StrPromise

RULES_LIMIT = 12
Choices = Sequence[tuple[str, str]]


class SegmentError(Exception):
    """An audience can't be made of these rules. The text says what to do."""


@dataclass(frozen=True)
class Rule:
    """One rule: `people(value)` gives whom it is true of, as a query that can be filtered; `choices()` the values it takes, None for a rule without one."""

    name: str
    title: "str | _StrPromise"
    people: "Callable[[str], QuerySet[Any, Any]]"
    choices: Callable[[], Choices] | None = None


@dataclass(frozen=True)
class Condition:
    """A rule with its value, or its opposite; `begins` starts a new group, and one group that is true is enough."""

    rule: str
    value: str = ""
    is_not: bool = False
    begins: bool = False

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {"rule": self.rule, "value": self.value, "not": self.is_not, "or": self.begins}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "Condition":
        """Out of what is stored."""
        return cls(
            str(stored.get("rule", "")),
            str(stored.get("value", "")),
            bool(stored.get("not")),
            bool(stored.get("or")),
        )


_rules: dict[str, Rule] = {}


def register(rule: Rule) -> Rule:
    """Make a rule known. Raises `SegmentError` when another has its name."""
    if _rules.setdefault(rule.name, rule) is not rule:
        raise SegmentError(f"the rule {rule.name} is registered twice")
    return rule


def all_rules() -> Iterator[Rule]:
    """Every rule, those without a value first."""
    return iter(sorted(_rules.values(), key=lambda rule: (rule.choices is not None, rule.name)))


def rule_of(name: str) -> Rule:
    """The rule called `name`. Raises `SegmentError`."""
    try:
        return _rules[name]
    except KeyError:
        raise SegmentError(
            _("No part of the site knows the rule “%(rule)s” any more.") % {"rule": name}
        ) from None


def audience(conditions: Sequence[Condition]) -> "QuerySet[Any, Any]":
    """Everybody whom the conditions are true of, as one recipients query. Somebody may be in it twice, under one key.

    Raises `SegmentError` for none, for too many, and for a group that says only whom it is not.
    """
    if not conditions:
        raise SegmentError(_("Choose at least one rule: whom is it for?"))
    if len(conditions) > RULES_LIMIT:
        raise SegmentError(_("At most %(n)d rules fit into one audience.") % {"n": RULES_LIMIT})
    groups: list[list[Condition]] = []
    for condition in conditions:
        if condition.begins or not groups:
            groups.append([])
        groups[-1].append(condition)
    first, *others = [_group(group) for group in groups]
    return first.union(*others, all=True) if others else first


def _group(conditions: Sequence[Condition]) -> "QuerySet[Any, Any]":
    """Whom all conditions of a group are true of."""
    wanted = [condition for condition in conditions if not condition.is_not]
    if not wanted:
        raise SegmentError(
            _(
                "A group can't only say whom it is not for. Begin it with a rule that is, such as “has an account”."
            )
        )
    base, *others = wanted
    people = _people(base)
    for condition in others:
        people = people.filter(to_recipient_key__in=_people(condition).values("to_recipient_key"))
    for condition in conditions:
        if condition.is_not:
            # NOT EXISTS is an anti-join. NOT IN is a list that is gone through once a person, as soon as it outgrows work_mem.
            same = _people(condition).filter(to_recipient_key=OuterRef("to_recipient_key"))
            people = people.filter(~Exists(same))
    return people


def _people(condition: Condition) -> "QuerySet[Any, Any]":
    return rule_of(condition.rule).people(condition.value)


def in_words(conditions: Sequence[Condition]) -> str:
    """As a sentence: “entered the draw Bikes and not (reads Swahili), or has the role Host”."""
    parts: list[str] = []
    for at, condition in enumerate(conditions):
        said = _said(condition)
        if condition.is_not:
            said = _("not (%(rule)s)") % {"rule": said}
        if at:
            said = (_("or %(rule)s") if condition.begins else _("and %(rule)s")) % {"rule": said}
        parts.append(said)
    return " ".join(parts)


def _said(condition: Condition) -> str:
    try:
        rule = rule_of(condition.rule)
    except SegmentError:
        return condition.rule
    label = dict(rule.choices()).get(condition.value, condition.value) if rule.choices else ""
    return f"{rule.title} {label}".strip()
