"""What the checks of readiness and of incidents say, row by row; how often a healthy platform is warned."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from planted_study import WEEK, Planted, at, table

from cloudxai_analysis.ground.window import Window

MONTH = Window(datetime(2026, 10, 17, tzinfo=UTC), WEEK.end)
OUTAGE = ("2026-11-12 10:23", "2026-11-12 10:42", 19.0)
BLIP = ("2026-11-10 03:00", "2026-11-10 03:01", 1.0)
DAYS = 1440
ENDLESS = "x\n" + "y" * 5000
COMPLETE = {"kind": "complete", "start": WEEK.start, "end": WEEK.end}


def measured(not_ready: float, seen: float, whole: float) -> pd.DataFrame:
    """Minutes of readiness: not ready, seen, and of the whole time that counts."""
    known = {"low": (seen - not_ready) / whole, "high": 1 - not_ready / whole} if seen else {}
    row = {"since": MONTH.start, "availability": (seen - not_ready) / seen if seen else np.nan, "low": np.nan}
    row |= {"high": np.nan, **known, "seen_minutes": seen, "not_ready_minutes": not_ready}
    return pd.DataFrame([row | {"unknown_minutes": whole - seen, "seen_share": seen / whole}])


def availability(not_ready: float, *, seen: float = 30 * DAYS, whole: float = 0, slo: float = 0.999) -> Planted:
    """Of a platform that is as old as what was seen of it, unless `whole` says otherwise."""
    allowed, used = (1 - slo) * 30 * DAYS, float(not_ready) if seen else np.nan
    budget = pd.DataFrame([{"allowed_minutes": allowed, "used_minutes": used, "remaining_share": 1 - used / allowed}])
    frames = {
        "readiness.slo_availability": measured(not_ready, seen, whole or max(seen, 1)),
        "readiness.error_budget": budget,
        "readiness.slo_window": MONTH,
    }
    return Planted("availability", frames, settings={"availability": slo})


def stretches(*rows: Any, **more: Any) -> pd.DataFrame:
    return table("start end minutes", *rows, **more).astype({"minutes": "float64"})


def incidents_of(*rows: Any) -> pd.DataFrame:
    return table("id start end", *rows)


def outages(
    *rows: Any,
    before: Any = (),
    not_ready: float | None = None,
    seen: float = 7 * DAYS,
    incidents: Any = (),
) -> Planted:
    total = sum(row[2] for row in rows) if not_ready is None else not_ready
    frames = {
        "readiness.outages": stretches(*rows),
        "readiness.outage_history": stretches(*before, *rows),
        "readiness.availability": measured(total, seen, 7 * DAYS),
        "alerts.incidents": incidents_of(*incidents),
    }
    return Planted("outages", frames)


def hourly(name: str, *values: float) -> pd.DataFrame:
    hours = pd.date_range("2026-11-09", periods=len(values), freq="h", tz="UTC", unit="us")
    return pd.DataFrame({"hour": hours, name: pd.Series(values, dtype="float64")})


def transitions(*values: float, bound: float = 10) -> Planted:
    frames = {"readiness.transitions": hourly("transitions", *values)}
    return Planted("transitions", frames, settings={"transitions_per_hour": bound})


def latency(*values: float) -> Planted:
    return Planted("latency", {"readiness.check_latency": hourly("seconds", *values)})


def tenants(*rows: Any, names: Any = (), seen: int = 110) -> Planted:
    frames = {
        "readiness.tenant_outages": stretches(*rows, tenant=list(names)),
        "readiness.tenant_availability": pd.DataFrame({"tenant": range(seen)}),
        "alerts.incidents": incidents_of(),
    }
    return Planted("tenants", frames)


def rates(long: float) -> pd.DataFrame:
    frame = pd.DataFrame({"threshold": [14.4, 1.0], "long_hours": [1.0, 72.0], "burn_long": long, "burn_short": long})
    over = (frame["burn_long"] > frame["threshold"]) & (frame["burn_short"] > frame["threshold"])
    return frame.assign(burning=over.astype("boolean").mask(frame["burn_long"].isna()))


def burn(*burnt: Any, long: float = 0.0, days: float = 30.0, used: float = 0.0) -> Planted:
    frames = {
        "readiness.burn_rates": rates(long),
        "readiness.burn_stretches": table("start most budget_share", *burnt),
        "readiness.slo_availability": pd.DataFrame({"seen_minutes": [days * DAYS]}),
        "readiness.error_budget": pd.DataFrame({"allowed_minutes": [43.2], "used_minutes": [used]}),
    }
    return Planted("burn", frames)


def isolation(*rows: Any, known: bool = True) -> Planted:
    columns = "start end verdict tenants seen nearest lead_seconds overlap"
    frames = {
        "readiness.isolation_breaches": table(columns, *rows),
        "readiness.tenant_availability": pd.DataFrame({"tenant": ["acme"]}),
        "readiness.availability": measured(0, 7 * DAYS if known else 0, 7 * DAYS),
    }
    return Planted("isolation", frames)


def incidents(*rows: Any, entries: Any = (COMPLETE,)) -> Planted:
    return Planted("incidents", {"alerts.incidents": incidents_of(*rows)}, entries=tuple(entries))


def _availability_rows() -> list[Planted]:
    asked = "against an objective of 99.9 %"
    return [
        availability(23).says(
            "pass",
            f"Ready for 99.947 % of 30 days {asked}: 23 minutes used of the 43 minutes that 30 days allow.",
            value=1 - 23 / 43_200,
            bound=0.999,
            samples="every sample of global readiness, held until the next one: 30 days",
        ),
        # 43.2 minutes are allowed: a tenth is left after 38.88.
        availability(38).says("pass", f"Ready for {100 - 38 / 432:.3f} % of 30 days…"),
        availability(43).says("warn", f"Ready for {100 - 43 / 432:.3f} % of 30 days…"),
        availability(44).says(
            "fail",
            f"Ready for {100 - 44 / 432:.3f} % of 30 days…44 minutes not ready, 43 minutes allowed.",
            since=MONTH.start,
        ),
        # Ten days bring a third of the budget: 20 of 14,400 minutes, 14.4 allowed.
        availability(20, seen=10 * DAYS).says(
            "fail", f"Ready for 99.861 % of the 10 days seen {asked}: 20 minutes not ready, 14 minutes allowed."
        ),
        availability(14, seen=10 * DAYS).says("pass", f"Ready for 99.903 % of the 10 days seen {asked}: 14 minutes …"),
        # Exactly the objective is not below it.
        availability(44, seen=44_000).says("warn", "Ready for 99.900 % of 30 days…"),
        availability(45, seen=44_000).says("fail", "Ready for 99.898 % of 30 days…"),
        # 60 minutes that nobody saw decide: 23 not ready of 43,200 are 99.947 %, and with them 99.808 %.
        availability(23, seen=43_140, whole=43_200).says(
            "unknown",
            f"Ready for 99.947 % of 30 days {asked}: unknown whether it is met, for 60 minutes were not seen, and with "
            "them it lies between 99.808 % and 99.947 %.",
        ),
        # Ten of them do not.
        availability(23, seen=43_190, whole=43_200).says("pass", "Ready for 99.947 % of 30 days…"),
        # However good the rest was, 44 minutes are lost.
        availability(44, seen=40_000, whole=43_200).says("fail", f"Ready for 99.890 % of the 27.8 days seen {asked}…"),
        availability(0, seen=7).says(
            "unknown", "Too early to tell whether 99.9 % of 30 days is met: 7 minutes seen, ready in all of it."
        ),
        availability(2, seen=60).says(
            "unknown", "Too early to tell whether 99.9 % of 30 days is met: 60 minutes seen, 2 minutes of it not ready."
        ),
        # What 30 days allow is gone within an hour: for that nothing is too early.
        availability(50, seen=60).says("fail", "Ready for 16.667 % of the 60 minutes seen…"),
        availability(0, seen=0).says(
            "unknown", "Availability over the 30 days up to Mon 16 Nov, 00:00 UTC is unknown: nothing was seen of it."
        ),
    ]


def _outages_rows() -> list[Planted]:
    once = "The platform was not ready for 19 minutes from Thu 12 Nov, 10:23 UTC"
    part = "for the first 25 minutes, in an outage of 45 minutes that began Sun 8 Nov, 23:40 UTC"
    # What was never seen to end is not ready only for as long as it was seen so; an hour was not seen of the third.
    earlier = [("2026-11-09 00:25", 7 * DAYS), (None, 25), ("2026-11-09 01:25", 7 * DAYS - 60)]
    write = "Write an incident for Thu 12 Nov, 10:23 UTC into the ledger, with its cause."
    long_before = {"value": 25.0, "events": (), "since": datetime(2026, 11, 8, 23, 40, tzinfo=UTC)}
    seen = [
        (7 * DAYS, "pass", "The platform was ready for all of 2026-W46."),
        (7 * DAYS - 60, "pass", "The platform was ready for all of the 7 days seen of 2026-W46."),
        (5 * DAYS, "unknown", "Not enough was seen to tell whether the platform had an outage: it was ready for all…"),
        (7, "unknown", "Too early to tell whether the platform had an outage: it was ready for all of the 7 minutes …"),
        (0, "unknown", "Whether the platform was ready in 2026-W46 is unknown: nothing was seen of it."),
    ]
    return [
        outages(OUTAGE).says(
            "warn", f"{once}.", value=19.0, action=write, events=(("readiness_incident", "global", 19.0, "minutes"),)
        ),
        outages(("2026-11-09 05:00", "2026-11-09 05:02", 2), OUTAGE, ("2026-11-15 23:55", None, 5)).says(
            "warn",
            "The platform was not ready 3 times, longest for 19 minutes from Thu 12 Nov, 10:23 UTC.",
            value=26.0,
            size="26 minutes in 3 outages",
        ),
        outages(("2026-11-15 23:00", None, 60)).says(
            "warn", "…for 60 minutes from Sun 15 Nov, 23:00 UTC, and still was not when the data end."
        ),
        # A scrape a minute may fail once, and the next one come a few milliseconds late.
        *(
            outages((*BLIP[:2], minutes)).says(
                "pass", "The platform was ready for all of 2026-W46, but for 1 minute.", events=()
            )
            for minutes in (1, 1.0001)
        ),
        *(outages((*BLIP[:2], minutes)).says("warn") for minutes in (1.25, 2)),
        *(
            outages(before=[("2026-11-08 23:40", end, 45)], not_ready=25, seen=seen).says(
                "warn", f"The platform was not ready {part}.", **long_before
            )
            for end, seen in earlier
        ),
        outages(OUTAGE, before=[("2026-11-08 23:40", None, 45)], not_ready=25).says(
            "warn", f"{once}; for the first…", events=(("readiness_incident", "global", 19.0, "minutes"),)
        ),
        outages(OUTAGE, incidents=[("INC-7", "2026-11-12 10:00", None)]).says(
            "warn", action="Decide what keeps INC-7 from happening again."
        ),
        outages(OUTAGE, incidents=[("INC-7", "2026-11-12 10:43", None)]).says("warn", action=write),
        *(
            outages(seen=minutes).says(status, said, value=0.0 if status == "pass" else None)
            for minutes, status, said in seen
        ),
    ]


def _other_rows() -> list[Planted]:
    ready = "Every one of 110 tenants was ready in 2026-W46"
    return [
        transitions(2, 10, 0).says(
            "pass", "At most 10 readiness transitions in any hour of 2026-W46.", value=10.0, bound=10.0
        ),
        transitions(0).says("pass", "No readiness transition of 2026-W46."),
        transitions(2, 11, 0).says(
            "warn",
            "11 transitions in the hour from Mon 9 Nov, 01:00 UTC, at most 10 wanted.",
            value=11.0,
            size="1 hour above 10",
        ),
        transitions().says("unknown", "…no process exports their counter.", value=None),
        latency(0.05, 0.2, np.nan).says(
            "pass", "The readiness check's p95 stayed within 200 ms in 2026-W46: at most 200 ms.", value=0.2
        ),
        latency(0.05, 0.2011, np.nan).says(
            "warn",
            "The readiness check's p95 was above 200 ms in 1 hour, at most 201 ms, from Mon 9 Nov, 01:00 UTC.",
            value=0.2011,
        ),
        latency().says("unknown", "…no duration was exported in 2026-W46.", value=None),
        tenants(OUTAGE, BLIP, BLIP, names=("a", "b", "a")).says(
            "warn",
            "1 of 110 tenants not ready for more than 2 minutes at once, the longest a for 19 minutes from Thu 12 Nov, "
            "10:23 UTC.",
            value=1.0,
            action="Write an incident of a for Thu 12 Nov, 10:23 UTC into the ledger, with its cause.",
        ),
        tenants(BLIP, names=("a",)).says("pass", f"{ready}, but for 1 brief outage.", value=0.0),
        tenants().says("pass", f"{ready}."),
        tenants(seen=0).says("unknown", value=None),
    ]


def _burn_rows() -> list[Planted]:
    calm, at_outage = "The error budget does not burn at the end of 2026-W46: ", at(OUTAGE[0])
    return [
        burn().says("pass", f"{calm}0 seconds of 43 minutes used."),
        burn(used=42).says("pass", f"{calm}42 minutes of 43 minutes used."),
        # What is used up is no pass, though nothing burns any more.
        burn(used=60).says("warn", "The error budget is used up: 60 minutes of 43 minutes used."),
        burn(days=0.1).says(
            "unknown", "Too early to tell whether the error budget lasts: 2.4 hours seen, 0 seconds of 43 minutes used."
        ),
        burn(days=0.1, used=60).says("warn", "The error budget is used up: 60 minutes of 43 minutes used."),
        burn(long=np.nan).says("unknown", "Whether the error budget burns at the end of 2026-W46 is unknown: …"),
        burn(days=0.0, used=np.nan, long=np.nan).says("unknown", "Whether the error budget burns at the end of …"),
        burn((at_outage, 316.7, 0.44), long=20.0, used=19).says(
            "warn",
            "The error budget burns 20.0 times faster than allowed over the last 60 minutes: 19 minutes of 43 minutes "
            "used; at Thu 12 Nov, 10:23 UTC it burnt 317 times too fast, 44 % of 30 days' budget.",
            value=316.7,
            since=at_outage,
            size="19 minutes of 43 minutes used",
        ),
        burn(long=2.0).says("warn", "…over the last 3 days:…"),
    ]


def _isolation_rows() -> list[Planted]:
    alone = (*OUTAGE[:2], "alone", 0, 50, "", 0.0, 0.0)
    moved, none = (*OUTAGE[:2], "tenant", 1, 50, "acme", 120.0, 0.9), "No tenant was seen to move the global state"
    return [
        isolation(moved, alone).says(
            "warn",
            "The outage of Thu 12 Nov, 10:23 UTC went with 1 tenant of 50: acme was not ready 120 s before it.",
            value=1.0,
            events=(("isolation_breach", "acme", 1.0, "tenants"),),
        ),
        isolation().says("pass", f"{none}: no outage was seen to begin in 2026-W46."),
        isolation(alone).says("pass", f"{none} in 1 outage."),
        isolation(known=False).says("unknown"),
    ]


def _incidents_rows() -> list[Planted]:
    unsure = "Whether there were incidents in 2026-W46 is unknown: the ledger is empty and not declared complete."
    parts = [(at("00:00", 9), at("00:00", 15)), (at("00:00", 10), at("00:00", 16))]
    return [
        incidents(
            *(("INC-2", "2026-11-14 08:00", None), ("INC-1", "2026-11-11 09:00", None)),
            ("INC-0", "2026-11-10", "2026-11-11"),
        ).says(
            "warn",
            "2 incidents still open at the end of 2026-W46: INC-1, since Wed 11 Nov, 09:00 UTC.",
            value=2.0,
            unit="open incidents",
            size="2 open incidents",
            since=datetime(2026, 11, 11, 9, tzinfo=UTC),
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
            "No incident began in 2026-W46; INC-1, begun on Sun 8 Nov, 23:00 UTC, 60 minutes before 2026-W46, went on "
            "into it for 1.5 hours, until Mon 9 Nov, 01:30 UTC.",
        ),
        incidents(("INC-1", "2026-11-02", "2026-11-03"), entries=()).says("pass", "No incident in 2026-W46."),
        incidents(entries=()).says("unknown", unsure, value=None),
        *(
            incidents(entries=[{**COMPLETE, "start": start, "end": end}]).says("unknown", unsure)
            for start, end in parts
        ),
        incidents((ENDLESS, "2026-11-10", None)).says("warn"),
    ]


ROWS = [
    *(*_availability_rows(), *_outages_rows(), *_other_rows()),
    *(*_burn_rows(), *_isolation_rows(), *_incidents_rows()),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_it_is_said(row: Planted) -> None:
    row.holds()
