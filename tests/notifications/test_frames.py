"""The layout filled in is the layout rendered."""

import pytest
from django.template import Context, engines
from django.utils import translation
from django.utils.html import linebreaks, urlize

from notifications.frames import fill_layout
from notifications.rendering import LAYOUT
from notifications.templatetags.letters import letter_paragraphs

VALUES = {
    "name": "Zoe",
    "site_name": "Fair & Ground",
    "site_url": "https://fair.example",
    "inbox_url": "",
    "subject": "You <won> & \ue0f0\ue101\ue0f1 'more'",
    "text": 'Hello <b>,\n\nsee https://fair.example/x/?a=1&b=2 (or www.fair.example).\nAsk zoe@fair.example; it\'s "free".\n',
    "preheader": "Hello <b>",
    "preferences_url": "https://fair.example/preferences/x/?a&b",
    "unsubscribe_url": "https://fair.example/unsubscribe/x/",
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"unsubscribe_url": ""},
        {"inbox_url": "https://fair.example/inbox/?a=1&b=2"},
        {"inbox_url": "https://fair.example/inbox/", "unsubscribe_url": ""},
        {"site_name": "Other"},
        {"subject": "", "text": "\n"},
    ],
)
@pytest.mark.parametrize("language", ["en", "sw"])
def test_filled_in_it_is_the_layout(changes, language):
    layout = engines["django"].engine.get_template(LAYOUT)
    values = {**VALUES, **changes}
    with translation.override(language):
        for _time in range(2):
            assert fill_layout(layout, values) == layout.render(Context(values))


@pytest.mark.parametrize(
    "text",
    [
        VALUES["text"],
        "",
        "one\r\ntwo\r\n\r\n\r\nthree",
        "a&amp;b <script> http://x.example/<y>",
        "1.5 https://[::1]/ .",
    ],
)
def test_paragraphs_are_those_of_django(text):
    assert letter_paragraphs(text) == linebreaks(urlize(text, autoescape=True), autoescape=False)
