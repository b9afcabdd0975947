"""Subjects can be translated, like the texts they stand over."""

from pathlib import Path

import pytest
from django.conf import settings

from notifications import kinds

TEMPLATES = Path(settings.BASE_DIR) / "templates" / "notifications"


BROUGHT = {f"{kind.name}.subject.txt" for kind in kinds.all_kinds() if kind.brings_words}


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.subject.txt")), ids=lambda path: path.name)
def test_a_subject_is_marked_for_translation(path):
    if path.name in BROUGHT:
        assert path.read_text().strip() == "{{ site_name }}"  # staff bring the words, in each language
        return
    assert "{% blocktranslate" in path.read_text() or "{% translate" in path.read_text()
