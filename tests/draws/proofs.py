"""The published proof of a draw, checked by the stand-alone verifier in a process of its own."""

import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from django.core.management import call_command

from draws import services
from draws.models import Draw
from draws.verifier import verify_draw
from tests.draws.factories import stored_text


def assert_proof_holds(draw: Draw) -> dict:
    """Run `verify_draw.py` over what the site publishes now; returns the proof."""
    draw = Draw.objects.get(pk=draw.pk)
    proof = services.proof_of(draw)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "proof.json").write_text(json.dumps(proof))
        Path(folder, "entries.csv").write_text(stored_text(draw))
        done = subprocess.run(
            [sys.executable, verify_draw.__file__, "proof.json", "entries.csv"],
            cwd=folder,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert services.verify_stored_draw(draw) == []
    call_command("check_ledger", stdout=io.StringIO())  # raises when the books don't balance
    return proof


def holders(draw: Draw) -> dict[int, int]:
    """Slot to rank, of those who hold it now."""
    return dict(
        draw.winners.filter(state__in=("drawn", "notified", "claimed", "paid")).values_list("slot", "rank")
    )


def dispositions(draw: Draw) -> list[tuple[int, str, str]]:
    """(rank, state, reason) of everything that happened since the draw."""
    return list(draw.dispositions.values_list("rank", "state", "reason"))
