"""All that words of one's own may call: a few tags and filters of Django's that reach nothing but their values.

Left out is what loads (`load`, `include`, `extends`), what tells of the site (`debug`, `now`), what marks text as HTML
(`safe`, `autoescape`), and what can blow a short text up (`ljust`, `center`, `stringformat`, `floatformat`).
"""

from django.contrib.humanize.templatetags import humanize
from django.template import Library, defaultfilters, defaulttags

TAGS = ("comment", "firstof", "for", "if", "with")
FILTERS = (
    "add",
    "capfirst",
    "date",
    "default",
    "default_if_none",
    "divisibleby",
    "first",
    "join",
    "last",
    "length",
    "linebreaks",
    "linebreaksbr",
    "lower",
    "pluralize",
    "time",
    "title",
    "truncatechars",
    "truncatewords",
    "upper",
    "urlencode",
    "urlize",
    "yesno",
)

register = Library()
for _name in TAGS:
    register.tags[_name] = defaulttags.register.tags[_name]
for _name in FILTERS:
    register.filters[_name] = defaultfilters.register.filters[_name]
register.filters["intcomma"] = humanize.register.filters["intcomma"]
