"""What a regular expression allows, held against RE2 over every short text."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.lint.matchers import Matcher, covered, finite_values, never
from cloudxai_analysis.lint.values import values_of

TEXTS = ["".join(signs) for length in range(5) for signs in product("ab-", repeat=length)]
ATOMS = st.sampled_from(
    ["a", "b", "-", ".", ".*", ".+", "a?", "[ab]", "[^a]", "(a|b-)", "b*", "(?:ab)?", r"\-", r"\w", "$", "^"]
)
PATTERNS = st.lists(ATOMS, max_size=4).map("".join)
VALUES = st.one_of(PATTERNS, st.lists(PATTERNS, min_size=2, max_size=3).map("|".join))
MATCHERS = st.builds(Matcher, st.just("x"), st.sampled_from(["=", "!=", "=~", "!~"]), VALUES)


@given(st.lists(MATCHERS, min_size=1, max_size=3))
def test_nothing_that_is_proven_impossible_happens(matchers: list[Matcher]) -> None:
    if never(matchers):
        assert [text for text in TEXTS if all(matcher.accepts(text) for matcher in matchers)] == []


@given(st.lists(MATCHERS, min_size=1, max_size=2), st.lists(MATCHERS, min_size=1, max_size=2))
def test_what_is_proven_to_be_covered_is_covered(inner: list[Matcher], outer: list[Matcher]) -> None:
    if covered(inner, outer):
        matched = [text for text in TEXTS if all(matcher.accepts(text) for matcher in inner)]
        assert all(matcher.accepts(text) for text in matched for matcher in outer)


@given(PATTERNS)
def test_countable_values_are_all_values(pattern: str) -> None:
    finite = values_of(pattern).finite
    if finite is not None:
        matcher = Matcher("x", "=~", pattern)
        assert {text for text in TEXTS if matcher.accepts(text)} == {text for text in finite if text in TEXTS}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("=", "a"), ("=", "b")),
        (("=~", "a|b"), ("=~", "c|d")),
        (("=~", "foo.*"), ("=~", "bar.*")),
        (("=~", "foo-bar.*"), ("!~", "foo.*")),
        (("=~", ".+"), ("=", "")),
        (("!~", ".+"), ("!=", "")),
        (("!~", ".*"), ("!=", "a")),
        (("=~", "[0-9]+"), ("=~", "v.*")),
        (("=~", "(foo|bar)-[a-z]+"), ("!~", "foo.*|bar.*")),
        (("=~", "(?i)page"), ("=", "pages")),
        (("=", "a.b"), ("=~", r"a\.c")),
    ],
)
def test_exclusion_is_seen(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert never([Matcher("x", *one), Matcher("x", *other)])  # type: ignore[arg-type]


def test_matchers_of_different_labels_never_exclude_each_other() -> None:
    assert not never([Matcher("x", "=", "a"), Matcher("y", "=", "b")])


def test_values_are_counted_through_all_matchers() -> None:
    matchers = [Matcher("x", "=~", "page|ticket|critical"), Matcher("x", "!=", "ticket"), Matcher("y", "=", "1")]
    assert finite_values(matchers, "x") == {"page", "critical"}
    assert finite_values(matchers, "z") is None


@pytest.mark.parametrize(
    "pattern", ["(a|.*b)" * 10, "(a|b|c|d|e)" * 20, "((((a*)*)*)*)*", "(" * 500, "a{1000}{1000}", "[" * 300, "x" * 5000]
)
def test_a_hostile_pattern_is_not_opened(pattern: str) -> None:
    one, other = Matcher("x", "=~", pattern), Matcher("x", "=~", "(.*c|d)" * 10)
    assert never([one, other]) in (True, False)
    assert one.accepts("a" * 10_000) in (True, False, None)
