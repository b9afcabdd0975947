"""Somebody signed in to the real site, without a browser."""

import http.client
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.test import Client

CSRF = "c" * 32


class Visitor:
    """A member signed in to the real site."""

    def __init__(self, site: Any, member: Any) -> None:
        client = Client()
        client.force_login(member)
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        self.cookies = f"{settings.SESSION_COOKIE_NAME}={session}; csrftoken={CSRF}"
        self._netloc = urlsplit(site.url).netloc

    def ask(self, method: str, path: str) -> tuple[int, str, str]:
        """Status, body, and where to."""
        link = http.client.HTTPConnection(self._netloc, timeout=60)
        try:
            form = urlencode({"csrfmiddlewaretoken": CSRF}) if method == "POST" else None
            headers = {"Cookie": self.cookies, "Content-Type": "application/x-www-form-urlencoded"}
            link.request(method, path, form, headers)
            answer = link.getresponse()
            return answer.status, answer.read().decode(), answer.headers.get("Location", "")
        finally:
            link.close()
