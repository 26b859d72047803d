"""Text on the page: its own text whatever it is, and no neighbour moved by it."""

from __future__ import annotations

import html
import re

import pytest
from executed import HOSTILE
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.report.page import named, readable, said


def text_of(markup: str) -> str:
    assert not re.sub(r'</?(?:bdi|span)(?: class="whole")?>', "", markup).count("<")
    return html.unescape(re.sub(r"<[^>]*>", "", markup)).replace("\u00a0", " ")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_comes_out_as_its_own_text(name: str) -> None:
    assert text_of(named(name)) == name
    assert text_of(said(f"{name} took 3 labels.")) == f"{name} took 3 labels."


@given(st.text())
def test_any_sentence_comes_out_as_its_own_text(text: str) -> None:
    assert text_of(said(text)) == text.replace("\u00a0", " ")


def test_a_word_that_could_reorder_its_neighbours_is_isolated() -> None:
    assert said("tenant abc\u202egnp moved") == "tenant <bdi>abc\u202egnp</bdi> moved"
    assert said("tenant שלום moved") == "tenant <bdi>שלום</bdi> moved"
    assert said("naïve moved – 3 times") == "naïve moved – 3 times"


def test_a_number_stays_with_its_unit_and_a_name_on_its_line() -> None:
    assert said("12 EUR, 99.9 % of 5 labels") == "12\u00a0EUR, 99.9\u00a0% of 5 labels"
    assert said("cloudxai-0:8080 had none") == '<span class="whole">cloudxai-0:8080</span> had none'
    assert said(f"{'a-' * 40}b") == f"{'a-' * 40}b", "a long name may break"


def test_what_no_document_may_hold_is_replaced() -> None:
    assert readable("a\x00b\x1bc\x85d\ud800e\tf\n") == "a\ufffdb\ufffdc\ufffdd\ufffde\tf\n"
