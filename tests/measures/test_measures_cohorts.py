"""Cohorts and lifetimes by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.cardinality import tenant_cohorts, tenant_lifetimes

MONDAY = pd.Timestamp("2026-10-05", tz="UTC")
DAY = pd.Timedelta(days=1)
WINDOW = Window(MONDAY.to_pydatetime(), (MONDAY + 28 * DAY).to_pydatetime())


def hours(**days):
    """One hour at noon on each named day since Monday 5 October."""
    rows = [(tenant, MONDAY + day * DAY + pd.Timedelta(hours=12)) for tenant, some in days.items() for day in some]
    frame = pd.DataFrame(rows, columns=["tenant", "hour"]).astype({"hour": "datetime64[us, UTC]"})
    return frame.assign(samples=60, first_ts=frame["hour"], last_ts=frame["hour"] + pd.Timedelta(minutes=59))


def covered(days=28, *missing):
    day = pd.date_range(MONDAY, periods=days, freq="D", unit="us")
    return pd.DataFrame({"day": day, "covered": [number not in missing for number in range(days)]})


def cohorts(frame, sure=None):
    found = tenant_cohorts(frame, covered() if sure is None else sure, WINDOW)
    return {(row.cohort, row.weeks_later): row.present for row in found.itertuples()}, found


def test_each_weeks_tenants_are_followed_to_the_end():
    present, found = cohorts(hours(old=[0, 8, 15, 22], a=[7, 14], b=[8, 23], c=[16]))
    assert [present["2026-W41", later] for later in range(4)] == [1, 1, 1, 1]
    # a stays a week, b pauses for one and comes back.
    assert [present["2026-W42", later] for later in range(3)] == [2, 1, 1]
    assert [present["2026-W43", later] for later in range(2)] == [1, 0]
    assert found.loc[found["already_there"], "cohort"].unique().tolist() == ["2026-W41"]
    assert found.loc[found["cohort"] == "2026-W42", "share"].tolist() == [1, 0.5, 0.5]


def test_a_week_without_a_covered_day_is_unknown():
    present, _ = cohorts(hours(a=[0, 22]), covered(28, *range(14, 21)))
    assert [present["2026-W41", later] for later in (0, 1, 3)] == [1, 0, 1]
    assert np.isnan(present["2026-W41", 2])


def test_no_tenant_has_no_cohort():
    assert cohorts(hours())[1].empty
    assert cohorts(hours(a=[1]).assign(samples=0))[1].empty
    assert tenant_lifetimes(hours(), end=MONDAY).empty


def test_lifetimes_run_from_the_first_sample_to_the_last():
    found = tenant_lifetimes(hours(old=range(28), a=[3, 10], b=[20, 27]), end=MONDAY + 28 * DAY).set_index("tenant")
    assert found["days"].to_dict() == pytest.approx({"old": 27 + 59 / 1440, "a": 7 + 59 / 1440, "b": 7 + 59 / 1440})
    assert found["gone"].to_dict() == {"old": False, "a": True, "b": False}
    assert found["already_there"].to_dict() == {"old": True, "a": False, "b": False}
