"""The objective's verdicts: sentences by hand, and how often healthy platforms are warned of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.checks.objective import burn_check, isolation_check
from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.measures import slo
from cloudxai_analysis.measures.readiness import outages

WEEK = parse_window("2026-W46")
OUTAGE = pd.Timestamp("2026-11-12 10:23", tz="UTC")
TIME = "datetime64[us, UTC]"
CALM = "The error budget does not burn at the end of 2026-W46: "
NEVER = pd.DataFrame({"start": pd.Series([], dtype=TIME), "most": [], "budget_share": []})


def rates(long=0.0, short=0.0):
    frame = pd.DataFrame({"threshold": [14.4, 1.0], "long_hours": [1.0, 72.0], "burn_long": long, "burn_short": short})
    over = (frame["burn_long"] > frame["threshold"]) & (frame["burn_short"] > frame["threshold"])
    return frame.assign(burning=over.astype("boolean").mask(frame["burn_long"].isna()))


def burn(*stretches, used=0.0, outages=0, usual=np.nan, room=np.nan, chance=np.nan, days=30.0, long=0.0):
    frame = pd.DataFrame(stretches, columns=NEVER.columns) if stretches else NEVER
    row = {"seen_minutes": days * 1440, "allowed_minutes": 43.2, "used_minutes": used, "outages": outages}
    row |= {"remaining_share": 1 - used / 43.2, "usual_minutes": usual, "room": room, "chance": chance}
    return burn_check(rates(long, long), frame, pd.DataFrame([row]), window=WEEK)


@pytest.mark.parametrize(
    ("course", "status", "finding"),
    [
        ({}, "pass", f"{CALM}0 seconds of 43 minutes used."),
        (
            {"used": 20, "outages": 1, "usual": 20, "room": 1, "chance": 0.02},
            *("pass", f"{CALM}20 minutes of 43 minutes used; room for 1 more outage of the usual 20 minutes, and "),
        ),
        (
            {"used": 30, "outages": 3, "usual": 10, "room": 1, "chance": 0.156},
            "pass",
            f"{CALM}30 minutes of 43 minutes used; room for 1 more outage of the usual 10 minutes, and a chance of "
            "16 % that more come within a week.",
        ),
        # A chance is told, and is no warning: of healthy platforms at most four in ten of those would come true.
        ({"used": 42, "outages": 10, "usual": 4.2, "room": 0, "chance": 0.903}, "pass", f"{CALM}42 minutes of 43 "),
        # What is used up is no pass, though nothing burns any more.
        (
            {"used": 60, "outages": 1, "usual": 60, "room": 0, "chance": 0.2},
            *("warn", "The error budget is used up: 60 minutes of 43 minutes used."),
        ),
        ({"days": 0.1}, "unknown", "Too early to tell whether the error budget lasts: 2.4 hours seen, 0 seconds of "),
        ({"days": 0.1, "used": 60}, "warn", "The error budget is used up: 60 minutes of 43 minutes used."),
        ({"long": np.nan}, "unknown", "Whether the error budget burns at the end of 2026-W46 is unknown: "),
        ({"days": 0.0, "used": np.nan, "long": np.nan}, "unknown", "Whether the error budget burns at the end of "),
    ],
)
def test_the_budgets_course_is_judged_and_told(course, status, finding):
    found = burn(**course)
    assert found.status == status
    assert found.finding.startswith(finding)
    assert bool(found.action) == (status == "warn")


def test_too_few_outages_say_nothing_of_how_likely_more_are():
    found = burn(used=20, outages=2, usual=10, room=2, chance=0.02)
    assert found.finding.endswith(
        "room for 2 more outages of the usual 10 minutes, and too few outages to say how likely they are."
    )


def test_what_burns_at_the_end_warns_and_says_how_fast():
    found = burn((OUTAGE, 316.7, 0.44), long=20.0, used=19, outages=1, usual=19, room=1, chance=0.02)
    assert (found.status, found.value) == ("warn", 316.7)
    assert found.finding == (
        "The error budget burns 20.0 times faster than allowed over the last 1 hour: 19 minutes of 43 minutes used; at "
        "Thu 12 Nov, 10:23 UTC it burnt 317 times too fast, 44 % of 30 days' budget."
    )
    assert found.since == OUTAGE.to_pydatetime()
    assert found.size == "19 minutes of 43 minutes used"
    assert "over the last 3 days" in burn(long=2.0).finding


def month(down):
    """A minute each; `down` are (first minute, minutes)."""
    state = np.ones(43_200)
    for first, length in down:
        state[first : first + length] = 0
    edges = np.append(np.flatnonzero(np.diff(state, prepend=9)), len(state))
    time = pd.Timestamp(WEEK.end) - pd.Timedelta(days=30) + pd.to_timedelta(edges, unit="min")
    return pd.DataFrame({"start": time[:-1].as_unit("us"), "end": time[1:].as_unit("us"), "ready": state[edges[:-1]]})


@pytest.mark.slow
def test_healthy_platforms_are_seldom_warned_of():
    """Outages that come at random and use half of the budget: of 200 months under 5 % warn without being used up."""
    chance, false, end = np.random.default_rng(17), 0, pd.Timestamp(WEEK.end)
    for _ in range(200):
        mean, minutes = chance.choice([(2, 8), (4, 5), (8, 2.5)])
        many = chance.poisson(mean)
        down = [(int(chance.integers(43_200)), 1 + int(chance.exponential(minutes))) for _ in range(many)]
        frame = month(down)
        course = slo.budget_course(frame, outages(frame), slo=0.999, end=end)
        check = burn_check(slo.burn_rates(frame, slo=0.999, at=end), NEVER, course, window=WEEK)
        used_up = len({at for first, length in down for at in range(first, min(first + length, 43_200))}) > 43
        assert check.status == "warn" or (check.status == "pass" and not used_up)
        false += check.status == "warn" and not used_up
    assert false < 10


def isolation(*rows, known=True):
    columns = ["start", "end", "verdict", "tenants", "seen", "nearest", "lead_seconds", "overlap"]
    return isolation_check(pd.DataFrame(rows, columns=columns), window=WEEK, known=known)


def test_a_tenant_that_moved_the_global_state_warns_and_is_an_event():
    found = isolation((OUTAGE, OUTAGE, "tenant", 1, 50, "acme", 120.0, 0.9), (OUTAGE, OUTAGE, "alone", 0, 50, "", 0, 0))
    assert (found.status, found.value) == ("warn", 1.0)
    assert found.finding == (
        "The outage of Thu 12 Nov, 10:23 UTC went with 1 tenant of 50: acme was not ready 120 s before it."
    )
    assert [one["place"] for one in found.events] == ["acme"]
    assert found.disproof


@pytest.mark.parametrize(
    ("rows", "said"), [((), ": no outage was seen to begin in 2026-W46."), ((1,), " in 1 outage.")]
)
def test_outages_without_a_tenant_pass(rows, said):
    found = isolation(*((OUTAGE, OUTAGE, "alone", 0, 50, "", 0.0, 0.0) for _ in rows))
    assert (found.status, found.finding) == ("pass", f"No tenant was seen to move the global state{said}")


def test_without_tenants_to_compare_it_is_unknown():
    assert isolation(known=False).status == "unknown"
