"""Plots: their geometry, and what of them is on the page."""

import re
from itertools import pairwise

import pytest
from django.template import Context, Template, TemplateSyntaxError
from django.test.html import parse_html
from hypothesis import given
from hypothesis import strategies as st

from config import plotting
from config.plotting import HEIGHT, Scale
from config.templatetags.plots import KINDS, plot

VALUES = st.lists(st.integers(0, 10**9), min_size=1, max_size=40)


class TestScale:
    @pytest.mark.parametrize(
        ("most", "whole", "ticks"),
        [
            (0, False, (0, 1)),
            (-3, False, (0, 1)),
            (1, True, (0, 1)),
            (3, True, (0, 1, 2, 3)),
            (4, True, (0, 1, 2, 3, 4)),
            (5, True, (0, 2, 4, 6)),
            (10, True, (0, 5, 10)),
            (97, False, (0, 25, 50, 75, 100)),
            (0.07, False, (0, 0.02, 0.04, 0.06, 0.08)),
            (1_000_000, True, (0, 250_000, 500_000, 750_000, 1_000_000)),
        ],
    )
    def test_it_reaches_the_value_in_round_steps(self, most, whole, ticks):
        assert plotting.scale_for(most, whole=whole).ticks == pytest.approx(ticks)

    @given(most=st.floats(1e-6, 1e15), whole=st.booleans())
    def test_it_always_reaches_it_in_few_equal_steps_and_without_waste(self, most, whole):
        scale = plotting.scale_for(most, whole=whole)
        assert scale.top >= most * (1 - 1e-9)
        assert 2 <= len(scale.ticks) <= 5
        assert scale.ticks[0] == 0
        assert scale.ticks[-1] == scale.top
        assert not whole or all(tick == int(tick) for tick in scale.ticks)
        assert scale.top <= max(2.51 * most, 1 if whole else 0)

    def test_zero_stands_on_the_base_line_and_the_top_at_0(self):
        scale = Scale(10, (0, 10))
        assert (scale.y(0), scale.y(5), scale.y(10)) == (HEIGHT, HEIGHT / 2, 0)
        assert (scale.y(-1), scale.y(11)) == (HEIGHT, 0)


class TestShapes:
    @given(series=st.lists(VALUES, min_size=1, max_size=4))
    def test_stacked_columns_fill_their_place_without_overlap(self, series):
        places = min(map(len, series))
        series = [values[:places] for values in series]
        scale = plotting.scale_for(max(map(sum, zip(*series, strict=True))), whole=True)
        blocks = plotting.columns(series, scale)
        assert len(blocks) == sum(value > 0 for values in series for value in values)
        for place in range(places):
            stack = sorted((block for block in blocks if block.at == place), key=lambda block: block.series)
            bottom = HEIGHT
            for block in stack:
                assert block.y + block.height == pytest.approx(bottom, abs=0.02)
                bottom = block.y
                assert 100 * place / places <= block.x + 1e-3
                assert block.x + block.width <= 100 * (place + 1) / places + 1e-3
            assert bottom >= 0

    def test_nothing_has_no_columns(self):
        assert plotting.columns([], Scale(1, (0, 1))) == []
        assert plotting.columns([[]], Scale(1, (0, 1))) == []

    def test_a_line_is_parted_where_nothing_is_known(self):
        scale = Scale(4, (0, 4))
        assert plotting.line([0, 4, None, 2], scale) == [[(12.5, HEIGHT), (37.5, 0)], [(87.5, HEIGHT / 2)]]
        assert plotting.line([None, None], scale) == []
        assert plotting.line([], scale) == []

    def test_parts_of_a_row_lie_end_to_end(self):
        assert plotting.shares([1, 0, 3], 8) == [(0, 12.5), (12.5, 0), (12.5, 37.5)]
        assert plotting.shares([1, 2], 0) == [(0, 0), (0, 0)]

    @given(places=st.integers(0, 500), longest=st.integers(1, 40))
    def test_few_places_are_labelled_evenly_from_the_first(self, places, longest):
        found = plotting.labelled(places, longest=longest)
        assert len(found) <= 6
        assert len(found) <= 2 or len(found) * (longest + 1) <= 36
        assert found[:1] == ([0] if places else [])
        assert len({b - a for a, b in pairwise(found)}) <= 1
        assert all(0 <= at < places for at in found)


def drawn(kind="columns", **more) -> str:
    given = {
        "name": "test",
        "title": "Entries",
        "labels": ["Mon", "Tue", "Wed"],
        "series": [("Web", [1, 20, 3]), ("Import", [0, 5, 0])],
        "label_title": "Day",
    }
    return str(plot(kind, **(given | more)))


class TestTag:
    @pytest.mark.parametrize("kind", KINDS)
    def test_it_is_well_formed_named_described_and_keeps_to_the_policy(self, kind):
        html = drawn(kind)
        parse_html(html)
        assert "style" not in html
        assert "<script" not in html
        assert not re.search(r"\son[a-z]+=", html)
        assert 'role="img"' in html
        ids = re.findall(r'\sid="([^"]*)"', html)
        assert len(ids) == len(set(ids))
        for reference in re.findall(r'aria-labelledby="([^"]*)"', html):
            assert set(reference.split()) <= set(ids)
        assert "From Mon to Wed" in html

    @pytest.mark.parametrize("kind", KINDS)
    def test_all_its_figures_stand_in_a_table(self, kind):
        table = drawn(kind).partition("<table>")[2]
        assert re.findall(r'<th scope="row">(\w+)</th>', table) == ["Mon", "Tue", "Wed"]
        assert re.findall(r"<td>([^<]*)</td>", table) == ["1", "0", "20", "5", "3", "0"]
        assert re.findall(r'<th scope="col">(\w+)</th>', table) == ["Day", "Web", "Import"]

    def test_stacked_columns_are_measured_by_their_sums(self):
        html = drawn()
        assert html.count("<rect class=") == 4 + 2  # blocks, and the key of two series
        assert "the most is 25 at Tue" in html

    def test_numbers_are_written_for_machines_in_every_language(self, settings):
        with_german = Template("{% load i18n plots %}{% language 'de' %}" + TAG + "{% endlanguage %}")
        html = with_german.render(Context({"series": [("a", [1, 2])], "labels": ["x", "y"]}))
        assert re.search(r'x="6\.25%"', html)
        assert not re.search(r'="\d+,\d+%?"', html)

    def test_what_people_typed_is_text(self):
        html = drawn("rows", labels=["<b>x</b>", "y", '"z"'], title="<i>t</i>")
        assert "<b>" not in html
        assert "<i>" not in html

    @pytest.mark.parametrize("kind", KINDS)
    def test_nothing_is_said_to_be_nothing(self, kind):
        html = drawn(kind, labels=[], series=[("Web", [])])
        assert "Nothing to show" in html
        assert "<svg" not in html

    def test_rows_of_zero_are_shown_and_columns_of_zero_are_not(self):
        zeros = [("Rate", [0, 0, 0])]
        assert "0.00 %" in drawn("rows", series=zeros, form="percent")
        assert "Nothing to show" in drawn("columns", series=zeros)

    @pytest.mark.parametrize(
        ("form", "value", "written", "mark"),
        [
            ("count", 12_500, "12,500", "15k"),
            ("percent", 0.25, "25.00 %", "30 %"),
            ("seconds", 90, "1.5 min", "100 s"),
            ("KES", 1_250_000, "KES 12,500.00", "15k"),
            ("CREDIT", 30, "30 credits", "30"),
        ],
    )
    def test_values_are_written_in_their_form(self, form, value, written, mark):
        html = drawn(labels=["now"], series=[("Sum", [value])], form=form)
        assert f"<td>{written}</td>" in html
        assert mark in re.findall(r'class="plot__tick"[^>]*>([^<]*)<', html)

    def test_it_refuses_what_it_cannot_plot(self):
        with pytest.raises(TemplateSyntaxError):
            drawn("cake")
        with pytest.raises(TemplateSyntaxError):
            drawn(series=[("Web", [1])])


TAG = "{% plot 'columns' name='n' title='t' labels=labels series=series %}"
