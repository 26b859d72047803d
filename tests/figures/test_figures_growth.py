import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.figures import growth, new_axes

START = pd.Timestamp("2026-10-05", tz="UTC").as_unit("us")


def drawn(*, held=range(40, 60), ahead=30, answer="forecast", median=10):
    daily = pd.DataFrame({"day": pd.date_range(START, periods=20, freq="D"), "held": [float(n) for n in held]})
    coming = pd.DataFrame({"day": pd.date_range(START + pd.Timedelta(days=20), periods=ahead, freq="D")})
    for shift, column in enumerate(("low95", "low80", "median", "high80", "high95")):
        coming[column] = 60.0 + shift + np.arange(ahead)
    at = coming["day"].iloc[median] if median is not None and ahead else pd.NaT
    found = pd.DataFrame([{"answer": answer, "cap": 100, "median": at, "horizon_days": ahead}])
    return growth.held_ahead(new_axes(), daily, coming, found, cap=100)


def test_the_title_says_when_the_cap_is_reached():
    ax = drawn()
    assert ax.get_title(loc="left") == "The cap of 100 is likely to be reached by Wed 4 Nov"
    assert {text.get_text() for text in ax.texts} >= {"cap 100", "median 91", "90 % under 92"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("not within the horizon", "The cap of 100 is not likely to be reached within 30 days"),
        ("refusing", "The cap of 100 is reached"),
    ],
)
def test_the_title_says_where_it_is_not_and_where_it_is(answer, said):
    assert drawn(answer=answer, median=None).get_title(loc="left") == said


def test_too_little_history_is_said():
    assert any("too little history" in text.get_text() for text in drawn(ahead=0).texts)
