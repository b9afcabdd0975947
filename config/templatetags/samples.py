"""`{% sample %}…{% endsample %}`: shows a piece of template as what it makes, and beside it as it is written.

For the page of all components: what it shows is what it says, because both come from the same words.
"""

from typing import cast

from django import template
from django.template.base import NodeList, Parser, Token, TokenType
from django.template.context import Context
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

register = template.Library()

_WRITTEN = {TokenType.BLOCK: "{{% {} %}}", TokenType.VAR: "{{{{ {} }}}}", TokenType.TEXT: "{}"}


class SampleNode(template.Node):
    """A piece of template with its own source."""

    def __init__(self, nodelist: NodeList, source: str, name: str) -> None:
        self.nodelist = nodelist
        self.source = source
        self.name = name

    def render(self, context: Context) -> SafeString:
        """The piece, made, and the words that made it."""
        with context.push():
            made = self.nodelist.render(context)
        return SafeString(
            render_to_string(
                "dev/parts/sample.html", {"made": made, "source": self.source, "name": self.name}
            )
        )


@register.tag
def sample(parser: Parser, token: Token) -> SampleNode:
    """`{% sample "what it is" %}` up to `{% endsample %}`; the tokens in between are read twice."""
    name = token.split_contents()[1].strip("\"'")
    written = []
    for ahead in reversed(cast("list[Token]", parser.tokens)):  # the next one stands last
        if ahead.token_type == TokenType.BLOCK and ahead.contents == "endsample":
            break
        if ahead.token_type in _WRITTEN:
            written.append(_WRITTEN[ahead.token_type].format(ahead.contents))
    nodelist = parser.parse(("endsample",))
    parser.delete_first_token()
    return SampleNode(nodelist, "".join(written).strip(), name)
