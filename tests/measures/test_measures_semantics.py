"""Cost gauges that are not what they are declared, or hold what no cost is made of, by hand; and any value at all."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_study import Planted

from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.measures import cost
from cloudxai_analysis.measures.anomalies import anomaly_basis, cost_anomalies, cost_grid
from cloudxai_analysis.measures.semantics import cost_faults, growing_since, semantics_breaks

WEEK = parse_window("2026-W46")
COVERED = pd.DataFrame({"day": pd.date_range("2026-11-01", periods=10, tz="UTC", unit="us"), "covered": True})
UNCOVERED = COVERED.assign(covered=COVERED["day"].dt.day != 3)
CUMULATIVE = {"semantics": "cumulative"}


def gauge(values, *, tenant="acme", start="2026-11-02", series=1, **labels):
    """A sample an hour."""
    frame = pd.DataFrame({"value": np.asarray(values, dtype="float64"), "series_id": series})
    frame["time"] = pd.date_range(start, periods=len(frame), freq="h", tz="UTC", unit="us")
    texts = {"job": "cloudxai", "instance": "i0", "tenant": tenant, **labels}
    return frame.assign(**{name: pd.Categorical([text] * len(frame)) for name, text in texts.items()})


def started(*moments, instance="i0"):
    times = pd.DatetimeIndex(pd.to_datetime(list(moments), utc=True)).as_unit("us")
    return {"starts": pd.DataFrame({"job": "cloudxai", "instance": instance, "started_at": times})}


def breaks(samples, starts=None, covered=COVERED, semantics="rate"):
    starts = started()["starts"] if starts is None else starts
    return semantics_breaks(samples, starts, covered, semantics=semantics)


def both(*frames):
    return pd.concat(frames, ignore_index=True)


HOUR = np.arange(72)
RHYTHM = gauge(10 + 3 * np.sin(2 * np.pi * HOUR / 24), tenant="daily")
SLOW = np.round(10 * (1 + 0.04 * HOUR / 72), 2)  # 4 % in three days, in cents: it stands still between rises
FALLEN = gauge(HOUR - 36.0 * (HOUR >= 36))  # it grows by 1 an hour and falls to 0 at noon of its second day
FALLING = gauge([1, 2, 3, 2.5, 2.6, 2.4], billing_window="2026-11")
TURN = gauge([5, 6, 0.1, 0.2], start="2026-10-31 22:00", billing_window="")
BREAKS = {  # samples, what else is given, and each finding's tenant, rises, falls
    "39 rises of a cent": (both(RHYTHM, gauge(SLOW, tenant="grows", series=2)), {}, [("grows", 39, 0)]),
    "one fall ends it": (gauge(HOUR - 5.0 * (HOUR >= 36)), {}, []),
    "19 rises": (gauge(np.arange(100) // 5), {}, []),
    "20 rises": (gauge(np.arange(105) // 5), {}, [("acme", 20, 0)]),
    "two covered days": (gauge(HOUR), {"covered": UNCOVERED}, []),
    "three of four": (gauge(np.arange(96.0)), {"covered": UNCOVERED}, [("acme", 95, 0)]),
    "a start between": (FALLEN, started("2026-11-03 11:30"), [("acme", 70, 0)]),
    "within two scrapes": (FALLEN, started("2026-11-03 13:50"), [("acme", 70, 0)]),
    "after them": (FALLEN, started("2026-11-03 14:10"), []),
    "another process": (FALLEN, started("2026-11-03 11:30", instance="i1"), []),
    "nan is skipped": (gauge([*SLOW[:10], *[np.nan] * 10, *SLOW[20:]]), {}, [("acme", 39 - 5, 0)]),
    "two series": (both(gauge(HOUR, tenant='a"\n'), gauge(HOUR, tenant='a"\n', series=2)), {}, [('a"\n', 71, 0)]),
    "falls": (FALLING, CUMULATIVE, [("acme", 3, 2)]),
    "a new month": (TURN, CUMULATIVE, []),
    "unlabelled": (TURN.drop(columns="billing_window"), CUMULATIVE, []),
    "one month": (TURN.assign(billing_window="2026-10"), CUMULATIVE, [("acme", 2, 1)]),
    "came back": (both(gauge([1, 2, 3]), gauge([0, 1], start="2026-11-09")), CUMULATIVE, []),
    "restarted": (gauge([1, 2, 0, 1]), CUMULATIVE | started("2026-11-02 01:50"), []),
    "any total": (gauge([3, 1, 2]), {"semantics": "window_total"}, []),
    **{
        f"{how} of {len(some)}": (gauge(some), how, [])
        for how in ({}, CUMULATIVE)
        for some in ([], [1.0], [np.nan] * 3)
    },
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_gauge_against_its_declaration(name):
    samples, how, expected = BREAKS[name]
    found = breaks(samples, **how)
    assert list(found[["tenant", "rises", "falls"]].itertuples(index=False, name=None)) == expected


def test_a_break_says_from_when_to_when():
    moments = breaks(FALLING, **CUMULATIVE)[["start", "end"]].iloc[0]
    assert [moment.strftime("%d %H:%M") for moment in moments] == ["02 03:00", "02 05:00"]
    grows = breaks(gauge(SLOW))
    # The rollups show ten hours before without a fall, and a fall in the one before those.
    hour = pd.date_range("2026-11-01 10:00", periods=14, freq="h", tz="UTC", unit="us")
    led = pd.DataFrame({"tenant": "acme", "hour": hour, "first_ts": hour, "resets": [1] * 4 + [0] * 10, "changes": 2})
    since = growing_since(grows, led)
    assert since[["start", "rises"]].values.tolist() == [[pd.Timestamp("2026-11-01 14:00", tz="UTC"), 39 + 20]]


def hours(tenant, count, *, value=1.0, series=1, **fields):
    """So many hours of one gauge of so much an hour that never changes."""
    hour = pd.Timestamp(WEEK.start) + pd.to_timedelta(np.arange(count), unit="h")
    frame = pd.DataFrame(
        {"hour": hour.astype("datetime64[us, UTC]"), "series_id": series, "tenant": tenant, "currency": ""}
    )
    usual = {"samples": 60, "min": value, "max": value, "last": value, "nan_samples": 0, "changes": 0}
    return frame.assign(**(usual | {"integral": value * 3600} | fields))


B = hours("b", 40, series=2)
SEEN = both(hours("a", 40), hours("b", 10, series=2))
NAN_HOURS = hours("b", 3, series=2, value=np.nan, samples=0, nan_samples=60, integral=0.0)
MANY = both(*(hours(f"t{number}", 1, series=number, value=-1.0) for number in range(5)))
FAULTS = {  # hours of the gauge, of the tenants where they are others, and the findings
    **{
        str(value): (
            both(hours("a", 5), hours("b", 2, series=2, value=value)),
            None,
            [[cause, 1, ("b",), 2, "EUR", amount]],
        )
        for value, cause, amount in (
            *((-2.0, "negative", -4.0), (np.inf, "infinite", np.nan), (-np.inf, "infinite", np.nan)),
            *((1e308, "too large", np.nan), (5e-324, "too small", 0.0)),
        )
    },
    "nan": (both(hours("a", 5), NAN_HOURS), hours("a", 5), [["not a number", 1, ("b",), 3, "EUR", np.nan]]),
    # Tenant b is seen for 10 hours of 40.
    "left behind": (both(hours("a", 40), B), SEEN, [["left behind", 1, ("b",), 30, "EUR", 30.0]]),
    "still changing": (both(hours("a", 40), B.assign(changes=1)), SEEN, []),
    "under a day": (both(hours("a", 40), B[:33]), SEEN, []),
    "nobody is seen": (hours("a", 80), hours("a", 10), []),
    "nobody at all": (hours("a", 80), hours("a", 0), []),
    "small letters": (
        both(hours("a", 2, currency="EUR"), hours("b", 2, series=2, currency="eur")),
        None,
        [["currency", 1, ("b",), 2, "EUR", 2.0]],
    ),
    "two currencies": (
        both(MANY, hours("abroad", 1, series=9, value=-1.0, currency="USD")),
        None,
        [["negative", 5, ("t0", "t1", "t2"), 5, "EUR", -5.0], ["negative", 1, ("abroad",), 1, "USD", -1.0]],
    ),
    "no gauge": (hours("a", 0), hours("a", 3), []),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_no_cost_is_made_of_is_named(name):
    gauge, tenants, expected = FAULTS[name]
    found = cost_faults(gauge, gauge if tenants is None else tenants, currency="EUR")
    rows = found[["cause", "tenants", "examples", "hours", "currency", "amount"]].values.tolist()
    assert [row[:5] for row in rows] == [row[:5] for row in expected]
    assert [row[5] for row in rows] == pytest.approx([row[5] for row in expected], nan_ok=True)


HOURS = pd.Series(pd.date_range("2026-10-05", periods=6 * 168, freq="h", tz="UTC", unit="us"))
ODD = [math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, -5e-324, -1.0, 0.0, 1e12, 1e300]


def six_weeks(values):
    """Two tenants of 1 EUR an hour for six weeks; the first holds `values` in some hours."""
    frames = []
    for series, tenant in enumerate(["odd", "plain"]):
        value = np.ones(len(HOURS))
        for hour, other in values.items() if tenant == "odd" else ():
            value[hour] = other
        nan = np.isnan(value)
        with np.errstate(over="ignore"):
            found = hours(tenant, len(HOURS), value=value, series=series, changes=60, resets=30, currency="EUR")
            found = found.assign(hour=HOURS, samples=np.where(nan, 0, 60), nan_samples=np.where(nan, 60, 0))
            found["increase"] = np.append(0.0, np.diff(np.nan_to_num(value)))
        frames.append(found.fillna({"integral": 0.0}))
    return both(*frames)


@settings(max_examples=8, deadline=None)
@given(
    values=st.dictionaries(st.integers(0, len(HOURS) - 1), st.sampled_from(ODD) | st.floats(), max_size=12),
    semantics=st.sampled_from(["rate", "cumulative"]),
)
def test_any_value_leaves_finite_sums_and_sentences(values, semantics):
    gauge, covered = six_weeks(values), pd.DataFrame({"hour": HOURS, "covered": True})
    costs = cost.tenant_costs(cost.hourly_costs(gauge, semantics=semantics, currency="EUR"), WEEK)
    assert np.isfinite(costs["cost"]).all()
    assert (costs["cost"] >= 0).all()
    assert costs.set_index("tenant")["cost"].get("plain", 0.0) == (168.0 if semantics == "rate" else 0.0)
    none = pd.DataFrame(columns=["tenant", "start", "end"])
    grid = cost_grid(gauge, WEEK, covered, semantics=semantics, currency="EUR", breaks=none, generated=())
    found = cost_anomalies(grid, floor=0.1, hour_floor=2.0)
    assert np.isfinite(found[["cost", "expected", "excess"]].to_numpy()).all()
    now, ago = gauge[(gauge["hour"] >= WEEK.start) & (gauge["hour"] < WEEK.end)], gauge[gauge["hour"] < WEEK.start]
    frames = {
        **{"cost.cost_stretches": found, "telemetry.covered_hours": covered, "cost.costs": costs},
        "cost.anomaly_basis": anomaly_basis(grid),
        "cost.faults": cost_faults(now, gauge, currency="EUR"),
        "cost.faults_before": cost_faults(ago, gauge, currency="EUR"),
    }
    checks = [Planted(key, frames).check() for key in ("anomalies", "cost_data")]
    for check in checks:
        assert check.value is None or math.isfinite(check.value)
        assert "nan" not in check.finding.split()
    wrong = {hour for hour, value in values.items() if not 0 <= value <= cost.MOST and hour >= 5 * 168}
    assert (checks[1].status == "warn") >= bool(wrong)
