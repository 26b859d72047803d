"""Matchers as Alertmanager and Prometheus read them; what follows from one of another is amlint's to prove."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

Operator = Literal["=", "!=", "=~", "!~"]
# The group for the name also takes quoted UTF-8 names, which Alertmanager reads since 0.27.
_FORM = re.compile(r'\s*([a-zA-Z_:][a-zA-Z0-9_:]*|"(?:[^"\\]|\\.)+")\s*(=~|=|!=|!~)\s*(.*?)\s*', re.DOTALL | re.ASCII)
_PARTS = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^,"])+')
_ESCAPES = re.compile(r"\\(.)", re.DOTALL)
_PLAIN = re.compile(r"(?:[^\\.+*?()|\[\]{}^$]|\\[^a-zA-Z0-9])*")
_LARGEST_PROGRAM = 4 << 20
_LONGEST_COMPARED = 300  # characters of a pattern; longer ones would take too long to compare
_NO_VALUE = "\0 a value that nothing has"


class MatcherUnreadable(ValueError):
    """A text is no matcher; the message says why."""


@dataclass(frozen=True)
class Matcher:
    """One condition on one label; a label that an alert lacks has the value ''."""

    name: str
    operator: Operator
    value: str
    line: int = 0

    def __str__(self) -> str:
        quoted = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{self.operator}"{quoted}"'

    @property
    def negative(self) -> bool:
        """Whether it says what the value is not."""
        return self.operator in ("!=", "!~")

    @property
    def usable(self) -> bool:
        """Whether it has a name, and no pattern that RE2 refuses."""
        return bool(self.name) and self.accepts("") is not None

    def accepts(self, value: str) -> bool | None:
        """Whether a label of this value is matched; None where the regular expression is none."""
        if self.operator in ("=", "!="):
            return (value == self.value) is not self.negative
        pattern = compiled(self.value)
        try:
            return None if pattern is None else (pattern.fullmatch(value) is not None) is not self.negative
        except UnicodeEncodeError:  # half of a surrogate pair: no label's value
            return None

    @cached_property
    def values(self) -> frozenset[str] | None:
        """The values that it speaks of, wanted or not; None where they cannot be counted."""
        if self.operator in ("=", "!="):
            return frozenset({self.value})
        inside = self.value.removeprefix("^").removesuffix("$")
        if inside.startswith("(") and inside.endswith(")"):
            inside = inside.removeprefix("(").removeprefix("?:")[:-1]
        parts = inside.split("|")
        return frozenset(_ESCAPES.sub(r"\1", part) for part in parts) if all(map(_PLAIN.fullmatch, parts)) else None


def read_matchers(text: str, line: int = 0) -> list[Matcher]:
    """The matchers of one entry of `matchers`, which may hold several, in braces or not.

    Source: Alertmanager 0.25, `pkg/labels/parse.go`, as described in its docs under 'matcher'.

    Raises
    ------
    MatcherUnreadable
        A part is no matcher.
    """
    read = []
    for part in _PARTS.findall(text.strip().removeprefix("{").removesuffix("}")):
        form = _FORM.fullmatch(part)
        if form is None:
            raise MatcherUnreadable(f"'{part}' is no matcher: it needs a label's name, one of = != =~ !~, and a value")
        name, value = form[1].strip('"'), form[3]
        if value.startswith('"') and value.endswith('"') and len(value) > 1:
            value = _ESCAPES.sub(lambda one: {"n": "\n", '"': '"', "\\": "\\"}.get(one[1], one[0]), value[1:-1])
        read.append(Matcher(name, form[2], value, line))  # type: ignore[arg-type]
    return read


def contradiction(matchers: Iterable[Matcher]) -> list[Matcher]:
    """Those of the matchers that are proven to leave no value to one label; none where nothing is proven."""
    matchers = list(matchers)
    for name in dict.fromkeys(one.name for one in matchers):
        of_label = [one for one in matchers if one.name == name]
        values = finite_values(of_label, name)
        nothing = not values if values is not None else covered(of_label, [Matcher(name, "=", _NO_VALUE)])
        if nothing and len(of_label) > 1:
            return of_label
    return []


def covered(matchers: Iterable[Matcher], by: Iterable[Matcher]) -> bool:
    """Whether it is proven that every alert which `matchers` match is matched by all of `by`."""
    return _implied(tuple(matchers), tuple(by))


@lru_cache(maxsize=65_536)
def _implied(matchers: tuple[Matcher, ...], by: tuple[Matcher, ...]) -> bool:
    from amlint.implication import implies

    if any(len(one.value) > _LONGEST_COMPARED or not one.usable for one in (*matchers, *by)):
        return False
    known, wanted = ([(one.name, one.operator, one.value) for one in side] for side in (matchers, by))
    return bool(implies(known, wanted))


def finite_values(matchers: Iterable[Matcher], name: str) -> frozenset[str] | None:
    """The values of the label that the matchers leave; None where they cannot be counted."""
    of_label = [matcher for matcher in matchers if matcher.name == name]
    counted = [matcher.values for matcher in of_label if not matcher.negative and matcher.values is not None]
    if not counted:
        return None
    return frozenset(
        value for value in min(counted, key=len) if all(matcher.accepts(value) is not False for matcher in of_label)
    )


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> Any:
    """The pattern as RE2 takes it, None of one that it refuses."""
    # The very engine that Prometheus and Alertmanager are built on: time linear in the text, memory bounded.
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _LARGEST_PROGRAM
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError):
        return None
