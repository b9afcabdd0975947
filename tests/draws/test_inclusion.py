"""The entrant's line in the sealed list: its proof, that it is right, and what a receipt says when it can't be had."""

import json

import pytest
from django.core.cache import cache
from django.core.files.storage import default_storage
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit import merkle
from draws import services
from draws.models import Entry
from draws.services.freezing import entries_file_name
from tests.config.test_pages import assert_is_a_page
from tests.draws.factories import HOUR, add_entries_straight, add_entry, make_draw, make_executed, make_frozen
from tests.factories import alice, bob


def holds(draw, inclusion) -> bool:
    return merkle.verify_inclusion(
        leaf=inclusion.line.encode(),
        index=inclusion.index,
        size=inclusion.size,
        proof=[bytes.fromhex(sibling) for sibling in inclusion.path],
        root=bytes.fromhex(draw.manifest["entries"]["merkle_root"]),
    )


@pytest.mark.parametrize(
    ("size", "indexes"),
    [
        (1, [0]),
        (1_024, [0, 1_023]),
        (1_025, [0, 1_023, 1_024]),
        (2_049, [1_500, 2_048]),
        (5_000, [0, 1_024, 4_095, 4_096, 4_999]),
    ],
)
def test_a_proof_by_runs_is_the_proof_of_the_whole_tree(size, indexes):
    leaves = [b"leaf %d" % number for number in range(size)]
    runs = [leaves[start : start + merkle.SUBTREE] for start in range(0, size, merkle.SUBTREE)]
    roots = [merkle.merkle_root(run) for run in runs]
    for index in indexes:
        proof = merkle.inclusion_proof_by_runs(run=runs[index // merkle.SUBTREE], index=index, roots=roots)
        assert proof == merkle.inclusion_proof(leaves=leaves, index=index)


def test_a_proof_by_runs_refuses_places_that_there_are_not():
    run, roots = [b"x"] * 10, [b"0" * 32, b"1" * 32]
    for index in (-1, 1_024 + 10, 2_048):
        with pytest.raises(merkle.MerkleError):
            merkle.inclusion_proof_by_runs(run=run, index=index, roots=roots)
    with pytest.raises(merkle.MerkleError):  # a short run that is not the last
        merkle.inclusion_proof_by_runs(run=run, index=3, roots=roots)


@pytest.mark.django_db
class TestInclusion:
    def test_every_entrant_of_a_small_draw_has_a_proof_that_holds(self):
        draw = make_frozen(entrants=23)
        lines = set()
        for entry in draw.entries.all():
            inclusion = services.inclusion_of(draw=draw, entry=entry)
            assert inclusion.line.startswith(f"{entry.pid_hex},")
            assert inclusion.line.endswith(f",{entry.weight}")
            assert holds(draw, inclusion)
            lines.add(inclusion.line)
        assert len(lines) == 23

    def test_beyond_one_run_of_lines_proofs_read_one_run_and_hold(self):
        draw = make_draw(closes_in=-2 * HOUR)
        add_entries_straight(draw, [(f"guest{n}@example.org", 1 + n % 5, None) for n in range(2_600)])
        draw = services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
        entries = list(draw.entries.order_by("pid"))
        for place in (0, 1_023, 1_024, 2_047, 2_048, 2_599):
            inclusion = services.inclusion_of(draw=draw, entry=entries[place])
            assert inclusion.index == place
            assert holds(draw, inclusion)

    def test_before_the_freeze_there_is_none(self):
        draw = make_draw()
        assert services.inclusion_of(draw=draw, entry=add_entry(draw, "zoe@example.org")) is None

    def test_an_entry_that_is_not_in_the_list_has_none(self):
        draw = make_frozen()
        other = add_entry(make_draw(), "zoe@example.org")
        assert services.inclusion_of(draw=draw, entry=other) is None

    def test_a_changed_file_gives_none_and_no_wrong_proof(self):
        draw = make_frozen()
        entry = draw.entries.order_by("pid").first()
        name = entries_file_name(draw)
        with default_storage.open(name, "rb") as file:
            content = file.read()
        default_storage.delete(name)
        with default_storage.open(name, "wb") as file:
            file.write(content.replace(b",0,", b",1,", 1))
        assert services.inclusion_of(draw=draw, entry=entry) is None
        with default_storage.open(name, "wb") as file:
            file.write(content)
        assert holds(draw, services.inclusion_of(draw=draw, entry=entry))  # nothing wrong was kept

    def test_what_is_kept_can_be_lost(self):
        draw = make_frozen()
        entry = draw.entries.first()
        first = services.inclusion_of(draw=draw, entry=entry)
        cache.clear()
        assert services.inclusion_of(draw=draw, entry=entry) == first


@pytest.mark.django_db
class TestReceipt:
    def receipt(self, client, draw, member):
        client.force_login(member)
        response = client.get(f"/draws/{draw.slug}/receipt/")
        assert response.status_code == 200
        html = response.content.decode()
        assert_is_a_page(html)
        return html

    def test_it_shows_line_path_root_and_odds_after_the_freeze(self, client):
        draw = make_frozen(entrants=5, members=[alice()])
        html = self.receipt(client, draw, alice())
        entry = draw.entries.get(member=alice())
        inclusion = services.inclusion_of(draw=draw, entry=entry)
        for value in (inclusion.line, inclusion.root, *inclusion.path, entry.salt_hex):
            assert value in html
        assert "My odds" in html
        assert "Exact." in html

    def test_before_the_freeze_it_shows_neither(self, client):
        draw = make_draw(entrants=5, members=[alice()])
        html = self.receipt(client, draw, alice())
        assert "sealed list just now" not in html
        assert "data-inclusion" not in html
        assert "My odds" not in html

    def test_it_says_when_the_line_cannot_be_shown(self, client, monkeypatch):
        draw = make_frozen(entrants=5, members=[alice()])
        monkeypatch.setattr("draws.services.inclusion_of", lambda **_: None)
        assert "can’t show where your line stands" in self.receipt(client, draw, alice())

    def test_an_erased_salt_shows_the_line_and_no_check(self, client):
        draw = make_frozen(entrants=5, members=[alice()])
        Entry.objects.filter(draw=draw, member=alice()).update(salt=None)
        html = self.receipt(client, draw, alice())
        assert 'data-salt=""' in html

    def test_nobody_sees_another_s_salt(self, client):
        draw = make_frozen(entrants=5, members=[alice(), bob()])
        html = self.receipt(client, draw, bob())
        assert draw.entries.get(member=alice()).salt_hex not in html

    def test_the_public_page_shows_the_odds_of_one_ticket_after_the_freeze(self, client):
        draw = make_frozen(entrants=10)
        html = client.get(f"/draws/{draw.slug}/").content.decode()
        assert_is_a_page(html)
        assert "Tickets in all" in html
        before = client.get(f"/draws/{make_draw(entrants=3).slug}/").content.decode()
        assert "Tickets in all" not in before

    def test_odds_are_counted_once(self, client):
        draw = make_frozen(entrants=10)
        client.get(f"/draws/{draw.slug}/")
        with CaptureQueriesContext(connection) as queries:
            client.get(f"/draws/{draw.slug}/")
        assert not any("GROUP BY weight" in query["sql"] for query in queries)


@pytest.mark.django_db
class TestVerifyPage:
    def test_it_lists_every_check_of_the_script_in_its_order(self, client, settings):
        draw = make_executed()
        html = client.get(f"/draws/{draw.slug}/verify/").content.decode()
        assert_is_a_page(html)
        script = (settings.BASE_DIR / "static/js/verify/verify.js").read_text()
        listed = script.partition("export const CHECKS = ")[2].partition(";")[0]
        keys = json.loads(listed.replace(",\n]", "\n]"))
        found = [part.partition('"')[0] for part in html.split('data-check="')[1:]]
        assert found == keys

    def test_before_the_draw_it_leads_to_the_draw_s_page(self, client):
        draw = make_frozen()
        response = client.get(f"/draws/{draw.slug}/verify/")
        assert (response.status_code, response.url) == (302, draw.get_absolute_url())

    def test_the_results_link_to_it(self, client):
        draw = make_executed()
        assert f"/draws/{draw.slug}/verify/" in client.get(f"/draws/{draw.slug}/results/").content.decode()


def test_weights_of_many_kinds_are_taken_together(db, monkeypatch):
    draw = make_draw(closes_in=-2 * HOUR)
    people = [(f"guest{n}@example.org", n + 1, None) for n in range(300)]
    add_entries_straight(draw, people)
    monkeypatch.setattr("draws.services.chances._MOST_CLASSES", 100)
    classes = services.weight_classes(draw)
    assert sum(classes.values()) == 300
    assert len(classes) < 300
    draw = services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
    odds = services.odds_of(draw=draw, weight=150)
    fair = 3 * 150 / sum(weight for _, weight, _ in people)
    assert odds.chance.value == pytest.approx(fair, rel=0.05)
