"""The values that a regular expression allows, as far as they can be told, so that two of them can be compared.

A pattern is opened into words of characters, `ONE` (any one character) and `MANY` (any text). What a word cannot say
exactly (a class, a repeated group, letters of either case) it says too widely, and the set is then not `exact`: that is
safe to show that two sets share nothing, and never enough to show that one holds another.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

ONE, MANY = "any one", "any text"
MOST_WORDS = 2_000
LONGEST_WORD = 400
LARGEST_CLASS = 24
Word = tuple[str, ...]
_EITHER = {"d", "D", "w", "W", "s", "S"}
_PLAIN = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}


@dataclass(frozen=True)
class Values:
    """Words of which the allowed values are made; `exact` where they are all of them and nothing more."""

    words: frozenset[Word]
    exact: bool

    @property
    def finite(self) -> frozenset[str] | None:
        """The values one by one; None where they cannot be counted."""
        if not self.exact or any(ONE in word or MANY in word for word in self.words):
            return None
        return frozenset("".join(word) for word in self.words)


SOMETHING = Values(frozenset({(ONE, MANY)}), True)
EVERYTHING = Values(frozenset({(), (ONE, MANY)}), True)
_UNTOLD = Values(frozenset({(MANY,)}), False)


class _TooMuch(Exception):
    """The pattern says more than is worth opening."""


@lru_cache(maxsize=4096)
def values_of(pattern: str) -> Values:
    """The values that the RE2 pattern allows, anchored at both ends; of what is no pattern all values, not exact."""
    try:
        reader = _Reader(pattern)
        words = reader.alternatives()
        if reader.position < len(pattern):
            return _UNTOLD
    except (_TooMuch, IndexError, RecursionError):
        return _UNTOLD
    split = {part for word in map(_canonical, words) for part in (((), (ONE, MANY)) if word == (MANY,) else (word,))}
    return Values(frozenset(split), reader.exact)


def text_values(text: str) -> Values:
    """The one value `text`."""
    return Values(frozenset({tuple(text)}), True)


@lru_cache(maxsize=65_536)
def holds(outer: Word, inner: Word) -> bool:
    """Whether every text of `inner` is one of `outer`; where it cannot be told, no."""
    reached = {0}
    for place in range(len(inner) + 1):
        # MANY may also stand for nothing.
        for step in sorted(reached):
            at = step
            while at < len(outer) and outer[at] == MANY:
                at += 1
                reached.add(at)
        if place == len(inner):
            break
        token, following = inner[place], set()
        for step in reached:
            if step == len(outer):
                continue
            if outer[step] == MANY:
                following.add(step)
            elif outer[step] == token or (outer[step] == ONE and token != MANY):
                following.add(step + 1)
        reached = following
    return len(outer) in reached


@lru_cache(maxsize=65_536)
def meet(one: Word, other: Word) -> bool:
    """Whether some text is one of both."""
    waiting, seen = [(0, 0)], {(0, 0)}
    while waiting:
        here, there = waiting.pop()
        if here == len(one) and there == len(other):
            return True
        for following in _steps(one, here, other, there):
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    return False


def _steps(one: Word, here: int, other: Word, there: int) -> list[tuple[int, int]]:
    mine = one[here] if here < len(one) else None
    theirs = other[there] if there < len(other) else None
    steps = []
    if mine == MANY:
        steps += [(here + 1, there)] + ([(here, there + 1)] if theirs else [])
    if theirs == MANY:
        steps += [(here, there + 1)] + ([(here + 1, there)] if mine else [])
    if mine and theirs and MANY not in (mine, theirs) and (mine == theirs or ONE in (mine, theirs)):
        steps.append((here + 1, there + 1))
    return steps


def _canonical(word: Word) -> Word:
    """Wildcards beside each other in one order: each ONE, then a single MANY."""
    ordered: list[str] = []
    many = False
    for token in word:
        if token == MANY:
            many = True
            continue
        if token != ONE and many:
            ordered.append(MANY)
            many = False
        ordered.append(token)
    return (*ordered, MANY) if many else tuple(ordered)


class _Reader:
    """A pattern, read from left to right into words."""

    def __init__(self, pattern: str) -> None:
        self.position = 0
        self.exact = True
        self._pattern = pattern
        self._any_case = False

    def alternatives(self) -> set[Word]:
        words = self._sequence()
        while self._peek() == "|":
            self.position += 1
            words |= self._sequence()
        return words

    def _peek(self) -> str:
        return self._pattern[self.position : self.position + 1]

    def _take(self) -> str:
        self.position += 1
        return self._pattern[self.position - 1]

    def _sequence(self) -> set[Word]:
        words: set[Word] = {()}
        while self._peek() not in ("", "|", ")"):
            following = self._repeated(self._atom())
            if len(words) * len(following) > MOST_WORDS:
                raise _TooMuch
            words = {word + more for word in words for more in following}
            if any(len(word) > LONGEST_WORD for word in words):
                raise _TooMuch
        return words

    def _repeated(self, words: set[Word]) -> set[Word]:
        sign = self._peek()
        if sign not in ("?", "*", "+", "{"):
            return words
        self.position += 1
        if sign == "{":
            # Counted repeats are rare in matchers; any text is wide enough.
            while self._take() != "}":
                pass
        if self._peek() == "?":
            self.position += 1
        if sign == "?":
            return words | {()}
        if words != {(ONE,)} or sign == "{":
            self.exact = False
        if words == {(ONE,)} and sign == "+":
            return {(ONE, MANY)}
        return {(MANY,)} if sign in "*{" else {(*word, MANY) for word in words}

    def _atom(self) -> set[Word]:
        sign = self._take()
        if sign == "(":
            return self._group()
        if sign == "[":
            return self._class()
        if sign == ".":
            return {(ONE,)}
        if sign == "\\":
            return self._escape()
        if sign in "^$":
            # Where they say nothing, at the ends; anywhere else the word is too wide.
            at_end = self.position == 1 if sign == "^" else self.position == len(self._pattern)
            self.exact = self.exact and at_end
            return {()}
        return self._literal(sign)

    def _literal(self, sign: str) -> set[Word]:
        if self._any_case and sign.lower() != sign.upper():
            self.exact = False
            return {(ONE,)}
        return {(sign,)}

    def _group(self) -> set[Word]:
        any_case = self._any_case
        if self._peek() == "?":
            self.position += 1
            flags = ""
            if self._peek() in ("P", "<"):
                while self._take() != ">":
                    pass
            else:
                while (sign := self._take()) not in (":", ")"):
                    flags += sign
                if flags:
                    # `i` makes letters wider, `s` changes only line feeds; others are not worth telling apart.
                    self.exact = self.exact and flags == "s"
                    self._any_case = self._any_case or "i" in flags
                if sign == ")":
                    return {()}
        words = self.alternatives()
        if self._take() != ")":
            raise _TooMuch
        self._any_case = any_case
        return words

    def _escape(self) -> set[Word]:
        sign = self._take()
        if sign in _EITHER:
            self.exact = False
            return {(ONE,)}
        if sign in ("A", "z", "b", "B"):
            self.exact = False
            return {()}
        if sign in _PLAIN:
            return {(_PLAIN[sign],)}
        if sign.isalnum():
            raise _TooMuch
        return self._literal(sign)

    def _class(self) -> set[Word]:
        start = self.position
        negated = self._peek() == "^"
        if negated:
            self.position += 1
        members: set[str] = set()
        plain = not negated
        first = True
        while (sign := self._take()) != "]" or first:
            first = False
            if sign == "\\":
                sign = self._take()
                plain = plain and not sign.isalnum()
            elif sign == "[" and self._peek() == ":":
                self.position = self._pattern.index(":]", self.position) + 2
                plain = False
                continue
            if self._peek() == "-" and self._pattern[self.position + 1 : self.position + 2] not in ("]", ""):
                self.position += 1
                last = self._take()
                plain = plain and last != "\\" and ord(last) - ord(sign) < LARGEST_CLASS
                members |= {chr(code) for code in range(ord(sign), ord(last) + 1)} if plain else set()
                continue
            members.add(sign)
        if not plain or not members or len(members) > LARGEST_CLASS or self.position == start:
            self.exact = False
            return {(ONE,)}
        return {word for sign in members for word in self._literal(sign)}
