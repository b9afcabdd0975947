"""Pictures of prizes: what is taken, what is kept of it, and who sees it."""

import io

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

from config import roles
from draws import pictures
from draws.models import Draw, Prize
from draws.pictures import PictureError, read_picture
from tests.draws.admin_pages import draft_form, page_of, staff
from tests.draws.factories import CASH, make_draft, make_draw

PIXELS = (40, 30)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
ADD = "admin:draws_draw_add"


def picture(kind="JPEG", size=PIXELS, colour="red", **options) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind, **options)
    return out.getvalue()


def sent(content: bytes, name="prize.jpg", kind="image/jpeg") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, kind)


@pytest.fixture(autouse=True)
def own_media(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_kept_as_webp(kind):
    kept = Image.open(io.BytesIO(read_picture(sent(picture(kind))).read()))
    assert (kept.format, kept.size) == ("WEBP", PIXELS)


@pytest.mark.parametrize(
    "content",
    [
        SVG,
        b"<!doctype html><script>alert(1)</script>",
        picture("GIF"),
        picture("TIFF"),
        picture("PNG")[:60],
        b"",
    ],
    ids=["svg", "html", "gif", "tiff", "cut short", "empty"],
)
def test_what_is_no_picture_is_refused_whatever_it_is_called(content):
    with pytest.raises(PictureError, match="not a JPEG, PNG or WebP picture"):
        read_picture(sent(content))


def test_a_picture_called_otherwise_is_taken_for_what_it_is():
    assert read_picture(sent(picture("PNG"), "page.html", "text/html")).name.endswith(".webp")


def test_a_small_file_of_very_many_pixels_is_refused_before_it_is_decoded(monkeypatch):
    def decoded(_image):
        raise AssertionError("decoded")

    bomb = picture("PNG", size=(8000, 5001))
    assert len(bomb) < pictures.LARGEST_BYTES
    monkeypatch.setattr(pictures, "_write", decoded)
    with pytest.raises(PictureError, match="40 million pixels"):
        read_picture(sent(bomb))


def test_a_file_beyond_the_limit_is_refused(monkeypatch):
    content = picture()
    monkeypatch.setattr(pictures, "LARGEST_BYTES", len(content) - 1)
    with pytest.raises(PictureError, match="larger than"):
        read_picture(sent(content))


def test_nothing_is_kept_but_pixels_and_they_stand_upright():
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    exif[0x0112] = 6  # lies on its side
    exif.get_ifd(0x8825)[1] = "N"
    content = picture(exif=exif, icc_profile=b"profile of a camera", comment=b"a comment")
    assert b"taken at home" in content
    data = read_picture(sent(content)).read()
    kept = Image.open(io.BytesIO(data))
    assert kept.size == PIXELS[::-1]
    assert not kept.getexif()
    assert not {"exif", "icc_profile", "xmp", "comment"} & set(kept.info)
    assert not any(word in data for word in (b"taken at home", b"profile of", b"a comment"))


def test_a_wide_picture_is_made_1600_pixels_wide():
    assert Image.open(read_picture(sent(picture(size=(4000, 1000))))).size == (1600, 400)


def drafted(client, content=None, **fields) -> Draw:
    client.force_login(staff(roles.MANAGER_ADMIN))
    image = {"prizes-0-image": sent(content or picture())}
    client.post(reverse(ADD), draft_form({"amount": "10"}, **image, **fields))
    return Draw.objects.get()


@pytest.mark.django_db
def test_the_form_keeps_what_was_typed_beside_a_refused_picture(client):
    client.force_login(staff(roles.MANAGER_ADMIN))
    data = draft_form({"title": "A radio", "amount": "10"}, **{"prizes-0-image": sent(SVG)})
    page = client.post(reverse(ADD), data).content.decode()
    assert "This is not a JPEG, PNG or WebP picture" in page
    assert 'value="A radio"' in page
    assert 'value="Harvest draw"' in page
    assert not Draw.objects.exists()


def change(client, draw: Draw, **fields):
    prize = draw.prizes.get()
    data = draft_form({"amount": "10", "id": prize.pk, "draw": draw.pk}, **fields)
    return client.post(page_of(draw), data | {"prizes-INITIAL_FORMS": "1"})


@pytest.mark.django_db
@pytest.mark.parametrize("how", ["replaced", "taken away", "prize removed"])
def test_a_picture_that_is_given_up_is_deleted_after_the_commit(
    client, how, django_capture_on_commit_callbacks
):
    draw = drafted(client)
    old = draw.prizes.get().image.name
    fields = {
        "replaced": {"prizes-0-image": sent(picture(colour="blue"))},
        "taken away": {"prizes-0-image-clear": "on"},
        "prize removed": {"prizes-0-DELETE": "on"},
    }[how]
    with django_capture_on_commit_callbacks() as callbacks:
        assert change(client, draw, **fields).status_code == 302
    assert default_storage.exists(old)
    for callback in callbacks:
        callback()
    assert not default_storage.exists(old)
    kept = [prize.image.name for prize in Prize.objects.all() if prize.image]
    assert len(kept) == (how == "replaced")
    assert all(default_storage.exists(name) for name in kept)


@pytest.mark.django_db
def test_a_change_of_something_else_keeps_the_picture(client, django_capture_on_commit_callbacks):
    draw = drafted(client)
    old = draw.prizes.get().image.name
    with django_capture_on_commit_callbacks(execute=True):
        assert change(client, draw, **{"prizes-0-title": "Renamed"}).status_code == 302
    assert (draw.prizes.get().title, draw.prizes.get().image.name) == ("Renamed", old)
    assert default_storage.exists(old)


def with_picture(draw: Draw) -> Prize:
    prize = draw.prizes.get()
    kept = read_picture(sent(picture()))
    prize.image.save(kept.name, kept)
    return prize


@pytest.mark.django_db
def test_a_published_draw_shows_and_serves_it(client):
    prize = with_picture(make_draw(prizes=[CASH]))
    path = prize.image_path
    page = client.get(prize.draw.get_absolute_url()).content.decode()
    assert f'src="{path}" alt="Main prize" width="400" height="300"' in page
    answer = client.get(path)
    assert b"".join(answer.streaming_content)[8:12] == b"WEBP"
    assert answer["Content-Type"] == "image/webp"
    assert answer["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'"
    assert client.get(path, headers={"if-none-match": answer["ETag"]}).status_code == 304
    assert client.get(path.replace(prize.image_version, "0" * 16)).status_code == 404
    listed = client.get(f"/api/draws/{prize.draw.slug}/").json()["prizes"][0]
    assert listed["image"] == f"http://testserver{path}"


@pytest.mark.django_db
def test_a_drafts_picture_is_not_there_for_the_public(client):
    prize = with_picture(make_draft(prizes=[CASH]))
    Prize.objects.filter(pk=prize.pk).update(code="p1")
    prize.refresh_from_db()
    assert default_storage.exists(prize.image.name)
    assert client.get(prize.image_path).status_code == 404


@pytest.mark.django_db
def test_a_prize_without_a_picture_looks_as_before(client):
    draw = make_draw(prizes=[CASH])
    assert "ticket__picture" not in client.get(draw.get_absolute_url()).content.decode()
