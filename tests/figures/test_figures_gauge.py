import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.figures import gauge as figures
from cloudxai_analysis.figures import new_axes

START = pd.Timestamp("2026-11-02", tz="UTC")
MARKED = (START + pd.Timedelta(hours=10), START + pd.Timedelta(hours=20))


def hours(values, tenant="acme"):
    at = START + pd.to_timedelta(np.arange(len(values)), unit="h")
    value = np.asarray(values, dtype=float)
    return pd.DataFrame(
        {"tenant": tenant, "hour": at, "samples": 60, "last": value, "min": value - 0.1, "max": value + 0.1}
    )


def course(frame, tenant="acme"):
    return figures.gauge_course(
        new_axes(), frame, tenant=tenant, unit="EUR/hour", marked=MARKED, message="acme: 17 rises, 0 falls"
    )


def test_the_course_is_the_gauges_own_with_the_finding_shaded():
    ax = course(pd.concat([hours(np.arange(24.0)), hours(np.full(24, 900.0), "other")]))
    assert ax.get_title(loc="left") == "acme: 17 rises, 0 falls"
    assert max(ax.lines[0].get_ydata()) == 23
    shaded = [patch for patch in ax.patches if patch.get_alpha() == 0.15]
    assert shaded[0].get_extents().width > 0
    assert any("EUR/hour" in text.get_text() and "UTC" in text.get_text() for text in ax.texts)


def test_two_series_of_a_tenant_are_added_and_a_negative_one_shows_the_zero():
    ax = course(pd.concat([hours([1.0, -5.0, 2.0]), hours([1.0, 1.0, 1.0])]))
    assert list(ax.lines[0].get_ydata()) == [2, -4, 3]
    assert ax.get_ylim()[0] < -4


def test_a_gauge_without_a_number_is_nothing_to_draw():
    assert course(hours([np.nan, np.nan])).texts[0].get_text() == "Nothing to draw"
    assert course(hours([1.0]), tenant="nobody").texts[0].get_text() == "Nothing to draw"


@pytest.mark.parametrize(
    ("drift", "title"),
    [
        ([0.08, -0.01], "1 of 2 tenants drift beyond 5 %"),
        ([-0.012, 0.0], "All 2 agree within 5 %; most apart −1.20 %"),
    ],
)
def test_drifts_say_who_is_beyond_the_bound(drift, title):
    frame = pd.DataFrame({"tenant": ["a", "b"], "currency": "EUR", "estimate": 1.0, "other": 1.0, "drift": drift})
    ax = figures.drifts(new_axes(), frame, bound=0.05)
    assert ax.get_title(loc="left") == title
    assert [label.get_text() for label in ax.get_xticklabels()] == ["-5%", "0", "+5%"]
