"""System checks: each registered kind has its templates, which render with sample values; quiet hours and the key of push
messages can be read."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.template import Engine, TemplateDoesNotExist, TemplateSyntaxError, engines

from notifications import kinds
from notifications.quiet_hours import parse_quiet_hours
from notifications.rendering import LAYOUT, render_html, render_text, render_words, sample_values
from notifications.vapid import SUBJECT, public_key_of

_FOOT = {name: f"https://foot.example/{name}/" for name in kinds.FOOT_VARIABLES}
_UNDECLARED = "\N{REPLACEMENT CHARACTER}undeclared:%s\N{REPLACEMENT CHARACTER}"


def check_templates(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """E001: a template is missing; E002: it doesn't render; E003: it uses a variable the kind doesn't declare;
    E004: its HTML leaves out the foot of the layout, where people unsubscribe."""
    engine = _strict_engine()
    problems: list[checks.CheckMessage] = []
    for kind in kinds.all_kinds():
        try:
            values = sample_values(kind)
            words = render_words(engine, kind, values)
            html = render_html(engine, kind, {**values, **_FOOT}, words)
            text = render_text(engine, kind, values) if kind.goes_to_phones else "-"
            everything = words.subject + words.text + html + text
        except TemplateDoesNotExist as error:
            problems.append(
                checks.Error(f"{kind.name}: there is no template {error}", id="notifications.E001")
            )
            continue
        except TemplateSyntaxError as error:
            problems.append(checks.Error(f"{kind.name}: {error}", id="notifications.E002"))
            continue
        except Exception as error:  # a filter or tag of any app may raise anything
            problems.append(
                checks.Error(f"{kind.name}: {type(error).__name__}: {error}", id="notifications.E002")
            )
            continue
        if not words.subject or not words.text.strip() or not text:
            problems.append(checks.Error(f"{kind.name}: it renders to nothing", id="notifications.E002"))
        if not all(url in html for url in _FOOT.values()):
            problems.append(
                checks.Error(
                    f"{kind.name}: its HTML has no link to unsubscribe: extend {LAYOUT} and keep its foot",
                    id="notifications.E004",
                )
            )
        for name in sorted(set(everything.split("\N{REPLACEMENT CHARACTER}")[1::2])):
            problems.append(
                checks.Error(
                    f"{kind.name}: its templates use {name.removeprefix('undeclared:')!r}, which it doesn't declare",
                    id="notifications.E003",
                )
            )
    return problems


def check_quiet_hours(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """E005: the site's quiet hours can't be read."""
    try:
        parse_quiet_hours(settings.PROMOTION_QUIET_HOURS)
    except ValueError:
        text = f"PROMOTION_QUIET_HOURS is {settings.PROMOTION_QUIET_HOURS!r}: write it like 21:00-08:00."
        return [checks.Error(text, id="notifications.E005")]
    return []


def check_push(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """E006: the key of push messages can't be read; E007: nor whom push services write to."""
    problems: list[checks.CheckMessage] = []
    if not settings.VAPID_PRIVATE_KEY:
        return problems
    try:
        public_key_of(settings.VAPID_PRIVATE_KEY)
    except ValueError as error:
        problems.append(checks.Error(f"VAPID_PRIVATE_KEY: {error}", id="notifications.E006"))
    if not SUBJECT.fullmatch(settings.VAPID_SUBJECT):
        text = (
            f"VAPID_SUBJECT is {settings.VAPID_SUBJECT!r}: write mailto:you@your.site or https://your.site."
        )
        problems.append(checks.Error(text, id="notifications.E007"))
    return problems


def _strict_engine() -> Engine:
    """The site's template engine, but marking every variable that is not there."""
    usual: Engine = engines["django"].engine  # type: ignore[attr-defined]
    return Engine(
        dirs=usual.dirs,
        app_dirs=usual.app_dirs,
        string_if_invalid=_UNDECLARED,
        libraries=usual.libraries,
        builtins=usual.builtins,
    )
