"""Draws whose number comes from outside, and the stand-alone verifier as anyone would run it."""

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from draws import services
from draws.drand import QUICKNET
from draws.models import Draw
from draws.verifier import verify_draw
from tests.draws.factories import add_entrants, fund, make_draft, stored_text
from tests.factories import admin

ROUND = 1000
DRAW_AT = dt.datetime.fromtimestamp(QUICKNET.time_of(ROUND), dt.UTC)
"""When round 1000 of quicknet came out, in 2023: the round whose signature the tests know."""
DRAND = [{"type": "drand"}]
LOTTERY = {"type": "public_text", "label": "National lottery of 23 August 2023"}
NUMBERS = "12 24 31 40 41 49"


def draft_of_2023(randomness: list[dict[str, str]], **fields: Any) -> Draw:
    """A draft whose round is 1000."""
    times = {
        "opens_at": DRAW_AT - dt.timedelta(days=3),
        "closes_at": DRAW_AT - dt.timedelta(hours=1),
        "draw_at": DRAW_AT,
    }
    return make_draft(randomness=randomness, **(times | fields))


def frozen_of_2023(randomness: list[dict[str, str]], *, entrants: int = 12, **fields: Any) -> Draw:
    """A draw that was frozen an hour before round 1000 came out."""
    draw = draft_of_2023(randomness, **fields)
    fund(draw)
    draw = services.publish_draw(draw=draw, by=admin(), now=draw.opens_at)
    add_entrants(draw, entrants)
    frozen = services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
    assert frozen is not None
    return frozen


def run_verifier(draw: Draw, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`verify_draw.py proof.json entries.csv` as a process of its own, over the published files."""
    (folder / "proof.json").write_text(json.dumps(services.proof_of(draw)))
    (folder / "entries.csv").write_text(stored_text(draw))
    return subprocess.run(
        [sys.executable, str(Path(verify_draw.__file__)), "proof.json", "entries.csv", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def assert_verifies(draw: Draw, folder: Path, *arguments: str) -> None:
    """It holds for the stand-alone verifier and for the site's own check."""
    draw.refresh_from_db()
    result = run_verifier(draw, folder, *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    assert services.verify_stored_draw(draw) == []
