"""The admin has no door of its own: staff sign in where everybody does."""

import pytest
from django.test import Client

from tests import factories

pytestmark = pytest.mark.django_db


def test_a_visitor_of_the_admin_is_led_to_the_sign_in_of_the_site(client: Client) -> None:
    response = client.get("/admin/draws/draw/", follow=True)
    assert response.redirect_chain[-1][0] == "/accounts/login/?next=/admin/draws/draw/"


def test_the_admins_own_form_signs_nobody_in(client: Client) -> None:
    person = factories.make_user(is_staff=True, password="a long enough one")
    client.post("/admin/login/", {"username": person.email, "password": "a long enough one"})
    assert "_auth_user_id" not in client.session


def test_a_member_finds_no_admin(client: Client) -> None:
    client.force_login(factories.alice())
    assert client.get("/admin/", follow=True).status_code == 404


def test_the_way_back_never_leaves_the_site(client: Client) -> None:
    response = client.get("/admin/login/?next=https://elsewhere.example/")
    assert response.url == "/accounts/login/?next=/admin/"
