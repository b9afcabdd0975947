"""How letters are written: numbers with their words, and links that can be read."""

from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import render_to_string

from notifications.templatetags.letters import letter_links

TEMPLATES = Path(settings.BASE_DIR) / "templates"


@pytest.mark.parametrize(
    ("tickets", "words"), [(1, "with 1 ticket."), (2, "with 2 tickets."), (12_000, "with 12,000 tickets.")]
)
def test_tickets_are_counted_as_people_do(tickets, words):
    about = {"draw": "Opening night", "slug": "opening-night", "pid": "ab" * 32, "draw_at": None}
    text = render_to_string("notifications/draws.entry_receipt.txt", {**about, "tickets": tickets})
    assert words in text


@pytest.mark.parametrize(
    ("winners", "words"), [(1, "1 prize found its owner."), (20, "20 prizes found their owners.")]
)
def test_prizes_are_counted_as_people_do(winners, words):
    about = {"draw": "Opening night", "slug": "opening-night", "pid": "ab" * 32}
    assert words in render_to_string("notifications/draws.non_winner.txt", {**about, "winners": winners})


def test_no_text_leaves_the_plural_to_the_reader():
    lazy = [
        str(path.relative_to(TEMPLATES))
        for path in TEMPLATES.rglob("*")
        if path.suffix in (".txt", ".html") and "(s)" in path.read_text()
    ]
    assert lazy == []


def test_a_link_to_the_site_shows_its_page_and_not_its_whole_address(settings):
    settings.SITE_URL = "https://fair.example"
    html = letter_links("See https://fair.example/draws/opening-night/results/")
    assert html == (
        'See <a href="https://fair.example/draws/opening-night/results/">draws/opening-night/results</a>'
    )
    html = letter_links("https://fair.example/prizes/f1fa0212-18ae-4b65-a6a5-7670de66334d/")
    assert ">prizes/f1fa0212…</a>" in html


def test_other_links_and_what_is_typed_stay_as_they_are(settings):
    settings.SITE_URL = "https://fair.example"
    html = letter_links("<b>x</b> https://other.example/draws/ https://fair.example")
    assert "&lt;b&gt;x&lt;/b&gt;" in html
    assert ">https://other.example/draws/</a>" in html
    assert ">https://fair.example</a>" in html
