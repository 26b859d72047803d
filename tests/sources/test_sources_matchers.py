from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.sources.matchers import quoted, selector


def test_a_selector_names_the_metric_first_and_its_labels_in_order() -> None:
    assert selector("up", {"job": "cloudxai", "cluster": "beta-1"}) == '{__name__="up",cluster="beta-1",job="cloudxai"}'


def test_an_empty_value_asks_for_series_without_the_label() -> None:
    assert selector("up", {"tenant": ""}) == '{__name__="up",tenant=""}'


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("plain é 漢 🙂", '"plain é 漢 🙂"'),
        ('say "no"', r'"say \"no\""'),
        ("back\\slash", r'"back\\slash"'),
        ("two\nlines\r", r'"two\u000alines\u000d"'),
        ("\x00\x7f\u2028", r'"\u0000\u007f\u2028"'),
        ("\ufffd", r'"\ufffd"'),
        ("\U000e0001", r'"\U000e0001"'),
        ('"} or vector(1) #', r'"\"} or vector(1) #"'),
    ],
)
def test_a_literal_escapes_what_would_end_or_break_it(text: str, literal: str) -> None:
    assert quoted(text) == literal


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_literal_unescaped_is_the_text_again(text: str) -> None:
    literal = quoted(text)
    assert literal.isprintable()
    assert re.fullmatch(r'"(?:[^"\\]|\\["\\]|\\u[0-9a-f]{4}|\\U[0-9a-f]{8})*"', literal)

    def back(match: re.Match[str]) -> str:
        return match[1] or chr(int(match[2] or match[3], 16))

    assert re.sub(r'\\(?:(["\\])|u(.{4})|U(.{8}))', back, literal[1:-1]) == text


@pytest.mark.parametrize("name", ["", "0job", "a-b", "a.b", "job\n", "ünder", '"', "__name__"])
def test_a_name_that_is_no_labels_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="names no label") as refused:
        selector("up", {name: "x"})
    assert len(str(refused.value).splitlines()) == 1


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(UsageError, match=r"lone surrogate U\+D800"):
        selector("up", {"job": "\ud800"})
