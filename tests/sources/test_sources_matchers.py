"""What is asked for, as PromQL that is safe for any text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.sources.promql import quoted, selector


@pytest.mark.parametrize(
    ("matchers", "said"),
    [
        ({"job": "cloudxai", "cluster": "beta-1"}, 'cluster="beta-1",job="cloudxai"'),
        ({"tenant": ""}, 'tenant=""'),  # asks for series without the label
        ({"a": "plain é 漢 🙂"}, 'a="plain é 漢 🙂"'),
        ({"a": 'say "no"\\'}, r'a="say \"no\"\\"'),
        ({"a": "two\nlines\r\x00\x7f\u2028"}, r'a="two\u000alines\u000d\u0000\u007f\u2028"'),
        ({"a": "\ufffd\U000e0001"}, r'a="\ufffd\U000e0001"'),
        ({"a": '"} or vector(1) #'}, r'a="\"} or vector(1) #"'),
    ],
)
def test_a_selector_names_the_metric_and_escapes_what_would_end_or_break_it(matchers: dict, said: str) -> None:
    assert selector("up", matchers) == '{__name__="up",' + said + "}"


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
