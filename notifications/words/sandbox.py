"""Templates that staff write: compiled in an engine of their own, and read through before they are ever rendered.

A template knows the variables it is given and nothing else. What is JSON may be looked into; out of a text, a number or a
time nothing is taken but by a filter, so that no template reaches the methods of an object. Pure: no ORM, no clock.
"""

import enum
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.template import Context, Engine, Template, TemplateSyntaxError
from django.template.base import FilterExpression, Node, TextNode, Variable, VariableNode
from django.template.defaulttags import CommentNode, FirstOfNode, ForNode, IfNode, WithNode
from django.utils.translation import gettext as _

from notifications.words import tags

# Methods of lists and dicts that a template could call and that change what it is given.
_CHANGING = frozenset(
    {
        "append",
        "clear",
        "extend",
        "insert",
        "pop",
        "popitem",
        "remove",
        "reverse",
        "setdefault",
        "sort",
        "update",
    }
)
_PUTTING_OUT = (TextNode, VariableNode, FirstOfNode)
_UNKNOWN_TAG = re.compile(r"Invalid block tag on line \d+: '([^']*)'")
_UNKNOWN_FILTER = re.compile(r"Invalid filter: '([^']*)'")
_UNCLOSED = re.compile(r"Unclosed tag on line (\d+): '([^']*)'\. Looking for one of: (.*)\.")
_BRACES = re.compile(r"\{\{|\}\}|\{%|%\}|\{#|#\}")


class WordsError(Exception):
    """These words can't be used. `line` counts from 1, and is 0 where no single line is to blame."""

    def __init__(self, text: str, *, line: int = 0) -> None:
        super().__init__(text)
        self.text = text
        self.line = line

    def __str__(self) -> str:
        return (
            _("Line %(line)d: %(text)s") % {"line": self.line, "text": self.text} if self.line else self.text
        )


class Shape(enum.Enum):
    """What may be done with a variable."""

    PLAIN = "plain"  # a text, a number, a time
    JSON = "json"  # looked into by a dot
    LOOP = "loop"  # Django's `forloop`


def shape_of(variable_type: type) -> Shape:
    """The shape of a declared variable."""
    return Shape.JSON if variable_type in (list, dict) else Shape.PLAIN


class _Sandbox(Engine):
    """No files, no libraries, and of the built-in tags those of `notifications.words.tags`."""

    default_builtins = [tags.__name__]


@lru_cache(maxsize=2)
def _engine(autoescape: bool) -> Engine:
    return _Sandbox(loaders=[], autoescape=autoescape)


@dataclass(frozen=True)
class Compiled:
    """A template that may be rendered, and the variables it uses."""

    template: Template
    used: frozenset[str]
    is_html: bool

    def render(self, values: Mapping[str, Any]) -> str:
        """With these values, in the language and time zone of whoever calls. Raises `TooLongError` before that much is made,
        and whatever a filter raises."""
        return self.template.render(Measured(dict(values), autoescape=self.is_html))


class Measured(Context):
    """Knows how much may still come out."""

    room = tags.MOST


class Bounded(Node):
    """A node that puts out text, as long as there is room: a loop could repeat it without end."""

    def __init__(self, node: Node) -> None:
        self.node, self.token = node, node.token

    def render(self, context: Context) -> str:
        said = self.node.render(context)
        if isinstance(context, Measured):
            context.room -= len(said)
            if context.room < 0:
                raise tags.TooLongError
        return said


def compile_words(source: str, shapes: Mapping[str, Shape], *, is_html: bool) -> Compiled:
    """Read `source` as a template that knows the variables in `shapes`. Raises `WordsError`."""
    if "\0" in source:
        raise WordsError(_("There is a NUL character in it. Write it again without."))
    try:
        template = _template(source, is_html=is_html)
        reader = _Reader(is_html=is_html)
        reader.read(template.nodelist, dict(shapes), in_loop=False)
    except RecursionError:
        raise WordsError(_("It is nested too deeply. Write it flatter.")) from None
    return Compiled(template, frozenset(reader.used & set(shapes)), is_html)


def _template(source: str, *, is_html: bool) -> Template:
    try:
        return Template(source, engine=_engine(is_html))
    except TemplateSyntaxError as error:
        raise _in_plain_words(error) from error


class _Reader:
    """Walks through a template and refuses what the variables do not give."""

    def __init__(self, *, is_html: bool) -> None:
        self.used: set[str] = set()
        self._is_html = is_html

    def read(self, nodes: Any, known: Mapping[str, Shape], *, in_loop: bool) -> None:
        for at, node in enumerate(nodes):
            line: int = getattr(getattr(node, "token", None), "lineno", 0) or 0
            if isinstance(node, CommentNode):
                continue
            if isinstance(node, _PUTTING_OUT):
                nodes[at] = Bounded(node)
            if isinstance(node, TextNode):
                _refuse_braces(node.s, line)
            elif isinstance(node, VariableNode):
                self._expression(node.filter_expression, known, line)
            elif isinstance(node, IfNode):
                for condition, branch in node.conditions_nodelists:
                    self._condition(condition, known, line)
                    self.read(branch, known, in_loop=in_loop)
            elif isinstance(node, ForNode):
                self._loop(node, known, line, in_loop=in_loop)
            elif isinstance(node, WithNode):
                inside = dict(known)
                for name, expression in node.extra_context.items():
                    inside[name] = self._expression(expression, known, line)
                self.read(node.nodelist, inside, in_loop=in_loop)
            elif isinstance(node, FirstOfNode):
                if node.asvar:
                    raise WordsError(_("“as” can't be used here. Use {% with %}."), line=line)
                for expression in node.vars:
                    self._expression(expression, known, line)
            else:  # cannot be: the engine has no other tags
                raise WordsError(_("This can't be used here."), line=line)

    def _loop(self, node: ForNode, known: Mapping[str, Shape], line: int, *, in_loop: bool) -> None:
        if in_loop:
            raise WordsError(
                _("A loop inside a loop can't be used here. Write it without the inner one."), line=line
            )
        self._expression(node.sequence, known, line)
        inside = {**known, **dict.fromkeys(node.loopvars, Shape.JSON), "forloop": Shape.LOOP}
        self.read(node.nodelist_loop, inside, in_loop=True)
        self.read(node.nodelist_empty, known, in_loop=False)

    def _condition(self, condition: Any, known: Mapping[str, Shape], line: int) -> None:
        if condition is None:
            return  # {% else %}
        value = getattr(condition, "value", None)
        if isinstance(value, FilterExpression):
            self._expression(value, known, line)
        for side in (getattr(condition, "first", None), getattr(condition, "second", None)):
            if side is not None:
                self._condition(side, known, line)

    def _expression(self, expression: Any, known: Mapping[str, Shape], line: int) -> Shape:
        token = getattr(expression, "token", None)
        line = line or (getattr(token, "lineno", 0) or 0)
        shape = self._variable(expression.var, known, line)
        if self._is_html:
            _escape_literals(expression, line)
        for _function, arguments in expression.filters:
            for is_variable, argument in arguments:
                if is_variable:
                    self._variable(argument, known, line)
        return shape

    def _variable(self, variable: Any, known: Mapping[str, Shape], line: int) -> Shape:
        if not isinstance(variable, Variable) or variable.lookups is None:
            return Shape.PLAIN  # a text or a number that stands there itself
        root, *path = variable.lookups
        if root not in known:
            raise WordsError(
                _("There is no variable “%(name)s” here. There are: %(known)s.")
                % {"name": root, "known": ", ".join(sorted(known))},
                line=line,
            )
        self.used.add(root)
        if path and known[root] == Shape.PLAIN:
            raise WordsError(
                _(
                    "“%(name)s” is one value: nothing can be taken out of it by a dot. Write {{ %(name)s }}, with a filter if need be."
                )
                % {"name": root},
                line=line,
            )
        for part in path:
            if part in _CHANGING:
                raise WordsError(
                    _("“%(path)s” can't be used: “%(part)s” changes what it is asked of.")
                    % {"path": variable.var, "part": part},
                    line=line,
                )
        return Shape.JSON if known[root] == Shape.JSON else Shape.PLAIN


def _escape_literals(expression: Any, line: int) -> None:
    """A text in quotes inside a tag counts as HTML for Django, and would come out as markup."""
    if isinstance(expression.var, str):
        expression.var = _unsafe(expression.var, line)
    for _function, arguments in expression.filters:
        arguments[:] = [
            (True, _Text(argument, line)) if isinstance(argument, str) else (is_variable, argument)
            for is_variable, argument in arguments
        ]


class _Text:
    """A text that a filter is given. As a variable has it, because Django counts any other as HTML."""

    def __init__(self, text: str, line: int) -> None:
        self.text = _unsafe(text, line)

    def resolve(self, context: Context) -> str:
        return self.text


def _unsafe(text: str, line: int) -> str:
    if "<" in text or ">" in text:
        raise WordsError(
            _("“<” and “>” can't stand in quotes inside a tag: HTML stands outside of tags."), line=line
        )
    return (
        text[:] if '"' in text or "'" in text else text
    )  # a slice counts as text, and its quotes are escaped


def _refuse_braces(text: str, line: int) -> None:
    """What looks like the beginning or end of a tag, and would go out as it stands."""
    if found := _BRACES.search(text):
        raise WordsError(
            _(
                "A “%(braces)s” without its other half: people would read it. Write {{ name }}, with both pairs of braces."
            )
            % {"braces": found[0]},
            line=(line or 1) + text.count("\n", 0, found.start()),
        )


def _in_plain_words(error: TemplateSyntaxError) -> WordsError:
    """Django's message, saying which line and what to do."""
    said = str(error)
    line = getattr(getattr(error, "token", None), "lineno", 0) or 0
    if found := _UNCLOSED.search(said):
        return WordsError(
            _("{%% %(tag)s %%} is never closed. Write {%% end%(tag)s %%} where it ends.") % {"tag": found[2]},
            line=int(found[1]),
        )
    if found := _UNKNOWN_TAG.search(said):
        name = found[1]
        if name.startswith(("end", "el", "empty")):
            return WordsError(
                _(
                    "{%% %(tag)s %%} stands here without its beginning. Take it out, or write the beginning before it."
                )
                % {"tag": name},
                line=line,
            )
        return WordsError(
            _("The tag {%% %(tag)s %%} can't be used here. These can: %(tags)s.")
            % {"tag": name, "tags": _listed(tags.TAGS)},
            line=line,
        )
    if found := _UNKNOWN_FILTER.search(said):
        return WordsError(
            _("The filter “%(name)s” can't be used here. These can: %(filters)s.")
            % {"name": found[1], "filters": _listed(tags.register.filters)},
            line=line,
        )
    return WordsError(_("This can't be read: %(why)s") % {"why": said}, line=line)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
