"""Declaring kinds, their variables, and the check of their templates."""

import datetime as dt

import pytest

from notifications import kinds, variables
from notifications.checks import check_templates
from notifications.kinds import Category, Channel, KindError, Reach
from tests.notifications.outbox import NOW, kind_like


class TestKind:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"name": "winner"},
            {"name": "Draws.winner"},
            {"name": "draws." + "x" * 80},
            {"category": "loud"},
            {"channels": {}},
            {"channels": {"pigeon": Reach.EVERYONE}},
            {"channels": {Channel.EMAIL: "some"}},
            {"channels": {Channel.IN_APP: Reach.OUTSIDERS}},
            {"variables": {"name": str}},
            {"variables": {"two words": str}},
            {"variables": {"amount": float}},
            {"variables": {"code": str}},
            {"links": {"code": str}},
        ],
    )
    def test_it_refuses_a_declaration_that_makes_no_sense(self, wrong):
        with pytest.raises(KindError):
            kind_like(**{"name": "test.wrong", **wrong})

    def test_it_refuses_two_kinds_of_one_name(self):
        with pytest.raises(KindError, match="twice"):
            kinds.register(kind_like("test.service"))

    def test_it_knows_only_registered_kinds(self):
        assert kinds.get("test.service").category == Category.SERVICE
        with pytest.raises(KindError):
            kinds.get("test.unheard_of")

    def test_it_lists_kinds_by_category(self):
        assert "test.money" in kinds.names_of(Category.TRANSACTIONAL)
        assert "test.service" not in kinds.names_of(Category.TRANSACTIONAL)


class TestVariables:
    TYPES = {"prize": str, "rank": int, "won": bool, "at": dt.datetime, "on": dt.date, "rows": list}
    VALUES = {"prize": "bike", "rank": 1, "won": True, "at": NOW, "on": NOW.date(), "rows": [{"a": 1}]}

    def test_they_survive_storage(self):
        stored = variables.encode(self.VALUES, self.TYPES)
        assert stored["at"] == "2026-11-20T09:00:00+00:00"
        assert variables.decode(stored, self.TYPES) == self.VALUES

    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            ({"rank": "1"}, "rank should be int"),
            ({"rank": True}, "rank should be int"),
            ({"rank": None}, "rank should be int"),
            ({"on": NOW}, "on should be date"),
            ({"at": NOW.replace(tzinfo=None)}, "without a zone"),
            ({"prize": "a\0b"}, "NUL"),
            ({"rows": [NOW]}, "JSON"),
            ({"surplus": 1}, "unknown variables: surplus"),
        ],
    )
    def test_it_refuses_what_does_not_fit(self, change, complaint):
        with pytest.raises(variables.ContextError, match=complaint):
            variables.encode({**self.VALUES, **change}, self.TYPES)

    def test_it_refuses_a_missing_variable(self):
        with pytest.raises(variables.ContextError, match="missing variables: prize"):
            variables.encode({}, {"prize": str})


class TestCheck:
    def complaints(self, kind):
        return [
            (problem.id, problem.msg) for problem in check_templates() if problem.msg.startswith(kind.name)
        ]

    def test_it_is_content_with_kinds_whose_templates_render(self):
        assert self.complaints(kinds.get("test.service")) == []

    def test_it_names_a_missing_template(self):
        kind = kinds.register(kind_like("test.wordless"))
        [(number, text)] = self.complaints(kind)
        assert number == "notifications.E001"
        assert "test.wordless.subject.txt" in text

    def test_it_names_a_template_that_does_not_render(self):
        [(number, _text)] = self.complaints(kinds.get("test.broken"))
        assert number in ("notifications.E001", "notifications.E002")

    def test_it_names_a_variable_that_is_not_declared(self):
        kinds._kinds["test.service"] = kind_like("test.service", params={})
        assert ("notifications.E003", "test.service: its templates use 'code', which it doesn't declare") in (
            self.complaints(kinds.get("test.service"))
        )

    def test_every_kind_of_the_site_passes(self):
        names = {kind.name for kind in kinds.all_kinds() if not kind.name.startswith("test.")}
        assert [problem.msg for problem in check_templates() if problem.msg.split(":")[0] in names] == []
