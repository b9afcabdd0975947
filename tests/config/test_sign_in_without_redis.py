"""The whole way in, on the real site, with its Redis killed under it."""

import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request

from tests.accounts.codes import code_of, with_app, wrong_code
from tests.api.conftest import OwnRedis
from tests.factories import make_user
from tests.live import LiveSite

PASSWORD = "correct horse battery"


class Visitor:
    """A browser that knows forms, cookies and nothing else."""

    def __init__(self, site: LiveSite) -> None:
        self.site = site
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(jar)

    def get(self, path: str):
        return self._open(urllib.request.Request(self.site.url + path))

    def post(self, path: str, **fields: str):
        _status, _url, html = self.get(path)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', html).group(1)
        body = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": token}).encode()
        return self._open(urllib.request.Request(self.site.url + path, data=body))

    def _open(self, request):
        try:
            answer = self.opener.open(request)
        except urllib.error.HTTPError as error:
            answer = error
        return answer.status, answer.url.removeprefix(self.site.url), answer.read().decode()


def test_people_sign_in_and_guessers_are_locked_out(cloned_db, tmp_path):
    person = make_user(email="grace@example.com", password=PASSWORD)
    with_app(person)
    make_user(email="heidi@example.com", password=PASSWORD)
    own_redis = OwnRedis(tmp_path)
    site = LiveSite({**cloned_db.env, "REDIS_URL": own_redis.url, "SIGN_IN_FAILURES": "3"}, tmp_path)
    try:
        site.start_web()
        own_redis.kill()

        visitor = Visitor(site)
        assert visitor.post("/accounts/login/", login=person.email, password=PASSWORD)[:2] == (
            200,
            "/accounts/2fa/authenticate/",
        )
        assert visitor.post("/accounts/2fa/authenticate/", code=code_of())[:2] == (200, "/dashboard/")
        assert visitor.get("/accounts/sessions/")[0] == 200

        guesser = Visitor(site)
        tries = [
            guesser.post("/accounts/login/", login="heidi@example.com", password="wrong")[0] for _ in range(4)
        ]
        assert tries == [200, 200, 429, 429]
        other = Visitor(site)
        other.post("/accounts/login/", login=person.email, password=PASSWORD)
        answers = [other.post("/accounts/2fa/authenticate/", code=wrong_code())[0] for _ in range(5)]
        assert answers == [200] * 4 + [429]
        assert visitor.post("/accounts/logout/")[0] == 200
    finally:
        site.stop()
        own_redis.kill()
