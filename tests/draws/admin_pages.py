"""What the tests of the admin send, and to which addresses."""

from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from accounts.models import User
from config import roles
from draws.models import Draw
from tests.factories import admin, make_user

ACTS = ("publish", "fund", "return", "import", "freeze", "execute", "cancel", "call_off")
NAMES = {"import": "import_entries", "return": "return_money"}
TOKEN = "0b0c2a52-6f55-4c3c-9b0e-6d8f7a2f4a11"


def staff(role: str) -> User:
    """Somebody of the staff with one role; Support leads and plain staff see no draws."""
    if role == roles.SUPER_ADMIN:
        return admin()
    email = f"{role.lower().replace(' ', '.')}@example.com"
    return User.objects.filter(email=email).first() or make_user(email=email, role=role, is_staff=True)


def act_url(draw: Draw, act: str) -> str:
    return reverse(f"admin:draws_draw_{NAMES.get(act, act)}", args=[draw.pk])


def page_of(draw: Draw) -> str:
    return reverse("admin:draws_draw_change", args=[draw.pk])


def draft_form(*prizes: dict, **fields) -> dict:
    """What the form of a new draft sends; times are on the clock of Nairobi."""
    data = {
        "title": "Harvest draw",
        "slug": "harvest-draw",
        "description": "",
        "rules": "One person, one entry.",
        "audience": "members",
        "currency": "KES",
        "alternates": "",
        "leftover_policy": "stays",
        "claim_days": "14",
        "time_zone": "Africa/Nairobi",
        "opens_at": "2026-12-01T08:00",
        "closes_at": "2026-12-08T18:00",
        "draw_at": "2026-12-08T19:00",
        "min_wait_s": "600",
        "prizes-TOTAL_FORMS": str(len(prizes)),
        "prizes-INITIAL_FORMS": "0",
        "prizes-MIN_NUM_FORMS": "0",
        "prizes-MAX_NUM_FORMS": "1000",
    }
    for number, prize in enumerate(prizes):
        row = {
            "title": "Prize",
            "kind": "cash",
            "amount": "",
            "quantity": "1",
            "position": str(number + 1),
            **prize,
        }
        data |= {f"prizes-{number}-{name}": value for name, value in row.items()}
    return data | fields


def upload(content: bytes, name: str = "people.csv") -> dict:
    return {"file": SimpleUploadedFile(name, content, "text/csv")}
