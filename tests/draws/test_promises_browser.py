"""Pages about a draw's promise in a real browser: a changed draw for everybody, its forms for staff."""

import os

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.urls import reverse
from django.utils import timezone

from accounts.sessions import SessionStore
from draws import services
from draws.services import DrawChanges
from tests.draws.factories import make_draft, make_draw
from tests.draws.promises import LOTTERY, frozen_of_2023
from tests.factories import admin

SCREENS = [(360, "light"), (1440, "dark")]


@pytest.fixture
def as_admin(browser_context, live_site):
    """The browser is signed in as a Super Admin."""
    session = SessionStore()
    session[SESSION_KEY] = str(admin().pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]
    session[HASH_SESSION_KEY] = admin().get_session_auth_hash()
    session.save()
    browser_context.add_cookies(
        [{"name": "sessionid", "value": str(session.session_key), "url": live_site.url}]
    )


def look(page, addresses):
    for width, scheme in SCREENS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for address in addresses:
            answer = page.goto(address, wait_until="load")
            assert answer.status == 200, address
            wide = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert wide <= 0, f"{address} sticks out by {wide} px at {width} px"
            if folder := os.environ.get("SHOTS"):
                name = address.strip("/").replace("/", "-")
                page.screenshot(path=f"{folder}/{name}-{width}.png", full_page=True)


def changed_draw():
    draw = make_draw(min_age=18, countries=["KE"])
    services.change_draw(
        draw=draw,
        changes=DrawChanges(title="Harvest draw", rules="One person, one entry, and no more."),
        by=admin(),
        reason="The sponsor asked for another name.",
        now=timezone.now(),
    )
    return draw


def test_a_changed_and_a_waiting_draw_tell_everybody_why(page, page_errors, live_site):
    draw, waiting = changed_draw(), frozen_of_2023([LOTTERY, {"type": "commit"}])
    look(page, [draw.get_absolute_url(), waiting.get_absolute_url()])
    assert page_errors == []


def test_the_forms_of_staff_fit_every_screen(page, page_errors, as_admin):
    draw, waiting = changed_draw(), frozen_of_2023([LOTTERY])
    acts = [
        reverse("admin:draws_draw_change_terms", args=[draw.pk]),
        reverse("admin:draws_draw_enter_text", args=[waiting.pk]),
        reverse("admin:draws_draw_change", args=[draw.pk]),
        reverse("admin:draws_draw_change", args=[make_draft().pk]),
    ]
    look(page, acts)
    assert page_errors == []
