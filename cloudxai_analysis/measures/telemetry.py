"""The telemetry itself: what was scraped of what was expected, holes, processes that began, days that were observed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.window import DAY, Window
from cloudxai_analysis.measures.frames import TARGET, typed, with_text
from cloudxai_analysis.measures.time_seen import STEPS, joined, moments, seconds_within, sweep

LEAST_DAYS, MOST_DAYS = 14, 30  # that a sign-off asks for
WHOLE, PARTIAL, MISSING = "whole", "partial", "missing"


_LAST_SECOND = 253_402_300_799  # of the year 9999: what lies beyond it, or before 1970, is no time
_CLOCK_SECONDS = 2.0  # by which a start may move where a client computes it from a clock that is being set
_SURGE_SECONDS = 3600  # a rollout has more targets for no longer


def job_states(held: pd.DataFrame) -> pd.DataFrame:
    """When one target of a job was up, and when all that were scraped were down; else nobody knows.

    Columns: job, start, end, state; neighbouring stretches of one state are one.
    """
    parts = []
    for job, own in held.groupby("job", observed=True):
        course = sweep(own, [np.ones(len(own), dtype=bool), (own["value"] == 1).to_numpy()])
        course = course[course[0] > 0].assign(state=lambda frame: np.where(frame[1] > 0, "up", "down"))
        parts.append(joined(course, "state").assign(job=str(job)))
    return typed(parts, job_states)


def scrape_coverage(states: pd.DataFrame, held: pd.DataFrame, window: Window, *, period: str = "D") -> pd.DataFrame:
    """Coverage of each job by day, or by another `period`: the share of the time in which a target of it was up.

    Columns: job, day, expected_minutes, up_minutes, down_minutes, coverage, failed_share.
    """
    edges = pd.date_range(pd.Timestamp(window.start).floor(period), window.end, freq=period, unit="us")
    edges = edges.union(pd.DatetimeIndex([window.end]).as_unit("us"))
    failed = (held["value"] != 1).groupby([held["job"].astype("str"), held["time"].dt.floor(period)]).mean()
    parts = []
    for job, own in states.groupby("job"):
        stretches = {state: own[own["state"] == state] for state in ("up", "down")}
        stretches["expected"] = pd.DataFrame({"start": [own["start"].min()], "end": [pd.Timestamp(window.end)]})
        minutes = {f"{name}_minutes": seconds_within(some, edges) / 60 for name, some in stretches.items()}
        row = pd.DataFrame({"job": job, "day": edges[:-1], **minutes})
        row = row[row["expected_minutes"] > 0]
        row["failed_share"] = failed.reindex(pd.MultiIndex.from_frame(row[["job", "day"]])).to_numpy()
        parts.append(row.assign(coverage=row["up_minutes"] / row["expected_minutes"]))
    return typed(parts, scrape_coverage)


def scrape_gaps(held: pd.DataFrame, states: pd.DataFrame, *, end: pd.Timestamp) -> pd.DataFrame:
    """Stretches without any sample of `up`: of a target that was scraped before and after, and of a whole job.

    A job's gap is left out where its targets' own gaps tell it.

    Columns: job, instance, start, end, seconds, missing.
    """
    ordered = with_text(held, TARGET).sort_values([*TARGET, "start"], ignore_index=True)
    ordered["reached"] = ordered.groupby(TARGET)["end"].cummax()
    before = ordered.groupby(TARGET)[["reached", "start", "step"]].shift()
    targets = ordered[TARGET].assign(start=before["start"], end=ordered["start"], step=before["step"])
    targets = targets[ordered["start"] > before["reached"]]
    jobs = states[["job"]].assign(instance="", start=states["end"], step=ordered["step"].median())
    jobs["end"] = states.groupby("job")["start"].shift(-1).fillna(end)
    jobs = jobs[jobs["end"] > jobs["start"]]
    told = [
        ((targets["job"] == gap.job) & (targets["start"] <= gap.start) & (targets["end"] >= gap.end)).any()
        for gap in jobs.itertuples()
    ]
    every = pd.concat([targets, jobs[~np.array(told, dtype=bool)]], ignore_index=True)
    every["seconds"] = (every["end"] - every["start"]).dt.total_seconds()
    every["missing"] = (every["seconds"] / every["step"].where(every["step"] > 0)).round().fillna(1).astype("int64") - 1
    return typed(every, scrape_gaps, by="start job instance")


def fewer_targets(held: pd.DataFrame, window: Window) -> pd.DataFrame:
    """Jobs of which fewer targets are scraped at the window's end than before, with the one that went first.

    `before` is the largest number that was scraped side by side for an hour in all, so that a
    rollout's surge is none.

    Columns: job, instance, before, instances (at the end), end.
    """
    rows = []
    for job, own in held.groupby("job", observed=True):
        course = sweep(own, [np.ones(len(own), dtype=bool)]).rename(columns={0: "targets"})
        course["start"], course["end"] = (course[name].clip(window.start, window.end) for name in ("start", "end"))
        seconds = (course["end"] - course["start"]).dt.total_seconds().groupby(course["targets"]).sum()
        often = seconds[::-1].cumsum()
        before = int(often[often >= _SURGE_SECONDS].index.max()) if often.max() >= _SURGE_SECONDS else 0
        last = own.groupby("instance", observed=True)["end"].max().sort_values(kind="stable")
        gone, now = last[(last > window.start) & (last < window.end)], int((last >= window.end).sum())
        if 0 < now < before <= now + len(gone):
            rows.append((str(job), str(gone.index[now - before]), before, now, gone.iloc[now - before]))
    return typed(rows, fewer_targets)


def covered_periods(
    coverage: pd.DataFrame, *, jobs: Iterable[str], end: pd.Timestamp, least: float = 0.95, period: str = "D"
) -> pd.DataFrame:
    """Days, or other periods, of which every job has at least the share `least` of the whole time.

    Columns: day, coverage, covered.
    """
    if coverage.empty:
        return typed([], covered_periods)
    whole = pd.Timedelta(1, unit=period)
    up = coverage.pivot_table(index="day", columns="job", values="up_minutes")
    least_up = up.reindex(columns=list(jobs)).fillna(0.0).min(axis=1)
    found = (least_up / (whole / pd.Timedelta(minutes=1))).rename("coverage").reset_index()
    found["covered"] = (found["coverage"] >= least) & (found["day"] + whole <= end)
    return typed(found, covered_periods)


def seen_share(covered: pd.DataFrame, window: Window) -> float:
    """Share of a window's whole time, day by day of the least covered job; NaN where none was ever scraped."""
    rows = covered[(covered["day"] >= window.start) & (covered["day"] < window.end)]
    return float(rows["coverage"].sum() * DAY / window.duration) if len(rows) else float("nan")


def process_starts(starts: pd.DataFrame, up: pd.DataFrame) -> pd.DataFrame:
    """Each process that was seen, by target and time; several behind one address are one row.

    `starts` are samples of `process_start_time_seconds`.

    Columns: job, instance, started_at, seen_at, until, processes, restarted.
    """
    frame = with_text(starts[starts["value"].between(0, _LAST_SECOND, inclusive="right")], TARGET)
    if frame.empty:
        return typed([], process_starts)
    frame = frame.sort_values([*TARGET, "time"], ignore_index=True)
    same = (frame[TARGET] == frame[TARGET].shift()).all(axis=1)
    before = frame["time"].shift().dt.tz_localize(None).to_numpy("datetime64[us]").astype("int64") / 1e6
    apart = (frame["value"] - frame["value"].shift()).abs()
    recomputed = (apart < 1e-3) | ((apart <= _CLOCK_SECONDS) & (frame["value"] < before))
    run = (~(same & recomputed)).cumsum()
    comes_back = run.groupby([*(frame[name] for name in TARGET), frame["value"]]).transform("max")
    reach = comes_back.groupby(run).max().cummax()
    frame["life"] = run.map((reach.index > reach.shift(fill_value=0)).cumsum())
    frame["opens"] = frame["value"].where(run != run.shift())
    frame["step"] = frame["time"].diff().where(frame["life"] == frame["life"].shift())
    found = frame.groupby("life").agg(
        **{name: (name, "first") for name in (*TARGET, "value")},
        seen_at=("time", "min"),
        until=("time", "max"),
        step=("step", "median"),
        processes=("opens", "nunique"),
    )
    found["until"] += (STEPS * found["step"]).fillna(pd.Timedelta(0)).dt.ceil("us")
    found["started_at"] = moments((found["value"] * 1e6).round().astype("int64").to_numpy()).array
    earlier = with_text(up[up["value"] == 1], TARGET).groupby(TARGET)["time"].min().rename("earlier")
    found = found.join(earlier, on=TARGET)
    again = found.duplicated(TARGET) | (found["earlier"] < found["started_at"])
    return typed(found.assign(restarted=again & (found["processes"] == 1)).reset_index(drop=True), process_starts)


def inventory(hours_by_metric: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Series and samples of each metric, in the order given; 0 where a metric has none.

    Columns: metric, series, samples.
    """
    rows = [(name, hours["series_id"].nunique(), hours["samples"].sum()) for name, hours in hours_by_metric.items()]
    return typed(rows, inventory)


def calendar(observed: Sequence[dict[str, Any]], window: Window) -> pd.DataFrame:
    """Each UTC day of a window: whether it was observed whole, in part or not at all, and its worst finding.

    `observed` are the days of the ledger that count: date, partial, status.

    Columns: day, state ('whole', 'partial', 'missing'), status ('' of a missing day).
    """
    own = {one["date"]: one for one in observed}
    rows = []
    for day in window.days():
        found = own.get(day.start.date())
        state = MISSING if found is None else PARTIAL if found["partial"] else WHOLE
        rows.append((day.start, state, found["status"] if found else ""))
    return typed(rows, calendar)


def covered_run(days: pd.DataFrame) -> int:
    """How many whole days stand in a row at a calendar's end."""
    return int((days["state"][::-1] == WHOLE).cumprod().sum())
