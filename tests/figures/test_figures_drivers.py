import numpy as np
import pandas as pd

from cloudxai_analysis.figures import drivers as figures
from cloudxai_analysis.figures import new_axes

START = pd.Timestamp("2026-10-05", tz="UTC")


def metrics(many):
    frame = pd.DataFrame({"metric": [f"metric_{n}" for n in range(many)], "series": range(many + 5, 5, -1)})
    return figures.series_by_metric(new_axes(), frame.assign(newcomers=2, leavers=1))


def test_the_title_names_the_metric_with_most_series():
    assert metrics(2).get_title(loc="left") == "13 series, 54 % of them metric_0"


def test_many_metrics_are_the_first_and_the_rest():
    ax = metrics(1_000)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert len(names) <= 20
    assert names[-1].endswith("other metrics")
    assert any("nothing" in text.get_text().lower() for text in metrics(0).texts)


def test_survival_says_when_half_are_gone():
    frame = pd.DataFrame({"days": [1.0, 9.0], "at_risk": [10, 4], "survival": [0.7, 0.4], "low": 0.2, "high": 0.9})
    ax = figures.survival(new_axes(), frame)
    assert ax.get_title(loc="left") == "Of the tenants that came, half of them are gone after 9.0 days"
    assert "40 % stay" in {text.get_text() for text in ax.texts}
    assert "over half of them stay" in figures.survival(new_axes(), frame[:1]).get_title(loc="left")
    assert any("no tenant has left" in text.get_text() for text in figures.survival(new_axes(), frame[:0]).texts)


def shifted(*rows):
    daily = pd.DataFrame(
        {"day": pd.date_range(START, periods=10, freq="D"), "tenants": [*np.full(5, 40.0), *np.full(5, 60)]}
    )
    frame = pd.DataFrame(rows, columns=["day", "before", "after", "change", "relative"])
    return figures.level_shifts(new_axes(), daily, "tenants", frame, noun="tenants")


def test_a_level_shift_is_dated_and_none_is_said():
    ax = shifted((START + pd.Timedelta(days=5), 40.0, 60.0, 20.0, 0.5))
    assert ax.get_title(loc="left") == "Tenants went from 40 to 60 on Sat 10 Oct"
    assert {"level 60", "40 to 60"} <= {text.get_text() for text in ax.texts}
    from_none = shifted((START + pd.Timedelta(days=5), 0.0, 60.0, 60.0, float("inf")))
    assert "0 to 60" in {text.get_text() for text in from_none.texts}
    assert shifted().get_title(loc="left") == "No lasting change of the tenants"
