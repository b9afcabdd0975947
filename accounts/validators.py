"""Validators of what people type."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts.plain_text import unseen_in


def validate_plain_line(text: str) -> None:
    """Refuse line breaks, control characters and those that turn the direction of writing."""
    if unseen := unseen_in(text):
        raise ValidationError(
            _("Write plain text on one line: it holds a character that can't be seen (%(character)s)."),
            code="unseen",
            params={"character": unseen},
        )
