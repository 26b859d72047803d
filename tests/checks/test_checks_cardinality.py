"""What the checks of the tenant labels say, row by row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from by_hand import at, table
from planted_study import Planted

INSTANCE = "cloudxai-0:8080"
GUARD = {
    **{"job": "cloudxai", "instance": INSTANCE, "most_tenants": 95, "most_at": at("10 12:00"), "within_cap": True},
    **{"rejections": 384.0, "below_cap": 0.0, "below_cap_at": pd.NaT, "only_at_cap": True},
}
REQ = {
    **{"stem": "req-", "shape": "hex", "count": 53, "new": 53, "still": 0},
    **{"examples": ("req-0c1d2e3f", "req-1a2b3c4d"), "first_seen": at("10 09:40"), "last_seen": at("10 19:01")},
}
BEFORE = {**REQ, "first_seen": at("08 23:30")}
STRETCH = (INSTANCE, "2026-11-10 09:48", "2026-11-10 19:01", 384.0)
WHOLE_WEEK = [(f"2026-11-{9 + number // 24:02} {number % 24:02}:00", 0.0) for number in range(168)]


def headroom(*left: int, cap: int = 100, share: float = 0.15, hours: Any = None) -> Planted:
    """Headroom of the week's first hours, the last row of its last one; or of `hours`."""
    first = [f"2026-11-09 {number:02}:00" for number in range(len(left) - 1)]
    frame = table("hour headroom", *zip(hours or [*first, "2026-11-15 23:00"], left, strict=False), instance=INSTANCE)
    frame = frame.assign(held=cap - frame["headroom"])
    return Planted("headroom", {"cardinality.headroom": frame}, settings={"headroom_share": share, "tenant_cap": cap})


def guard(*rows: dict[str, Any], counted: bool = True) -> Planted:
    frame = table(GUARD, *({**GUARD, **row} for row in rows)).astype({"only_at_cap": "boolean"})
    hours = table("hour rejections", *[("2026-11-09 00:00", 0.0)][: int(counted)])
    return Planted("guard", {"cardinality.guard": frame, "cardinality.rejections": hours})


def rejections(*stretches: Any, hours: Any = (("2026-11-10 09:00", 384.0),)) -> Planted:
    """Stretches of (instance, start, end, refusals, and how many of them in the week where not all)."""
    rows = [(*row, row[3]) if len(row) == 4 else row for row in stretches]
    frames = {
        "cardinality.refusals": table("instance start end rejections inside", *rows),
        "cardinality.rejections": table("hour rejections", *hours, instance=INSTANCE),
    }
    return Planted("rejections", frames)


def identifiers(*rows: dict[str, Any], tenants: int = 110) -> Planted:
    frame = table(REQ, *rows)
    bursts = frame.rename(columns={"first_seen": "start", "last_seen": "end", "count": "names"})
    frames = {
        "cardinality.unstable_identifiers": frame,
        "cardinality.generated_bursts": bursts[bursts["new"] > 0],
        "readiness.tenant_availability": pd.DataFrame({"tenant": range(tenants)}),
    }
    return Planted("identifiers", frames, settings={"unstable_identifiers": 3})


DRILL = {"kind": "drill", "start": "2026-11-10T09:00Z", "end": "2026-11-10T20:00Z", "summary": "load"}


def in_a_drill(row: Planted, **frames: pd.DataFrame) -> Planted:
    """The same, with a drill in the ledger and the frames that tell what is of it."""
    own = {f"cardinality.{name}": frame for name, frame in frames.items()}
    return replace(row, frames={**row.frames, **own}, entries=(DRILL,))


def steps(*rows: Any) -> pd.DataFrame:
    """Steps of the refusals' counter: (sample before, sample, how many were refused)."""
    return table("before time step", *rows)


def named(*days: str) -> pd.DataFrame:
    """Generated names that came at these moments and were there until the evening of the same day."""
    rows = [(f"req-{number}", "req-", "hex", at(day), at(f"{day[:2]} 19:01")) for number, day in enumerate(days)]
    return pd.DataFrame(rows, columns=["tenant", "stem", "shape", "first_seen", "last_seen"])


IN_IT, AFTER_IT = (
    ("2026-11-10 09:47", "2026-11-10 09:48", 384.0),
    ("2026-11-10 19:59", "2026-11-10 20:01", 2.0),
)


def churn(*days: Any) -> Planted:
    """One (came, left, churn) a day from Monday on; None where unknown."""
    rows = [day or (None, None, None) for day in days]
    frame = pd.DataFrame(rows, columns=["came", "left", "churn"], dtype="float64")
    frame["day"] = pd.date_range("2026-11-09", periods=len(days), tz="UTC", unit="us")
    return Planted("churn", {"cardinality.churn": frame}, settings={"daily_churn": 0.25})


START, ENDS = at("15 00:00"), ("earliest95", "earliest80", "median", "latest80", "latest95")
FORECAST = {
    **{"answer": "forecast", "held": 80, "generated": 0, "one_off": 0.0, "one_off_day": pd.NaT, "cap": 100},
    **{"since": pd.NaT, "from_day": START, "within": 0.9, "horizon_days": 90, "days_known": 40},
    **dict.fromkeys(ENDS, pd.NaT),
}


def time_to_cap(*days: int, seen: bool = True, **changed: Any) -> Planted:
    """The verdict where the intervals' ends are so many days after the start."""
    ends = {end: START + pd.Timedelta(days=day) for end, day in zip(ENDS, days, strict=False)}
    hours = table("hour headroom instance", *[("2026-11-15 23:00", 55, INSTANCE)][: int(seen)])
    found = pd.DataFrame([{**FORECAST, **ends, **changed}])
    return Planted("time_to_cap", {"cardinality.time_to_cap": found, "cardinality.headroom": hours})


# Whole labels: 7.5 are 8, 4.5 are 5, and 0.07 x 100 is 7 though floats make a little more of it.
BOUNDS = [(100, 0.07, 7), (100, 0.29, 29), (50, 0.15, 8), (30, 0.15, 5), (100, 0.0, 0)]
QUIET = {"rejections": 0.0, "only_at_cap": pd.NA}
EARLY = {"only_at_cap": False, "below_cap": 7.0, "below_cap_at": at("10 08:00")}
OVER = {"most_tenants": 104, "within_cap": False}
HELD = "The guard held in 2026-W46: at most 95 tenants of 100 at one scrape, and "
REFUSED = "requests of new tenants refused in 2026-W46"
GENERATED = "53 tenant labels look generated: "
AT_EDGE = [(INSTANCE, "2026-11-08 23:30", "2026-11-09 01:10", 100.0, 42.0)]
LATE = [(INSTANCE, "2026-11-15 23:30", "2026-11-16 00:30", 100.0, 60.0)]
ONE = (INSTANCE, "2026-11-10 09:48", "2026-11-10 09:48", 1.0)
TWO_MORE = [(INSTANCE, "2026-11-10 09:48", "2026-11-10 20:01", 386.0)]
ROWS = [
    in_a_drill(rejections(STRETCH), window_steps=steps(IN_IT)).says(
        "pass", "The guard refused 384 requests in 2026-W46, all in a drill: 384 by the drill 'load'.", value=384.0
    ),
    in_a_drill(rejections(ONE, hours=[("2026-11-10 09:00", 1.0)]), window_steps=steps((*IN_IT[:2], 1.0))).says(
        "pass", "…all in a drill: 1 by…"
    ),
    in_a_drill(rejections(*TWO_MORE, hours=[("2026-11-10 09:00", 386.0)]), window_steps=steps(IN_IT, AFTER_IT)).says(
        "warn", "386 requests of new tenants refused in 2026-W46…; of them 384 by the drill 'load'.", value=386.0
    ),
    in_a_drill(identifiers(REQ), generated_names=named(*["10 09:40"] * 4)).says(
        "pass", "The generated names in 2026-W46 are of drills: 4 by the drill 'load'.", value=0.0
    ),
    in_a_drill(identifiers(REQ), generated_names=named(*["10 09:40"] * 4, "12 10:00")).says(
        "pass", "…; too few beside them to tell of."
    ),
    in_a_drill(identifiers(REQ), generated_names=named("10 09:40", *["12 10:00"] * 3)).says(
        "warn", "3 tenant labels look generated: …, first Thu 12 Nov, 10:00 UTC; beside them 1 by the drill 'load'."
    ),
    headroom(60, 40, 54).says(
        "pass", "54 tenant labels of 100 left at the end of 2026-W46, never fewer than 40.", value=54.0, bound=15.0
    ),
    *(headroom(bound, bound + 20, cap=cap, share=share).says("pass", bound=bound) for cap, share, bound in BOUNDS),
    *(headroom(bound - 1, bound + 20, cap=cap, share=share).says("warn") for cap, share, bound in BOUNDS),
    headroom(14, 2, 20, hours=("2026-11-09 10:00", "2026-11-11 11:00", "2026-11-15 23:00")).says(
        "warn",
        "cloudxai-0:8080 had only 2 tenant labels left on Wed 11 Nov; 20 of 100 were left at the end of 2026-W46.",
        size="under 15 labels in 2 hours",
        since=at("09 10:00"),
    ),
    headroom(10, 0, 0, 54).says(
        "warn", "cloudxai-0:8080 had no tenant label left in 2 hours, on Mon 9 Nov; 54 of 100…"
    ),
    headroom(0, 0, 54, hours=("2026-11-10 23:00", "2026-11-11 02:00", "2026-11-11 03:00")).says(
        "warn", "…in 2 hours, from Tue 10 Nov;…"
    ),
    headroom(10, 0).says(
        "fail", "cloudxai-0:8080 has no tenant label left at the end of 2026-W46: all 100 are held.", value=0.0
    ),
    headroom(10, -3).says("fail", "…it has shown 103 of 100 since its start."),
    # A week of which two hours are there.
    headroom(60, 40, hours=("2026-11-10 22:00", "2026-11-10 23:00")).says(
        "pass", "40 tenant labels of 100 left when last seen, up to Wed 11 Nov, 00:00 UTC…"
    ),
    headroom().says("unknown", "…no process exported a tenant.", value=None, bound=15.0),
    guard({}, {"instance": "cloudxai-1:8080", "most_tenants": 12, **QUIET}).says(
        "pass", HELD + "384 refusals, none below the cap.", value=0.0
    ),
    guard(QUIET).says("pass", HELD + "0 refusals."),
    guard(OVER, {}).says(
        "fail",
        "cloudxai-0:8080 exported 104 tenants at Tue 10 Nov, 12:00 UTC, 4 more than its cap of 100.",
        value=1.0,
        since=at("10 12:00"),
    ),
    guard(EARLY).says(
        "fail",
        "cloudxai-0:8080 refused 7 requests while it held fewer than 100 tenants, first at Tue 10 Nov, 08:00 UTC.",
        size="1 broken promise",
    ),
    guard({**EARLY, **OVER}).says("fail", value=2.0),
    guard({"only_at_cap": pd.NA}, {}).says(
        "unknown",
        "Whether the guard works is unknown: 384 refusals in 2026-W46 by cloudxai-0:8080, which may hold more tenants "
        "than the telemetry saw; at most 95 tenants of 100 at one scrape.",
    ),
    # What is broken is broken.
    guard({"only_at_cap": pd.NA}, OVER).says("fail"),
    guard().says("unknown", "…no process exported a tenant in 2026-W46."),
    guard({"most_tenants": 44, **QUIET}, counted=False).says("unknown", "…no rejection counter was seen…"),
    rejections(STRETCH).says(
        "warn",
        f"384 {REFUSED}, most by cloudxai-0:8080 from Tue 10 Nov, 09:48 UTC to Tue 10 Nov, 19:01 UTC.",
        value=384.0,
        size="384 refused requests",
        since=at("10 09:48"),
        events=(("rejections", INSTANCE, 384.0, "requests"),),
    ),
    rejections(STRETCH, ("cloudxai-1:8080", "2026-11-12 09:00", "2026-11-12 09:01", 2.0)).says(
        "warn",
        f"384 {REFUSED} in 2 periods, most by cloudxai-0…",
        events=(("rejections", INSTANCE, 384.0, "requests"), ("rejections", "cloudxai-1:8080", 2.0, "requests")),
    ),
    rejections(*AT_EDGE, hours=(("2026-11-09 00:00", 30.0), ("2026-11-09 01:00", 12.0))).says(
        "warn",
        f"42 {REFUSED}, most by cloudxai-0:8080 from Sun 8 Nov, 23:30 UTC to Mon 9 Nov, 01:10 UTC, 42 of 100 refusals "
        "of that time in 2026-W46.",
        value=42.0,
        events=(),
    ),
    rejections(*LATE, hours=(("2026-11-15 23:00", 60.0),)).says(
        "warn",
        "…to Mon 16 Nov, 00:30 UTC, 60 of 100 refusals of that time in 2026-W46.",
        value=60.0,
        events=(("rejections", INSTANCE, 100.0, "requests"),),
    ),
    rejections((INSTANCE, "2026-11-15 23:30", "2026-11-15 23:50", 9.0)).says("warn", "…23:50 UTC, and may go on."),
    rejections(hours=WHOLE_WEEK).says("pass", "The guard refused no request in 2026-W46.", value=0.0),
    rejections(hours=WHOLE_WEEK[:3]).says(
        "pass", "The guard refused no request in the 3 hours in which its counter was seen."
    ),
    rejections(hours=()).says("unknown", "…no rejection counter was seen.", value=None),
    identifiers(REQ).says(
        "warn",
        f"{GENERATED}'req-…' followed by a hex string, first Tue 10 Nov, 09:40 UTC.",
        value=53.0,
        bound=3.0,
        samples="…req-0c1d2e3f…",
        action="Find what sends tenant 'req-…', and have it send the tenant's own name.",
        events=(("generated_names", "req-", 53.0, "names"),),
    ),
    identifiers({**REQ, "shape": "counter"}).says("warn", f"{GENERATED}'req-…' followed by a running number, first…"),
    identifiers({**REQ, "count": 2, "new": 2}).says(
        "pass", "No generated name is among 110 tenant labels in 2026-W46."
    ),
    identifiers({**REQ, "stem": ""}, {**REQ, "stem": "x\n" + "y" * 5000, "count": 4}).says(
        "warn", f"{GENERATED}a hex string and nothing else, first…and 4 of other stems.", value=57.0
    ),
    identifiers({**BEFORE, "new": 13, "still": 20}).says(
        "warn", "…first Sun 8 Nov, 23:30 UTC; 40 of them came before 2026-W46, 20 still hold labels."
    ),
    identifiers({**BEFORE, "new": 0, "still": 53}).says("warn", events=()),
    identifiers({**BEFORE, "new": 0, "still": 0}).says(
        "pass", "No more generated names in 2026-W46: 53 names of before, gone by its end."
    ),
    identifiers(tenants=0).says("unknown", "…no tenant was seen in 2026-W46.", value=None),
    churn((1, 0, 0.1), (9, 3, 0.2501), (0, 0, 0.0)).says(
        "warn", "25 % churn on Tue 10 Nov: 9 tenants came, 3 left.", value=0.2501, since=at("10 00:00")
    ),
    churn((1, 0, 0.1), (9, 3, 0.25), (0, 0, 0.0)).says(
        "pass", "At most 25 % of the tenants came or went from one day to the next.", value=0.25
    ),
    churn((0, 0, 0.0)).says("pass", "No tenant came or went from one day to the next."),
    churn((1, 0, 0.1), None, None).says("pass", "…; 2 days unknown."),
    churn(None, None).says("unknown", "…no two neighbouring days with tenants are covered.", value=None),
    churn().says("unknown"),
    time_to_cap(5, 7, 14, 30).says(
        "warn",
        "cloudxai-0:8080 is likely to reach the cap by Sun 29 Nov (80 % interval: Sun 22 Nov to Tue 15 Dec): it holds "
        "80 of 100 labels; the earliest plausible date is Fri 20 Nov.",
        value=14.0,
        bound=14.0,
        size="14 days left",
    ),
    time_to_cap(5, 7, 15).says("pass", "…by Mon 30 Nov (80 % interval: Sun 22 Nov to over 90 days ahead)…", value=15.0),
    time_to_cap(within=0.01, answer="not within the horizon").says(
        "pass",
        "cloudxai-0:8080 holds 80 of 100 labels, and is not likely to reach the cap within 90 days; 1 % of the "
        "simulated courses do, and no plausible date lies within 90 days.",
        value=None,
    ),
    time_to_cap(20, 30, 40, generated=40, one_off=25.0, one_off_day=at("11 00:00")).says(
        "pass",
        "…it holds 80 of 100 labels (40 generated); the earliest plausible date is Sat 5 Dec; 25 tenants of Wed 11 Nov "
        "are taken for a one-off.",
    ),
    time_to_cap(answer="too little history", days_known=9).says(
        "unknown",
        "When the tenant labels run out is unknown: the arrivals of 9 days are known, 21 are needed.",
        value=None,
    ),
    time_to_cap(seen=False).says("unknown", "…no process exported a tenant."),
    time_to_cap(answer="refusing", since=at("10 09:48"), held=100).says(
        "warn", "cloudxai-0:8080 refuses new tenants since Tue 10 Nov, 09:48 UTC: the cap is reached.", value=0.0
    ),
    time_to_cap(answer="at the cap", since=at("10 09:48")).says(
        "warn", "…holds all 100 tenant labels since…", value=0.0
    ),
    # 88 labels are left, and it refuses all the same: that is the guard's fault, and no cap that is reached.
    time_to_cap(answer="refusing", since=at("09 00:20"), held=12).says(
        "unknown", "…refuses new tenants since Mon 9 Nov, 00:20 UTC, and has shown 12 of 100…", value=None
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_it_is_said(row: Planted) -> None:
    row.holds()
