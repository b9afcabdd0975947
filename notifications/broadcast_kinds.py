"""Kinds of message whose words staff write each time: news, notices, and the steps of sequences."""

from django.utils.translation import gettext_lazy as _

from notifications.kinds import BROUGHT, Category, Kind, Reach, register
from notifications.services.audiences import BROADCAST_CHANNELS
from notifications.services.broadcasts import NEWS_KIND, NOTICE_KIND, recipients_of
from notifications.services.sequences import STEP_KIND

_VARIABLES = {**BROUGHT, "batch": str}
_ROADS = dict.fromkeys(BROADCAST_CHANNELS, Reach.EVERYONE)


def _kind(name: str, title: object, category: Category) -> Kind:
    return Kind(
        name=name,
        title=title,  # type: ignore[arg-type]
        category=category,
        channels=_ROADS,
        variables=_VARIABLES,
        recipients=recipients_of,
        brings_words=True,
        fixed_words=True,
        about_is_once=name
        == NOTICE_KIND,  # each broadcast is a thing of its own; steps are about what they follow
    )


KINDS = (
    _kind(NEWS_KIND, _("News and offers"), Category.PROMOTIONAL),
    _kind(NOTICE_KIND, _("Notices of the site"), Category.SERVICE),
    _kind(STEP_KIND, _("What follows when you took part"), Category.SERVICE),
)


def register_kinds() -> None:
    """Called once the apps are loaded."""
    for kind in KINDS:
        register(kind)
