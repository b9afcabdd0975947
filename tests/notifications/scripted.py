"""A channel that answers from a script and remembers what it was handed, for tests of the outbox around it."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import ClassVar, Self

from notifications.channels.seam import Answer, ChannelDown, Found, Letter, Outcome, Sought

PATH = f"{__name__}.ScriptedSender"
ACCEPTED = Answer(Outcome.ACCEPTED, "200", "taken", provider_id="at-provider")


class Script:
    """What the provider does: `answers` and `found` by address; without one it accepts, and knows what it accepted."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | ChannelDown] = {}
        self.found: dict[str, Found] | None = {}
        self.handed: list[Letter] = []
        self.asked: list[str] = []


class ScriptedSender:
    """Speaks to `ScriptedSender.script`."""

    batch: ClassVar[int] = 20
    can_be_asked: ClassVar[bool] = True
    settles_after: ClassVar[dt.timedelta] = dt.timedelta(minutes=2)
    script: ClassVar[Script] = Script()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def hand_over(self, letters: Sequence[Letter]) -> Iterator[Answer]:
        for letter in letters:
            answer = self.script.answers.get(letter.address, ACCEPTED)
            if isinstance(answer, ChannelDown):
                raise answer
            self.script.handed.append(letter)
            yield answer

    def find(self, sought: Sequence[Sought]) -> Mapping[str, Found]:
        self.script.asked += [item.letter.address for item in sought]
        if self.script.found is None:
            raise ChannelDown("down", "nobody answers")
        known = self.script.found
        return {
            item.letter.key: known[item.letter.address] for item in sought if item.letter.address in known
        }
