"""The kind of message by which staff try out words on themselves."""

from django.utils.translation import gettext_lazy as _

from notifications.kinds import Category, Channel, Kind, Reach, register
from notifications.services.wordings import TEST_KIND

KINDS = (
    Kind(
        name=TEST_KIND,
        title=_("A test of words"),
        category=Category.TRANSACTIONAL,
        channels={Channel.EMAIL: Reach.EVERYONE},
        variables={"of_kind": str, "said_subject": str, "said_text": str, "said_html": str},
        for_staff=True,
        fixed_words=True,
    ),
)


def register_kinds() -> None:
    """Called once the apps are loaded."""
    for kind in KINDS:
        register(kind)
