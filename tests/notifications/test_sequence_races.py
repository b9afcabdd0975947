"""Sweeps, enrolments and saved words at the same moment: each once."""

import datetime as dt

from notifications import kinds
from notifications.models import Message, Sequence, SequenceStep, SequenceTurn
from notifications.recipients import Recipient
from notifications.services.sequences import enrol, set_active, take_due_turns
from notifications.services.wordings import save_words
from notifications.words.parts import Parts
from tests.factories import admin
from tests.notifications.outbox import NOW

WORDS = {"en": {"subject": "Soon", "text": "{{ draw }}"}}


def test_sweeps_at_once_say_each_step_once(parallel):
    row = Sequence.objects.create(title="x", occasion="draws.entered", is_active=True, made_at=NOW)
    SequenceStep.objects.create(sequence=row, delay=dt.timedelta(0), channels=["email"], words=WORDS)
    for n in range(60):
        enrol(
            occasion="draws.entered",
            about=f"draws.draw:{n % 3}",
            recipient=Recipient(address=f"one{n}@elsewhere.example"),
            values={"draw": "Bikes", "slug": "bikes", "draw_at": NOW},
            at=NOW,
        )
    outcomes = parallel(lambda: take_due_turns(now=NOW, limit=10), 4)
    while take_due_turns(now=NOW, limit=10):
        pass
    assert not outcomes.errors
    assert SequenceTurn.objects.filter(batch__isnull=False).count() == 60
    said = Message.objects.filter(kind="notifications.step")
    batches = set(SequenceTurn.objects.values_list("batch", flat=True))
    assert {message.context["batch"] for message in said} == {str(batch) for batch in batches}
    assert said.count() == len(batches)


def test_a_sweep_and_the_switch_at_once_leave_nothing_to_be_told(parallel):
    row = Sequence.objects.create(title="x", occasion="draws.entered", is_active=True, made_at=NOW)
    SequenceStep.objects.create(sequence=row, delay=dt.timedelta(0), channels=["email"], words=WORDS)
    for n in range(30):
        enrol(
            occasion="draws.entered",
            about=f"draws.draw:{n}",
            recipient=Recipient(address=f"one{n}@elsewhere.example"),
            values={"draw": "Bikes", "slug": "bikes", "draw_at": NOW},
            at=NOW,
        )
    by = admin()

    def one(index):
        if index == 1:
            return set_active(sequence=row, is_active=False, by=by, now=NOW)
        return take_due_turns(now=NOW)

    outcomes = parallel(one, 3)
    assert not outcomes.errors
    assert not Message.objects.filter(kind="notifications.step", cancelled_at=None).exists()
    assert SequenceTurn.objects.filter(ended_at=None, batch=None).count() == 30


def test_people_who_enter_at_once_are_enrolled_once(parallel):
    row = Sequence.objects.create(title="x", occasion="draws.entered", is_active=True, made_at=NOW)
    SequenceStep.objects.create(sequence=row, delay=dt.timedelta(0), channels=["email"], words=WORDS)
    outcomes = parallel(
        lambda: enrol(
            occasion="draws.entered",
            about="draws.draw:1",
            recipient=Recipient(address="zoe@elsewhere.example"),
            values={"draw": "Bikes", "slug": "bikes", "draw_at": NOW},
            at=NOW,
        ),
        4,
    )
    assert sorted(outcomes.results) == [0, 0, 0, 1]


def test_of_words_saved_at_once_each_is_a_version(parallel):
    by = admin()
    outcomes = parallel(
        lambda index: (
            save_words(
                kind=kinds.get("draws.draw_soon"),
                language="en",
                parts=Parts(subject=f"Soon {index}"),
                by=by,
                now=NOW,
            ).number
        ),
        4,
    )
    assert not outcomes.errors
    assert sorted(outcomes.results) == [1, 2, 3, 4]
