import pandas as pd
import pytest

from cloudxai_analysis.verdicts.objective import burn_check, isolation_check
from cloudxai_analysis.window import parse_window

WEEK = parse_window("2026-W46")
OUTAGE = pd.Timestamp("2026-11-12 10:23", tz="UTC")


def rates(long=0.0, short=0.0):
    frame = pd.DataFrame({"threshold": [14.4, 1.0], "long_hours": [1.0, 72.0], "burn_long": long, "burn_short": short})
    over = (frame["burn_long"] > frame["threshold"]) & (frame["burn_short"] > frame["threshold"])
    return frame.assign(burning=over.astype("boolean"))


def burn(*stretches, answer="lasts", at=pd.NaT, long=0.0):
    frame = pd.DataFrame(stretches, columns=["start", "most", "budget_share"])
    row = pd.DataFrame([{"answer": answer, "at": at, "remaining_share": 0.53, "recent_minutes": 2.7}])
    return burn_check(rates(long, long), frame, row, window=WEEK)


def test_a_quiet_budget_passes():
    found = burn()
    assert (found.status, found.value) == ("pass", 0.0)
    assert found.finding == (
        "The error budget does not burn at the end of 2026-W46, and lasts at the last week's pace."
    )


def test_what_burns_at_the_end_warns_and_says_how_fast():
    found = burn((OUTAGE, 316.7, 0.44), long=20.0)
    assert (found.status, found.value) == ("warn", 316.7)
    assert found.finding == (
        "The error budget burns 20.0 times faster than allowed over the last 1 hour; at Thu 12 Nov, 10:23 UTC it burnt "
        "317 times too fast, 44 % of 30 days' budget."
    )
    assert found.since == OUTAGE.to_pydatetime()
    assert "over the last 3 days" in burn(long=2.0).finding


def test_a_budget_that_will_be_used_up_warns_with_the_day():
    found = burn(answer="will be exhausted", at=pd.Timestamp("2026-11-24", tz="UTC"))
    assert found.status == "warn"
    assert "of 2.7 minutes a day the error budget is used up by Tue 24 Nov." in found.finding


def test_a_budget_that_is_used_up_and_rests_is_told():
    found = burn(answer="exhausted")
    assert (found.status, "; it is used up." in found.finding) == ("pass", True)


def test_without_a_sample_it_is_unknown():
    assert burn(answer="unknown").status == "unknown"
    assert burn(long=float("nan")).status == "unknown"


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


@pytest.mark.parametrize(("rows", "said"), [((), ": it was ready all the time."), ((1,), " in 1 outage.")])
def test_outages_without_a_tenant_pass(rows, said):
    found = isolation(*((OUTAGE, OUTAGE, "alone", 0, 50, "", 0.0, 0.0) for _ in rows))
    assert (found.status, found.finding) == ("pass", f"No tenant moved the global state{said}")


def test_without_tenants_to_compare_it_is_unknown():
    assert isolation(known=False).status == "unknown"
