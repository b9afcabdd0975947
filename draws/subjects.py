"""How a draw is named where money moved because of it: on statements and receipts."""

import uuid
from collections.abc import Collection, Mapping

from draws.models import Draw
from payments.subjects import Subject, register_subjects


def name_draws(public_ids: Collection[str]) -> Mapping[str, Subject]:
    """Title and page of published draws, by public id. One query."""
    known = []
    for public_id in public_ids:
        try:
            known.append(uuid.UUID(public_id))
        except ValueError:  # an entry about something that only looks like a draw is not named
            continue
    draws = Draw.objects.public().filter(public_id__in=known)
    return {str(draw.public_id): Subject(draw.title, draw.get_absolute_url()) for draw in draws}


def register() -> None:
    """Called once the apps are loaded."""
    register_subjects("draws.draw", name_draws)
