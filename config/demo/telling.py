"""What staff are about to tell: an audience, a broadcast that waits to be scheduled, a sequence that is not on yet, words of their own."""

import datetime as dt

from accounts.models import User
from config.demo.making import DAY
from notifications import kinds
from notifications.kinds import Category
from notifications.segments import Condition
from notifications.services.audiences import save_segment
from notifications.services.broadcasts import save_broadcast, save_broadcast_words
from notifications.services.sequence_writing import add_step, save_sequence, save_step_words
from notifications.services.wordings import save_words
from notifications.words.parts import Parts

_NEWS = Parts(
    subject="{% if name %}{{ name }}, two{% else %}Two{% endif %} new draws this month",
    text='Hello {{ name|default:"there" }},\n\ntwo new draws open this week. Who enters does so once, and free of charge:\n{{ site_url }}/draws/',
)
_STEPS = (
    (
        dt.timedelta(hours=1),
        Parts(
            subject="How “{{ draw }}” is drawn",
            text='You are in “{{ draw }}”. It is drawn on {{ draw_at|date:"j F Y, H:i T" }}, and anybody can check how:\n'
            "{{ site_url }}/draws/fairness/",
        ),
    ),
    (
        3 * DAY,
        Parts(
            subject="Still in: {{ draw }}",
            text="Nothing to do: you are in “{{ draw }}” until it is drawn.\n{{ site_url }}/draws/{{ slug }}/",
        ),
    ),
)
_SWAHILI = Parts(
    subject="Hivi karibuni: {{ draw }}",
    text='“{{ draw }}” itachezeshwa {{ draw_at|date:"j F Y, H:i T" }}.\n{{ site_url }}/draws/{{ slug }}/',
)


def seed_telling(*, by: User, now: dt.datetime) -> None:
    """All of it as `by` wrote it. Nothing is sent: the broadcast is a draft, the sequence off."""
    kenya = save_segment(
        segment=None,
        title="Members in Kenya, without staff",
        conditions=[
            Condition("accounts.everybody"),
            Condition("accounts.country", "KE"),
            Condition("accounts.staff", is_not=True),
        ],
        by=by,
        now=now,
    )
    news = save_broadcast(
        broadcast=None,
        title="News of the month",
        segment=kenya,
        category=Category.PROMOTIONAL,
        channels=["in_app", "email"],
        send_at=now + DAY,
        expires_at=now + 4 * DAY,
        by=by,
        now=now,
    )
    save_broadcast_words(broadcast=news, language="en", parts=_NEWS, by=by, now=now)
    after = save_sequence(
        sequence=None,
        title="After entering",
        occasion="draws.entered",
        category=Category.SERVICE,
        by=by,
        now=now,
    )
    for delay, parts in _STEPS:
        step = add_step(sequence=after, delay=delay, channels=["in_app", "email"], by=by, now=now)
        save_step_words(step=step, language="en", parts=parts, by=by, now=now)
    save_words(kind=kinds.get("draws.draw_soon"), language="sw", parts=_SWAHILI, by=by, now=now)
