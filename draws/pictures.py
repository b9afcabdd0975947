"""Pictures of prizes: what somebody sent is decoded and written anew, so that nothing else of it is kept.

What a file is called, and what its sender's browser says it is, counts for nothing. The written file holds pixels
only: no place, camera, comment or second document. Its name ends with the hash of its content.
"""

import io
import struct
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext as _
from PIL import Image, ImageOps

from draws.models import Draw

FORMATS = ("JPEG", "PNG", "WEBP")
LARGEST_BYTES = 5 * 2**20
# 40 million take 160 MB decoded; a telephone's camera makes 12 to 24 million in its usual mode.
LARGEST_PIXELS = 40_000_000
LONGEST_SIDE = 1600
_QUALITY = 82
_BROKEN = (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, struct.error)


class PictureError(Exception):
    """What was sent is not a picture that is taken."""


def read_picture(file: "UploadedFile[Any]") -> ContentFile[bytes]:
    """`file` as it is kept: WebP, at most 1600 pixels a side, upright. Raises `PictureError`."""
    most = min(LARGEST_BYTES, settings.UPLOAD_MAX_BYTES)
    file.seek(0)
    data = file.read(most + 1)
    if len(data) > most:
        raise PictureError(
            _("This picture is larger than %(most)d MB: make it smaller and send it again.")
            % {"most": most >> 20}
        )
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        if image.width * image.height > LARGEST_PIXELS:
            raise _too_many_pixels()
        written = _write(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    except _BROKEN as error:
        raise PictureError(
            _(
                "This is not a JPEG, PNG or WebP picture: choose another file, or save it as one of these first."
            )
        ) from error
    return ContentFile(written, name=f"{sha256(written).hexdigest()[:16]}.webp")


def _too_many_pixels() -> PictureError:
    return PictureError(
        _("This picture has more than %(most)d million pixels: make it smaller and send it again.")
        % {"most": LARGEST_PIXELS // 1_000_000}
    )


def _write(image: Image.Image) -> bytes:
    image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # a large JPEG is decoded smaller
    upright = ImageOps.exif_transpose(image)
    pixels = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    pixels.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    pixels.info = {}  # or the encoder takes the profile and the rest along
    out = io.BytesIO()
    pixels.save(out, "WEBP", quality=_QUALITY)
    return out.getvalue()


def pictures_of(draw: Draw) -> set[str]:
    """Names of the stored pictures of a draw's prizes."""
    return {name for name in draw.prizes.values_list("image", flat=True) if name}


def drop_pictures(names: set[str]) -> None:
    """Delete stored pictures once the transaction that gave them up is committed."""
    for name in names:
        # Not a partial: when it fails, Django wants a function's name for the log.
        transaction.on_commit(lambda name=name: default_storage.delete(name), robust=True)  # type: ignore[misc]
