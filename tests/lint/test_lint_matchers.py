"""Matchers read as Alertmanager reads them."""

from __future__ import annotations

import pytest

from cloudxai_analysis.lint.matchers import Matcher, MatcherUnreadable, contradiction, covered, read_matchers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("severity=page", [("severity", "=", "page")]),
        ("  severity  !=  page  ", [("severity", "!=", "page")]),
        ('severity=~"page|critical"', [("severity", "=~", "page|critical")]),
        ('{a="b, c", d!~"e"}', [("a", "=", "b, c"), ("d", "!~", "e")]),
        ("a=b,c=d", [("a", "=", "b"), ("c", "=", "d")]),
        ('a="say \\"hi\\"\\n\\t\\\\"', [("a", "=", 'say "hi"\n\\t\\')]),
        ("a=", [("a", "=", "")]),
        ('a=""', [("a", "=", "")]),
        ("a=b=c", [("a", "=", "b=c")]),
        ("", []),
        ('"a b"="c"', [("a b", "=", "c")]),
    ],
)
def test_texts(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert [(one.name, one.operator, one.value) for one in read_matchers(text)] == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("severity", "is no matcher"),
        ("a-b=c", "is no matcher"),
    ],
)
def test_what_is_no_matcher(text: str, said: str) -> None:
    with pytest.raises(MatcherUnreadable, match=said):
        read_matchers(text)


def test_a_pattern_is_anchored_and_a_missing_label_is_empty() -> None:
    matcher = Matcher("severity", "=~", "page|crit")
    assert [matcher.accepts(value) for value in ("crit", "critical", "")] == [True, False, False]
    assert Matcher("severity", "!~", "page").accepts("")
    assert Matcher("severity", "=~", "page|").accepts("")
    assert Matcher("severity", "=~", "(").accepts("page") is None
    assert str(Matcher("a", "=", 'b"\n')) == 'a="b\\"\\n"'


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a|b", {"a", "b"}),
        ("^(?:a|b.c)$", None),
        (r"(a\.b|c)", {"a.b", "c"}),
        ("a.*", None),
        ("", {""}),
        ("(?i)a", None),
    ],
)
def test_values_that_can_be_counted(text: str, values: set[str] | None) -> None:
    assert Matcher("x", "=~", text).values == values


@pytest.mark.parametrize(
    ("text", "nothing"),
    [
        ('a="b",a="c"', True),
        ('a="b",a=~"c|d"', True),
        ('a=~"b.*",a=~"c.*"', True),
        ('a="b",a!="b"', True),
        ('a=~"b|c",a!~"b|c|d"', True),
        ('a=~".*b",a=~"c.*"', False),
        ('a="b",c="d"', False),
        ('a!="b",a!="c"', False),
        ('a=""', False),
    ],
)
def test_contradictions(text: str, nothing: bool) -> None:
    assert bool(contradiction(read_matchers(text))) is nothing


@pytest.mark.parametrize(
    ("text", "by", "is_covered"),
    [
        ('a="b"', 'a=~"b|c"', True),
        ('a=~"bc.*"', 'a=~"b.*"', True),
        ('a=~"b.*"', 'a=~"bc.*"', False),
        ('a="b",c="d"', 'a="b"', True),
        ('a="b"', 'c="d"', False),
        ('a="b"', 'c!="d"', False),
    ],
)
def test_what_covers_what(text: str, by: str, is_covered: bool) -> None:
    assert covered(read_matchers(text), by=read_matchers(by)) is is_covered
