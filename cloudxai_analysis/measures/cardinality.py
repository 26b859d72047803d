"""Tenant labels: who is active and held, how near the cap, who comes and goes, what the guard does."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.window import Window, week_of
from cloudxai_analysis.measures.counters import readable
from cloudxai_analysis.measures.frames import TARGET, TIME, ordered, sure, typed, with_text
from cloudxai_analysis.measures.identifiers import names_in

_HOUR, _DAY = pd.Timedelta(hours=1), pd.Timedelta(days=1)
_CLOCK = pd.Timedelta(minutes=1)  # by which the clock of a process may be slow
_INSTANT = pd.Timedelta(microseconds=1)
_LET_GO = pd.Timedelta(minutes=10)
_LONG_AGO = pd.Timestamp(0, tz="UTC").as_unit("us")


def active_tenants(hours: pd.DataFrame, generated: Collection[str] = ()) -> pd.DataFrame:
    """Distinct tenants with a sample in each hour, and how many of them are among `generated`.

    Columns: hour, tenants, generated. An hour without any sample has no row.
    """
    there = hours.loc[hours["samples"] > 0, ["hour", "tenant"]].drop_duplicates()
    there["generated"] = there["tenant"].isin(list(generated))
    found = there.groupby("hour").agg(tenants=("tenant", "size"), generated=("generated", "sum"))
    return typed(found.reset_index(), active_tenants)


def tenant_arrivals(hours: pd.DataFrame, starts: pd.DataFrame) -> pd.DataFrame:
    """When each process first saw each tenant since it began; none behind a shared address.

    Columns: job, instance, started_at, tenant, seen_at, last_seen.
    """
    there = with_text(readable(hours[hours["samples"] > 0], starts, at="first_ts"), [*TARGET, "tenant"])
    there = there[[*TARGET, "tenant", "hour", "first_ts", "last_ts"]].sort_values("first_ts")
    begun = starts[[*TARGET, "started_at", "seen_at"]].sort_values("seen_at")
    first = pd.merge_asof(there, begun, left_on="first_ts", right_on="seen_at", by=TARGET)
    first["seen_at"] = first["first_ts"]
    again = there.merge(begun.assign(hour=begun["seen_at"].dt.floor("h")), on=[*TARGET, "hour"])
    again = again[(again["seen_at"] > again["first_ts"]) & (again["seen_at"] <= again["last_ts"])]
    parts = pd.concat([first, again], ignore_index=True).sort_values("seen_at", kind="stable")
    # Of an hour with restarts only its last process is known to have shown the tenant up to the end.
    ended = parts.duplicated([*TARGET, "tenant", "first_ts", "last_ts"], keep="last")
    parts["last_seen"] = parts["last_ts"].where(~ended, parts["seen_at"])
    found = parts.groupby([*TARGET, "started_at", "tenant"], dropna=False, as_index=False)
    return typed(found.agg({"seen_at": "min", "last_seen": "max"}), tenant_arrivals)


def _lives(arrivals: pd.DataFrame, starts: pd.DataFrame) -> pd.DataFrame:
    """Processes by time: job, instance, started_at (1970: unknown), begin, whole (seen from it).

    Of one that was there before the telemetry, nothing is known until a tenant comes.
    """
    alone = starts.loc[starts["processes"] == 1, [*TARGET, "started_at", "seen_at"]].rename(columns={"seen_at": "own"})
    both = pd.concat([arrivals, alone]).fillna({"started_at": _LONG_AGO})
    found = both.groupby([*TARGET, "started_at"], as_index=False).agg(begin=("seen_at", "min"), own=("own", "min"))
    found["begin"] = found["begin"].fillna(found["own"])
    found = found.sort_values("begin", ignore_index=True)
    found["whole"] = found["begin"] - found["started_at"] <= _HOUR
    soon = found["started_at"] + _CLOCK
    restarted = found["started_at"] > found.groupby(TARGET)["begin"].shift()
    found["begin"] = found["begin"].mask(restarted & (soon < found["begin"]), soon)
    return found.drop(columns="own").sort_values("begin", ignore_index=True)


def _held_at(moments: pd.DataFrame, arrivals: pd.DataFrame, starts: pd.DataFrame) -> pd.DataFrame:
    """`moments` (job, instance, time) by time, with begin, `held` and `whole` of the process there."""
    found = pd.merge_asof(
        moments.sort_values("time"), _lives(arrivals, starts), left_on="time", right_on="begin", by=TARGET
    )
    seen = arrivals.fillna({"started_at": _LONG_AGO}).sort_values("seen_at")
    seen["held"] = seen.groupby([*TARGET, "started_at"]).cumcount() + 1
    seen = seen[[*TARGET, "started_at", "seen_at", "held"]]
    found = pd.merge_asof(found, seen, left_on="time", right_on="seen_at", by=[*TARGET, "started_at"])
    return found.assign(held=found["held"].fillna(0).astype("int64"), whole=found["whole"].eq(True))


def held_tenants(arrivals: pd.DataFrame, window: Window, starts: pd.DataFrame) -> pd.DataFrame:
    """Distinct tenants that each process had seen since its start, at the end of every hour.

    Columns: job, instance, hour, held.
    """
    if arrivals.empty:
        return typed([], held_tenants)
    ends = pd.date_range(window.start, window.end, freq="h", unit="us")[1:]
    ends = ends.union(pd.DatetimeIndex([window.end]).as_unit("us"))
    there = starts[starts["processes"] == 1]
    there = there.assign(since=there["seen_at"].clip(upper=there["started_at"] + _CLOCK))
    known = pd.MultiIndex.from_frame(there[TARGET])
    shown = arrivals.groupby(TARGET).agg(since=("seen_at", "min"), until=("last_seen", "max"))
    shown = shown[~shown.index.isin(known)].assign(until=lambda frame: frame["until"] + _HOUR).reset_index()
    rows = pd.concat([there, shown])[[*TARGET, "since", "until"]].merge(pd.DataFrame({"end": ends}), how="cross")
    rows = rows[(rows["end"] > rows["since"]) & (rows["end"] <= rows["until"])]
    # The hour's end belongs to the next hour.
    moments = rows.assign(time=rows["end"] - _INSTANT).drop_duplicates([*TARGET, "time"])
    found = _held_at(moments[[*TARGET, "time"]], arrivals, starts)
    # Of the rows that are left: an empty frame would take all of those of another one.
    found = found[found["begin"].notna()].assign(hour=lambda frame: frame["time"].dt.floor("h"))
    return typed(found, held_tenants, by="job instance hour")


def headroom(held: pd.DataFrame, *, cap: int, shown: pd.DataFrame | None = None) -> pd.DataFrame:
    """The smallest, over processes, of `cap` minus held tenants by hour; `shown` as of `guard_invariants`.

    Columns: hour, headroom, job, instance, held.
    """
    fullest = ordered(held, "hour -held instance").drop_duplicates("hour")
    left = cap - fullest["held"]
    if shown is not None:
        most = fullest.merge(shown[[*TARGET, "most_tenants"]], how="left", on=TARGET)["most_tenants"].fillna(0)
        left = left.clip(lower=np.minimum(cap - most.to_numpy(), 0))
    return typed(fullest.assign(headroom=left).reset_index(drop=True), headroom)


def busiest(hours: pd.DataFrame, *, end: pd.Timestamp) -> int:
    """How many tenants the busiest process shows in an hour: the median over the day to `end`."""
    recent = hours[(hours["samples"] > 0) & (hours["hour"] >= end - _DAY) & (hours["hour"] < end)]
    shown = recent.groupby(["hour", *TARGET], observed=True)["tenant"].nunique()
    return int(shown.groupby("hour").max().median()) if len(shown) else 0


def tenant_churn(hours: pd.DataFrame, covered: pd.DataFrame) -> pd.DataFrame:
    """Who came and left against the day before, as a share of all on either of two covered days.

    Columns: day, tenants, came, left, churn.
    """
    there = hours.loc[hours["samples"] > 0, ["hour", "tenant"]]
    seen = there.groupby(there["hour"].dt.floor("D"))["tenant"].agg(set)
    sure = covered.set_index("day")["covered"].sort_index()
    rows = []
    for day, known in sure.items():
        own, before = seen.get(day, set()), seen.get(day - _DAY, set())
        came, left, either = len(own - before), len(before - own), len(own | before)
        change = (came, left, (came + left) / either if either else np.nan)
        rows.append((day, len(own), *(change if known and sure.get(day - _DAY, False) else (np.nan,) * 3)))
    return typed(rows, tenant_churn)


def tenant_sets(hours: pd.DataFrame, window: Window, *, begins: bool = False) -> pd.DataFrame:
    """Tenants of a window and of the one before, each in one set; none is 'new' where the telemetry `begins`.

    Columns: tenant, set, first_seen, last_seen.
    """
    there = hours[(hours["samples"] > 0) & (hours["hour"] < window.end)]
    now, before = there["hour"] >= window.start, there["hour"] < window.before.start
    kind = there.assign(now=now, earlier=before, last=~now & ~before).groupby("tenant", observed=True)
    span = kind.agg(
        first_seen=("first_ts", "min"),
        last_seen=("last_ts", "max"),
        **{name: (name, "any") for name in ("now", "last", "earlier")},
    )
    which = [span["now"] & span["last"], span["now"] & span["earlier"], span["now"], span["last"]]
    span["set"] = np.select(which, ["stayed", "returning", "unknown" if begins else "new", "lost"], "")
    return typed(span[span["set"] != ""].reset_index(), tenant_sets, by="set tenant")


def tenant_cohorts(
    hours: pd.DataFrame, covered: pd.DataFrame, window: Window, *, begin: pd.Timestamp | None = None
) -> pd.DataFrame:
    """Of those who came in a week, how many were still seen in each week after it.

    Those of the week of the telemetry's `begin`, else of the first tenant, were already there.

    Columns: cohort, start, already_there, weeks_later, tenants, present, share.
    """
    there = hours[hours["samples"] > 0]
    if there.empty:
        return typed([], tenant_cohorts)
    seen = pd.DataFrame({"tenant": there["tenant"].astype("str"), "week": _week(there["hour"])}).drop_duplicates()
    seen["start"] = seen.groupby("tenant")["week"].transform("min")
    weeks = pd.date_range(seen["week"].min(), window.end, freq="7D", unit="us", inclusive="left")
    present = pd.crosstab(seen["start"], seen["week"]).reindex(columns=weeks, fill_value=0).astype("float64")
    present.loc[:, ~weeks.isin(_week(sure(covered)))] = np.nan
    found = present.rename_axis(columns="week").melt(value_name="present", ignore_index=False).reset_index()
    found = ordered(found[found["week"] >= found["start"]], "start week")
    found["tenants"] = found["start"].map(seen.groupby("start")["tenant"].nunique())
    found["cohort"] = [week_of(start.to_pydatetime()).name for start in found["start"]]
    found["already_there"] = found["start"] <= (begin or weeks[0])
    found["weeks_later"] = (found["week"] - found["start"]).dt.days // 7
    return typed(found.assign(share=found["present"] / found["tenants"]), tenant_cohorts)


def _week(times: pd.Series) -> pd.Series:
    """The Monday of each moment's ISO week."""
    return (times - pd.to_timedelta(times.dt.day_of_week, unit="D")).dt.floor("D")


def tenant_lifetimes(hours: pd.DataFrame, *, end: pd.Timestamp, begin: pd.Timestamp | None = None) -> pd.DataFrame:
    """How long each tenant has been seen, first sample to last; gone is who was not for a day.

    Columns: tenant, first_seen, last_seen, days, gone, already_there; the longest first.
    """
    there = hours[hours["samples"] > 0]
    span = there.groupby(there["tenant"].astype("str"))
    found = span.agg(first_seen=("first_ts", "min"), last_seen=("last_ts", "max")).rename_axis("tenant").reset_index()
    found["days"] = (found["last_seen"] - found["first_seen"]) / _DAY
    found["gone"] = found["last_seen"] < end - _DAY
    found["already_there"] = found["first_seen"] < (begin or found["first_seen"].min()) + _HOUR
    return typed(found, tenant_lifetimes, by="-days tenant")


def rejections(steps: pd.DataFrame) -> pd.DataFrame:
    """Requests that each process's guard refused, by hour; `steps` as of `counter_steps`.

    Columns: hour, job, instance, rejections.
    """
    total = steps.groupby([steps["time"].dt.floor("h").rename("hour"), *TARGET], observed=True)["step"].sum()
    return typed(total.rename("rejections").reset_index(), rejections)


def refusals(steps: pd.DataFrame, window: Window) -> pd.DataFrame:
    """Stretches in which a process's guard refused, an hour apart at most, that overlap a window.

    Columns: job, instance, start, end, rejections, inside; by start.
    """
    risen = _refusing(steps)
    risen["inside"] = risen["step"].where((risen["time"] >= window.start) & (risen["time"] < window.end), 0.0)
    same = (risen[TARGET] == risen[TARGET].shift()).all(axis=1)
    stretch = (~(same & (risen["time"].diff() <= _HOUR))).cumsum().rename("stretch")
    found = risen.groupby([*TARGET, stretch]).agg(
        start=("time", "min"), end=("time", "max"), rejections=("step", "sum"), inside=("inside", "sum")
    )
    found = found[(found["start"] < window.end) & (found["end"] >= window.start)].reset_index()
    return typed(found, refusals, by="start instance")


def guard_invariants(
    tenant_samples: pd.DataFrame, arrivals: pd.DataFrame, steps: pd.DataFrame, *, cap: int, starts: pd.DataFrame
) -> pd.DataFrame:
    """The guard's promises, per process: never more tenants than the cap, refusals only at the cap.

    A refusal below the cap by a process that is older than the telemetry decides nothing: it may
    hold more than was seen.

    Columns: job, instance, most_tenants, most_at, within_cap, rejections, below_cap, below_cap_at,
    only_at_cap.
    """
    shown = tenant_samples.groupby([*TARGET, "time"], observed=True)["tenant"].nunique().rename("tenants")
    shown = with_text(shown.reset_index(), TARGET)
    rows = _held_at(shown.merge(_refusing(steps), how="outer", on=[*TARGET, "time"]), arrivals, starts)
    below = (rows["step"] > 0) & (rows["held"] < cap)
    early, most = below & rows["whole"], rows["tenants"] == rows.groupby(TARGET)["tenants"].transform("max")
    rows = rows.assign(unsure=below & ~rows["whole"], most_at=rows["time"].where(most))
    rows["below_cap"], rows["below_cap_at"] = rows["step"].where(early), rows["time"].where(early)
    found = rows.groupby(TARGET, as_index=False).agg(
        most_tenants=("tenants", "max"),
        rejections=("step", "sum"),
        below_cap=("below_cap", "sum"),
        unsure=("unsure", "any"),
        **{name: (name, "min") for name in ("most_at", "below_cap_at")},
    )
    found["most_tenants"] = found["most_tenants"].fillna(0)
    broken = found["below_cap"] > 0
    judged = (found["rejections"] > 0) & (broken | ~found["unsure"])
    found["only_at_cap"] = (~broken).astype("boolean").where(judged)
    return typed(found.assign(within_cap=found["most_tenants"] <= cap), guard_invariants)


def _refusing(steps: pd.DataFrame) -> pd.DataFrame:
    """Samples at which a process's counters had risen: job, instance, time, step."""
    risen = with_text(steps[steps["step"] > 0], TARGET)
    return risen.groupby([*TARGET, "time"], as_index=False)["step"].sum()


def tainted_stretches(
    refusals: pd.DataFrame,
    starts: pd.DataFrame,
    steps: pd.DataFrame,
    tenants: pd.DataFrame,
    generated: pd.DataFrame,
    window: Window,
) -> pd.DataFrame:
    """Stretches in which tenants may be missing from a process: from its first refusal to its end.

    `steps` of the rejection counter name the refused in builds whose counter carries `tenant`.
    `tenants` are the real ones (tenant, first_seen, last_seen), `generated` the names that are
    none.

    Columns: job, instance, start, last_refusal, until, over, rejections, missing_least,
    missing_most.
    """
    end = pd.Timestamp(window.end)
    frame = with_text(refusals, TARGET).sort_values("end", ignore_index=True)
    ends = [starts["started_at"], starts["until"]]
    over = pd.concat([with_text(starts[TARGET], TARGET).assign(until=moments) for moments in ends]).sort_values("until")
    frame = pd.merge_asof(frame, over, left_on="end", right_on="until", by=TARGET, direction="forward")
    frame["over"] = frame["until"].notna() & (frame["until"] <= end)
    frame["until"] = frame["until"].where(frame["over"], end).astype(TIME)
    found = frame.groupby([*TARGET, "until"], as_index=False).agg(
        start=("start", "min"), last_refusal=("end", "max"), over=("over", "first"), rejections=("rejections", "sum")
    )
    found = ordered(found[found["until"] > window.start], "start instance")
    missing = [_missing(row, steps, tenants, generated) for row in found.itertuples()]
    least, most = np.array(missing, dtype=float).reshape(-1, 2).T
    return typed(found.assign(missing_least=least, missing_most=most), tainted_stretches)


def _missing(stretch: Any, steps: pd.DataFrame, tenants: pd.DataFrame, generated: pd.DataFrame) -> tuple[float, float]:
    after = stretch.until + _LET_GO if stretch.over else stretch.until
    came = tenants["first_seen"].between(stretch.until, after).sum() if stretch.over else 0
    own = (steps["instance"] == stretch.instance) & (steps["job"] == stretch.job) & (steps["step"] > 0)
    refused = steps.loc[own & steps["time"].between(stretch.start, stretch.last_refusal), "tenant"]
    named = refused[refused != ""]
    if len(named):
        most = len(set(named) - names_in(named, generated))
        return min(came, most), most
    fleet = ((tenants["first_seen"] <= after) & (tenants["last_seen"] >= stretch.start)).sum()
    return min(came, stretch.rejections), stretch.rejections if stretch.rejections <= fleet else np.nan
