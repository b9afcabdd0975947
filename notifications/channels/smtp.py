"""Django's SMTP backend, watched: it knows whether a mail may have been accepted when the line breaks.

Django throws the server's answer to DATA away, and raises the same error for a line that broke before
the mail was given out (certainly not sent) and after it (perhaps sent).
"""

import smtplib
from typing import Any

from django.core.mail.backends.smtp import EmailBackend

GO_AHEAD = 354  # RFC 5321 §4.3.2: the server is ready to take the mail


class _Watched(smtplib.SMTP):
    data_begun = False
    answer: tuple[int, bytes] = (0, b"")

    def sendmail(self, *args: Any, **kwargs: Any) -> Any:
        self.data_begun, self.answer = False, (0, b"")
        return super().sendmail(*args, **kwargs)

    def getreply(self) -> tuple[int, bytes]:
        code, text = super().getreply()
        self.data_begun = self.data_begun or code == GO_AHEAD
        return code, text

    def data(self, msg: Any) -> tuple[int, bytes]:
        self.answer = super().data(msg)
        return self.answer


class _WatchedSSL(_Watched, smtplib.SMTP_SSL):
    pass


class WatchedBackend(EmailBackend):
    """Speaks SMTP as the settings say; `data_begun` and `answer` tell of the last mail."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _WatchedSSL if self.use_ssl else _Watched

    @property
    def data_begun(self) -> bool:
        """Whether the server may have taken the last mail."""
        return bool(self.connection and self.connection.data_begun)  # type: ignore[attr-defined]

    @property
    def answer(self) -> tuple[int, bytes]:
        """The server's answer to the last mail, (0, b"") when there was none."""
        return self.connection.answer if self.connection else (0, b"")  # type: ignore[attr-defined]
