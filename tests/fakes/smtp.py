"""An SMTP server on loopback that accepts, refuses, stalls and drops the line on demand.

`python -m tests.fakes.smtp` runs an obliging one, prints its port, and ends with its standard input.
"""

import email
import socketserver
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Trick(Enum):
    """What the server does instead of accepting a mail."""

    DROP_BEFORE_DATA = "closes the line when asked to take the mail"
    DROP_AFTER_DATA = "takes the mail and closes the line without an answer"
    STALL_AFTER_DATA = "takes the mail and never answers"


@dataclass
class Behaviour:
    """How mails to one address are treated: a refusal at RCPT or after DATA, or a trick; `times` only, or always."""

    rcpt: str = ""
    data: str = ""
    trick: Trick | None = None
    times: int | None = None

    def applies(self) -> bool:
        """Whether it (still) holds; uses it up by one."""
        if self.times is None:
            return True
        self.times -= 1
        return self.times >= 0


@dataclass
class Taken:
    """One mail that the server took, whether or not it said so."""

    recipient: str
    content: bytes

    @property
    def message_id(self) -> str:
        """Its Message-ID."""
        return str(email.message_from_bytes(self.content)["Message-ID"])


@dataclass
class FakeSMTP:
    """`with FakeSMTP() as server:` listens on `server.port`; `server.taken` are the mails."""

    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    sender: str = ""  # a refusal of every MAIL FROM
    mails_a_line: int | None = None  # after so many it says 421 and closes, as some servers do
    taken: list[Taken] = field(default_factory=list)
    lines: int = 0
    asked: threading.Event = field(default_factory=threading.Event)  # somebody was stalled

    def __enter__(self) -> "FakeSMTP":
        self._released = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Conversation)
        self._server.fake = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def counts(self) -> Counter[str]:
        """How many mails each recipient was sent."""
        return Counter(mail.recipient for mail in self.taken)

    def wait(self) -> None:
        """Keep a conversation waiting until the server goes."""
        self.asked.set()
        self._released.wait(60)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64
    fake: FakeSMTP


class _Conversation(socketserver.StreamRequestHandler):
    server: _Server
    disable_nagle_algorithm = True

    def handle(self) -> None:
        fake = self.server.fake
        fake.lines += 1
        mails = 0
        recipient = ""
        self._say("220 fake.example ESMTP")
        while line := self.rfile.readline():
            verb = line[:4].upper().strip()
            if verb == b"EHLO":
                self._say("250-fake.example\r\n250-8BITMIME\r\n250 SIZE 10000000")
            elif verb == b"MAIL":
                if fake.mails_a_line is not None and mails >= fake.mails_a_line:
                    return self._say("421 4.7.0 too many mails on this line")
                mails += 1
                self._say(fake.sender or "250 2.1.0 ok")
            elif verb == b"RCPT":
                recipient = line.decode().partition("<")[2].partition(">")[0]
                behaviour = self._behaviour(recipient)
                self._say((behaviour.rcpt if behaviour else "") or "250 2.1.5 ok")
            elif verb == b"DATA":
                if not self._data(recipient):
                    return None
            elif verb == b"QUIT":
                return self._say("221 2.0.0 bye")
            else:
                self._say("250 2.0.0 ok")
        return None

    def _behaviour(self, recipient: str) -> Behaviour | None:
        found = self.server.fake.behaviours.get(recipient)
        self._chosen = found if found and found.applies() else None
        return self._chosen

    def _data(self, recipient: str) -> bool:
        """Take the mail; False ends the line."""
        fake, chosen = self.server.fake, self._chosen
        if chosen and chosen.trick == Trick.DROP_BEFORE_DATA:
            return False
        self._say("354 go ahead")
        lines: list[bytes] = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return False
            lines.append(line[1:] if line.startswith(b"..") else line)
        if chosen and chosen.data:
            self._say(chosen.data)
            return True
        fake.taken.append(Taken(recipient, b"".join(lines)))
        if chosen and chosen.trick == Trick.DROP_AFTER_DATA:
            return False
        if chosen and chosen.trick == Trick.STALL_AFTER_DATA:
            fake.wait()
            return False
        self._say(f"250 2.0.0 queued as {len(fake.taken)}")
        return True

    def _say(self, text: str) -> Any:
        try:
            self.wfile.write(text.encode() + b"\r\n")
        except OSError:
            return None


if __name__ == "__main__":
    with FakeSMTP() as obliging:
        print(obliging.port, flush=True)
        for _ in sys.stdin:
            print(len(obliging.taken), flush=True)
