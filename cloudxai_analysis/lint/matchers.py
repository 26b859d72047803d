"""Alertmanager's matchers: read as it reads them, answered as it answers, and compared with each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Literal

from cloudxai_analysis.lint.values import EVERYTHING, SOMETHING, Values, holds, meet, text_values, values_of

Operator = Literal["=", "!=", "=~", "!~"]
_OPPOSITE: dict[Operator, Operator] = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}
# The group for the name also takes quoted UTF-8 names, which Alertmanager reads since 0.27.
_FORM = re.compile(r'\s*([a-zA-Z_:][a-zA-Z0-9_:]*|"(?:[^"\\]|\\.)+")\s*(=~|=|!=|!~)\s*(.*?)\s*', re.DOTALL | re.ASCII)
_LARGEST_PROGRAM = 4 << 20
_MOST_COMPARED = 2_000  # characters of words a matcher; two hostile patterns would take minutes to compare


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
    def opposite(self) -> Matcher:
        """The matcher that matches whatever this one does not."""
        return replace(self, operator=_OPPOSITE[self.operator])

    def accepts(self, value: str) -> bool | None:
        """Whether a label of this value is matched; None where the regular expression is none."""
        if self.operator in ("=", "!="):
            return (value == self.value) is not self.negative
        pattern = _compiled(self.value)
        if pattern is None:
            return None
        try:
            return (pattern.fullmatch(value) is not None) is not self.negative
        except UnicodeEncodeError:  # half of a surrogate pair: no label's value
            return None

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert with these labels is matched; a regular expression that is none matches nothing."""
        return self.accepts(labels.get(self.name, "")) is True

    @cached_property
    def words(self) -> Values:
        """The values that `value` speaks of, wanted or not."""
        return values_of(self.value) if self.operator in ("=~", "!~") else text_values(self.value)


def unusable(pattern: str) -> str | None:
    """Why RE2 refuses the pattern; None where it takes it."""
    try:
        _program(pattern)
    except ValueError as error:
        return str(error)
    return None


def read_matchers(text: str, line: int = 0) -> list[Matcher]:
    """The matchers of one entry of `matchers`, which may hold several, in braces or not.

    Source: Alertmanager 0.25, `pkg/labels/parse.go`, as described in its docs under 'matcher'.

    Raises
    ------
    MatcherUnreadable
        A part is no matcher, its quotes do not fit, or its regular expression is none.
    """
    inside = text.removeprefix("{").removesuffix("}")
    return [read_matcher(part, line) for part in _parts(inside)]


def read_matcher(text: str, line: int = 0) -> Matcher:
    """The one matcher that the text holds.

    Raises
    ------
    MatcherUnreadable
        It is no matcher, its quotes do not fit, or its regular expression is none.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise MatcherUnreadable(f"'{text}' is no matcher: it needs a label's name, one of = != =~ !~, and a value")
    name = found[1][1:-1] if found[1].startswith('"') else found[1]
    return checked(Matcher(name, found[2], _unquoted(found[3]), line))  # type: ignore[arg-type]


def checked(matcher: Matcher) -> Matcher:
    """The matcher, if its regular expression is one; raises MatcherUnreadable where it is not."""
    if matcher.operator in ("=~", "!~") and (why := unusable(matcher.value)):
        raise MatcherUnreadable(f"'{matcher}' has no regular expression of RE2: {why}")
    return matcher


def never(matchers: Iterable[Matcher]) -> bool:
    """Whether it is proven that no alert is matched by all of them at once."""
    by_label: dict[str, list[Matcher]] = {}
    for matcher in matchers:
        by_label.setdefault(matcher.name, []).append(matcher)
    return any(_empty(of_label) for of_label in by_label.values())


def implied(matcher: Matcher, by: Iterable[Matcher]) -> bool:
    """Whether it is proven that every alert which all of `by` match is matched by `matcher`, too."""
    return _empty([*(other for other in by if other.name == matcher.name), matcher.opposite])


def covered(matchers: Iterable[Matcher], by: Iterable[Matcher]) -> bool:
    """Whether it is proven that every alert which `matchers` match is matched by all of `by`."""
    given = list(matchers)
    return all(implied(matcher, given) for matcher in by)


def finite_values(matchers: Iterable[Matcher], name: str) -> frozenset[str] | None:
    """The values of the label that the matchers leave; None where they cannot be counted."""
    of_label = [matcher for matcher in matchers if matcher.name == name]
    counted = [found for matcher in of_label if (found := _positive_values(matcher)) is not None]
    if not counted:
        return None
    return frozenset(
        value for value in min(counted, key=len) if all(matcher.accepts(value) is not False for matcher in of_label)
    )


def _positive_values(matcher: Matcher) -> frozenset[str] | None:
    if matcher.negative:
        # Who has no value of at least one character has the empty one.
        return frozenset({""}) if matcher.operator == "!~" and matcher.words == SOMETHING else None
    return matcher.words.finite


def _empty(matchers: list[Matcher]) -> bool:
    """Whether no value is left that all of them, on one label, accept."""
    if not matchers:
        return False
    counted = finite_values(matchers, matchers[0].name)
    if counted is not None:
        return not counted
    if any(sum(map(len, matcher.words.words)) > _MOST_COMPARED for matcher in matchers):
        return False
    wanted = [matcher.words for matcher in matchers if not matcher.negative] or [EVERYTHING]
    unwanted = [matcher for matcher in matchers if matcher.negative]
    texts = {matcher.value for matcher in unwanted if matcher.operator == "!~"}
    if any(matcher.operator == "=~" and matcher.value in texts for matcher in matchers):
        return True
    return any(
        all(
            any(not any(meet(word, theirs) for theirs in other.words) for other in wanted if other is not values)
            or any(_refuses(matcher, word) for matcher in unwanted)
            for word in values.words
        )
        for values in wanted
    )


def _refuses(matcher: Matcher, word: tuple[str, ...]) -> bool:
    if all(len(token) == 1 for token in word):
        return matcher.accepts("".join(word)) is False
    return matcher.words.exact and any(holds(theirs, word) for theirs in matcher.words.words)


def _parts(text: str) -> list[str]:
    parts, part, inside, escaped = [], "", False, False
    for sign in text:
        if sign == "," and not inside:
            parts.append(part)
            part = ""
            continue
        if sign == '"':
            inside = inside if escaped else not inside
        if sign != ",":  # a comma inside quotes leaves an escape open
            escaped = sign == "\\" and not escaped
        part += sign
    return [*parts, part] if part.strip() else parts


def _unquoted(raw: str) -> str:
    quoted = raw.startswith('"')
    text, value, escaped, closed = raw[1:] if quoted else raw, "", False, False
    for place, sign in enumerate(text):
        last = place == len(text) - 1
        if escaped:
            value += {"n": "\n", '"': '"', "\\": "\\"}.get(sign, f"\\{sign}")
            escaped = False
        elif sign == "\\" and not last:
            escaped = True
        elif sign == '"':
            if not quoted or not last:
                raise MatcherUnreadable(f"the value {raw} has a double quote that is not escaped")
            closed = True
        else:
            value += sign
    if quoted and not closed:
        raise MatcherUnreadable(f"the value {raw} has a double quote that is not closed")
    return value


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> Any:
    try:
        return _program(pattern)
    except ValueError:
        return None


def _program(pattern: str) -> Any:
    # The very engine that Prometheus and Alertmanager are built on: time linear in the text, memory bounded.
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _LARGEST_PROGRAM
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        said = error.args[0] if error.args else "it cannot be compiled"
        raise ValueError(said.decode(errors="replace") if isinstance(said, bytes) else str(said)) from None
