"""SMS on an embedded site without a provider: they go to the developer's mailbox, and to nobody's telephone."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import ClassVar, Self

from notifications.channels.seam import Answer, Found, Letter, Outcome, Sought
from notifications.mailbox import keep_text
from notifications.segments_sms import segments_of


class MailboxSender:
    """Puts each text into the folder that `/dev/mailbox/` shows."""

    batch: ClassVar[int] = 20
    can_be_asked: ClassVar[bool] = False
    settles_after: ClassVar[dt.timedelta] = dt.timedelta(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def hand_over(self, letters: Sequence[Letter]) -> Iterator[Answer]:
        """Write them down one by one."""
        for letter in letters:
            keep_text(number=letter.address, text=letter.text, key=letter.key)
            yield Answer(Outcome.ACCEPTED, "mailbox", str(segments_of(letter.text)), letter.key)

    def find(self, sought: Sequence[Sought]) -> Mapping[str, Found]:
        """Nothing: a folder keeps no record that could be asked."""
        return {}
