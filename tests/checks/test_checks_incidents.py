from datetime import UTC, datetime

import pandas as pd
import pytest

from cloudxai_analysis.checks.incidents import incidents_check
from cloudxai_analysis.ground.window import parse_window

WEEK = parse_window("2026-W46")
TIME = "datetime64[us, UTC]"
WHOLE = (WEEK.start, WEEK.end)


def check_of(*incidents, complete=(WHOLE,)):
    """Incidents as (id, start, end)."""
    known = pd.DataFrame(incidents, columns=["id", "start", "end"])
    declared = pd.DataFrame(list(complete), columns=["start", "end"])
    for frame in (known, declared):
        for edge in ("start", "end"):
            frame[edge] = pd.to_datetime(frame[edge], utc=True, format="ISO8601").astype(TIME)
    return incidents_check(known, declared, window=WEEK)


def test_an_open_incident_warns_and_the_oldest_is_named():
    check = check_of(
        ("INC-2", "2026-11-14 08:00", None), ("INC-1", "2026-11-11 09:00", None), ("INC-0", "2026-11-10", "2026-11-11")
    )
    assert (check.status, check.value, check.section) == ("warn", 2.0, "incidents")
    assert check.finding == ("2 incidents still open at the end of 2026-W46: INC-1, since Wed 11 Nov, 09:00 UTC.")
    assert check.since == datetime(2026, 11, 11, 9, tzinfo=UTC)
    assert (check.size, check.unit) == ("2 open incidents", "open incidents")
    assert "Close INC-1" in check.action


@pytest.mark.parametrize(
    ("end", "status"), [("2026-11-16 00:00", "pass"), ("2026-11-16 00:01", "warn"), (None, "warn")]
)
def test_what_ends_by_the_windows_end_is_resolved(end, status):
    assert check_of(("INC-1", "2026-11-15 23:00", end)).status == status


def test_an_incident_after_the_window_is_none_of_it():
    check = check_of(("INC-1", "2026-11-16 00:00", None))
    assert check.status == "pass"
    assert check.finding == "No incident in 2026-W46, by a ledger declared complete."


def test_an_older_one_that_is_still_open_counts_in_every_week():
    check = check_of(("INC-1", "2026-10-01 00:00", None), complete=())
    assert (check.status, check.value) == ("warn", 1.0)


def test_resolved_incidents_pass_with_their_number():
    check = check_of(("INC-1", "2026-11-10", "2026-11-11"), ("INC-2", "2026-11-12", "2026-11-13"))
    assert (check.status, check.value) == ("pass", 0.0)
    assert check.finding == "2 incidents in 2026-W46, all resolved."
    over = check_of(("INC-1", "2026-11-08 23:00", "2026-11-09 01:30"))
    assert over.finding == (
        "No incident began in 2026-W46; INC-1, begun on Sun 8 Nov, 23:00 UTC, 60 minutes before 2026-W46, went on into "
        "it for 1.5 hours, until Mon 9 Nov, 01:30 UTC."
    )
    earlier = check_of(("INC-1", "2026-11-02", "2026-11-03"), complete=())
    assert (earlier.status, earlier.finding) == ("pass", "No incident in 2026-W46.")


@pytest.mark.parametrize("complete", [(), (("2026-11-09", "2026-11-15"),), (("2026-11-10", "2026-11-16"),)])
def test_an_empty_ledger_that_is_not_declared_complete_is_unknown(complete):
    check = check_of(complete=complete)
    assert (check.status, check.value) == ("unknown", None)
    assert check.finding == (
        "Whether there were incidents in 2026-W46 is unknown: the ledger is empty and not declared complete."
    )


def test_a_hostile_id_leaves_the_headline_one_short_line():
    check = check_of(("x\n" + "y" * 5000, "2026-11-10", None))
    assert len(check.finding) < 200
    assert "\n" not in check.finding
    assert check.as_dict()["since"] == "2026-11-10T00:00:00+00:00"
