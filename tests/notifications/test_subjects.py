"""Subjects can be translated, like the texts they stand over."""

from pathlib import Path

import pytest
from django.conf import settings

TEMPLATES = Path(settings.BASE_DIR) / "templates" / "notifications"


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.subject.txt")), ids=lambda path: path.name)
def test_a_subject_is_marked_for_translation(path):
    assert "{% blocktranslate" in path.read_text() or "{% translate" in path.read_text()
