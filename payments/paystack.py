"""Paystack: the only place that talks to it. No ORM; answers come back as our own frozen types.

Stands on the official SDK (`paystack-sdk`), which knows the addresses and parameters, and replaces how that
talks: the SDK has no time limit, follows redirects, sends a request again by itself, keeps one global key and
throws away half of a list's answer. Here

- a GET is asked again twice, soon, while its time lasts; a POST never: it may have happened;
- nothing is followed elsewhere, no answer over 2 MiB is read, and none is waited for longer than `PAYSTACK_TIMEOUT_S`;
- what is known after a failure is in the type of the error: nothing was sent (`PaystackUnavailableError`), Paystack
  said no (`PaystackRefusedError`), or nobody can say (`OutcomeUnknownError`: ask before you send it again);
- the secret key is in no error, no traceback and no log.

Amounts are minor units. Field names of Paystack's: paystack.com/docs/api.
"""

import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from ssl import SSLCertVerificationError
from typing import Any, TypeVar
from urllib.parse import urlencode

import paystack
import urllib3
from django.conf import settings
from django.utils.translation import gettext as _
from paystack.api_client import ApiClient
from paystack.configuration import Configuration
from urllib3 import exceptions as failures

from payments.paystack_answers import (
    Bank,
    Checkout,
    Page,
    RefundState,
    Transaction,
    TransferState,
    UnreadableError,
    read_bank,
    read_refund,
    read_transaction,
    read_transfer,
    text_in,
    whole_in,
)

__all__ = [
    "Bank",
    "Checkout",
    "NotFoundError",
    "OutcomeUnknownError",
    "Page",
    "PaystackError",
    "PaystackRefusedError",
    "PaystackUnavailableError",
    "RefundState",
    "Transaction",
    "TransferState",
    "UnreadableError",
    "create_recipient",
    "initialize",
    "list_banks",
    "list_refunds",
    "list_transactions",
    "read_refund",
    "read_transaction",
    "read_transfer",
    "refund",
    "signature_is_valid",
    "transfer",
    "verify",
    "verify_transfer",
]

MOST_BYTES = 2 * 2**20
"""Of an answer; a page of a hundred transactions is a tenth of it."""
MOST_PAGES = 20
"""Of refunds of one transaction."""
RETRY_AFTER_S = (0.2, 0.6)
_BLOCK = 65_536
_NOT_FOUND = ("Transaction reference not found", "Transaction not found", "Transfer not found")
Read = TypeVar("Read")


class PaystackError(Exception):
    """It was not done as asked. `message` is a sentence for people, and holds nothing secret."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class PaystackUnavailableError(PaystackError):
    """Nothing was sent: no connection came about, or there is no key. It is safe to try again."""


class OutcomeUnknownError(PaystackError):
    """It was sent, and no answer came that can be understood. A POST may have happened: find out first."""


class PaystackRefusedError(PaystackError):
    """Paystack said no, in `message`; nothing was done. `status` is that of HTTP, `code` Paystack's own word or ""."""

    def __init__(self, message: str, *, status: int, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class NotFoundError(PaystackRefusedError):
    """Paystack knows no such thing."""


def initialize(
    *,
    reference: str,
    email: str,
    amount: int,
    currency: str,
    callback_url: str,
    metadata: Mapping[str, Any],
) -> Checkout:
    """Begin a payment under our reference; who pays is sent to `authorization_url` and comes back to `callback_url`.

    After `OutcomeUnknownError` the reference may be taken: begin anew under another one.
    """

    def send() -> Any:
        return _Transactions.initialize(
            email,
            amount,
            currency=currency,
            reference=reference,
            callback_url=callback_url,
            metadata=dict(metadata),
        )

    def read(answer: Mapping[str, Any]) -> Checkout:
        data = _object(answer)
        address = text_in(data, "authorization_url")
        if not address.startswith(("https://", "http://")):
            raise UnreadableError("authorization_url is no address of the web")
        return Checkout(address, text_in(data, "access_code"), text_in(data, "reference"))

    return _post(send, read)


def verify(*, reference: str) -> Transaction:
    """What became of a payment. Raises `NotFoundError` when Paystack knows no such reference."""
    return _get(lambda: _Transactions.verify(reference), lambda answer: read_transaction(_object(answer)))


def list_transactions(
    *, since: datetime, until: datetime, page: int = 1, per_page: int = 100
) -> Page[Transaction]:
    """One page of all transactions begun between two moments, the newest first; `pages` says how many there are."""

    def send() -> Any:
        return _Transactions.list(per_page=per_page, page=page, _from=_moment(since), to=_moment(until))

    def read(answer: Mapping[str, Any]) -> Page[Transaction]:
        return Page([read_transaction(item) for item in _objects(answer)], page, _pages(answer))

    return _get(send, read)


def refund(*, transaction: str, amount: int, currency: str, reason: str, merchant_note: str) -> RefundState:
    """Ask for money to go back to who paid. `transaction` is a reference or Paystack's id; `reason` is shown to the payer.

    Paystack has no key that would make a second request harmless: put something of your own into `merchant_note`, and
    after `OutcomeUnknownError` look for it with `list_refunds`.
    """

    def send() -> Any:
        return _Refunds.create(
            transaction,
            amount=amount,
            currency=currency,
            customer_note=reason,
            merchant_note=merchant_note,
        )

    return _post(send, lambda answer: read_refund(_object(answer)))


def list_refunds(*, transaction: str) -> list[RefundState]:
    """All refunds of a transaction, by Paystack's id (`Transaction.id`) or by its reference, which costs one more question."""
    names = {transaction}
    if not (transaction.isascii() and transaction.isdigit()):
        # Paystack lists by its number alone. A list that came back empty for a reference would look like "none yet".
        found = verify(reference=transaction)
        transaction = found.id
        names = {found.id, found.reference}
    refunds: list[RefundState] = []
    page, pages = 1, 1
    while page <= min(pages, MOST_PAGES):
        items, pages = _page_of_refunds(transaction, page)
        refunds += items
        page += 1
    # A parameter that Paystack does not know it would ignore, and list every refund of the business.
    return [one for one in refunds if not one.known_of or one.known_of & names]


def _page_of_refunds(transaction: str, page: int) -> tuple[list[RefundState], int]:
    # The SDK's own `list` can't ask for one transaction.
    parameters = [("transaction", transaction), ("perPage", 100), ("page", page)]
    return _get(
        lambda: _client().call_api("/refund", "GET", {}, parameters),
        lambda answer: ([read_refund(item) for item in _objects(answer)], _pages(answer)),
    )


def create_recipient(*, type: str, name: str, account_number: str, bank_code: str, currency: str) -> str:
    """Make somebody known who may be paid out to; the code by which transfers name them. The same account: the same code."""

    def send() -> Any:
        return _Recipients.create(type, name, account_number, bank_code, currency=currency)

    return _post(send, lambda answer: text_in(_object(answer), "recipient_code"))


def list_banks(*, currency: str = "", country: str = "") -> list[Bank]:
    """Banks and mobile money of a currency (`KES`), or of a country (`kenya`)."""
    # The SDK's own `fetch_banks` can't ask by currency.
    asked = (("currency", currency), ("country", country))
    parameters = [(name, value) for name, value in asked if value]
    return _get(
        lambda: _client().call_api("/bank", "GET", {}, parameters),
        lambda answer: [read_bank(item) for item in _objects(answer)],
    )


def transfer(*, reference: str, amount: int, currency: str, recipient: str, reason: str) -> TransferState:
    """Pay out from our balance. Paystack refuses a reference it has seen, so the same one is never paid twice.

    After `OutcomeUnknownError` ask `verify_transfer`.
    """

    def send() -> Any:
        return _Transfers.initiate(
            "balance", amount, recipient, reason=reason, currency=currency, reference=reference
        )

    return _post(send, lambda answer: read_transfer({"reference": reference} | dict(_object(answer))))


def verify_transfer(*, reference: str) -> TransferState:
    """What became of a transfer. Raises `NotFoundError` when Paystack knows no such reference."""
    return _get(lambda: _Transfers.verify(reference), lambda answer: read_transfer(_object(answer)))


def signature_is_valid(*, body: bytes, header: str | None, keys: Sequence[str]) -> bool:
    """Whether `x-paystack-signature` is the HMAC-SHA512 of these very bytes by one of the keys. Never raises.

    All keys are tried, whichever is right, and empty ones are none.
    """
    if not header:
        return False
    given = header.encode("utf-8", "replace")
    matches = [
        hmac.compare_digest(hmac.new(key.encode(), body, hashlib.sha512).hexdigest().encode(), given)
        for key in keys
        if key
    ]
    return any(matches)


# --- asking


def _post(send: Callable[[], Any], read: Callable[[Mapping[str, Any]], Read]) -> Read:
    return _once(send, read)


def _get(send: Callable[[], Any], read: Callable[[Mapping[str, Any]], Read]) -> Read:
    """Ask again what does no harm, as long as its time lasts: after one that hung there is none left."""
    ends = time.monotonic() + settings.PAYSTACK_TIMEOUT_S
    for pause in RETRY_AFTER_S:
        try:
            return _once(send, read)
        except (PaystackUnavailableError, OutcomeUnknownError):
            if time.monotonic() + pause >= ends:
                raise
        time.sleep(pause)
    return _once(send, read)


def _once(send: Callable[[], Any], read: Callable[[Mapping[str, Any]], Read]) -> Read:
    """One request. Its error begins here: frames further down hold the secret key among their variables."""
    try:
        return read(send())
    except PaystackError as error:
        failure: PaystackError = error
    except UnreadableError as error:
        failure = OutcomeUnknownError(_("Paystack's answer can't be read (%(why)s).") % {"why": error})
    failure.__context__ = None
    raise failure.with_traceback(None)


def _object(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    data = answer.get("data")
    if not isinstance(data, dict):
        raise UnreadableError("data is no object")
    return data


def _objects(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    data = answer.get("data")
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise UnreadableError("data is no list of objects")
    return data


def _pages(answer: Mapping[str, Any]) -> int:
    meta = answer.get("meta")
    return (whole_in(meta, "pageCount", missing=None) or 1) if isinstance(meta, dict) else 1


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


# --- the SDK, and how it talks


class _Anything(dict[int, str]):
    """For whatever status: the answer as it is. The SDK's own model of it knows no `meta`."""

    def get(self, status: int, default: Any = None) -> str:
        return "object"


@dataclass
class _Answer:
    """What the SDK expects of an answer."""

    status: int
    data: bytes

    def getheader(self, name: str, default: Any = None) -> None:
        """None, so that it takes the body for UTF-8, which was looked at already."""


class _Client(ApiClient):  # type: ignore[misc]
    """The SDK's client with a transport of ours. Safe for threads; one for each process."""

    def __init__(self, *, base_url: str, secret_key: str, timeout_s: float) -> None:
        configuration = Configuration()
        configuration.host = base_url.rstrip("/")
        configuration.api_key = secret_key
        super().__init__(configuration)
        self._secret_key = secret_key
        self._timeout_s = timeout_s
        self._http = urllib3.PoolManager(num_pools=2, maxsize=8, retries=False)

    def call_api(self, *args: Any, **kwargs: Any) -> Any:
        """Called by every operation of the SDK."""
        return super().call_api(*args, **(kwargs | {"response_types_map": _Anything()}))

    def request(
        self,
        method: str,
        url: str,
        query_params: Any = None,
        headers: Any = None,
        post_params: Any = None,
        body: Any = None,
        _preload_content: bool = True,
        _request_timeout: Any = None,
    ) -> _Answer:
        """Called by the SDK with everything ready to be sent."""
        address = f"{url}?{urlencode(query_params)}" if query_params else url
        try:
            status, content = self._exchange(
                method, address, headers, None if body is None else json.dumps(body).encode()
            )
        except (
            failures.ConnectTimeoutError,
            failures.NewConnectionError,
            failures.LocationValueError,
        ) as error:
            raise PaystackUnavailableError(
                _("Paystack could not be reached (%(why)s).") % {"why": type(error).__name__}
            ) from None
        except failures.SSLError as error:
            if error.args and isinstance(error.args[0], SSLCertVerificationError):
                raise PaystackUnavailableError(
                    _("Paystack could not be reached: its certificate is not valid.")
                ) from None
            raise OutcomeUnknownError(_("The line to Paystack broke before an answer came.")) from None
        except (failures.ReadTimeoutError, TimeoutError):
            raise OutcomeUnknownError(
                _("Paystack did not answer within %(seconds)g seconds.") % {"seconds": self._timeout_s}
            ) from None
        except (failures.HTTPError, OSError):
            raise OutcomeUnknownError(_("The line to Paystack broke before an answer came.")) from None
        self._judge(status, content)
        return _Answer(status, content)

    def _exchange(self, method: str, address: str, headers: Any, body: bytes | None) -> tuple[int, bytes]:
        deadline = time.monotonic() + self._timeout_s
        response = self._http.request(
            method,
            address,
            headers=headers,
            body=body,
            redirect=False,
            retries=False,
            timeout=urllib3.Timeout(connect=self._timeout_s, read=self._timeout_s),
            preload_content=False,
        )
        try:
            content = b""
            while block := response.read1(_BLOCK):
                content += block
                if len(content) > MOST_BYTES:
                    raise OutcomeUnknownError(_("Paystack's answer is too long to be one."))
                if time.monotonic() > deadline:  # a server that dribbles
                    raise TimeoutError
            return response.status, content
        finally:
            response.close()

    def _judge(self, status: int, content: bytes) -> None:
        """Raise, unless it is a JSON object that says that it was done."""
        answer = _parsed(content)
        if answer is None or (status >= 500 or 300 <= status < 400 or status == 408):
            raise OutcomeUnknownError(
                _("Paystack's answer says nothing about what was asked (status %(status)d).")
                % {"status": status}
            )
        if status < 300 and answer.get("status") is not False:
            return
        said = str(answer.get("message") or _("Paystack gave no reason."))[:500]
        said = said.replace(self._secret_key, "[hidden]")
        code = str(answer.get("code") or "")[:100]
        # Of a transaction it does not know Paystack says so with status 400.
        unknown = status == 404 or code.endswith("_not_found") or said.startswith(_NOT_FOUND)
        kind = NotFoundError if unknown else PaystackRefusedError
        raise kind(said, status=status, code=code)


def _parsed(content: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(content.decode())
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _client() -> _Client:
    if not settings.PAYSTACK_SECRET_KEY:
        raise PaystackUnavailableError(_("Payments are not set up on this site."))
    return _client_for(
        os.getpid(), settings.PAYSTACK_BASE_URL, settings.PAYSTACK_SECRET_KEY, settings.PAYSTACK_TIMEOUT_S
    )


@lru_cache(maxsize=4)
def _client_for(process: int, base_url: str, secret_key: str, timeout_s: float) -> _Client:
    """One for each process (a forked one must not share its parent's lines) and each choice of settings."""
    return _Client(base_url=base_url, secret_key=secret_key, timeout_s=timeout_s)


# The SDK's operations make themselves a client of the global configuration, unless they bring one.


class _Transactions(paystack.Transaction):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(_client())


class _Refunds(paystack.Refund):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(_client())


class _Recipients(paystack.TransferRecipient):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(_client())


class _Transfers(paystack.Transfer):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(_client())
