"""E-mail by whatever backend of Django's the settings name, and one answer for everything it may do.

Mails go one by one over one connection, because a backend handed a batch that fails half-way doesn't say
which of them it sent.
"""

import contextlib
import datetime as dt
import smtplib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from email.errors import MessageError
from types import TracebackType
from typing import Any, ClassVar, Self

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

from notifications.channels.addresses import is_one_address, named_address
from notifications.channels.refusals import says_nobody_is_there
from notifications.channels.seam import TEXT_LIMIT, Answer, ChannelDown, Found, Letter, Outcome, Sought
from notifications.channels.smtp import WatchedBackend

log = structlog.get_logger(__name__)

_DJANGO_SMTP = "django.core.mail.backends.smtp.EmailBackend"
_WATCHED_SMTP = "notifications.channels.smtp.WatchedBackend"
SERVICE_NOT_AVAILABLE = 421  # RFC 5321 §3.8: the server closes the line after it
TOO_BIG = 552  # the one refusal of MAIL FROM that is about the mail
# HTTP answers worth another try besides 5xx: request timeout, too early, too many requests.
_TRY_AGAIN = frozenset({408, 425, 429})


class EmailChannel:
    """A connection for a number of mails: `with EmailChannel() as channel: channel.send(mail)`."""

    batch: ClassVar[int] = 20
    can_be_asked: ClassVar[bool] = False
    settles_after: ClassVar[dt.timedelta] = dt.timedelta(0)

    def __init__(self) -> None:
        backend = settings.EMAIL_BACKEND
        self._connection: Any = get_connection(_WATCHED_SMTP if backend == _DJANGO_SMTP else backend)
        self._is_used = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hang_up()

    def hand_over(self, letters: Sequence[Letter]) -> Iterator[Answer]:
        """Send them one after another, each answered before the next goes out. Raises `ChannelDown`."""
        for letter in letters:
            yield self.send(letter)

    def find(self, sought: Sequence[Sought]) -> Mapping[str, Found]:
        """Nothing: a mail server keeps no record that could be asked."""
        return {}

    def send(self, mail: Letter) -> Answer:
        """Hand over one mail; everything its content or address can cause is an answer.

        Raises `ChannelDown` when there is no provider to talk to.
        """
        try:
            email = _compose(mail)
        except (ValueError, UnicodeError, MessageError, LookupError) as error:
            return Answer(Outcome.PERMANENT, "invalid", _short(error))
        answer, may_repeat = self._try(email)
        if may_repeat:  # a line kept open from earlier mails had gone: certainly not sent
            answer, _ = self._try(email)
        return answer

    def _try(self, email: EmailMultiAlternatives) -> tuple[Answer, bool]:
        """Send once; the answer, and whether a stale line alone is to blame."""
        was_used, self._is_used = self._is_used, True
        self._open()
        try:
            self._connection.send_messages([email])
        except smtplib.SMTPServerDisconnected as error:
            return self._line_broke("disconnected", error, was_used)
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            answer, is_stale = self._refused(code, text, was_used)
            return replace(answer, bad_address=says_nobody_is_there(code, answer.text)), is_stale
        except smtplib.SMTPSenderRefused as error:
            if error.smtp_code < 500 or error.smtp_code == TOO_BIG:
                return self._refused(error.smtp_code, error.smtp_error, was_used)
            # The sender is the same for all: a wrong setting, for which no recipient should be given up.
            raise ChannelDown(str(error.smtp_code), _text(error.smtp_error)) from error
        except smtplib.SMTPResponseException as error:
            return self._refused(error.smtp_code, error.smtp_error, was_used)
        except smtplib.SMTPNotSupportedError as error:  # an address that needs SMTPUTF8
            return Answer(Outcome.PERMANENT, "unsupported", _short(error)), False
        except (ValueError, UnicodeError, MessageError, LookupError) as error:
            # Before OSError: an invalid address or header, found while the mail was put into bytes.
            return Answer(Outcome.PERMANENT, "invalid", _short(error)), False
        except OSError as error:
            return self._line_broke(type(error).__name__, error, was_used)
        except Exception as error:  # other backends raise errors of their own
            self._hang_up()
            return _of_api_error(error), False
        return self._accepted(email), False

    def _open(self) -> None:
        try:
            self._connection.open()
        except smtplib.SMTPResponseException as error:
            raise ChannelDown(str(error.smtp_code), _text(error.smtp_error)) from error
        except (smtplib.SMTPException, OSError) as error:
            raise ChannelDown(type(error).__name__, str(error)) from error

    def _accepted(self, email: EmailMultiAlternatives) -> Answer:
        message_id = email.extra_headers["Message-ID"]
        if isinstance(self._connection, WatchedBackend):
            code, text = self._connection.answer
            return Answer(Outcome.ACCEPTED, str(code), _text(text), message_id)
        status = getattr(email, "anymail_status", None)
        provider_id = getattr(status, "message_id", None) or message_id
        return Answer(Outcome.ACCEPTED, provider_id=str(provider_id))

    def _refused(self, code: int, text: bytes | str, was_used: bool) -> tuple[Answer, bool]:
        permanent = 500 <= code < 600
        if code == SERVICE_NOT_AVAILABLE:
            self._hang_up()  # some servers take only so many mails a line
        answer = Answer(Outcome.PERMANENT if permanent else Outcome.TEMPORARY, str(code), _text(text))
        return answer, was_used and code == SERVICE_NOT_AVAILABLE

    def _line_broke(self, code: str, error: Exception, was_used: bool) -> tuple[Answer, bool]:
        lost = self._perhaps_taken()
        self._hang_up()
        outcome = Outcome.LOST if lost else Outcome.TEMPORARY
        return Answer(outcome, code, _short(error), line_broke=True), was_used and not lost

    def _perhaps_taken(self) -> bool:
        """Whether the mail may be out, although no answer came; only watched SMTP can say no."""
        return not isinstance(self._connection, WatchedBackend) or self._connection.data_begun

    def _hang_up(self) -> None:
        with contextlib.suppress(smtplib.SMTPException, OSError):
            self._connection.close()
        self._is_used = False


def _compose(mail: Letter) -> EmailMultiAlternatives:
    headers = {"Message-ID": mail.message_id, "Auto-Submitted": "auto-generated", **mail.headers}
    if not is_one_address(mail.address):
        raise ValueError(f"{mail.address!r} is not one address")
    email = EmailMultiAlternatives(
        subject=mail.subject,
        body=mail.text,
        to=[named_address(mail.name, mail.address)],
        headers=headers,
        alternatives=[],
    )
    email.attach_alternative(mail.html, "text/html")
    return email


def _of_api_error(error: Exception) -> Answer:
    """The answer in an HTTP provider's error (anymail's carry `status_code`)."""
    status = getattr(error, "status_code", None)
    if not isinstance(status, int):
        log.exception("email_backend_failed")
        return Answer(Outcome.LOST, type(error).__name__, _short(error))
    again = status >= 500 or status in _TRY_AGAIN
    return Answer(Outcome.TEMPORARY if again else Outcome.PERMANENT, str(status), _short(error))


def _short(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:TEXT_LIMIT]


def _text(answer: bytes | str) -> str:
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return text.replace("\0", "")[:TEXT_LIMIT]
