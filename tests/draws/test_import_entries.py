"""Importing entrants: every good line in, every bad line named, nothing half-done."""

import io
import tracemalloc
from hashlib import sha256

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from audit.models import Record
from draws import services
from draws.models import Entry, EntryImport, ImportRejection
from tests.draws.factories import HOUR, add_entry, identities, import_csv, make_draw, make_frozen
from tests.factories import admin, alice, make_user

pytestmark = pytest.mark.django_db


def rejections(report):
    return dict(report.rejections.values_list("line", "reason"))


def imported(text, **fields):
    """Import `text` into a new draw; returns identity to tickets, and line to reason."""
    draw = make_draw(**fields)
    report = import_csv(draw, text)
    assert report.accepted + report.rejected == report.lines
    assert Entry.objects.filter(draw=draw).count() == report.accepted
    return identities(draw), rejections(report)


@pytest.mark.parametrize(
    "text",
    [
        "email,name,weight\na@example.org,Ann,2\nb@example.org,Ben,\n",
        "a@example.org,Ann,2\nb@example.org,Ben,1\n",
        "a@example.org,Ann,2\nb@example.org",
        "\ufeffemail,name,weight\na@example.org,Ann,2\nb@example.org,Ben,1\n",
        "\ufeffa@example.org,Ann,2\nb@example.org,Ben,1\n",
        "email,name,weight\r\na@example.org,Ann,2\r\nb@example.org,Ben,1\r\n",
        "Weight , NAME, E-Mail\n2,Ann,A@Example.org\n1,Ben, b@example.org \n",
        'name,tickets,identity\n"Ann",2,a@example.org\n"Ben","1","b@example.org"\n',
        "\n\na@example.org,,2\n\n,,\n   \nb@example.org\n\n",
        "email\n\n",
    ],
    ids=[
        "header",
        "no header",
        "short",
        "bom+header",
        "bom",
        "crlf",
        "order",
        "quoted",
        "blanks",
        "only header",
    ],
)
def test_the_shapes_of_a_list(text):
    if text == "email\n\n":
        with pytest.raises(services.ImportRefusedError, match="has no lines"):
            imported(text)
        return
    assert imported(text) == ({"a@example.org": 2, "b@example.org": 1}, {})


def test_names_may_hold_commas_and_quotation_marks():
    draw = make_draw()
    import_csv(
        draw,
        'email,name\na@example.org,"Wanjiru, Ann"\nb@example.org,"Ben ""Bee"" Otieno"\nc@example.org,হাসান\n',
    )
    names = Entry.objects.filter(draw=draw).order_by("identity").values_list("name", flat=True)
    assert list(names) == ["Wanjiru, Ann", 'Ben "Bee" Otieno', "হাসান"]


def test_a_quotation_mark_that_is_never_closed_costs_only_its_own_line():
    text = 'a@example.org,"Ann,2\n' + "".join(f"p{n}@example.org,P,1\n" for n in range(3000))
    people, refused = imported(text)
    assert len(people) == 3000
    assert list(refused) == [1]
    assert "CSV" in refused[1]


def test_names_are_cut_and_lose_control_characters():
    draw = make_draw()
    import_csv(draw, f"a@example.org,An\x07n\x1b[31m,1\nb@example.org,{'B' * 200},1\n")
    names = dict(Entry.objects.filter(draw=draw).values_list("identity", "name"))
    assert names == {"a@example.org": "An n [31m", "b@example.org": "B" * 80}


def test_phones_are_known_by_their_number():
    people, refused = imported(
        "phone,weight\n+254 711-000 001,2\n+8801711 (000) 002,1\n0711000001,1\n+12,1\n"
    )
    assert people == {"+254711000001": 2, "+8801711000002": 1}
    assert list(refused) == [4, 5]
    assert "phone number" in refused[5]


def test_each_bad_line_is_named_with_its_number_and_a_reason():
    people, refused = imported(
        "email,name,weight\n"
        "good@example.org,Good,1\n"
        "nobody,No,1\n"
        "two@@example.org,Two,1\n"
        "space in@example.org,Space,1\n"
        "a@localhost,Local,1\n"
        ",Nameless,1\n"
        "zero\u200bwidth@example.org,Zero,1\n"
        f"{'x' * 250}@example.org,Long,1\n"
        "also.good@example.org,Good,2\n"
    )
    assert people == {"good@example.org": 1, "also.good@example.org": 2}
    assert list(refused) == [3, 4, 5, 6, 7, 8, 9]
    assert "needs a name, one @ and a domain" in refused[3]
    assert "whole domain name" in refused[6]
    assert "Give an e-mail address" in refused[7]
    assert "invisible character" in refused[8]
    assert "at most 254" in refused[9]


@pytest.mark.parametrize(
    ("weight", "tickets"),
    [("1", 1), ("007", 7), ("", 1), (str(2**52), 2**52)],
)
def test_good_numbers_of_tickets(weight, tickets):
    assert imported(f"a@example.org,Ann,{weight}\n") == ({"a@example.org": tickets}, {})


@pytest.mark.parametrize(
    "weight",
    ["0", "-1", "1.5", "1e3", str(2**53), "9" * 400, "two", "١", "²", "0x10", "1_000", "+1", "1 000"],
)
def test_bad_numbers_of_tickets(weight):
    people, refused = imported(f"good@example.org,Good,1\na@example.org,Ann,{weight}\n")
    assert people == {"good@example.org": 1}
    assert "not a number of tickets" in refused[2]


def test_repeats_inside_the_file_name_the_first_line():
    people, refused = imported(
        "a@example.org,Ann,2\nb@example.org,Ben,1\nA@EXAMPLE.ORG,Again,9\n a@example.org,More,9\n"
    )
    assert people == {"a@example.org": 2, "b@example.org": 1}
    assert refused == {3: "This person stands in line 1 already.", 4: "This person stands in line 1 already."}


def test_repeats_against_the_draw_keep_the_first_entry():
    draw = make_draw()
    add_entry(draw, "a@example.org", weight=5)
    report = import_csv(draw, "a@example.org,Ann,2\nb@example.org,Ben,1\na@example.org,Ann,3\n")
    assert identities(draw) == {"a@example.org": 5, "b@example.org": 1}
    assert rejections(report) == {
        1: "This person is in the draw already.",
        3: "This person stands in line 1 already.",
    }
    assert (report.lines, report.accepted, report.rejected) == (3, 1, 2)


def test_the_same_file_again_changes_nothing_and_says_so():
    draw = make_draw()
    text = "email\n" + "".join(f"p{n}@example.org\n" for n in range(50))
    first, second = import_csv(draw, text), import_csv(draw, text)
    assert (first.accepted, second.accepted, second.rejected) == (50, 0, 50)
    assert first.file_sha256 == second.file_sha256 == sha256(text.encode()).hexdigest()


def test_a_line_that_is_not_utf8_is_that_lines_fault():
    draw = make_draw()
    report = import_csv(draw, b"a@example.org,Ann\nb@example.org,Andr\xe9\nc@example.org,Jos\xc3\xa9\n")
    assert set(identities(draw)) == {"a@example.org", "c@example.org"}
    assert "not UTF-8" in rejections(report)[2]
    assert report.rejections.get().content == "b@example.org,Andr\\xe9"


def test_nul_and_lost_characters_are_named():
    draw = make_draw()
    report = import_csv(
        draw, b"a@example.org,A\0nn\nb\0@example.org\nc@example.org,\xef\xbf\xbd\nd@example.org\n"
    )
    assert set(identities(draw)) == {"d@example.org"}
    assert ["NUL" in rejections(report)[line] for line in (1, 2)] == [True, True]
    assert "was lost" in rejections(report)[3]
    assert report.rejections.get(line=1).content == "a@example.org,A\\x00nn"


def test_utf16_is_refused_as_a_whole_and_says_what_to_do():
    with pytest.raises(services.ImportRefusedError, match="UTF-8"):
        imported("a@example.org\nb@example.org\n".encode("utf-16"))


def test_an_endless_line_is_refused_and_the_next_one_read():
    people, refused = imported(
        f"a@example.org,{'x' * 50_000}\nb@example.org\n{'y' * 10_001}\nc@example.org\n"
    )
    assert set(people) == {"b@example.org", "c@example.org"}
    assert list(refused) == [1, 3]
    assert "longer than 10000 bytes" in refused[1]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b"email,name,weight\n", b",,,\n"])
def test_an_empty_file_is_refused(content):
    draw = make_draw()
    with pytest.raises(services.ImportRefusedError, match="has no lines"):
        import_csv(draw, content)
    assert not EntryImport.objects.exists()


def test_a_file_without_one_good_line_is_refused_with_the_first_reason():
    draw = make_draw()
    with pytest.raises(services.ImportRefusedError, match=r"None of the 3 lines.*Line 2: 'nobody'"):
        import_csv(draw, 'email\nnobody\nno one\n,"\n')
    assert not EntryImport.objects.exists()
    assert not ImportRejection.objects.exists()


def test_tickets_beyond_all_counting_refuse_the_file():
    draw = make_draw()
    with pytest.raises(services.EntryRefusedError, match="a draw holds at most"):
        import_csv(draw, f"a@example.org,A,{2**52}\nb@example.org,B,{2**52}\n")
    assert identities(draw) == {}


@pytest.mark.parametrize("make", [make_frozen, lambda: make_draw(closes_in=-HOUR)], ids=["frozen", "closed"])
def test_a_closed_draw_takes_no_file(make):
    draw = make()
    before = identities(draw)
    with pytest.raises(services.EntryRefusedError, match="Entries are closed"):
        import_csv(draw, "a@example.org\n")
    assert identities(draw) == before


def test_members_are_linked_by_their_verified_address_alone():
    draw = make_draw()
    alice()
    make_user(email="unverified@example.com", verified=False)
    make_user(email="gone@example.com", is_active=False)
    import_csv(
        draw,
        "ALICE@example.com\nunverified@example.com\ngone@example.com\nstranger@example.com\n+254711000001\n",
    )
    members = dict(Entry.objects.filter(draw=draw).values_list("identity", "member__email"))
    assert members == {
        "alice@example.com": "alice@example.com",
        "unverified@example.com": None,
        "gone@example.com": None,
        "stranger@example.com": None,
        "+254711000001": None,  # her own, but nothing shows that
    }


def test_an_import_stands_in_the_trail_without_naming_anybody():
    draw = make_draw()
    report = import_csv(draw, "a@example.org\nnobody\n")
    entry = Record.objects.get(action="draw.entries_imported")
    assert entry.actor == admin()
    assert (entry.data["accepted"], entry.data["rejected"]) == (1, 1)
    assert entry.data["file_sha256"] == report.file_sha256
    assert "example.org" not in str(entry.data)


def test_each_person_gets_a_salt_of_their_own():
    draw = make_draw()
    import_csv(draw, "".join(f"p{n}@example.org\n" for n in range(20)))
    assert len({bytes(salt) for salt in Entry.objects.values_list("salt", flat=True)}) == 20


def test_a_hundred_thousand_lines_of_which_half_are_bad_in_little_memory():
    draw = make_draw()
    text = "".join(f"p{n}@example.org,Person {n},{n % 5}\n{n} is nobody,{'x' * 200}\n" for n in range(50_000))
    seen, ends = [], []
    file = io.BytesIO(text.encode())
    tracemalloc.start()
    report = services.import_entries(
        draw=draw,
        file=file,
        file_name="many.csv",
        by=admin(),
        now=timezone.now(),
        progress=lambda *at: seen.append(at),
        all_read=lambda *at: ends.append(at),
    )
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (report.lines, report.accepted, report.rejected) == (100_000, 40_000, 60_000)
    assert report.rejections.count() == 60_000
    assert [lines for lines, _bytes in seen] == list(range(10_000, 100_001, 10_000))
    assert [size for _lines, size in seen] == sorted({size for _lines, size in seen})
    assert ends == [seen[-1]] == [(100_000, len(text.encode()))]
    assert peak < 8 * 2**20  # nothing is kept, neither the good lines nor the bad


def test_the_command_imports_and_reports_each_refused_line(tmp_path):
    draw = make_draw()
    path = tmp_path / "list.csv"
    path.write_text("email\na@example.org\nnobody\n")
    out, err = io.StringIO(), io.StringIO()
    call_command("import_entries", draw.slug, str(path), stdout=out, stderr=err)
    assert "1 entered, 1 of 2 lines refused" in out.getvalue()
    assert "line 3" in err.getvalue()
    assert "2 lines read, all of them" in err.getvalue()


@pytest.mark.parametrize(
    ("slug", "name", "sentence"),
    [("missing", "list.csv", "no draw with the address"), (None, "missing.csv", "can't be read")],
)
def test_the_command_says_what_is_missing(tmp_path, slug, name, sentence):
    (tmp_path / "list.csv").write_text("a@example.org\n")
    with pytest.raises(CommandError, match=sentence):
        call_command("import_entries", slug or make_draw().slug, str(tmp_path / name))


def test_the_command_refuses_a_closed_draw_in_a_sentence(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("a@example.org\n")
    with pytest.raises(CommandError, match="Entries are closed"):
        call_command("import_entries", make_frozen().slug, str(path))
