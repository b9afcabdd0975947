"""How the SDK of Twilio talks: bounded in time and size, nothing sent twice, nothing followed elsewhere.

The SDK's own transport has no limit of time, and its errors don't say whether a request was out when it failed.
"""

import time
from typing import Any

import requests
from twilio.http.response import Response
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProxyError

CONNECT_S = 5.0
MOST_BYTES = 2 * 2**20
"""Of an answer; a page of a hundred messages is a tenth of it."""
_BLOCK = 65_536


class NotSentError(Exception):
    """No connection came about: Twilio has heard nothing."""


class NoAnswerError(Exception):
    """It was sent, perhaps, and no answer came that can be read."""


class Transport:
    """One keep-alive connection, in the place of `twilio.http.HttpClient`; `headers` are those of the last answer."""

    is_async = False

    def __init__(self, timeout_s: float) -> None:
        self.timeout = timeout_s
        self.headers: dict[str, str] = {}
        self._session = requests.Session()  # its adapter sends nothing again by itself

    def close(self) -> None:
        """Hang up."""
        self._session.close()

    def request(
        self,
        method: str,
        url: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Any:
        """Ask once. Raises `NotSentError` and `NoAnswerError`."""
        self.headers = {}
        ends = time.monotonic() + self.timeout
        try:
            with self._session.request(
                method.upper(),
                url,
                params=params,  # type: ignore[arg-type]
                data=data,
                headers=headers,
                auth=auth,
                timeout=(min(CONNECT_S, self.timeout), self.timeout),
                allow_redirects=False,
                stream=True,
            ) as answer:
                body = _read(answer, ends)
                self.headers = {name.lower(): value for name, value in answer.headers.items()}
        except requests.RequestException as error:
            if _is_unsent(error):
                raise NotSentError(type(error).__name__) from None
            raise NoAnswerError(type(error).__name__) from None
        return Response(int(answer.status_code), body.decode("utf-8", "replace"), answer.headers)


def _read(answer: requests.Response, ends: float) -> bytes:
    """The body: not longer than it may be, and not for longer than there is time."""
    parts, size = [], 0
    try:
        while part := answer.raw.read1(_BLOCK, decode_content=True):
            parts.append(part)
            size += len(part)
            if size > MOST_BYTES:
                raise NoAnswerError("the answer is too long")
            if time.monotonic() > ends:
                raise NoAnswerError("the answer took too long")
    except (HTTPError, OSError) as error:
        raise NoAnswerError(type(error).__name__) from None
    return b"".join(parts)


def _is_unsent(error: requests.RequestException) -> bool:
    """Whether it failed before anything was said."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.InvalidURL):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, NewConnectionError | ConnectTimeoutError | ProxyError):
        return True
    return "CERTIFICATE_VERIFY_FAILED" in str(error)
