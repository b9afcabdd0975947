"""A winner's statement says which draw the money came from."""

from draws.subjects import name_draws
from tests import factories
from tests.draws.factories import make_draft, make_executed


def test_the_statement_names_the_draw_and_links_it(client, cloned_db):
    who = factories.alice()
    draw = make_executed(title="Opening night", entrants=0, members=[who])
    client.force_login(who)
    page = client.get("/wallet/").content.decode()
    assert "Opening night" in page
    assert draw.get_absolute_url() in page


def test_drafts_and_nonsense_are_not_named(cloned_db):
    assert name_draws([str(make_draft().public_id), "no uuid at all"]) == {}
