import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.figures import new_axes
from cloudxai_analysis.figures import readiness as figures
from cloudxai_analysis.figures.lines import thinned
from cloudxai_analysis.ground.window import parse_window

WEEK = parse_window("2026-W46")


def moments(count, freq):
    return pd.date_range("2026-11-09", periods=count, freq=freq, tz="UTC").as_unit("us")


def daily(shares, seen=1440):
    return pd.DataFrame({"day": moments(len(shares), "D"), "seen_minutes": seen, "availability": shares})


def hourly(name, values):
    return pd.DataFrame({"hour": moments(len(values), "h"), name: values})


def outages(*rows):
    """One row per (tenant, start, minutes or None where it goes on)."""
    frame = pd.DataFrame(rows, columns=["tenant", "start", "minutes"]).astype({"minutes": "float64"})
    start = pd.to_datetime(frame["start"], utc=True).astype("datetime64[us, UTC]")
    end = start + pd.to_timedelta(frame["minutes"], unit="min")
    return frame.assign(start=start, end=end, instance="i", minutes=frame["minutes"].fillna(5))


def said(ax):
    return [text.get_text() for text in ax.texts]


def message(ax):
    return ax.get_title(loc="left")


def test_availability_counts_the_days_under_the_objective():
    ax = figures.availability_by_day(new_axes(), daily([1.0, 0.99, np.nan, 0.9985]), slo=0.999)
    assert message(ax) == "2 of 3 days under 99.9 %, worst 99 %"
    assert {"99 %", "99.85 %", "objective 99.9 %", "no data"} <= set(said(ax))


def test_availability_that_met_its_objective():
    ax = figures.availability_by_day(new_axes(), daily([1.0, 0.9995]), slo=0.999)
    assert message(ax) == "Every day met 99.9 %; the worst had 99.95 %"


def test_unfinished_day_is_hatched():
    ax = figures.availability_by_day(new_axes(), daily([1.0, 1.0], seen=[1440, 700]), slo=0.999)
    assert "unfinished" in said(ax)


@pytest.mark.parametrize(
    ("availability", "expected"),
    [
        (0.99938, "38 % of the error budget remains"),  # 0.62 of 1 in a thousand are used
        (0.99888, "Error budget overspent by 12 %"),
    ],
)
def test_error_budget_says_what_is_left(availability, expected):
    whole = daily([0.9999, availability], seen=[43_200, 43_200])
    ax = figures.error_budget(new_axes(), whole, slo=0.999, window_days=30)
    assert message(ax) == expected
    assert "Error budget of 99.9 % at each day's end, 8 to 9 Nov 2026 (UTC)" in said(ax)


def test_error_budget_of_a_young_platform_is_that_of_the_whole_objective():
    """Eleven minutes of ten days: 11 of the 43.2 minutes that 30 days allow, so that 75 % are left."""
    young = daily([1.0, 1 - 11 / 14_400], seen=[7_200, 14_400])
    assert message(figures.error_budget(new_axes(), young, slo=0.999, window_days=30)) == (
        "75 % of the error budget remains"
    )


def test_error_budget_marks_days_of_short_history():
    ax = figures.error_budget(
        new_axes(), daily([1.0] * 9, seen=[1440 * (n + 1) for n in range(9)]), slo=0.999, window_days=30
    )
    assert "short history" in said(ax)


def test_transitions_are_added():
    ax = figures.transitions_by_hour(new_axes(), hourly("transitions", [0, 2, 6, 1]), bound=4)
    assert message(ax) == "9 transitions, at most 6 in one hour"
    assert "bound 4" in said(ax)
    assert ax.get_ylim()[0] == 0


def test_no_transition():
    ax = figures.transitions_by_hour(new_axes(), hourly("transitions", [0, 0]), bound=4)
    assert message(ax) == "No transition in any hour"


def test_latency_is_in_milliseconds_where_it_is_short():
    ax = figures.check_latency(new_axes(), hourly("seconds", [0.2, 0.62, np.nan, 0.1]), bound=0.5)
    assert message(ax) == "p95 at most 620 ms; 1 hour over 500 ms"
    assert {"bound 500 ms", "100 ms"} <= set(said(ax))


def test_latency_under_its_bound_in_seconds():
    ax = figures.check_latency(new_axes(), hourly("seconds", [2.5, 1.0]), bound=5.0)
    assert message(ax) == "p95 at most 2.5 s; bound 5 s"


def test_outages_put_the_longest_tenant_first():
    frame = outages(
        ("short", "2026-11-10 10:00", 1), ("long", "2026-11-10 11:00", 30), ("long", "2026-11-12 11:00", 12)
    )
    ax = figures.tenant_outages(new_axes(), frame, WEEK)
    assert message(ax) == "2 tenants not ready; long longest, 42 min in all"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["long", "short"]
    assert {"42 min, 2×", "1 min, 1×"} <= set(said(ax))


def test_outage_that_goes_on_reaches_the_end_with_an_arrow():
    ax = figures.tenant_outages(new_axes(), outages(("a", "2026-11-15 10:00", None)), WEEK)
    assert [line.get_xdata().tolist() for line in ax.lines if line.get_marker() == ">"] == [[20773.0]]


def test_thinning_keeps_extremes_ends_and_gaps():
    x, y = np.arange(10_000.0), np.sin(np.arange(10_000.0))
    y[1234], y[5678], y[4000:4300] = 9.0, -9.0, np.nan
    few, values = thinned(x, y, most=800)
    assert len(few) <= 1100
    assert {0.0, 1234.0, 5678.0, 9999.0} <= set(few)
    assert np.isnan(values[(few >= 4000) & (few < 4300)]).all()
    assert np.isnan(values).any()


def test_empty_frames_say_why():
    drawn = [
        figures.availability_by_day(new_axes(), daily([]), slo=0.999),
        figures.availability_by_day(new_axes(), daily([np.nan]), slo=0.999),
        figures.error_budget(new_axes(), daily([]), slo=0.999, window_days=30),
        figures.error_budget(new_axes(), daily([1.0]), slo=1.0, window_days=30),
        figures.transitions_by_hour(new_axes(), hourly("transitions", []), bound=4),
        figures.check_latency(new_axes(), hourly("seconds", [np.nan]), bound=1),
        figures.tenant_outages(new_axes(), outages(), WEEK),
    ]
    assert [said(ax)[1] for ax in drawn] == [
        "no process exported readiness in this window",
        "no process exported readiness in this window",
        "no availability is known for any of these days",
        "an objective of 100 % leaves no error budget",
        "no process exported transitions in this window",
        "no duration of the readiness check is known in this window",
        "no tenant was seen not ready in 2026-W46, 9 to 15 Nov 2026",
    ]
