"""Kept pieces: what is under one key, and that nothing shown is older than what was asked for."""

import pytest
from django.template import Context, Template
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy

from accounts.models import User
from config.templatetags import kept as kept_module
from config.templatetags.kept import kept
from draws.models import Draw
from tests.config.test_home import open_draw


def badge(label: object) -> str:
    return str(kept("components/badge.html", label=label, tone="good"))


class TestAPiece:
    def test_it_is_rendered_once_for_the_same_values(self, monkeypatch):
        badge("Open at noon")

        def refuse(name: str) -> None:
            raise AssertionError(f"{name} is rendered again")

        monkeypatch.setattr(kept_module, "get_template", refuse)
        assert "Open at noon" in badge("Open at noon")
        with pytest.raises(AssertionError):
            badge("Open at one")

    def test_equal_values_that_are_written_differently_are_different_pieces(self):
        assert [">True<" in badge(True), ">1<" in badge(1), ">1.0<" in badge(1.0)] == [True, True, True]
        assert ">True<" in str(kept("components/badge.html", label=[True][0], tone="good"))
        assert "(True,)" in badge([True])
        assert "(1,)" in badge([1])

    def test_it_is_kept_for_each_language_and_zone(self):
        shown = {"at": timezone.now().replace(hour=12), "label": "Closes", "size": "", "event": ""}
        with timezone.override("Africa/Nairobi"):
            nairobi = kept("components/countdown.html", **shown)
        with timezone.override("Asia/Dhaka"):
            dhaka = kept("components/countdown.html", **shown)
        assert ["EAT" in nairobi, "+06" in dhaka, "EAT" in dhaka] == [True, True, False]
        with translation.override("en"):
            badge(gettext_lazy("Yes"))
        with translation.override("fr"):
            assert "Oui" in badge(gettext_lazy("Yes"))

    def test_what_it_is_given_is_escaped(self):
        assert "&lt;b&gt;" in badge("<b>")

    @pytest.mark.parametrize("row", [Draw(title="A draw"), [User(email="alice@example.com")]])
    def test_a_row_of_the_database_is_refused(self, row):
        with pytest.raises(TypeError, match="can't be given"):
            badge(row)

    def test_it_knows_nothing_of_the_page(self):
        page = Template('{% load kept %}{% kept "components/site_footer.html" is_member=False %}').render(
            Context({"is_member": True, "user": User(email="alice@example.com")})
        )
        assert "/accounts/login/" in page


@pytest.mark.django_db
def test_a_page_of_kept_cards_shows_a_new_title_at_once(client):
    draw = open_draw("Summer raffle")
    assert "Summer raffle" in client.get("/").content.decode()
    Draw.objects.filter(pk=draw.pk).update(title="Winter raffle")
    page = client.get("/").content.decode()
    assert "Winter raffle" in page
    assert "Summer raffle" not in page
