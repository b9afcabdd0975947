"""One code, several browsers at the same moment."""

from django.test import Client

from tests.accounts.codes import code_of, with_app
from tests.accounts.conftest import PASSWORD, is_signed_in, sign_in
from tests.factories import make_user


def test_one_code_sent_by_four_browsers_at_once_signs_one_in(parallel):
    with_app(make_user(email="grace@example.com", password=PASSWORD))
    browsers = [Client() for _ in range(4)]
    for browser in browsers:
        sign_in(browser, "grace@example.com")
    code = code_of()
    outcomes = parallel(
        lambda index: browsers[index].post("/accounts/2fa/authenticate/", {"code": code}).status_code, 4
    )
    assert outcomes.errors == []
    assert sum(map(is_signed_in, browsers)) == 1
