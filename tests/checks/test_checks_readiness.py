"""What the checks of readiness and of incidents say, row by row; how often a healthy platform is warned."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from by_hand import at, table
from planted_study import WEEK, Planted

from cloudxai_analysis.ground.window import Window

MONTH = Window(datetime(2026, 10, 17, tzinfo=UTC), WEEK.end)
OUTAGE = ("2026-11-12 10:23", "2026-11-12 10:42", 19.0)
DAY = 1440
COMPLETE = {"kind": "complete", "start": WEEK.start, "end": WEEK.end}


def blip(minutes: float) -> tuple[Any, ...]:
    return ("2026-11-10 03:00", "2026-11-10 03:01", minutes)


def measured(not_ready: float, seen: float, whole: float) -> pd.DataFrame:
    """Minutes of readiness: not ready, seen, and of the whole time that counts."""
    known = {"low": (seen - not_ready) / whole, "high": 1 - not_ready / whole} if seen else {}
    row = {"since": MONTH.start, "availability": (seen - not_ready) / seen if seen else np.nan, "low": np.nan}
    row |= {"high": np.nan, **known, "seen_minutes": seen, "not_ready_minutes": not_ready}
    return pd.DataFrame([row | {"unknown_minutes": whole - seen, "seen_share": seen / whole}])


def availability(not_ready: float, *, seen: float = 30 * DAY, whole: float = 0) -> Planted:
    """Of a platform that is as old as what was seen of it, unless `whole` says otherwise."""
    used = float(not_ready) if seen else np.nan
    budget = pd.DataFrame([{"allowed_minutes": 43.2, "used_minutes": used, "remaining_share": 1 - used / 43.2}])
    frames = {
        "readiness.slo_availability": measured(not_ready, seen, whole or max(seen, 1)),
        "readiness.error_budget": budget,
        "readiness.slo_window": MONTH,
    }
    return Planted("availability", frames, settings={"availability": 0.999})


def stretches(*rows: Any, **more: Any) -> pd.DataFrame:
    return table("start end minutes", *rows, **more).astype({"minutes": "float64"})


def outages(
    *rows: Any, before: Any = (), not_ready: float | None = None, seen: float = 7 * DAY, incidents: Any = ()
) -> Planted:
    total = sum(row[2] for row in rows) if not_ready is None else not_ready
    frames = {
        "readiness.outages": stretches(*rows),
        "readiness.outage_history": stretches(*before, *rows),
        "readiness.availability": measured(total, seen, 7 * DAY),
        "alerts.incidents": table("id start end", *incidents),
    }
    return Planted("outages", frames)


def hourly(key: str, frame: str, column: str, *values: float) -> Planted:
    """A check of one number an hour, from Monday on."""
    hours = pd.date_range("2026-11-09", periods=len(values), freq="h", tz="UTC", unit="us")
    rows = pd.DataFrame({"hour": hours, column: pd.Series(values, dtype="float64")})
    return Planted(key, {frame: rows}, settings={"transitions_per_hour": 10})


def transitions(*values: float) -> Planted:
    return hourly("transitions", "readiness.transitions", "transitions", *values)


def latency(*values: float) -> Planted:
    return hourly("latency", "readiness.check_latency", "seconds", *values)


def tenants(*rows: Any, names: Any = (), seen: int = 110) -> Planted:
    frames = {
        "readiness.tenant_outages": stretches(*rows, tenant=list(names)),
        "readiness.tenant_availability": pd.DataFrame({"tenant": range(seen)}),
        "alerts.incidents": table("id start end"),
    }
    return Planted("tenants", frames)


def burn(*burnt: Any, long: float = 0.0, days: float = 30.0, used: float = 0.0) -> Planted:
    rates = pd.DataFrame({"threshold": [14.4, 1.0], "long_hours": [1.0, 72.0], "burn_long": long, "burn_short": long})
    over = (rates["burn_long"] > rates["threshold"]).astype("boolean").mask(rates["burn_long"].isna())
    frames = {
        "readiness.burn_rates": rates.assign(burning=over),
        "readiness.burn_stretches": table("start most budget_share", *burnt),
        "readiness.slo_availability": pd.DataFrame({"seen_minutes": [days * DAY]}),
        "readiness.error_budget": pd.DataFrame({"allowed_minutes": [43.2], "used_minutes": [used]}),
    }
    return Planted("burn", frames)


def isolation(*rows: Any, known: bool = True) -> Planted:
    columns = "start end verdict tenants seen nearest lead_seconds overlap"
    frames = {
        "readiness.isolation_breaches": table(columns, *rows),
        "readiness.tenant_availability": pd.DataFrame({"tenant": ["acme"]}),
        "readiness.availability": measured(0, 7 * DAY if known else 0, 7 * DAY),
    }
    return Planted("isolation", frames)


def incidents(*rows: Any, entries: Any = (COMPLETE,)) -> Planted:
    return Planted("incidents", {"alerts.incidents": table("id start end", *rows)}, entries=tuple(entries))


ASKED = "against an objective of 99.9 %"
ONCE = "The platform was not ready for 19 minutes from Thu 12 Nov, 10:23 UTC"
PART = "for the first 25 minutes, in an outage of 45 minutes that began Sun 8 Nov, 23:40 UTC"
WRITE = "Write an incident for Thu 12 Nov, 10:23 UTC into the ledger, with its cause."
EARLIER = ("2026-11-08 23:40", None, 45)
GLOBAL = ("readiness_incident", "global", 19.0, "minutes")
READY, CALM = (
    "Every one of 110 tenants was ready in 2026-W46",
    "The error budget does not burn at the end of 2026-W46: ",
)
UNMOVED = "No tenant was seen to move the global state"
UNSURE = "Whether there were incidents in 2026-W46 is unknown: the ledger is empty and not declared complete."
ROWS = [
    availability(23).says(
        "pass",
        f"Ready for 99.947 % of 30 days {ASKED}: 23 minutes used of the 43 minutes that 30 days allow.",
        value=1 - 23 / 43_200,
        bound=0.999,
        samples="every sample of global readiness, held until the next one: 30 days",
    ),
    # 43.2 minutes are allowed: a tenth is left after 38.88.
    availability(38).says("pass", f"Ready for {100 - 38 / 432:.3f} % of 30 days…"),
    availability(43).says("warn", f"Ready for {100 - 43 / 432:.3f} % of 30 days…"),
    availability(44).says("fail", "…44 minutes not ready, 43 minutes allowed.", since=MONTH.start),
    # Ten days bring a third of the budget: 20 of 14,400 minutes, 14.4 allowed.
    availability(20, seen=10 * DAY).says(
        "fail", f"Ready for 99.861 % of the 10 days seen {ASKED}: 20 minutes not ready, 14 minutes allowed."
    ),
    availability(14, seen=10 * DAY).says("pass", f"Ready for 99.903 % of the 10 days seen {ASKED}: 14 minutes …"),
    # Exactly the objective is not below it.
    availability(44, seen=44_000).says("warn", "Ready for 99.900 % of 30 days…"),
    availability(45, seen=44_000).says("fail", "Ready for 99.898 % of 30 days…"),
    # 60 minutes that nobody saw decide: 23 not ready of 43,200 are 99.947 %, and with them 99.808 %; ten do not.
    availability(23, seen=43_140, whole=43_200).says(
        "unknown",
        f"Ready for 99.947 % of 30 days {ASKED}: unknown whether it is met, for 60 minutes were not seen, and with "
        "them it lies between 99.808 % and 99.947 %.",
    ),
    availability(23, seen=43_190, whole=43_200).says("pass", "Ready for 99.947 % of 30 days…"),
    # However good the rest was, 44 minutes are lost.
    availability(44, seen=40_000, whole=43_200).says("fail", f"Ready for 99.890 % of the 27.8 days seen {ASKED}…"),
    availability(0, seen=7).says(
        "unknown", "Too early to tell whether 99.9 % of 30 days is met: 7 minutes seen, ready in all of it."
    ),
    availability(2, seen=60).says("unknown", "Too early to tell…60 minutes seen, 2 minutes of it not ready."),
    # What 30 days allow is gone within an hour: for that nothing is too early.
    availability(50, seen=60).says("fail", "Ready for 16.667 % of the 60 minutes seen…"),
    availability(0, seen=0).says("unknown", "Availability over the 30 days up to Mon 16 Nov, 00:00 UTC is unknown…"),
    outages(OUTAGE).says("warn", f"{ONCE}.", value=19.0, action=WRITE, events=(GLOBAL,)),
    outages(("2026-11-09 05:00", "2026-11-09 05:02", 2), OUTAGE, ("2026-11-15 23:55", None, 5)).says(
        "warn",
        "The platform was not ready 3 times, longest for 19 minutes from Thu 12 Nov, 10:23 UTC.",
        value=26.0,
        size="26 minutes in 3 outages",
    ),
    outages(("2026-11-15 23:00", None, 60)).says("warn", "…23:00 UTC, and still was not when the data end."),
    # A scrape a minute may fail once, and the next one come a few milliseconds late.
    *(
        outages(blip(minutes)).says("pass", "The platform was ready for all of 2026-W46, but for 1 minute.", events=())
        for minutes in (1, 1.0001)
    ),
    *(outages(blip(minutes)).says("warn") for minutes in (1.25, 2)),
    # What was never seen to end is not ready only for as long as it was seen so; an hour was not seen of the third.
    *(
        outages(before=[("2026-11-08 23:40", end, 45)], not_ready=25, seen=seen).says(
            "warn", f"The platform was not ready {PART}.", value=25.0, events=(), since=at("08 23:40")
        )
        for end, seen in [("2026-11-09 00:25", 7 * DAY), (None, 25), ("2026-11-09 01:25", 7 * DAY - 60)]
    ),
    outages(OUTAGE, before=[EARLIER], not_ready=25).says("warn", f"{ONCE}; for the first…", events=(GLOBAL,)),
    outages(OUTAGE, incidents=[("INC-7", "2026-11-12 10:00", None)]).says(
        "warn", action="Decide what keeps outage INC-7 of Thu 12 Nov from happening again."
    ),
    outages(OUTAGE, incidents=[("INC-7", "2026-11-12 10:43", None)]).says("warn", action=WRITE),
    outages().says("pass", "The platform was ready for all of 2026-W46.", value=0.0),
    outages(seen=7 * DAY - 60).says("pass", "The platform was ready for all of the 7 days seen of 2026-W46."),
    outages(seen=5 * DAY).says("unknown", "Not enough was seen to tell whether…it was ready for all…", value=None),
    outages(seen=7).says("unknown", "Too early to tell whether…it was ready for all of the 7 minutes …", value=None),
    outages(seen=0).says("unknown", "Whether the platform was ready in 2026-W46 is unknown: nothing was seen of it."),
    transitions(2, 10, 0).says("pass", "At most 10 readiness transitions in any hour of 2026-W46.", value=10.0),
    transitions(0).says("pass", "No readiness transition of 2026-W46."),
    transitions(2, 11, 0).says(
        "warn",
        "11 transitions in the hour from Mon 9 Nov, 01:00 UTC, at most 10 wanted.",
        value=11.0,
        size="1 hour above 10",
    ),
    transitions().says("unknown", "…no process exports their counter.", value=None),
    latency(0.05, 0.2, np.nan).says("pass", "…p95 stayed within 200 ms in 2026-W46: at most 200 ms.", value=0.2),
    latency(0.05, 0.2011, np.nan).says(
        "warn", "…above 200 ms in 1 hour, at most 201 ms, from Mon 9 Nov, 01:00 UTC.", value=0.2011
    ),
    latency().says("unknown", "…no duration was exported in 2026-W46.", value=None),
    tenants(OUTAGE, blip(1), blip(1), names=("a", "b", "a")).says(
        "warn",
        "1 of 110 tenants not ready for more than 2 minutes at once, the longest a for 19 minutes from Thu 12 Nov, "
        "10:23 UTC.",
        value=1.0,
        action="Write an incident of a for Thu 12 Nov, 10:23 UTC into the ledger, with its cause.",
    ),
    tenants(blip(1), names=("a",)).says("pass", f"{READY}, but for 1 brief outage.", value=0.0),
    tenants().says("pass", f"{READY}."),
    tenants(seen=0).says("unknown", value=None),
    burn().says("pass", f"{CALM}0 seconds of 43 minutes used."),
    # What is used up is no pass, though nothing burns any more.
    burn(used=60).says("warn", "The error budget is used up: 60 minutes of 43 minutes used."),
    burn(days=0.1).says(
        "unknown", "Too early to tell whether the error budget lasts: 2.4 hours seen, 0 seconds of 43 minutes used."
    ),
    burn(days=0.1, used=60).says("warn", "The error budget is used up: 60 minutes of 43 minutes used."),
    burn(days=0.0, used=np.nan, long=np.nan).says("unknown", "Whether the error budget burns at the end of …"),
    burn((OUTAGE[0], 316.7, 0.44), long=20.0, used=19).says(
        "warn",
        "The error budget burns 20.0 times faster than allowed over the last 60 minutes: 19 minutes of 43 minutes "
        "used; at Thu 12 Nov, 10:23 UTC it burnt 317 times too fast, 44 % of 30 days' budget.",
        value=316.7,
        since=at(OUTAGE[0]),
        size="19 minutes of 43 minutes used",
    ),
    burn(long=2.0).says("warn", "…over the last 3 days:…"),
    isolation((*OUTAGE[:2], "tenant", 1, 50, "acme", 120.0, 0.9), (*OUTAGE[:2], "alone", 0, 50, "", 0.0, 0.0)).says(
        "warn",
        "The outage of Thu 12 Nov, 10:23 UTC went with 1 tenant of 50: acme was not ready 120 s before it.",
        value=1.0,
        events=(("isolation_breach", "acme", 1.0, "tenants"),),
    ),
    isolation().says("pass", f"{UNMOVED}: no outage was seen to begin in 2026-W46."),
    isolation((*OUTAGE[:2], "alone", 0, 50, "", 0.0, 0.0)).says("pass", f"{UNMOVED} in 1 outage."),
    isolation(known=False).says("unknown"),
    incidents(
        *(("INC-2", "2026-11-14 08:00", None), ("INC-1", "2026-11-11 09:00", None)),
        ("INC-0", "2026-11-10", "2026-11-11"),
    ).says(
        "warn",
        "2 incidents still open at the end of 2026-W46: INC-1, since Wed 11 Nov, 09:00 UTC.",
        value=2.0,
        size="2 open incidents",
        since=at("11 09:00"),
        action="Close INC-1…",
    ),
    incidents(("INC-1", "2026-11-15 23:00", "2026-11-16 00:00")).says("pass"),
    incidents(("INC-1", "2026-11-15 23:00", "2026-11-16 00:01")).says("warn"),
    incidents(("INC-1", "2026-11-16 00:00", None)).says(
        "pass", "No incident in 2026-W46, by a ledger declared complete."
    ),
    # An older one that is still open counts in every week.
    incidents(("INC-1", "2026-10-01 00:00", None), entries=()).says("warn", value=1.0),
    incidents(("INC-1", "2026-11-10", "2026-11-11"), ("INC-2", "2026-11-12", "2026-11-13")).says(
        "pass", "2 incidents in 2026-W46, all resolved.", value=0.0
    ),
    incidents(("INC-1", "2026-11-08 23:00", "2026-11-09 01:30")).says(
        "pass",
        "No incident began in 2026-W46; INC-1, begun on Sun 8 Nov, 23:00 UTC, 60 minutes before 2026-W46, went on into "
        "it for 1.5 hours, until Mon 9 Nov, 01:30 UTC.",
    ),
    incidents(("INC-1", "2026-11-02", "2026-11-03"), entries=()).says("pass", "No incident in 2026-W46."),
    incidents(entries=()).says("unknown", UNSURE, value=None),
    incidents(entries=[{**COMPLETE, "start": at("10 00:00")}]).says("unknown", UNSURE),
    incidents(("x\n" + "y" * 5000, "2026-11-10", None)).says("warn"),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_it_is_said(row: Planted) -> None:
    row.holds()
