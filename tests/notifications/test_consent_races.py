"""Clicks and forms that come at the same moment."""

from django.test import Client

from accounts.models import User
from notifications import kinds
from notifications.mail_links import links_of
from notifications.models import ConsentEvent, Delivery, Preference, Stop
from notifications.services.preferences import save_preferences
from tests.factories import alice
from tests.notifications.outbox import NOW, named, outsider, say


def test_four_clicks_at_the_same_moment_are_one(parallel):
    message = say(recipients=[outsider()])
    delivery = Delivery.objects.select_related("message").get(message=message)
    links = links_of(delivery, kinds.get("test.service"))
    path = links.unsubscribe_url.removeprefix("http://127.0.0.1:8000")
    outcomes = parallel(lambda: Client().post(path, {"List-Unsubscribe": "One-Click"}).status_code, 4)
    assert (outcomes.results, outcomes.errors) == ([200] * 4, [])
    assert (Stop.objects.count(), ConsentEvent.objects.count()) == (1, 1)


def test_four_forms_at_the_same_moment_are_one(parallel):
    who = named(alice())
    cells = [("test.service", "email"), ("test.service", "in_app")]
    outcomes = parallel(
        lambda: save_preferences(
            who=who,
            offered=cells,
            wanted=cells[1:],
            promotions=True,
            quiet_hours=None,
            source="test",
            now=NOW,
        ),
        4,
    )
    assert (outcomes.results, outcomes.errors) == ([False] * 4, [])
    assert Preference.objects.get().channel == "email"
    assert User.objects.get(pk=alice().pk).accepts_promotions
    assert sorted(ConsentEvent.objects.values_list("what", flat=True)) == ["agreed", "switched off"]
