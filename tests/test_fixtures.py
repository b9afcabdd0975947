"""The fixtures keep their promises; the rest of the suite stands on them."""

import os
from types import SimpleNamespace

import psycopg
import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, connection, transaction

from tests.conftest import pytest_runtest_setup
from tests.databases import template_name, with_database

User = get_user_model()
EMAIL = "alice@example.com"


def make_user(email=EMAIL):
    return User.objects.create(email=email)


@pytest.mark.django_db
@pytest.mark.parametrize("time", ["first", "second"])
def test_the_usual_database_is_rolled_back(time):
    assert User.objects.count() == 0
    make_user()


def test_a_clone_commits_for_real(cloned_db):
    committed = []
    with transaction.atomic():
        make_user()
        transaction.on_commit(lambda: committed.append(True))
        assert not committed
    assert committed
    with psycopg.connect(cloned_db.url) as other:
        assert other.execute("SELECT email FROM accounts_user").fetchall() == [(EMAIL,)]


def test_each_clone_begins_empty_and_is_none_of_the_usual_database(cloned_db):
    assert User.objects.count() == 0
    assert connection.settings_dict["NAME"] == cloned_db.name


def test_threads_race_with_connections_of_their_own(parallel):
    outcomes = parallel(lambda: make_user().pk, 4)
    assert len(outcomes.results) == 1
    assert [type(error) for error in outcomes.errors] == [IntegrityError] * 3


def test_threads_are_told_their_number(parallel):
    outcomes = parallel(lambda index: (index, make_user(f"{index}@example.com").email), 3)
    assert outcomes.results == [(0, "0@example.com"), (1, "1@example.com"), (2, "2@example.com")]
    assert User.objects.count() == 3


def test_a_thread_that_fails_before_the_start_leaves_none_waiting(parallel, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "NAME", "no_such_database")
    outcomes = parallel(make_user, 3)
    assert len(outcomes.errors) == 3


def test_nobody_is_connected_to_the_template(cloned_db):
    with psycopg.connect(with_database(os.environ["DATABASE_URL"], "postgres")) as server:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
        assert server.execute(query, [template_name()]).fetchone() == (0,)


def test_the_site_runs_over_the_clone_and_its_parts_can_be_killed(live_site):
    worker, beat = live_site.start_worker(), live_site.start_beat()
    assert worker.is_alive
    assert beat.is_alive
    worker.kill()
    assert not worker.is_alive
    live_site.web.kill()
    live_site.start_web()
    make_user()
    script = "from accounts.models import User; print(User.objects.get().email)"
    assert live_site.manage("shell", "--no-imports", "-c", script).strip() == EMAIL


def test_a_browser_opens_the_site_while_the_test_uses_the_orm(live_site, page, page_errors):
    make_user()
    assert page.goto("/healthz").status == 200
    assert page_errors == []
    page.goto("/there-is-no-such-page/")
    assert "404" in page_errors[0]
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("fixtures", "marker"),
    [
        ([], pytest.mark.django_db(transaction=True)),
        (["transactional_db"], None),
        (["live_server"], pytest.mark.django_db()),
    ],
)
def test_what_needs_truncate_is_refused_in_one_sentence(fixtures, marker):
    item = SimpleNamespace(fixturenames=fixtures, get_closest_marker=lambda name: marker and marker.mark)
    with pytest.raises(pytest.fail.Exception, match="use the fixture `cloned_db`"):
        pytest_runtest_setup(item)


def test_a_clone_within_the_rolled_back_transaction_is_refused():
    item = SimpleNamespace(fixturenames=["cloned_db", "db"], get_closest_marker=lambda name: None)
    with pytest.raises(pytest.fail.Exception, match="use one of them"):
        pytest_runtest_setup(item)
