"""Who people are."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.http import HttpResponse
from django.utils import timezone

from accounts import roles
from accounts.forms import ProfileForm
from accounts.middleware import TimeZoneMiddleware
from accounts.models import User, normalise_email, validate_time_zone
from tests.factories import alice, bob, make_user


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Grace@Example.COM", "grace@example.com"),
        ("  grace@example.com\n", "grace@example.com"),
        ("grace+draws@example.com", "grace+draws@example.com"),  # nothing is folded: it may be another person
        ("g.race@gmail.com", "g.race@gmail.com"),
        ("zoe\u0308@example.com", "zoë@example.com"),
        ("", ""),
    ],
)
def test_an_address_has_one_form(given, kept):
    assert normalise_email(given) == kept
    assert normalise_email(kept) == kept


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("Asha Kamau", "Asha K."),
        ("Asha", "Asha"),
        ("Asha W. Kamau", "Asha W."),
        ("  Asha  ", "Asha"),
        ("", ""),
    ],
)
def test_others_see_a_first_name_and_an_initial(name, short):
    assert User(display_name=name).short_name == short


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "Africa", "/etc/localtime"])
def test_a_zone_has_to_exist(name):
    with pytest.raises(ValidationError):
        validate_time_zone(name)


@pytest.mark.django_db
class TestUser:
    def test_the_database_keeps_one_account_for_an_address_in_any_case(self):
        user = make_user(email="grace@example.com")
        with pytest.raises(IntegrityError, match="accounts_user_email_ci"), transaction.atomic():
            User.objects.bulk_create([User(email="GRACE@example.com")])
        with connection.cursor() as cursor, pytest.raises(IntegrityError), transaction.atomic():
            cursor.execute("UPDATE accounts_user SET email = '' WHERE id = %s", [user.pk])

    def test_an_account_needs_an_address(self):
        with pytest.raises(ValueError, match="needs an e-mail address"):
            User.objects.create_user("  ")

    def test_it_is_found_by_its_address_in_any_case(self):
        user = make_user(email="Grace@example.com")
        assert User.objects.get_by_natural_key("GRACE@Example.com") == user

    def test_without_a_password_it_can_not_sign_in_by_one(self):
        assert not make_user().has_usable_password()

    def test_a_role_is_held_by_name(self):
        finance = make_user(role=roles.FINANCE)
        assert finance.has_role(roles.FINANCE, roles.HOST)
        assert not finance.has_role(roles.HOST)
        assert User.objects.create_superuser("root@example.com").has_role(roles.HOST)

    def test_the_profile_form_refuses_a_zone_nobody_knows(self):
        fields = {"display_name": "Grace", "language": "en"}
        assert ProfileForm({**fields, "time_zone": "Asia/Dhaka"}, instance=make_user()).is_valid()
        assert not ProfileForm({**fields, "time_zone": "Mars/Olympus"}, instance=make_user()).is_valid()


@pytest.mark.django_db
def test_times_are_shown_in_the_zone_of_whoever_looks(rf):
    midnight = dt.datetime(2026, 11, 20, 18, 0, tzinfo=dt.UTC)

    def view(request):
        return HttpResponse(timezone.localtime(midnight).strftime("%d. %H:%M"))

    def seen_by(user, **cookies):
        request = rf.get("/")
        request.user = user
        request.COOKIES.update(cookies)
        return TimeZoneMiddleware(view)(request).content.decode()

    assert seen_by(alice(), sessionid="x") == "20. 21:00"
    assert seen_by(bob(), sessionid="x") == "21. 00:00"
    assert seen_by(bob()) == "20. 18:00"  # no cookie, nobody
    assert timezone.get_current_timezone_name() == "UTC"
