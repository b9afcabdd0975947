"""The nets catch what they are there for: each is shown a fault, and has to complain."""

import pytest
from django.test import Client
from django.urls import include, path

from tests.access import HERS, LED_NO_POST, MEMBERS, TABLE, row
from tests.test_pages import dead_links, faults_of, queries_of
from tests.test_pages_browser import SCREENS, examined, listen, what_sticks_out
from tests.test_permissions import addresses, letter_of, without_a_row, without_swapped_id

PAGE = "<!doctype html><html lang=en><head><title>A page</title></head><body>%s</body></html>"


def test_a_new_address_needs_a_row():
    new = [path("wallet/", include([path("secrets/<uuid:secret_id>/", lambda request: None)]))]
    assert without_a_row(addresses(new)) == ["wallet/secrets/<uuid:secret_id>/"]
    assert without_a_row(addresses()) == []


@pytest.mark.parametrize(
    ("get", "is_caught"),
    [
        (HERS, False),
        (MEMBERS, True),  # Bob gets in too
        ("---------", True),  # the row names nothing that is there
        ("s????????", True),  # anything will do
    ],
)
def test_an_address_of_something_needs_somebody_else_who_asks(get, is_caught):
    table = {"wallet/secrets/<uuid:secret_id>/": row(get, LED_NO_POST, secret_id="receipt")}
    assert bool(without_swapped_id(table)) is is_caught


def test_a_page_of_the_admin_is_for_staff():
    open_to_members = {"admin/x/<int:pk>/": row("s........", LED_NO_POST, pk="receipt")}
    assert without_swapped_id(open_to_members) == ["admin/x/<int:pk>/"]


@pytest.mark.parametrize(
    ("status", "location", "letter"),
    [
        (200, "", "."),
        (302, "/accounts/login/?next=/", "s"),
        (302, "/", "*"),
        (404, "", "-"),
        (500, "", "500"),
    ],
)
def test_an_answer_becomes_its_letter(status, location, letter):
    answer = type("Answer", (dict,), {"status_code": status})(Location=location)
    assert letter_of(answer, ".") == letter


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("<div>x", "</body> comes before <div> of line 1 is closed"),
        ("<section><span>x</section></span>", "</section> comes before <span>"),
        ("<ul><li><a href=/>x</ul>", "</ul> comes before <a>"),
        ("<a href=/><button>x</button></a>", "<button> can't stand inside <a>"),
        ("<table><div></div></table>", "<div> can't stand in <table>"),
        ("<p>x<ul><li>y</ul></p>", "</p> closes nothing"),
        ("<div/>", "<div/> doesn't close itself"),
        ("<b><p>x</b></p>", "/a/ line 1"),
        ("<p id=one><p id=one>", "2 elements have the id one"),
        ("<label for=name>Name</label>", "a label for name, which isn't there"),
        ("<input aria-describedby=help>", "a label for help, which isn't there"),
    ],
)
def test_faulty_html_is_caught(body, complaint):
    right = "<ul><li>x<li>y</ul><p>z<div><svg><path/></svg><br></div><table><tr><td>1<td>2<tr><td>3</table>"
    assert faults_of("/a/", PAGE % right) == []
    assert complaint in "\n".join(faults_of("/a/", PAGE % body))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("<a href=/nowhere/>x</a>", "/ links to /nowhere/"),
        ("<a href='#gone'>x</a>", "/ links to #gone, which isn't on it"),
        ("<form action=nowhere/></form>", "/ links to /nowhere/"),
        ("<img src=/static/img/gone.svg>", "/ links to /static/img/gone.svg"),
        ("<script src=/static/js/gone.js></script>", "/ links to /static/js/gone.js"),
    ],
)
def test_a_link_that_leads_nowhere_is_caught(body, complaint):
    assert dead_links(Client(), "/", PAGE % "<a href=/draws/>x</a>", {}) == []
    assert dead_links(Client(), "/", PAGE % body, {}) == [complaint]


@pytest.mark.django_db
def test_queries_are_counted_anew_each_time():
    first = queries_of(Client(), "/draws/")
    assert first
    assert queries_of(Client(), "/draws/") == first


FAULTS = [
    ("<script>document.title = 'x'</script>", "Content Security Policy"),
    ("<p style='color: red'>x</p>", "Content Security Policy"),
    ("<img src='https://example.org/x.png' alt=''>", "Content Security Policy"),
    ("<img src='/gone.png' alt=''>", "404 for"),
    ("<script type=module src='/static/js/gone.js'></script>", "404 for"),
    ("<input name=amount>", ": label: "),
    ("<button></button>", ": button-name: "),
    ("<img src='/static/img/mark.svg'>", ": image-alt: "),
    ("<p class=planted-pale>Too pale to read</p>", ": color-contrast: "),
    ("<div class=planted-wide>Too wide</div>", " sticks out by "),
]
PLANTED = ".planted-pale { color: #999; background: #aaa } .planted-wide { width: 3000px }"


def test_what_a_browser_finds_is_caught(live_site, browser):
    """Each fault is put into a real page on its way to the browser, with the page's own policy."""
    size, scheme = SCREENS[0]
    context = browser.new_context(base_url=live_site.url, viewport=size, color_scheme=scheme)
    context.route("**/static/css/base.css", lambda route: _with(route, css=PLANTED))
    page, fault = context.new_page(), ""
    page.route("**/draws/fairness/", lambda route: _with(route, html=fault))
    complaints = listen(page)
    unseen = []
    for fault, complaint in [("", ""), *FAULTS]:
        complaints.clear()
        page.goto("/draws/fairness/", wait_until="load")
        found = [
            *examined(page, "/draws/fairness/"),
            *what_sticks_out(page, "/draws/fairness/", scheme),
            *complaints,
        ]
        if not fault:
            assert found == []
        elif complaint not in "\n".join(found):
            unseen.append((fault, found))
    assert unseen == []
    context.close()


def _with(route, *, css: str = "", html: str = "") -> None:
    answer = route.fetch()
    text = answer.text()
    route.fulfill(response=answer, body=text + css if css else text.replace("</main>", f"{html}</main>"))


def test_the_table_has_something_of_everything():
    """What the tests above stand on: nobody has emptied it."""
    assert len(TABLE) > 250
