"""Where a draw's number comes from: chosen before it is published, collected before it is drawn, revealed with it.

Three sources (docs/randomness.md). A *commit* is made when the draw is published. A *drand* round is fetched from a
relay as a step of its own, verified and stored; the execution then only reads it. An announced *public text* is
entered by one admin and confirmed by another. What is missing makes the draw wait: no source ever stands in for
another.
"""

import datetime as dt
import secrets
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from draws import proof, relays, vwd1
from draws.drand import QUICKNET
from draws.models import AnnouncedText, CalledOff, DrandRound, Draw
from draws.services.errors import DrawError
from draws.vault import VaultError, open_secret, seal_secret

SOURCES = ("commit", "drand", "public_text")


class RandomnessError(DrawError):
    """The randomness of a draw isn't there, or isn't what was promised. The message says what to do."""


# ── Before the draw is published ──────────────────────────────────────────────────────────────────────────


def chosen_sources(draw: Draw) -> list[dict[str, str]]:
    """What the draft chose, or the site's default: a drand round where relays are configured, else a commitment."""
    if draw.randomness:
        return [dict(source) for source in draw.randomness]
    return [{"type": "drand"}] if settings.DRAND_RELAYS else [{"type": "commit"}]


def why_not_promised(draw: Draw) -> str:
    """Why the chosen sources can't be promised, as a sentence that says how to mend it; empty when they can."""
    for source in chosen_sources(draw):
        kind = source.get("type")
        if kind not in SOURCES:
            return _("“%(kind)s” is no source of randomness.") % {"kind": kind}
        if kind == "drand" and not settings.DRAND_RELAYS:
            return _("Set DRAND_RELAYS, so that the site can fetch the round; or choose another source.")
        if kind == "drand" and draw.draw_at.timestamp() < QUICKNET.genesis:
            return _("The drand chain had not begun at the time of this draw.")
        if kind == "public_text" and not source.get("label", "").strip():
            return _("Say which announced text it is, so that anyone can find it.")
    return ""


def promise_sources(draw: Draw) -> None:
    """Fix the sources of a draw that is being published; makes the secret that a `commit` binds."""
    sources: list[dict[str, Any]] = []
    for source in chosen_sources(draw):
        if source["type"] == "commit":
            secret = secrets.token_bytes(vwd1.SALT_BYTES)
            draw.secret_encrypted = seal_secret(secret)
            sources.append(vwd1.commit_source(draw_id=draw.public_id, secret_hex=secret.hex()))
        elif source["type"] == "drand":
            # Which round follows from draw_at, which may still move: the freeze writes it into the manifest.
            sources.append(
                {"type": "drand", "chain_hash": QUICKNET.chain_hash, "public_key": QUICKNET.public_key}
            )
        else:
            sources.append(vwd1.public_text_source(label=source["label"].strip()))
    draw.sources = sources


def manifest_sources(draw: Draw) -> list[dict[str, Any]]:
    """The sources as they stand in the manifest: those of the publishing, with the round of draw_at."""
    return [
        vwd1.drand_source(draw_at=draw.draw_at) if source["type"] == "drand" else dict(source)
        for source in draw.sources
    ]


# ── Collecting ────────────────────────────────────────────────────────────────────────────────────────────


def round_needed(draw: Draw) -> int | None:
    """The round a frozen draw names and the site doesn't have yet; None if there is none."""
    for source in (draw.manifest or {}).get("randomness", []):
        if source["type"] == "drand" and not DrandRound.objects.filter(number=source["round"]).exists():
            return int(source["round"])
    return None


def collect_randomness(*, draw: Draw, now: dt.datetime) -> bool:
    """Fetch and store what a frozen draw needs from outside; True when nothing of that kind is missing.

    False while the round is not out yet. Talks to the network, so never call it in a transaction. Raises
    `RandomnessError` when no relay gives the round: the draw waits, and asks for the same round again.
    """
    number = round_needed(draw)
    if number is None:
        return True
    if QUICKNET.time_of(number) > now.timestamp():
        return False
    try:
        beacon = relays.fetch_round(relays=settings.DRAND_RELAYS, round_number=number)
    except relays.RelaysError as error:
        raise RandomnessError(
            _("Round %(round)d of drand can't be had, and the draw waits for it: %(error)s")
            % {"round": number, "error": error}
        ) from error
    with transaction.atomic():
        _stored, is_new = DrandRound.objects.get_or_create(
            number=number,
            defaults={"signature": beacon.signature, "relay": beacon.relay[:200], "collected_at": now},
        )
        if is_new:
            record(
                actor=None,
                action="draw.randomness_collected",
                target=draw,
                data={"round": number, "signature": beacon.signature, "relay": beacon.relay},
                now=now,
            )
    return True


def waits_for_text(draw: Draw) -> bool:
    """Whether an announced text is still of use: for a frozen draw, and for the evidence of one that was called off."""
    if draw.manifest is None or "public_text" not in draw.source_types or not texts_missing(draw):
        return False
    return not draw.is_finished or CalledOff.objects.filter(draw=draw, proof__isnull=True).exists()


def texts_missing(draw: Draw) -> list[tuple[int, str]]:
    """(position, label) of the announced texts that nobody has confirmed yet."""
    confirmed = set(
        AnnouncedText.objects.filter(draw=draw, confirmed_at__isnull=False).values_list("position", flat=True)
    )
    return [
        (position, str(source["label"]))
        for position, source in enumerate(draw.sources)
        if source["type"] == "public_text" and position not in confirmed
    ]


def standing_text(draw: Draw) -> AnnouncedText | None:
    """The entered text that waits for another admin, if there is one."""
    waiting = AnnouncedText.objects.filter(draw=draw, rejected_at=None, confirmed_at=None)
    return waiting.select_related("entered_by").order_by("position").first()


def enter_text(*, draw: Draw, position: int, text: str, by: User, now: dt.datetime) -> AnnouncedText:
    """Enter what was announced elsewhere, for another admin to confirm. Only once entries are frozen.

    The text is taken as it is but for white space around it. Raises `RandomnessError`.
    """
    text = _cleaned(text)
    with transaction.atomic():
        draw = Draw.objects.select_for_update().get(pk=draw.pk)
        if not waits_for_text(draw):
            raise RandomnessError(
                _(
                    "The text is entered after entries are frozen and before the draw: else it could be known before."
                )
            )
        if position not in dict(texts_missing(draw)):
            raise RandomnessError(_("This draw doesn't wait for such a text."))
        try:
            with transaction.atomic():
                entered = AnnouncedText.objects.create(
                    draw=draw, position=position, text=text, entered_by=by, entered_at=now
                )
        except IntegrityError:
            raise RandomnessError(
                _("A text was entered already: another admin confirms or rejects it.")
            ) from None
        record(
            actor=by,
            action="draw.text_entered",
            target=draw,
            data={"position": position, "sha256": vwd1.public_text_value(text)},
            now=now,
        )
    return entered


def confirm_text(*, entered: AnnouncedText, text: str, by: User, now: dt.datetime) -> AnnouncedText:
    """Confirm an entered text by typing what was announced once more, as a second person.

    The draw is then tried at once. Raises `RandomnessError` for the one who entered it, and for another text.
    """
    with transaction.atomic():
        draw = Draw.objects.select_for_update().get(pk=entered.draw_id)
        entered = _waiting(entered, by)
        if _cleaned(text) != entered.text:
            raise RandomnessError(
                _(
                    "This is not what was entered: one of you mistyped. Look again, or reject the entered text."
                )
            )
        entered.confirmed_by, entered.confirmed_at = by, now
        entered.save(update_fields=["confirmed_by", "confirmed_at"])
        if not draw.is_finished:
            draw.next_attempt_at = None
            draw.save(update_fields=["next_attempt_at"])
        CalledOff.objects.filter(draw=draw, proof__isnull=True).update(next_attempt_at=None)
        record(
            actor=by,
            action="draw.text_confirmed",
            target=draw,
            data={"position": entered.position, "sha256": vwd1.public_text_value(entered.text)},
            now=now,
        )
    return entered


def reject_text(*, entered: AnnouncedText, by: User, reason: str, now: dt.datetime) -> None:
    """Take an entered text back, by anyone who may enter one; it stays on record, and another may be entered.

    Raises `RandomnessError` without a reason, or when it is confirmed already.
    """
    if not reason.strip():
        raise RandomnessError(_("Say why the text is rejected."))
    with transaction.atomic():
        draw = Draw.objects.select_for_update().get(pk=entered.draw_id)
        entered = _waiting(entered, None)
        entered.rejected_at = now
        entered.save(update_fields=["rejected_at"])
        record(
            actor=by,
            action="draw.text_rejected",
            target=draw,
            data={"position": entered.position, "reason": reason.strip()},
            now=now,
        )


def _waiting(entered: AnnouncedText, by: User | None) -> AnnouncedText:
    entered = AnnouncedText.objects.select_for_update().get(pk=entered.pk)
    if entered.confirmed_at is not None or entered.rejected_at is not None:
        raise RandomnessError(_("This text was confirmed or rejected already."))
    if by is not None and entered.entered_by_id == by.pk:
        raise RandomnessError(_("You entered this text: another admin has to confirm it."))
    return entered


def _cleaned(text: str) -> str:
    text = text.strip()
    if not text or len(text) > 500 or any(ord(character) < 32 for character in text):
        raise RandomnessError(_("Write the announced text on one line, at most 500 characters."))
    return text


# ── Revealing ─────────────────────────────────────────────────────────────────────────────────────────────


def why_not_available(draw: Draw, *, now: dt.datetime) -> str:
    """What of a draw's randomness is missing, as a sentence that says what mends it; empty when all is there."""
    if not draw.sources:
        return _("It is promised when the draw is published.")
    if draw.manifest is None:
        return (
            _("Its round or text is looked for once entries are frozen.")
            if _is_from_outside(draw)
            else (_why_no_secret(draw))
        )
    number = round_needed(draw)
    if number is not None:
        out_at = dt.datetime.fromtimestamp(QUICKNET.time_of(number), dt.UTC)
        if out_at > now:
            return _("Round %(round)d of drand comes out at %(at)s.") % {
                "round": number,
                "at": vwd1.format_time(out_at),
            }
        return _(
            "Round %(round)d of drand is not fetched yet: the site asks the relays of DRAND_RELAYS again by itself."
        ) % {"round": number}
    for _position, label in texts_missing(draw):
        return _(
            "“%(label)s” is not entered and confirmed yet: one admin enters the announced text, another confirms it."
        ) % {"label": label}
    return _why_no_secret(draw)


def _is_from_outside(draw: Draw) -> bool:
    return any(kind != "commit" for kind in draw.source_types)


def _why_no_secret(draw: Draw) -> str:
    if "commit" not in draw.source_types:
        return ""
    try:
        secret = open_secret(draw.secret_encrypted)
    except VaultError as error:
        return str(error)
    if vwd1.commitment(draw_id=draw.public_id, secret_hex=secret.hex()) != draw.commitment:
        return _(
            "The stored secret is not the one that was committed to: this draw can't be drawn; cancel it."
        )
    return ""


def reveal(draw: Draw) -> list[dict[str, Any]]:
    """The values of the manifest's sources, in their order, from what is stored. Raises `RandomnessError`."""
    assert draw.manifest is not None
    sources: Sequence[dict[str, Any]] = draw.manifest["randomness"]
    return [_reveal_one(draw, position, source) for position, source in enumerate(sources)]


def _reveal_one(draw: Draw, position: int, source: dict[str, Any]) -> dict[str, Any]:
    if source["type"] == "commit":
        return proof.reveal_commit(secret_hex=open_secret(draw.secret_encrypted).hex())
    if source["type"] == "drand":
        stored = DrandRound.objects.filter(number=source["round"]).first()
        if stored is None:
            raise RandomnessError(
                _("Round %(round)d of drand is not fetched yet.") % {"round": source["round"]}
            )
        return proof.reveal_drand(round_number=source["round"], signature_hex=stored.signature)
    text = AnnouncedText.objects.filter(draw=draw, position=position, confirmed_at__isnull=False).first()
    if text is None:
        raise RandomnessError(_("“%(label)s” is not confirmed yet.") % {"label": source["label"]})
    return proof.reveal_public_text(text=text.text)
