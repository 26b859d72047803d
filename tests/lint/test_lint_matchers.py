"""Matchers read as Alertmanager reads them."""

from __future__ import annotations

import pytest

from cloudxai_analysis.lint.matchers import Matcher, MatcherUnreadable, read_matchers


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
        ('a="b', "not closed"),
        ('a=b"', "not escaped"),
        ('a="b"c"', "not escaped"),
        ('a=~"(b"', "no regular expression of RE2: missing"),
        ('a=~"(?=b)"', "no regular expression of RE2"),
        ("a=b,,c=d", "is no matcher"),
    ],
)
def test_what_is_no_matcher(text: str, said: str) -> None:
    with pytest.raises(MatcherUnreadable, match=said):
        read_matchers(text)


def test_a_pattern_is_anchored_and_a_missing_label_is_empty() -> None:
    matcher = Matcher("severity", "=~", "page|crit")
    assert matcher.matches({"severity": "crit"})
    assert not matcher.matches({"severity": "critical"})
    assert Matcher("severity", "!~", "page").matches({})
    assert Matcher("severity", "=~", "page|").matches({})
    assert str(Matcher("a", "=", 'b"\n')) == 'a="b\\"\\n"'
