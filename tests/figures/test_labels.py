import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.figures.labels import (
    change_of,
    duration,
    share_words,
    shortened,
    text_width,
    visible,
    without_port,
)


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("acme", "acme"),
        ("a\n\tb  c", "a b c"),
        ("", "(none)"),
        ("\u202eevil", "\ufffdevil"),
        ("zero\u200bwidth", "zero\ufffdwidth"),
        ("日本", "日本"),
        ("e" + "\u0301" * 50, "e\u0301\u0301"),
        ("عميل", "\u2068عميل\u2069"),
    ],
)
def test_label_becomes_visible(label, shown):
    assert shortened(label) == shown


def test_long_label_loses_its_middle():
    assert shortened("a" * 20 + "b" * 20, 10) == "aaaa…bbbb"


@given(st.text(max_size=300))
def test_any_label_becomes_one_short_line(label):
    shown = shortened(label)
    assert len(shown) <= 28  # 26 and the two isolates
    assert text_width(shown, 1.0) <= 26 * 0.64
    assert "\n" not in shown
    assert visible(shown.strip("\u2068\u2069")) == shown.strip("\u2068\u2069")


def test_common_port_is_left_away_and_a_telling_one_kept():
    assert without_port(["a:80", "b:80"]) == {"a:80": "a", "b:80": "b"}
    assert without_port(["a:80", "a:81"]) == {"a:80": "a:80", "a:81": "a:81"}
    assert without_port(["a", "b"]) == {"a": "a", "b": "b"}


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(45, "45 s"), (60, "1 min"), (3000, "50 min"), (18720, "5.2 h"), (267840, "3.1 days"), (float("nan"), "no data")],
)
def test_duration(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("share", "said"), [(1.0, "100 %"), (0.999, "99.9 %"), (0.98681, "98.681 %"), (0.9999999, "99.999 %"), (0.0, "0 %")]
)
def test_share_is_whole_only_where_it_is(share, said):
    assert share_words(share) == said


def test_change_has_its_sign():
    assert change_of(12.3, "EUR") == "+12.30 EUR"
    assert change_of(-1200.0, "EUR") == "−1,200 EUR"
    assert change_of(0.0, "EUR") == "0.00 EUR"
