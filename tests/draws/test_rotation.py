"""New keys for the secrets of draws: taken up, resumable, and never a way to another secret."""

import io
import os

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.models import Record
from draws import services
from draws.models import Draw
from draws.services import rotating
from draws.vault import VaultError, open_secret, seal_secret
from tests.draws.factories import make_draw, make_executed, make_frozen
from tests.draws.promises import assert_verifies

pytestmark = pytest.mark.django_db


@pytest.fixture
def new_key(settings):
    """A new key in front of the old one."""
    key = Fernet.generate_key().decode()
    settings.DRAW_SECRET_KEYS = [key, *settings.DRAW_SECRET_KEYS]
    return key


def rotate():
    out = io.StringIO()
    call_command("rotate_draw_secrets", stdout=out)
    return out.getvalue().strip()


def test_after_it_the_old_key_can_go_and_draws_are_made_and_verified(settings, new_key, tmp_path):
    settings.DRAW_SECRET_KEYS = settings.DRAW_SECRET_KEYS[1:]
    old = make_frozen(), make_executed()
    settings.DRAW_SECRET_KEYS = [new_key, *settings.DRAW_SECRET_KEYS]
    secrets = [open_secret(draw.secret_encrypted) for draw in old]
    assert rotate() == "2 secrets encrypted anew, 0 were already."
    settings.DRAW_SECRET_KEYS = [new_key]
    for draw, secret in zip(old, secrets, strict=True):
        draw.refresh_from_db()
        assert open_secret(draw.secret_encrypted) == secret
    services.execute_draw(draw_id=old[0].pk, now=old[0].draw_at)
    assert_verifies(old[0], tmp_path)
    assert_verifies(old[1], tmp_path)


def test_without_it_the_old_key_is_needed(settings):
    draw = make_frozen()
    settings.DRAW_SECRET_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(VaultError):
        open_secret(draw.secret_encrypted)
    with pytest.raises(services.ExecutionError, match="put the key it was stored with back"):
        services.execute_draw(draw_id=draw.pk, now=draw.draw_at)


def test_stopped_in_the_middle_it_goes_on_where_it_was(settings, monkeypatch):
    draws = [make_draw() for _ in range(3)]
    settings.DRAW_SECRET_KEYS = [Fernet.generate_key().decode(), *settings.DRAW_SECRET_KEYS]
    calls = []

    def dies_at_the_third(secret):
        calls.append(secret)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return seal_secret(secret)

    with monkeypatch.context() as patch:
        patch.setattr(rotating, "seal_secret", dies_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            rotate()
    assert rotate() == "1 secrets encrypted anew, 2 were already."
    assert rotate() == "0 secrets encrypted anew, 3 were already."
    assert len(draws) == 3


def test_a_secret_no_key_opens_or_of_another_draw_is_left_and_named(settings):
    lost, swapped, good = make_draw(), make_draw(), make_draw()
    stranger = Fernet(Fernet.generate_key()).encrypt(os.urandom(32)).decode()
    Draw.objects.filter(pk=lost.pk).update(secret_encrypted=stranger)
    Draw.objects.filter(pk=swapped.pk).update(secret_encrypted=seal_secret(os.urandom(32)))
    settings.DRAW_SECRET_KEYS = [Fernet.generate_key().decode(), *settings.DRAW_SECRET_KEYS]
    with pytest.raises(CommandError, match=f"Keep the old keys: the secrets of {lost.slug}, {swapped.slug}"):
        rotate()
    lost.refresh_from_db()
    assert lost.secret_encrypted == stranger
    good.refresh_from_db()
    assert open_secret(good.secret_encrypted)
    assert Record.objects.get(action="draw.secrets_rotated").data["failed"] == [lost.slug, swapped.slug]


def test_the_database_lets_it_be_encrypted_anew_and_never_emptied_nor_the_commitment_changed():
    draw = make_draw()
    Draw.objects.filter(pk=draw.pk).update(secret_encrypted=seal_secret(open_secret(draw.secret_encrypted)))
    for values in (
        {"secret_encrypted": ""},
        {"sources": [{"type": "commit", "sha256": "0" * 64}]},
        {"sources": []},
    ):
        with pytest.raises(IntegrityError, match="commitment of published draw"), transaction.atomic():
            Draw.objects.filter(pk=draw.pk).update(**values)


def test_no_secret_stands_in_the_trail(new_key):
    draw = make_draw()
    rotate()
    draw.refresh_from_db()
    secret = open_secret(draw.secret_encrypted).hex()
    assert secret not in str(list(Record.objects.values_list("data", flat=True)))
    assert services.rotate_draw_secrets(now=timezone.now()).rotated == 0
