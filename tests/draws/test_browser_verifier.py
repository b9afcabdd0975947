"""The verifier in a real browser: honest draws, forged ones, and the same answers as the other two programs."""

import base64
import json
import random

import pytest
from playwright.sync_api import Page, expect

from draws import vwd1
from draws.selection import MAX_TICKETS
from draws.slots import State
from tests.draws.factories import make_executed, make_frozen
from tests.draws.proof_cases import (
    OTHER_DRAW,
    PUBLIC_TEXT,
    Case,
    at,
    happen,
    honest_case,
    make_case,
    reseal,
    standing_of,
    verify,
)
from tests.draws.test_forged_proofs import FORGED_FILES
from tests.factories import alice

PASSWORD = "a long enough phrase"
SCREENS = [(360, "light"), (360, "dark"), (1440, "light"), (1440, "dark")]

# Runs the site's own module in the page, in the worker's stead, on many draws at once.
CHECK_ALL = """
async (cases) => {
  const { verify } = await import("/static/js/verify/verify.js");
  const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const answers = [];
  for (const { proof, entries, cut, notice, texts } of cases) {
    const file = bytes(entries);
    const blocks = [];
    for (let start = 0; start < file.length; start += cut) blocks.push(file.subarray(start, start + cut));
    const wrong = {};
    const tell = (check, state, detail) => { if (state === "wrong") wrong[check] = detail; };
    answers.push({ verdict: await verify({ proof: bytes(proof), entries: blocks, notice, texts, tell }), wrong });
  }
  return answers;
}
"""


def check_all(page: Page, cases, cut=1 << 16, notice="", texts=()):
    """What the browser says of each case (or pair of bytes): verdict, and the checks that do not hold."""
    sent = []
    for case in cases:
        proof, entries = (json.dumps(case.proof).encode(), case.entries) if isinstance(case, Case) else case
        sent.append(
            {
                "proof": base64.b64encode(proof).decode(),
                "entries": base64.b64encode(entries).decode(),
                "cut": cut,
                "notice": notice,
                "texts": list(texts),
            }
        )
    return page.evaluate(CHECK_ALL, sent)


@pytest.fixture
def lab(live_site, page, page_errors) -> Page:
    """A page of the site, under its security policy."""
    page.goto("/draws/fairness/")
    yield page
    assert page_errors == []


def forged(change, **hashes) -> Case:
    case = honest_case()
    change(case)
    return reseal(case, **hashes)


def swap_winners(case):
    slots = case.proof["slots"]
    slots[0]["rank"], slots[1]["rank"] = slots[1]["rank"], slots[0]["rank"]
    slots[0]["pid"], slots[1]["pid"] = slots[1]["pid"], slots[0]["pid"]


def swap_ranks(case):
    ranks = case.proof["ranks"]
    ranks[2]["pid"], ranks[3]["pid"] = ranks[3]["pid"], ranks[2]["pid"]
    case.proof["slots"][1]["pid"] = ranks[2]["pid"]
    case.proof["slots"][2]["pid"] = ranks[3]["pid"]


def skip_a_rank_silently(case):
    del case.proof["dispositions"][0]


def promote_a_friend(case):
    case.proof["dispositions"][2]["rank"] = 5


def keep_a_vacancy(case):
    del case.proof["dispositions"][2]


# Each with every hash made again that a forger can make; the check that must refuse it.
FORGERIES = {
    "two winners swapped": (forged(swap_winners), "slots"),
    "two ranks swapped": (forged(swap_ranks), "ranks"),
    "a rank skipped and nobody told": (forged(skip_a_rank_silently), "slots"),
    "a promotion out of turn": (forged(promote_a_friend), "dispositions"),
    "a vacancy kept": (forged(keep_a_vacancy), "dispositions"),
    "another secret": (
        forged(at("revealed", 0, "value", value="ab" * 32), manifest=True, ranks=True),
        "randomness",
    ),
    "another source of randomness": (
        forged(at("revealed", 0, "type", value="public_text"), manifest=True),
        "randomness",
    ),
    "a value too many": (
        forged(lambda case: case.proof["revealed"].append({"type": "commit", "value": "00" * 32})),
        "randomness",
    ),
    "another title": (forged(at("manifest", "title", value="Grand Prize 2")), "manifest-hash"),
    "a report changed after its hash": (
        Case({**honest_case().proof, "audit_seal": None}, honest_case().entries),
        "report-hash",
    ),
    "a seed of one's own": (forged(at("seed", value="5e" * 32)), "seed"),
    "a draw before its time": (
        forged(at("manifest", "min_wait_s", value=7200), manifest=True),
        "manifest-rules",
    ),
    "a list sealed before entries closed": (
        forged(at("manifest", "closes_at", value="2023-08-24T15:05:00Z"), manifest=True),
        "manifest-rules",
    ),
    "one's own drand chain": (
        forged(
            at(
                "manifest",
                "randomness",
                value=[{"type": "drand", "chain_hash": "00" * 32, "public_key": "00" * 96, "round": 1000}],
            )
        ),
        "manifest-rules",
    ),
    "another entries file": (Case(honest_case().proof, make_case(weights=[1] * 12).entries), "entries-hash"),
    "another Merkle root": (
        forged(at("manifest", "entries", "merkle_root", value="00" * 32), manifest=True, ranks=True),
        "entries-hash",
    ),
    "a disposition back in time": (
        forged(at("dispositions", 2, "at", value="2023-08-31T00:00:00Z")),
        "dispositions-form",
    ),
    "a day that there is not": (
        forged(at("dispositions", 2, "at", value="2023-09-31T00:00:00Z")),
        "dispositions-form",
    ),
    "a rank too few": (forged(lambda case: case.proof["ranks"].pop()), "ranks"),
    "an unknown key": (forged(at("luck", value="good")), "proof-form"),
    "ranks that are no list": (
        Case({**honest_case().proof, "ranks": {"0": {}}}, honest_case().entries),
        "proof-form",
    ),
    "a rank that is no object": (forged(at("ranks", 0, value=None)), "ranks"),
}


def test_forged_proofs_are_refused_each_by_its_own_check(lab):
    answers = check_all(lab, [case for case, _ in FORGERIES.values()])
    for (name, (case, check)), answer in zip(FORGERIES.items(), answers, strict=True):
        assert answer["verdict"] == "wrong", name
        assert check in answer["wrong"], (name, answer)
        assert verify(case.proof, case.entries)[0] == 1, f"{name}: the stand-alone verifier lets it pass"


def test_forged_entries_files_are_refused_however_their_bytes_come_in(lab):
    cases = []
    for change, _ in FORGED_FILES.values():
        case = honest_case()
        change(case)
        cases.append(case)
    for cut in (7, 1 << 16):
        for name, answer in zip(FORGED_FILES, check_all(lab, cases, cut), strict=True):
            assert answer["verdict"] == "wrong", name
            assert {"entries-form", "entries-hash"} & set(answer["wrong"]), name


def documents() -> dict[str, tuple[bytes, bool]]:
    """Ways to write the honest proof that a careless reader takes for the same; whether it is."""
    text = json.dumps(honest_case().proof)
    return {
        "other white space": (json.dumps(honest_case().proof, indent="\t").encode(), True),
        "escapes": (json.dumps(honest_case().proof, ensure_ascii=True).encode(), True),
        "minus zero": (text.replace('"rank": 0', '"rank": -0').encode(), True),
        "a fraction": (text.replace('"rank": 0', '"rank": 0.0').encode(), False),
        "an exponent": (text.replace('"rank": 1', '"rank": 1e0').encode(), False),
        "a number as text": (text.replace('"rank": 1,', '"rank": "1",', 1).encode(), False),
        "a leading zero": (text.replace('"rank": 1,', '"rank": 01,', 1).encode(), False),
        "a key twice": (text.replace('{"rank": 0,', '{"rank": 5, "rank": 0,', 1).encode(), False),
        "a key twice, once escaped": (
            text.replace('{"rank": 0,', '{"\\u0072ank": 5, "rank": 0,', 1).encode(),
            False,
        ),
        "a comma too many": (text[:-1].encode() + b",}", False),
        "two values": (text.encode() + b" {}", False),
        "a byte order mark": (b"\xef\xbb\xbf" + text.encode(), False),
        "not UTF-8": (text.encode().replace(b"Grand", b"Gr\xffnd"), False),
        "half a character": (text.replace("Grand Prize", "Grand \\ud800 Prize").encode(), False),
        "a line break in a text": (text.replace("Grand Prize", "Grand\nPrize").encode(), False),
        "a number beyond 2^53": (
            text.replace('"id": 17', f'"id": {MAX_TICKETS + 1}').encode(),
            False,
        ),
        "infinity": (text.replace('"id": 17', '"id": Infinity').encode(), False),
        "half of it": (text[: len(text) // 2].encode(), False),
        "nothing": (b"", False),
        "a list": (b"[]", False),
    }


def test_a_proof_is_read_as_strictly_as_by_the_stand_alone_verifier(lab):
    entries = honest_case().entries
    found = documents()
    answers = check_all(lab, [(document, entries) for document, _ in found.values()])
    for (name, (document, is_good)), answer in zip(found.items(), answers, strict=True):
        assert (answer["verdict"] == "verified") == is_good, (name, answer)
        assert (verify(document, entries)[0] == 0) == is_good, name


def random_case(number: int) -> Case:
    """A small draw in which something may have happened: other weights, prizes, skipped ranks, vacancies."""
    dice = random.Random(number)
    size = dice.choice([1, 2, 3, 7, 64, 65, 200])
    most = dice.choice([1, 3, 1_000, 2**33, MAX_TICKETS // size])
    prizes = [(f"p{place}", dice.randint(1, 3)) for place in range(dice.randint(1, 4))]
    case = make_case(
        weights=[dice.randint(1, most) for _ in range(size)],
        prizes=prizes,
        alternates=dice.randint(0, 5),
        sources=dice.choice([("commit",), ("public_text",), ("commit", "public_text")]),
        excluded=[0] if size > 2 and dice.random() < 0.4 else [],
    )
    standing = standing_of(case)
    for _ in range(dice.randint(0, 3)):
        holding = [rank for rank in standing.holders.values() if rank is not None]
        if holding:
            state = dice.choice([State.DECLINED, State.FORFEITED, State.DISQUALIFIED])
            happen(case, standing, dice.choice(holding), state)
    if standing.ranks < size and dice.random() < 0.3:
        happen(case, standing, standing.ranks + 1, State.EXTENDED)
    return case


def test_it_agrees_with_python_on_random_draws_and_their_forgeries(lab):
    honest = [random_case(number) for number in range(40)]
    tampered = []
    for number, case in enumerate(honest):
        other = case.copy()
        row = random.Random(number).choice(other.proof["ranks"])
        row["ticket"] += 1
        tampered.append(reseal(other))
    answers = check_all(lab, honest + tampered, cut=1_000)
    for number, (case, answer) in enumerate(zip(honest + tampered, answers, strict=True)):
        status, output = verify(case.proof, case.entries)
        assert (status == 0) == (answer["verdict"] == "verified"), (number, output, answer)
        assert (answer["verdict"] == "verified") == (number < 40)


def test_the_largest_totals_are_exact(lab):
    case = make_case(weights=[MAX_TICKETS - 3, 1, 1, 1], prizes=(("gold", 2),), alternates=2)
    assert check_all(lab, [case])[0]["verdict"] == "verified"
    one = make_case(weights=[MAX_TICKETS], prizes=(("gold", 1),), alternates=0)
    assert check_all(lab, [one])[0]["verdict"] == "verified"


def test_thousands_of_ranks_and_lines(lab):
    dice = random.Random(5)
    case = make_case(
        weights=[dice.randint(1, 9) for _ in range(5_000)], prizes=(("gold", 1_000),), alternates=500
    )
    assert check_all(lab, [case])[0] == {"verdict": "verified", "wrong": {}}


def test_a_drand_signature_is_left_open_and_a_wrong_round_is_not(lab):
    case = make_case(weights=[1, 2, 3, 4], sources=("commit", "drand"))
    late = case.copy()
    late.manifest["randomness"][1]["round"] += 1
    late.proof["revealed"][1]["round"] += 1
    answers = check_all(lab, [case, reseal(late, manifest=True)])
    assert answers[0] == {"verdict": "unauthenticated", "wrong": {}}
    assert "manifest-rules" in answers[1]["wrong"]


def test_the_notice_and_the_announced_text_are_compared(lab):
    case = make_case(weights=[1, 2, 3, 4], sources=("public_text",))
    right = case.proof["manifest_sha256"]
    assert (
        check_all(lab, [case], notice=f" {right.upper()} ", texts=[PUBLIC_TEXT])[0]["verdict"] == "verified"
    )
    assert "manifest-notice" in check_all(lab, [case], notice="00" * 32)[0]["wrong"]
    assert "randomness" in check_all(lab, [case], texts=[PUBLIC_TEXT + " "])[0]["wrong"]


def states(page: Page) -> dict[str, str]:
    """What the page shows of each check."""
    rows = page.locator("[data-check]").evaluate_all(
        "(rows) => rows.map((row) => [row.dataset.check, row.className.replace(/.*--/, '')])"
    )
    return dict(rows)


def write(folder, name, content) -> str:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return str(path)


def test_the_page_checks_a_real_draw_and_refuses_forged_files(live_site, page, page_errors, tmp_path):
    draw = make_executed(entrants=60)
    page.goto(f"/draws/{draw.slug}/results/")
    page.get_by_role("link", name="Check it in your browser").click()
    verdict = page.locator("[data-verify-verdict]")
    page.get_by_label("M from your freeze notice").fill(draw.manifest_sha256)
    page.get_by_role("button", name="Draw it again").click()
    expect(verdict).to_contain_text("Everything holds")
    assert set(states(page).values()) == {"ok"}

    page.get_by_label("M from your freeze notice").fill("0" * 64)
    page.get_by_role("button", name="Draw it again").click()
    expect(verdict).to_contain_text("This does not hold")
    assert {check for check, state in states(page).items() if state == "wrong"} == {"manifest-notice"}
    page.get_by_label("M from your freeze notice").fill("")

    case = honest_case()
    page.get_by_text("Use files that I have downloaded").click()
    page.get_by_label("proof.json").set_input_files(write(tmp_path, "proof.json", case.proof))
    page.get_by_label("entries.csv").set_input_files(write(tmp_path, "entries.csv", case.entries))
    page.get_by_role("button", name="Draw it again").click()
    expect(verdict).to_contain_text("Everything holds")

    bad, check = FORGERIES["two winners swapped"]
    page.get_by_label("proof.json").set_input_files(write(tmp_path, "forged.json", bad.proof))
    page.get_by_role("button", name="Draw it again").click()
    expect(verdict).to_contain_text("This does not hold")
    assert states(page)[check] == "wrong"
    expect(page.locator(f'[data-check="{check}"] [data-detail]')).to_contain_text("slot 0")

    page.get_by_label("entries.csv").set_input_files(write(tmp_path, "short.csv", case.entries[:-40]))
    page.get_by_role("button", name="Draw it again").click()
    expect(page.locator('[data-check="entries-form"] [data-state]')).to_have_text("does not hold")
    assert states(page)["ranks"] == "skipped"
    assert page_errors == []

    for width, scheme in SCREENS:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        # Waited for: a new width reaches the style rules a frame later. It raises if the page stays too wide.
        page.wait_for_function("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_list_that_cannot_be_fetched_is_not_a_verdict(live_site, page):
    draw = make_executed(entrants=6)
    page.goto(f"/draws/{draw.slug}/verify/")
    page.route("**/entries.csv", lambda route: route.fulfill(status=503, body="gone"))
    page.get_by_role("button", name="Draw it again").click()
    expect(page.locator("[data-verify-verdict]")).to_contain_text("nothing was checked")


def test_the_receipt_proves_the_entrant_s_line_and_refuses_what_is_not_theirs(live_site, page, page_errors):
    draw = make_frozen(entrants=40, members=[alice()])
    person = alice()
    person.set_password(PASSWORD)
    person.save(update_fields=["password"])
    page.goto(f"/accounts/login/?next=/draws/{draw.slug}/receipt/")
    page.get_by_label("Email").fill(person.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main").get_by_role("button", name="Sign in").click()
    verdict = page.locator("[data-verdict]")
    check = page.get_by_role("button", name="Check it in this browser")
    identity = page.get_by_label("The address or phone number you entered with")
    notice = page.get_by_label("M, the manifest’s fingerprint")

    check.click()
    expect(verdict).to_contain_text("Holds")
    identity.fill(f"  {person.email.upper()} ")
    check.click()
    expect(verdict).to_contain_text("Holds")
    identity.fill("bob@example.com")
    check.click()
    expect(verdict).to_contain_text("another public id")
    identity.fill(person.email)
    notice.fill("0" * 64)
    check.click()
    expect(verdict).to_contain_text("does not have this fingerprint")
    notice.fill(draw.manifest_sha256)

    form = page.locator("form[data-inclusion]")
    path = form.get_attribute("data-path")
    flipped = ("1" if path[0] == "0" else "0") + path[1:]
    for name, value in (("path", flipped), ("path", path[65:]), ("index", "0")):
        before = form.get_attribute(f"data-{name}")
        if before == value:
            value = "1"
        form.evaluate("(form, [name, value]) => { form.dataset[name] = value }", [name, value])
        check.click()
        expect(verdict).to_contain_text("do not lead")
        form.evaluate("(form, [name, value]) => { form.dataset[name] = value }", [name, before])

    # The site swaps the manifest for one that holds another list: M does not fit it.
    page.route("**/manifest.json", lambda route: route.fulfill(body=json.dumps({"entries": {}})))
    check.click()
    expect(verdict).to_contain_text("does not have this fingerprint")
    assert page_errors == []


def test_the_browser_makes_pids_and_roots_as_the_site_does(lab):
    salt, scope = bytes(range(32)), OTHER_DRAW
    typed = [" Zoë.K@Example.ORG ", "+254 711-000 001", "a+b@example.com", "ÅSA@example.com"]
    found = lab.evaluate(
        """async ([typed, salt, scope]) => {
          const { normaliseIdentity, publicId } = await import("/static/js/inclusion.js");
          return typed.map((text) => publicId(scope, salt, normaliseIdentity(text)));
        }""",
        [typed, salt.hex(), scope],
    )
    assert found == [
        vwd1.public_id(scope=scope, salt=salt, identity=vwd1.normalise_identity(text)).hex() for text in typed
    ]
