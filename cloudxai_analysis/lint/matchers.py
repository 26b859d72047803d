"""Matchers as Alertmanager and Prometheus read them; what follows from one of another is amlint's to prove."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

Operator = Literal["=", "!=", "=~", "!~"]
# The group for the name also takes quoted UTF-8 names, which Alertmanager reads since 0.27.
_FORM = re.compile(r'\s*([a-zA-Z_:][a-zA-Z0-9_:]*|"(?:[^"\\]|\\.)+")\s*(=~|=|!=|!~)\s*(.*?)\s*', re.DOTALL | re.ASCII)
_PARTS = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^,"])+')
_ESCAPES = re.compile(r"\\(.)", re.DOTALL)
_LARGEST_PROGRAM = 4 << 20
_LONGEST_COMPARED = 300  # characters of a pattern; longer ones would take too long to compare
_NO_VALUE = "\0 a value that nothing has"


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


def read_matchers(text: str, line: int = 0) -> list[Matcher] | None:
    """The matchers of one entry of `matchers`, which may hold several, in braces or not; None where one is none.

    Source: Alertmanager 0.25, `pkg/labels/parse.go`, as described in its docs under 'matcher'.
    """
    read = []
    for form in map(_FORM.fullmatch, _PARTS.findall(text.strip().removeprefix("{").removesuffix("}"))):
        if form is None:
            return None
        name, value = form[1].strip('"'), form[3]
        if value.startswith('"') and value.endswith('"') and len(value) > 1:
            value = _ESCAPES.sub(lambda one: {"n": "\n", '"': '"', "\\": "\\"}.get(one[1], one[0]), value[1:-1])
        read.append(Matcher(name, form[2], value, line))  # type: ignore[arg-type]
    return read


def contradiction(matchers: Iterable[Matcher]) -> list[Matcher]:
    """Those of the matchers that are proven to leave no value to one label; none where nothing is proven."""
    matchers = list(matchers)
    for one in matchers:
        of_label = [other for other in matchers if other.name == one.name]
        nothing = any(other.accepts(one.value) is False for other in of_label if one.operator == "=")
        if nothing or (len(of_label) > 1 and covered(of_label, [Matcher(one.name, "=", _NO_VALUE)])):
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
