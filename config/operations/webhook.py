"""Posts one message to a webhook, signed as Standard Webhooks has it (standardwebhooks.com, version 1). No ORM."""

import http.client
import urllib.error
import urllib.request
from typing import IO

from notifications.standard_webhooks import secret_bytes, signature

__all__ = ["WebhookError", "post", "secret_bytes", "signature"]

TIMEOUT_S = 5.0


class WebhookError(Exception):
    """It was not taken. The message says why, and holds nothing secret."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Who is told is who was named: a redirect could lead anywhere."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> None:
        return None


def post(
    *, url: str, secret: str, message_id: str, timestamp: int, body: bytes, timeout_s: float = TIMEOUT_S
) -> None:
    """Send `body` (JSON). Any 2xx is taken for heard; raises `WebhookError` otherwise."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Fairground",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
    }
    if secret:
        headers["webhook-signature"] = signature(
            secret=secret, message_id=message_id, timestamp=timestamp, body=body
        )
    if not url.startswith(("https://", "http://")):
        raise WebhookError("ALERT_WEBHOOK is no address of the web")
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        opener.open(request, timeout=timeout_s).close()
    except urllib.error.HTTPError as error:
        error.close()
        raise WebhookError(f"status {error.code}") from None
    except TimeoutError:
        raise WebhookError(f"no answer within {timeout_s:g} s") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        # Never the address: whoever has that of a chat's webhook may write there.
        raise WebhookError(str(getattr(error, "reason", "")) or type(error).__name__) from None
