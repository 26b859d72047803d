"""Cohorts by hand; survival against the remission times of Freireich et al. (1963), a table of many textbooks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.cohorts import tenant_cohorts, tenant_lifetimes, tenant_survival

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


def lifetimes(gone, stay, *, already_there=()):
    rows = [(days, True, False) for days in gone] + [(days, False, False) for days in stay]
    rows += [(days, True, True) for days in already_there]
    return pd.DataFrame(rows, columns=["days", "gone", "already_there"])


def test_survival_is_the_published_table_of_remission_under_6_mp():
    """21 patients: 6, 6, 6, 7, 10, 13, 16, 22, 23 weeks relapsed, the others censored (6+, 9+, 10+, 11+, 17+, ...).

    Kaplan-Meier as in Collett, Modelling Survival Data, and many others: 0.857, 0.807, 0.753, 0.690, 0.627, 0.538,
    0.448.
    """
    found = tenant_survival(
        lifetimes([6, 6, 6, 7, 10, 13, 16, 22, 23], [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35], already_there=[99])
    )
    assert found["days"].tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert found["at_risk"].tolist() == [21, 17, 15, 12, 11, 7, 6]
    assert found["survival"].tolist() == pytest.approx([0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], abs=5e-4)
    # Greenwood on the log-log scale at 6: R's survfit(conf.type = "log-log") gives 0.620 to 0.952.
    assert (found["low"].iloc[0], found["high"].iloc[0]) == pytest.approx((0.620, 0.952), abs=1e-3)


def test_where_nobody_left_nothing_is_known_of_survival():
    assert tenant_survival(lifetimes([], [3, 4])).empty
    assert tenant_survival(lifetimes([], [], already_there=[3])).empty


def test_one_tenant_that_left():
    found = tenant_survival(lifetimes([2], []))
    assert found[["days", "survival"]].to_numpy().tolist() == [[2, 0]]
