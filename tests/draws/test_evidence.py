"""What anyone can check: the downloads against the stand-alone verifier, and secrets that stay secret till then."""

import base64
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from django.core import serializers
from django.utils import timezone

from audit.models import Record
from draws import services, vwd1
from draws.models import Draw
from draws.vault import open_secret
from draws.verifier import verify_draw
from notifications.models import Delivery, Message
from tests.draws.factories import CASH, HOUR, SMALL, call_off, make_draw, make_executed, make_frozen
from tests.factories import admin, alice, bob

pytestmark = pytest.mark.django_db


def download(client, draw, folder):
    """Proof, entries and verifier as a visitor downloads them."""
    pages = {
        "proof.json": f"/draws/{draw.slug}/proof.json",
        "entries.csv": f"/draws/{draw.slug}/entries.csv",
        "verify_draw.py": "/verify_draw.py",
    }
    for name, page in pages.items():
        answer = client.get(page)
        assert answer.status_code == 200
        (folder / name).write_bytes(b"".join(answer) if answer.streaming else answer.content)


def verify(folder, *options):
    """Run the downloaded verifier as it would be anywhere else: no project, no environment."""
    done = subprocess.run(
        [sys.executable, "-I", "verify_draw.py", "proof.json", "entries.csv", *options],
        cwd=folder,
        env={},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def evidence(client, tmp_path):
    """A folder with the downloads of a draw that was drawn."""
    draw = make_executed(entrants=200, members=[alice(), bob()], prizes=[CASH, SMALL], title="Zawadi – ১ 🎁")
    download(client, draw, tmp_path)
    return tmp_path


def test_the_downloads_verify(client, evidence):
    code, said = verify(evidence)
    assert code == 0, said
    assert said.splitlines()[-1].startswith("VERIFIED")


def test_the_downloads_fit_the_hash_that_was_in_the_notice(evidence):
    draw = Draw.objects.get()
    assert verify(evidence, "--manifest-sha256", draw.manifest_sha256)[0] == 0
    code, said = verify(evidence, "--manifest-sha256", "0" * 64)
    assert code == 1
    assert "M of the notice" in said


def test_the_verifier_is_the_one_of_the_source(client, evidence):
    assert (evidence / "verify_draw.py").read_bytes() == Path(verify_draw.__file__).read_bytes()


@pytest.mark.parametrize("entrants", [1, 2, 3, 7])
def test_draws_with_fewer_entrants_than_ranks_verify(client, tmp_path, entrants):
    draw = make_executed(entrants=entrants, prizes=[CASH, SMALL])
    download(client, draw, tmp_path)
    code, said = verify(tmp_path)
    assert code == 0, said


@pytest.mark.parametrize("place", [0.0, 0.2, 0.5, 0.9])
def test_one_changed_byte_of_the_entries_is_found(evidence, place):
    path = evidence / "entries.csv"
    content = bytearray(path.read_bytes())
    at = int(len(content) * place)
    content[at] = ord("7") if content[at] != ord("7") else ord("8")
    path.write_bytes(content)
    code, said = verify(evidence)
    assert code == 1
    assert re.search(r"^WRONG +entries file", said, re.MULTILINE), said
    assert said.splitlines()[-1].startswith("NOT VERIFIED")


@pytest.mark.parametrize(
    ("field", "named"),
    [
        (r'"ticket": (\d)', "report|rank"),
        (r'"seed": "(.)', "seed|report"),
        (r'"value": "(.)', "commit|randomness"),
        (r'"rules_sha256": "(.)', "M"),
        (r'"count": (\d)', "entries|M"),
        (r'"manifest_sha256": "(.)', "M"),
        (r'"report_sha256": "(.)', "report"),
        (r'"closes_at": "202(.)', "times|M"),
    ],
)
def test_one_changed_byte_of_the_proof_is_found(evidence, field, named):
    path = evidence / "proof.json"
    text = path.read_text()
    at = re.search(field, text).start(1)
    path.write_text(text[:at] + ("7" if text[at] != "7" else "8") + text[at + 1 :])
    code, said = verify(evidence)
    assert code == 1
    wrong = [line for line in said.splitlines() if line.startswith("WRONG")]
    assert any(re.search(named, line) for line in wrong), said


def test_two_winners_exchanged_are_found(evidence):
    path = evidence / "proof.json"
    text = path.read_text()
    pids = re.findall(r'"pid": "([0-9a-f]{64})"', text)
    first, second = pids[0], pids[1]
    path.write_text(text.replace(first, "X").replace(second, first).replace("X", second))
    assert verify(evidence)[0] == 1


# ── The secret ────────────────────────────────────────────────────────────────────────────────────────────


def forms_of(secret):
    """A secret in every form in which it might slip out."""
    return {
        secret.hex(),
        secret.hex().upper(),
        base64.b64encode(secret).decode().rstrip("="),
        base64.urlsafe_b64encode(secret).decode().rstrip("="),
        str(int.from_bytes(secret, "big")),
        str(list(secret)),
        str(secret),
    }


def everything_public(client, draw):
    """The bodies and headers of every page about the draw, with what each page links to on this site."""
    seen, waiting = {}, ["/", "/draws/", "/draws/fairness/", "/prizes/", "/dashboard/"]
    waiting += [
        f"/draws/{draw.slug}/{page}"
        for page in ("", "receipt/", "results/", "proof.json", "manifest.json", "entries.csv", "verify/")
    ]
    while waiting:
        page = waiting.pop()
        if page in seen or page.startswith(("/static/", "/accounts/", "/admin/")):
            continue
        answer = client.get(page)
        content = b"".join(answer) if answer.streaming else answer.content
        seen[page] = content + str(answer.headers).encode()
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            waiting += [link for link in re.findall(r'href="(/[^"#?]*)', content.decode()) if len(seen) < 80]
    return seen


@pytest.mark.parametrize("visitor", [None, alice], ids=["visitor", "member"])
@pytest.mark.parametrize("state", ["open", "closed", "frozen", "due", "failed", "cancelled", "called off"])
def test_the_secret_is_nowhere_before_the_draw(client, monkeypatch, visitor, state):
    if state in ("open", "cancelled"):
        draw = make_draw(entrants=2)
    elif state == "closed":
        draw = make_draw(entrants=2, closes_in=-HOUR)
    elif state == "frozen":
        draw = make_draw(entrants=2)
        services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
    else:
        draw = make_frozen()
    secret = open_secret(draw.secret_encrypted)
    if state == "failed":
        monkeypatch.setattr(services.executing, "award_prizes", lambda **_named: 1 / 0)
        services.execute_due_draws(now=timezone.now())
    if state == "cancelled":
        services.cancel_draw(draw=draw, by=admin(), reason="Rain", now=timezone.now())
    if state == "called off":
        call_off(draw)  # what it would have drawn, and with it the secret, is published by the job
    if visitor:
        client.force_login(visitor())
    encrypted = draw.secret_encrypted.encode()
    pages = everything_public(client, draw)
    assert pages
    for page, content in pages.items():
        for form in forms_of(secret):
            assert form.encode() not in content, page
        assert encrypted not in content, page


def test_the_search_for_the_secret_would_find_it(client):
    draw = make_executed()
    secret = open_secret(draw.secret_encrypted)
    pages = everything_public(client, draw)
    assert secret.hex().encode() in pages[f"/draws/{draw.slug}/proof.json"]


def test_the_secret_is_nowhere_in_the_database_but_encrypted():

    draw = make_frozen()
    secret = open_secret(draw.secret_encrypted)
    stored = "".join(
        serializers.serialize("json", table.objects.all()) for table in (Draw, Record, Message, Delivery)
    )
    for form in forms_of(secret):
        assert form not in stored


def test_the_revealed_secret_is_the_one_that_was_committed_to():
    draw = make_executed()
    (revealed,) = draw.report.proof["revealed"]
    assert vwd1.commitment(draw_id=draw.public_id, secret_hex=revealed["value"]) == draw.commitment


def test_an_entrant_recomputes_the_own_pid_from_the_receipt():
    draw = make_frozen(members=[alice()])
    entry = draw.entries.get(member=alice())
    packed = b"vwd1/pid\0" + str(draw.public_id).encode() + b"\0" + bytes(entry.salt) + b"alice@example.com"
    assert sha256(packed).hexdigest() == entry.pid_hex
