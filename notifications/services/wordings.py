"""Words of staff: saved as a new version, taken back to an older one, tried out on oneself."""

import datetime as dt
import uuid
from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from notifications import overrides
from notifications.kinds import Kind, get
from notifications.models import Message, TemplateOverride, TemplateVersion
from notifications.recipients import Recipient
from notifications.rendering import sample_values
from notifications.services.messages import notify
from notifications.words.checking import Findings, Problem, check_parts
from notifications.words.parts import Parts, Vocabulary

TEST_KIND = "notifications.wording_test"
"""Kind of what `send_test` says."""


class WordingError(Exception):
    """These words can't be saved like this. `findings` say what is wrong, where and what to do, if it is about the words."""

    def __init__(self, text: str, findings: Findings | None = None) -> None:
        super().__init__(text)
        self.findings = findings


def vocabulary_of(kind: Kind) -> Vocabulary:
    """What words of this kind may use."""
    return Vocabulary(overrides.shapes_of(kind), sample_values(kind), frozenset(kind.links))


def check_words(*, kind: Kind, parts: Parts) -> Findings:
    """Look through words for a kind: what has to be mended, and what may be accepted."""
    return check_parts(parts, vocabulary_of(kind), site_url=settings.SITE_URL)


def save_words(
    *,
    kind: Kind,
    language: str,
    parts: Parts,
    by: User,
    now: dt.datetime,
    accepts_warnings: bool = False,
    from_number: int | None = None,
    seen_number: int | None = None,
) -> TemplateVersion:
    """Put these words in force for a kind and language, as a new version; with all parts empty, the kind's own words.

    `from_number`: the version that this goes back to. `seen_number`: the version the writer had before them; somebody else's
    since then is not overwritten unread. Saving what is in force already changes nothing. Raises `WordingError`.
    """
    found = check_words(kind=kind, parts=parts)
    if found.errors:
        raise WordingError(_("These words can't be used yet. What to do stands at each part."), found)
    if found.warnings and not accepts_warnings:
        raise WordingError(_("Look at the warnings: mend what they name, or accept them."), found)
    with transaction.atomic():
        row, _is_new = TemplateOverride.objects.select_for_update().get_or_create(
            kind=kind.name, language=language.lower(), defaults={"changed_at": now}
        )
        newest = row.versions.order_by("-number").first()
        if seen_number is not None and seen_number != row.number:
            raise WordingError(
                _(
                    "Somebody saved version %(number)d meanwhile. Yours stands below: compare the two, and save again."
                )
                % {"number": row.number}
            )
        before = newest.parts if newest else Parts()
        changed = parts.changed_from(before)
        if newest is not None and not changed:
            return newest
        version = TemplateVersion.objects.create(
            override=row,
            number=row.number + 1,
            **dict(parts.items()),
            changed=changed,
            accepted=[str(problem) for problem in found.warnings],
            from_number=from_number,
            made_at=now,
            made_by=by,
        )
        row.number, row.changed_at, row.broken_at, row.broken_why = version.number, now, None, ""
        row.save(update_fields=["number", "changed_at", "broken_at", "broken_why"])
        data: dict[str, object] = {
            "kind": kind.name,
            "language": row.language,
            "version": version.number,
            "changed": changed,
            "accepted": [problem.code for problem in found.warnings],
        }
        if from_number is not None:
            data["from_version"] = from_number
        record(actor=by, action="notification.words_saved", target=row, data=data, now=now)
        transaction.on_commit(overrides.forget, robust=True)
    overrides.forget()
    return version


def restore_words(*, override: TemplateOverride, number: int, by: User, now: dt.datetime) -> TemplateVersion:
    """Go back to an older version, as a new one. 0: to the kind's own words. Raises `WordingError`, also when
    those words are not good any more."""
    if number:
        version = override.versions.filter(number=number).first()
        if version is None:
            raise WordingError(_("There is no version %(number)d.") % {"number": number})
        parts = version.parts
    else:
        parts = Parts()
    return save_words(
        kind=get(override.kind),
        language=override.language,
        parts=parts,
        by=by,
        now=now,
        accepts_warnings=True,
        from_number=number,
    )


def send_test(
    *,
    kind: Kind,
    language: str,
    subject: str,
    text: str,
    html: str,
    by: User,
    now: dt.datetime,
) -> Message:
    """Send rendered words to oneself, to try them out: by the outbox, marked as a test, to nobody else.

    The address is that of the account of who asks. Raises `ContextError` for words that are too long.
    """
    with transaction.atomic():
        message = notify(
            kind=TEST_KIND,
            about=f"notifications.kind:{kind.name}"[:120],
            context={"of_kind": kind.name, "said_subject": subject, "said_text": text, "said_html": html},
            idem_key=f"wording-test:{uuid.uuid4()}",
            not_before=now,
            recipients=[Recipient.of(by)],
            now=now,
        )
        record(
            actor=by,
            action="notification.test_sent",
            target=message,
            data={"kind": kind.name, "language": language},
            now=now,
        )
    return message


def in_words(problems: Sequence[Problem]) -> list[str]:
    """Problems as sentences, each with its line."""
    return [str(problem) for problem in problems]
