"""The developer's mailbox: where mails and SMS go on an embedded site, and how its pages read them back.

A Maildir folder, so that any number of processes can write at once and nothing is locked. Nothing here is
indexed: a page of mails parses only its own, and a search reads the beginning of each file.
"""

import datetime as dt
import email
import email.policy
import mailbox
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import EmailMessage as ParsedMail
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.text import Truncator

from notifications.segments_sms import Segments, segments_of

# Maildir names begin with seconds and microseconds; the latter are not padded, so names don't sort as text.
_NAME = re.compile(r"(\d+)\.M(\d+)P\d+Q(\d+)\.[\w.\-\\]+(:2,[A-Z]*)?")
_RECIPIENT = re.compile(rb"^to:(.*(?:\r?\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)
_ROAD = "X-Fairground-Channel"
HEAD_BYTES = 4_096  # holds the headers of every mail the site writes


class MaildirBackend(BaseEmailBackend):
    """Django e-mail backend that puts each mail into the folder `MAILBOX_DIR`."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        folder = _maildir()
        for message in email_messages:
            folder.add(message.message().as_bytes())
        return len(email_messages)


def keep_text(*, number: str, text: str, key: str) -> None:
    """Put an SMS into the same folder: a mail without a subject whose recipient is a number."""
    message = ParsedMail(policy=email.policy.SMTPUTF8)
    message["From"], message["To"] = str(settings.SITE_NAME), number
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{key}@sms>"
    message[_ROAD] = "sms"
    message.set_content(text)
    _maildir().add(message.as_bytes())


@dataclass(frozen=True)
class Mail:
    """One mail of the mailbox, or one SMS."""

    key: str
    parsed: ParsedMail

    @property
    def sent_at(self) -> dt.datetime | None:
        """When it was written, None when that can't be read."""
        try:
            at = parsedate_to_datetime(str(self.parsed["Date"]))
        except (TypeError, ValueError):
            return None
        return at if at.tzinfo else at.replace(tzinfo=dt.UTC)  # "-0000": UTC, of a sender who hides his zone

    @property
    def is_text(self) -> bool:
        """Whether it is an SMS."""
        return self._header(_ROAD) == "sms"

    @property
    def segments(self) -> Segments:
        """The parts that an SMS is sent in."""
        return segments_of(self.text.rstrip("\n"))

    @property
    def subject(self) -> str:
        """Its subject in readable form; of an SMS its first words."""
        return Truncator(" ".join(self.text.split())).chars(70) if self.is_text else self._header("Subject")

    @property
    def sender(self) -> str:
        """Whom it is from."""
        return self._header("From")

    @property
    def to(self) -> str:
        """Whom it is for."""
        return self._header("To")

    @property
    def message_id(self) -> str:
        """Its Message-ID."""
        return self._header("Message-ID")

    @property
    def text(self) -> str:
        """The text part."""
        return self._part("plain")

    @property
    def html(self) -> str:
        """The HTML part."""
        return self._part("html")

    def _header(self, name: str) -> str:
        return str(self.parsed[name] or "")

    def _part(self, kind: str) -> str:
        part = self.parsed.get_body((kind,))
        return str(part.get_content()) if part is not None else ""


class NewestMails(Sequence[str]):
    """Keys of the mails, the newest first, of those whose recipient contains `recipient`; fit for a Paginator."""

    def __init__(self, recipient: str = "") -> None:
        keys = sorted(_files(), key=_age, reverse=True)
        wanted = recipient.strip().lower().encode()
        self._keys = [key for key in keys if wanted in _recipient(_files_folder() / key)] if wanted else keys

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, at: Any) -> Any:
        return self._keys[at]


def read_mail(key: str, *, headers_only: bool = False) -> Mail | None:
    """The mail with this key, None when there is none."""
    if not _NAME.fullmatch(key):
        return None
    parse: Callable[..., Any] = email.message_from_bytes
    try:
        with (_files_folder() / key).open("rb") as file:
            content = file.read(HEAD_BYTES) if headers_only else file.read()
    except OSError:
        return None
    return Mail(key, parse(content, policy=email.policy.default))


def _maildir() -> mailbox.Maildir:
    folder = Path(settings.MAILBOX_DIR)
    folder.parent.mkdir(parents=True, exist_ok=True)
    return mailbox.Maildir(folder, create=True)


def _files_folder() -> Path:
    return Path(settings.MAILBOX_DIR) / "new"


def _files() -> list[str]:
    try:
        return [name for name in os.listdir(_files_folder()) if _NAME.fullmatch(name)]
    except FileNotFoundError:
        return []


def _age(key: str) -> tuple[int, int, int]:
    found = _NAME.fullmatch(key)
    return (int(found[1]), int(found[2]), int(found[3])) if found else (0, 0, 0)


def _recipient(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            found = _RECIPIENT.search(file.read(HEAD_BYTES))
    except OSError:
        return b""
    return found[1].lower() if found else b""
