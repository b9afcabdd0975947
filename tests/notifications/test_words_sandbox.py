"""The template language of staff: what it knows, what it refuses, and in which words."""

import contextlib
import datetime as dt
import inspect
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.words.checking import check_parts
from notifications.words.parts import LIMITS, Parts, Vocabulary
from notifications.words.sandbox import Shape, WordsError, compile_words
from notifications.words.tags import TooLongError

SHAPES = {
    "prize": Shape.PLAIN,
    "at": Shape.PLAIN,
    "rows": Shape.JSON,
    "claim_url": Shape.PLAIN,
    "site_url": Shape.PLAIN,
}
SITE = "https://fair.example"
VOCABULARY = Vocabulary(
    SHAPES,
    {
        "prize": "a prize",
        "at": "noon",
        "rows": [],
        "claim_url": f"{SITE}/sample/claim/",
        "site_url": SITE,
    },
    frozenset({"claim_url"}),
)
LINK = "{{ claim_url }}"


def compiled(source, **changes):
    return compile_words(source, SHAPES, **{"is_html": False, **changes})


@pytest.mark.parametrize(
    ("source", "line", "says"),
    [
        ("a\n{{ price }}", 2, "no variable “price”"),
        ("{% load static %}", 1, "{% load %} can't be used"),
        ("{% include 'x' %}", 1, "{% include %}"),
        ("{% extends 'x' %}", 1, "{% extends %}"),
        ("{% debug %}", 1, "{% debug %}"),
        ("{% now 'Y' %}", 1, "{% now %}"),
        ("{% url 'home' %}", 1, "{% url %}"),
        ("{% autoescape off %}{% endautoescape %}", 1, "{% autoescape %}"),
        ("\n\n{% if prize %}", 3, "never closed"),
        ("{% endif %}", 1, "without its beginning"),
        ("{{ prize|safe }}", 1, "“safe” can't be used"),
        ("{{ prize|ljust:'1000000000' }}", 1, "“ljust”"),
        ("{{ prize.upper }}", 1, "one value"),
        ("{{ at.tzinfo.key }}", 1, "one value"),
        ("{{ prize|default:at.year }}", 1, "one value"),
        ("{% if prize == at.year %}x{% endif %}", 1, "one value"),
        ("{% with x=prize %}{{ x.upper }}{% endwith %}", 1, "one value"),
        ("{{ rows.clear }}", 1, "changes"),
        ("{{ rows.0.pop }}", 1, "changes"),
        ("{% for row in rows %}{{ row.clear }}{% endfor %}", 1, "changes"),
        ("{% for row in rows %}{% for x in row %}{% endfor %}{% endfor %}", 1, "loop inside a loop"),
        ("{% for row in rows %}{% endfor %}{{ row }}", 1, "no variable “row”"),
        ("{{ prize._secret }}", 1, "underscore"),
        ("one\n{{ prize }", 2, "other half"),
        ("{{ }}", 1, "can't be read"),
        ("a\0b", 0, "NUL"),
    ],
)
def test_it_refuses_with_the_line_and_what_to_do(source, line, says):
    with pytest.raises(WordsError) as refused:
        compiled(source)
    assert refused.value.line == line
    assert says in str(refused.value)


def test_it_knows_conditions_loops_and_filters():
    source = "{% if prize and rows %}{% for row in rows %}{{ forloop.counter }}. {{ row.name|upper }}{% endfor %}{% endif %}"
    words = compiled(source)
    assert words.render({"prize": "x", "rows": [{"name": "Asha"}]}) == "1. ASHA"
    assert words.used == {"prize", "rows"}


def test_values_are_escaped_in_html_and_nowhere_else():
    assert compiled("{{ prize }}").render({"prize": "<b>"}) == "<b>"
    assert compiled("{{ prize }}", is_html=True).render({"prize": "<b>"}) == "&lt;b&gt;"


@pytest.mark.parametrize("filter_", ["add", "join", "default", "date"])
def test_no_filter_makes_much_of_little(filter_):
    """A text that doubles, or is squared, at each of many levels."""
    levels = range(1, 40)
    source = "{% with a0=at %}" if filter_ == "date" else "{% with a0=prize %}"
    source += "".join(
        "{% with a" + str(n) + "=" + ("at" if filter_ == "date" else f"a{n - 1}") + f"|{filter_}:a{n - 1} %}}"
        for n in levels
    )
    source += "{{ a39|length }}" + "{% endwith %}" * 40
    at = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
    try:
        said = compiled(source).render({"prize": "a prize", "at": "r" * 9 if filter_ != "date" else at})
    except TooLongError:
        return
    assert int(said) < 1_000


def test_numbers_are_added_and_lists_joined():
    words = compiled(
        "{{ rows|length|add:2 }} {{ prize|add:prize }} {{ rows|join:', ' }} {{ prize|join:'-' }}"
    )
    assert words.render({"prize": "x", "rows": ["a", "b"]}) == "4  a, b x"
    assert (
        compile_words("{{ rows|join:', ' }}", SHAPES, is_html=True).render({"rows": ["<", "b"]}) == "&lt;, b"
    )


@pytest.mark.parametrize(
    "source",
    [
        "{{ prize }}" * 300,
        "{% for letter in prize %}{{ prize }}{% endfor %}",
        "{% for letter in prize %}" + "x" * 500 + "{% endfor %}",
        "{% for letter in prize %}{% firstof prize %}{% endfor %}",
        "{% for letter in prize %}{% if prize %}{% with x=prize %}{{ x }}{% endwith %}{% endif %}{% endfor %}",
        "{{ rows|join:prize }}",
    ],
)
def test_a_text_ends_where_no_message_is_so_long(source):
    with pytest.raises(TooLongError, match="longer than 200000 characters"):
        compiled(source).render({"prize": "x" * 1_000, "rows": ["x"] * 1_000})


def test_too_long_with_sample_values_is_said():
    source = "{% for a in prize %}" + "x" * 19_000 + "{% endfor %}"
    samples = {**VOCABULARY.samples, "prize": "a prize, and another"}
    told = check_parts(Parts(text=f"{LINK}{source}"), Vocabulary(SHAPES, samples, frozenset()), site_url=SITE)
    assert "longer than 200000 characters" in str(told.errors[0])


@given(st.text(alphabet="{}%#|.: ifendforprzeow\n'\"x", max_size=60))
def test_nothing_typed_raises_anything_else(source):
    with contextlib.suppress(WordsError):
        compiled(source)


BAD = "<script>alert(1)</script><!-- "


@pytest.mark.parametrize(
    "html",
    [
        "<p>Hi</p>{% if rows > 5 %}<style>.x{<script>alert(1)</script><!-- {% endif %}",
        f"{{% if prize > 5 %}}{BAD}{{% endif %}}",
        f"{{% if prize %}}a{{% elif prize > 5 %}}{BAD}{{% endif %}}",
        f"{{% if prize %}}a{{% elif at %}}b{{% elif not at %}}{BAD}{{% else %}}c{{% endif %}}",
        f"{{% if prize != 5 %}}a{{% else %}}{BAD}{{% endif %}}",
        f"{{% if prize %}}{{% if prize == 7 %}}{BAD}{{% endif %}}{{% endif %}}",
        f"{{% for row in rows %}}{{% if forloop.counter == 3 %}}{BAD}{{% endif %}}{{% endfor %}}",
        f"{{% for row in prize %}}a{{% empty %}}{{% if at == 3 %}}{BAD}{{% endif %}}{{% endfor %}}",
        f"{{% with x=prize %}}{{% if x == 3 %}}{BAD}{{% endif %}}{{% endwith %}}",
        "{% firstof prize '<script>' %}",
        "{{ prize|default:'<script>' }}",
        "{{ rows|join:'<script>' }}",
        "{% with x='<script>' %}{{ x }}{% endwith %}",
        "{% firstof '<' as prize %}",
        "<a href='{% firstof site_url \"javascript:x\" %}'>a</a>",
        "<a href='{{ site_url|default:\"javascript:x\" }}'>a</a>",
        "<a href='{{ prize|yesno:\"https://a.example,javascript:x,javascript:y\" }}'>a</a>",
        "<a href='{% if prize == 3 %}javascript:x{% else %}https://a.example{% endif %}'>a</a>",
        "{% if prize == 3 %}<a href='javascript:x'>a</a>{% endif %}",
        "{% if prize == 3 %}<p onclick='x'>a</p>{% endif %}",
        "{% if prize == 3 %}</p>{% endif %}",
        "{% if prize == 3 %}<p>{% endif %}",
        "{% if prize == 3 %}<p {% endif %}",
        "<p {% if prize == 3 %}onclick='x'{% endif %}>a</p>",
        "<p {% if prize == 3 %}onclick{% endif %}>a</p>",
        "<p title='{% if prize == 3 %}' onclick='x{% endif %}'>a</p>",
        '<p title="{% if prize == 3 %}{{ prize|urlize }}{% endif %}">a</p>',
        '<p title="{{ prize|urlize }}">a</p>',
        '<p title="{% with x=prize|urlize %}{{ x }}{% endwith %}">a</p>',
        "<{% if prize == 3 %}script{% else %}b{% endif %}>a",
        "<s{% if prize == 3 %}cript{% endif %}>a</s>",
        "<{% if prize %}s{% else %}b{% endif %}{% if at == 3 %}cript{% endif %}>a",
        "{% if prize == 1 %}<{% endif %}{% if prize == 1 %}script{% endif %}{% if prize == 1 %}>{% endif %}",
    ],
)
def test_what_no_sample_brings_to_light_is_looked_at(html):
    told = found(html=f"{html} {LINK}", text=LINK)
    assert told.errors, html
    assert "html" not in told.compiled or any(error.part == "html" for error in told.errors)


@pytest.mark.parametrize(
    "html",
    [
        "{% if prize == 3 %}<p>It's {{ prize }}, <b>really</b>.</p>{% elif at %}<p>No</p>{% else %}no{% endif %}",
        "<p>{% if prize == 3 %}one{% else %}others{% endif %}</p>",
        '<p class="{% if prize == 3 %}one{% endif %}" title=\'{{ prize|default:"it\'s" }}\'>a</p>',
        "<ul>{% for row in rows %}<li>{{ row.name|default:'x' }}</li>{% empty %}<li>{{ at|date:'j F' }}</li>{% endfor %}</ul>",
        "<a href='{% if prize == 3 %}{{ claim_url }}{% else %}{{ site_url }}/{% endif %}'>{% if prize %}<b>a</b>{% endif %}</a>",
        "<a href='{{ site_url }}/{% for row in rows %}{{ row }}{% endfor %}'>a</a>{{ prize|linebreaks }}",
        "{% with x=site_url %}<a href='{{ x }}/a/'>{% firstof prize at 'a' %}</a>{% endwith %}",
    ],
)
def test_branches_that_end_what_they_begin_are_good(html):
    told = found(html=f"{html} {LINK}", text=LINK)
    assert (told.errors, told.warnings) == ([], [])


def test_a_branch_is_refused_with_its_line():
    [error] = found(html=f"<p>{LINK}</p>\n{{% if prize == 3 %}}<p>a\n<b>b</p>{{% endif %}}", text=LINK).errors
    assert str(error).startswith("Line 3: </p> ends what is not open here")


def test_links_of_all_branches_are_looked_at():
    source = LINK + "{% if prize == 3 %}" + " https://{}.example/ {% endif %}"
    told = found(
        text=source.replace("{}", "one"),
        html=LINK + "{% if prize == 3 %}<a href='https://two.example/'>a</a>{% endif %}",
        sms=source.replace("https", "http"),
    )
    assert "not secured" in str(told.errors[0])
    assert {warning.code for warning in told.warnings} == {"host one.example", "host two.example"}


@pytest.mark.parametrize("depth", [50, 150, 250, 330, 500, 780])
def test_what_is_nested_too_deeply_is_refused_and_breaks_nothing(depth):
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000 + len(inspect.stack()))
    try:
        told = found(text=LINK + "{% if prize %}" * depth + "x" + "{% endif %}" * depth)
    finally:
        sys.setrecursionlimit(before)
    assert [str(error) for error in told.errors if "nested too deeply" not in str(error)] == []


def test_quotes_in_a_text_inside_a_tag_end_no_attribute():
    source = "<p title='{{ prize|default:\"' onclick='x\" }}'>a</p>"
    assert "' onclick" not in compiled(source, is_html=True).render({"prize": ""})


def found(**parts):
    return check_parts(Parts.of(parts), VOCABULARY, site_url=SITE)


@pytest.mark.parametrize(
    ("html", "says"),
    [
        ("<script>x</script>", "<script> can't stand"),
        ("<p onclick='x'>a</p>", "“onclick”"),
        ("<p>a", "never closed"),
        ("<p><b>a</p></b>", "comes first"),
        ("a</p>", "not open"),
        ("<!-- a", "middle of a tag"),
        ("<!-- a -->", "comment"),
        ("<!doctype html><p>a</p>", "the page around it"),
        ("<p title={{ prize }}>a</p>", "quotes"),
        ("<a href={{ prize }}>a</a>", "can't begin with this variable"),
        ("<a href='{{ prize }}'>a</a>", "can't begin with this variable"),
        ("<p {{ prize }}>a</p>", "“a”"),
        ("<{{ prize }}>a", "can't name a tag"),
        ("{% for row in rows %}<{{ row.name }}>{% endfor %}", "can't name a tag"),
        ("{% for row in rows %}<p title={{ row.name }}></p>{% endfor %}", "quotes"),
        ("<p style='color: {{ prize }}'>a</p>", "neither hold a variable"),
        ("<p style='background: url(https://x.example)'>a</p>", "load anything"),
        ("<img src='https://fair.example/a.png'>", "alt"),
        ("<a href='javascript:x'>a</a>", "no address of a page"),
        ("<a href='https://fair.example'><a href='https://fair.example'>a</a></a>", "inside a link"),
        ("{% if prize %}<b>{% endif %}x{% if prize %}</b>{% else %}<i>{% endif %}", "never closed"),
        ("<a href='x'", "middle of a tag"),
    ],
)
def test_html_that_breaks_a_mail_is_refused(html, says):
    errors = [
        str(error)
        for error in found(html=f"{html} {LINK}" if "middle" not in says else f"{LINK} {html}").errors
    ]
    assert any(says in error for error in errors), errors


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"subject": "x" * 201}, "at most 200 fit"),
        ({"subject": "a\nb"}, "one line"),
        ({"text": "x" * (LIMITS["text"] + 1)}, "Shorten"),
        ({"text": "no link"}, "{{ claim_url }} is missing"),
        ({"html": "<p>no link</p>"}, "{{ claim_url }} is missing"),
        ({"sms": "no link"}, "{{ claim_url }} is missing"),
        ({"text": f"{LINK} http://elsewhere.example/"}, "not secured"),
        ({"text": f"{LINK} https://a:99999999/"}, "no address of a page"),
        ({"text": f"{LINK} https://you@fair.example/"}, "no address of a page"),
        ({"subject": "{% if not prize %}x{% endif %}"}, "comes out empty"),
    ],
)
def test_what_has_to_be_mended(parts, says):
    assert says in " ".join(str(error) for error in found(**parts).errors)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"subject": "YOU WON A PRIZE"}, "capitals"),
        ({"subject": "You won!!!"}, "exclamation"),
        ({"subject": "x" * 100}, "its end is not seen"),
        ({"html": f"<p>{LINK}</p>"}, "no text"),
        ({"text": f"{LINK} https://elsewhere.example/"}, "leads to elsewhere.example"),
        (
            {"html": f"{LINK}<a href='https://elsewhere.example/'>fair.example</a>", "text": LINK},
            "for a fraud",
        ),
        (
            {"html": f"{LINK}<img alt='' src='https://elsewhere.example/a.png'>", "text": LINK},
            "learns who reads",
        ),
    ],
)
def test_what_is_warned_of(parts, says):
    told = found(**parts)
    assert not told.errors
    assert says in " ".join(str(warning) for warning in told.warnings)


def test_good_words_are_neither_refused_nor_warned_of():
    told = found(
        subject="You won {{ prize }}",
        text=f"Claim it by {{{{ at }}}}:\n{LINK}\n{{{{ site_url }}}}/draws/",
        html=f"<p style='color:red'>You won <b>{{{{ prize }}}}</b>.</p><p><a href=\"{LINK}\">Claim it</a><br>"
        "<a href='{{ site_url }}/draws/'>fair.example</a> <a href='mailto:a@b.example'>write</a></p>",
        sms=f"You won: {LINK}",
    )
    assert (told.errors, told.warnings) == ([], [])
