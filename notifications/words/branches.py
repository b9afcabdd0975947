"""What stands in the branches of words: all of it is looked at, also what no sample value brings to light.

Words are written out with every branch apart, each once. A branch of plain text is looked at in its place, as a value is: it may stand
between tags and in quoted attributes. A branch with markup or quotes is looked at by itself, so it has to end what it begins, and
leaves a mark in its place, which may stand between tags alone. So no mixture of branches is anything but what was looked at.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.template import Context
from django.template.base import NodeList, TextNode, VariableNode
from django.template.defaulttags import CommentNode, FirstOfNode, ForNode, IfNode, WithNode
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _

from notifications.words import tags
from notifications.words.markup import BLOCK, marked, unmarked
from notifications.words.sandbox import Bounded, Compiled, Measured, WordsError

_MARKUP = re.compile(rf"[<>\"'{BLOCK}]")
_MARKING = frozenset(tags.register.filters[name] for name in ("linebreaks", "linebreaksbr", "urlize"))
_MOST = 50  # branches of one condition


def pieces_of(
    compiled: Compiled, filled: Mapping[str, Any], absent: Mapping[str, Any]
) -> Iterator[tuple[str, int]]:
    """The words and each of their branches, with the line in which it begins, as they read with these values and without.

    Raises `WordsError`.
    """
    seen: set[str] = set()
    number, most = 0, 2
    while number < most:
        outline = _Outline(compiled, filled, absent, number)
        try:
            pieces = [(outline.of(compiled.template.nodelist), 1), *outline.pieces]
        except RecursionError:
            raise WordsError(_("It is nested too deeply. Write it flatter.")) from None
        most = max(most, outline.most)
        for piece, line in pieces:
            if piece not in seen:
                seen.add(piece)
                yield piece, line
        number += 1


class _Outline:
    """The words once, with the branch of this number of each condition in its place, and all branches beside it."""

    def __init__(
        self, compiled: Compiled, filled: Mapping[str, Any], absent: Mapping[str, Any], number: int
    ) -> None:
        self.pieces: list[tuple[str, int]] = []
        self.most = 0
        self._number, self._is_html = number, compiled.is_html
        values = (filled,) if number == 0 else (absent, filled)
        self._contexts = [Measured(dict(some), autoescape=compiled.is_html) for some in values]

    def of(self, nodes: Iterable[Any]) -> str:
        """What these nodes say."""
        return "".join(map(self._said_by, nodes))

    def _said_by(self, node: Any) -> str:
        inner = node.node if isinstance(node, Bounded) else node
        if isinstance(inner, TextNode):
            return inner.s
        if isinstance(inner, VariableNode):
            if self._is_html and _makes_markup(inner.filter_expression):
                return BLOCK
            return self._value([node.render])
        if isinstance(inner, FirstOfNode):
            self._count(len(inner.vars))
            first = inner.vars[min(self._number, len(inner.vars) - 1)]
            if self._is_html and any(map(_makes_markup, inner.vars)):
                return BLOCK
            return self._value([VariableNode(first).render, node.render])
        if isinstance(inner, WithNode):
            return self._inside(inner.nodelist, inner.extra_context)
        if isinstance(inner, IfNode):
            branches = [branch for _condition, branch in inner.conditions_nodelists]
            if inner.conditions_nodelists[-1][0] is not None:
                branches.append(NodeList())  # without an else, nothing
            return self._one_of(list(map(self.of, branches)), branches)
        if isinstance(inner, ForNode):
            body = self._inside(inner.nodelist_loop, dict.fromkeys(inner.loopvars))
            return self._one_of(
                [body, self.of(inner.nodelist_empty)], [inner.nodelist_loop, inner.nodelist_empty]
            )
        assert isinstance(inner, CommentNode)
        return ""

    def _one_of(self, said: Sequence[str], branches: Sequence[Any]) -> str:
        self._count(len(said))
        for text, branch in zip(said, branches, strict=True):
            if text:
                self.pieces.append((text, _line_of(branch)))
        if self._is_html and any(map(_MARKUP.search, said)):
            return BLOCK
        chosen = said[min(self._number, len(said) - 1)]
        return marked(unmarked(chosen)) if self._is_html else chosen

    def _inside(self, nodes: Any, names: Mapping[str, Any]) -> str:
        """What nodes say that know more names; None: a value of a list, of which nothing is known."""
        for context in self._contexts:
            context.push(**{name: self._known(expression, context) for name, expression in names.items()})
        said = self.of(nodes)
        for context in self._contexts:
            context.pop()
        return said

    def _known(self, expression: Any, context: Context) -> Any:
        if expression is None:
            return ""
        if self._is_html and _makes_markup(expression):
            return mark_safe(BLOCK)
        try:
            return expression.resolve(context)
        except tags.TooLongError as error:
            raise WordsError(str(error)) from error
        except Exception:  # a filter given something it wasn't made for may raise anything
            return ""

    def _value(self, renders: Sequence[Any]) -> str:
        for render in renders:
            for context in self._contexts:
                try:
                    said = unmarked(render(context))
                except tags.TooLongError as error:
                    raise WordsError(str(error)) from error
                except Exception:  # as above
                    continue
                if said:
                    return marked(said) if self._is_html else said
        return marked("value") if self._is_html else "value"

    def _count(self, branches: int) -> None:
        if branches > _MOST:
            raise WordsError(_("More than %(most)d branches in one place. Write fewer.") % {"most": _MOST})
        self.most = max(self.most, branches)


def _makes_markup(expression: Any) -> bool:
    return any(function in _MARKING for function, _arguments in expression.filters)


def _line_of(nodes: Iterable[Any]) -> int:
    for node in nodes:
        if (line := getattr(getattr(node, "token", None), "lineno", None)) is not None:
            return int(line)
    return 1
