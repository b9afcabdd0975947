"""How words would be read: with made-up values or a real person's, in their language and zone, at a time."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.conf import settings
from django.template import Engine
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.models import User, normalise_email
from notifications import occasions, rendering
from notifications.kinds import Category, Kind
from notifications.mail_links import MailLinks
from notifications.models import Delivery, Message, TemplateOverride
from notifications.overrides import OwnWords, brought_shapes, languages_for
from notifications.quiet_hours import zone_of
from notifications.services.broadcasts import check_brought, vocabulary
from notifications.services.consent import held_until, refusal, wishes_of
from notifications.services.wordings import check_words
from notifications.words.checking import Findings
from notifications.words.parts import Parts

TIME_FORMAT = "j F Y, H:i T"
_FOOT = MailLinks(f"{settings.SITE_URL}/preferences/", f"{settings.SITE_URL}/unsubscribe/")


class PreviewError(Exception):
    """There is nobody, or nothing, to preview for. The text says what to do."""


@dataclass(frozen=True)
class Reader:
    """Who reads: made up (`delivery` and `person` None), or real."""

    name: str
    language: str
    time_zone: str
    values: Mapping[str, Any]
    delivery: Delivery | None = None
    person: User | None = None


@dataclass(frozen=True)
class Preview:
    """What is read, by whom and when; `why_not` says what would keep it from them."""

    reader: Reader
    subject: str
    text: str
    html: str
    content: str
    sms: str
    read_at: str
    in_force: str = ""
    why_not: list[str] = field(default_factory=list)


def preview_words(
    *, kind: Kind, language: str, parts: Parts, reader: Reader, at: dt.datetime
) -> tuple[Findings, Preview | None]:
    """The words for this reader at this time, and what is wrong with them; no preview while there are errors."""
    found = check_words(kind=kind, parts=parts)
    if found.errors:
        return found, None
    preview = _shown(kind, OwnWords(kind.name, language, parts), reader, at)
    why_not = _what_keeps_it(kind, language, reader, at)
    return found, replace(preview, in_force=_in_force_at(kind, language, at), why_not=why_not)


def _shown(kind: Kind, own: OwnWords, reader: Reader, at: dt.datetime) -> Preview:
    engine: Engine = rendering.site_engine()
    with translation.override(own.language), timezone.override(zone_of(reader.time_zone)):
        values = dict(reader.values)
        words = rendering.render_words(engine, kind, values, own)
        links = _FOOT if kind.category != Category.TRANSACTIONAL else replace(_FOOT, unsubscribe_url="")
        html = rendering.render_html(engine, kind, {**values, **rendering.foot_values(links)}, words, own)
        return Preview(
            reader=reader,
            subject=words.subject,
            text=words.text,
            html=html,
            content=own.render("html", kind, values) if own.parts.html else "",
            sms=" ".join(own.render("sms", kind, values).split()) if own.parts.sms else "",
            read_at=date_format(timezone.localtime(at), TIME_FORMAT),
        )


def preview_brought(
    *, kind: Kind, occasion: str, language: str, parts: Parts, by: User, at: dt.datetime
) -> tuple[Findings, Preview | None]:
    """Words that a message brings, as somebody made up reads them in the zone of who looks."""
    variables_ = occasions.variables_of(occasion)
    found = check_brought(parts, vocabulary(variables_, occasion))
    if found.errors or not (parts.subject and parts.text):
        return found, None
    own = OwnWords(kind.name, language, parts, shapes=brought_shapes(occasion))
    values = {**vocabulary(variables_, occasion).samples, **_ahead(variables_, at)}
    reader = Reader(str(values["name"]), language, by.time_zone, values)
    return found, _shown(kind, own, reader, at)


def made_up_reader(kind: Kind, *, at: dt.datetime, person: User) -> Reader:
    """Somebody who does not exist, with sample values whose times lie a day ahead, in the zone of who looks."""
    values = {**rendering.sample_values(kind), **_ahead({**kind.variables, **kind.params}, at)}
    return Reader(values["name"], settings.LANGUAGE_CODE, person.time_zone, values)


def _ahead(types: Mapping[str, type], at: dt.datetime) -> dict[str, Any]:
    """Sample values for times: a day after `at`."""
    ahead = (at + dt.timedelta(days=1)).replace(second=0, microsecond=0)
    return {
        name: ahead if of_type is dt.datetime else ahead.date()
        for name, of_type in types.items()
        if of_type in (dt.datetime, dt.date)
    }


def real_reader(kind: Kind, *, address: str, message: Message | None, at: dt.datetime, by: User) -> Reader:
    """Somebody real, with the values of a message that went to them; of one that did not, with made-up personal values.

    Their secret links are not shown. Raises `PreviewError`.
    """
    email = normalise_email(address)
    person = User.objects.filter(email=email).first()
    deliveries = Delivery.objects.select_related("message").filter(message__kind=kind.name)
    deliveries = deliveries.filter(member=person) if person else deliveries.filter(member=None, address=email)
    if message is not None:
        deliveries = deliveries.filter(message=message)
    delivery = deliveries.order_by("-pk").first()
    if delivery is None and person is None:
        raise PreviewError(
            _("Nobody has the address %(address)s. Write one of a member, or leave it empty.")
            % {"address": address}
        )
    if delivery is not None:
        values = rendering.values_of(delivery, kind, for_links=rendering.HIDDEN_LINK)
        language = person.language if person else delivery.language
        time_zone = person.time_zone if person else delivery.time_zone
        return Reader(delivery.name, language, time_zone, values, delivery, person)
    assert person is not None
    values = {
        **made_up_reader(kind, at=at, person=by).values,
        "name": rendering.without_links(person.display_name),
    }
    if message is not None:
        values |= rendering.context_of(message, kind)
    return Reader(person.display_name, person.language, person.time_zone, values, None, person)


def _what_keeps_it(kind: Kind, language: str, reader: Reader, at: dt.datetime) -> list[str]:
    """Why this reader would not get it now, or other words."""
    reasons = []
    who = reader.name or (reader.person.email if reader.person else "") or _("This person")
    if reader.delivery is None and reader.person is None:
        return []
    if language not in languages_for(reader.language):
        reasons.append(
            _("%(who)s reads another language (%(code)s) and gets other words.")
            % {"who": who, "code": reader.language}
        )
    if reader.person is not None and not reader.person.is_active:
        reasons.append(_("The account is closed: nothing is sent to it."))
    if reader.delivery is not None:
        wishes = wishes_of([reader.delivery])[reader.delivery.pk]
        if (reason := refusal(wishes, kind=kind, person=reader.person)) is not None:
            reasons.append(_("It would not be sent: %(reason)s.") % {"reason": reason.label})
        until = held_until(wishes, kind=kind, time_zone=reader.time_zone, now=at)
        if until is not None:
            local = until.astimezone(zone_of(reader.time_zone))
            reasons.append(
                _("Quiet hours hold it back until %(time)s.") % {"time": date_format(local, TIME_FORMAT)}
            )
    return reasons


def _in_force_at(kind: Kind, language: str, at: dt.datetime) -> str:
    row = TemplateOverride.objects.filter(kind=kind.name, language=language).first()
    version = row.versions.filter(made_at__lte=at).order_by("-number").first() if row else None
    if version is None or not version.parts:
        return _("In force at that time: the kind’s own words.")
    return _("In force at that time: version %(number)d.") % {"number": version.number}


def usual_words(kind: Kind) -> Parts:
    """The kind's own words with its variables in their places: something to begin with.

    Made from what its templates say with marks for values, so that only one branch of their conditions is in it. Empty where
    the templates do more with a value than to print it.
    """
    values = rendering.sample_values(kind)
    marks: dict[str, str] = {}
    for at, (name, value) in enumerate(values.items()):
        if isinstance(value, bool) or name == "inbox_url":
            continue
        if isinstance(value, str):
            mark = f"vqx{at}vqx"
            values[name], marks[mark] = mark, f"{{{{ {name} }}}}"
        elif isinstance(value, int):
            number = 7_310_000 + at
            values[name] = number
            marks[f"{number:,}"] = f"{{{{ {name}|intcomma }}}}"
            marks[str(number)] = f"{{{{ {name} }}}}"
        elif isinstance(value, dt.datetime):
            value = dt.datetime(2031, 1, 1 + at % 28, 11, at % 60, tzinfo=dt.UTC)
            values[name] = value
            marks[date_format(value, TIME_FORMAT)] = f'{{{{ {name}|date:"{TIME_FORMAT}" }}}}'
    try:
        with timezone.override(dt.UTC):
            words = rendering.render_words(rendering.site_engine(), kind, values)
    except Exception:  # a template that needs a real value: there is nothing to begin with
        return Parts()
    found = re.compile("|".join(re.escape(mark) for mark in sorted(marks, key=len, reverse=True)))
    filled = [found.sub(lambda match: marks[match[0]], text) for text in (words.subject, words.text)]
    return Parts.of({"subject": filled[0], "text": filled[1]})
