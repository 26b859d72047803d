"""The telemetry itself: what was scraped of what was expected, where it has holes, which processes began."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from cloudxai_analysis.measures.frames import TIME, typed

_TARGET = ["job", "instance"]
_COVERAGE = {
    "job": "str",
    "instance": "str",
    "day": TIME,
    "step_seconds": "float64",
    "scrapes": "int64",
    "expected": "int64",
    "coverage": "float64",
}
_GAPS = {"job": "str", "instance": "str", "start": TIME, "end": TIME, "seconds": "float64", "missing": "int64"}
_COVERED = {"day": TIME, "coverage": "float64", "covered": "bool"}
_STARTS = {"job": "str", "instance": "str", "started_at": TIME, "seen_at": TIME, "restarted": "bool"}
_INVENTORY = {"metric": "str", "series": "int64", "samples": "int64"}
DAY = pd.Timedelta(days=1)


def scrape_coverage(up: pd.DataFrame) -> pd.DataFrame:
    """Coverage of each target by day: scrapes that succeeded, of those expected.

    `up` are samples with job and instance. The step is the median one of the day; scrapes are expected from the
    target's first sample to its last, so that a hole at midnight counts; doubles of one scrape count once.

    Columns: job, instance, day, step_seconds, scrapes, expected, coverage (0 to 1); also days without any sample
    between a target's first and last.
    """
    if up.empty:
        return typed([], _COVERAGE)
    frame = _by_series(up)
    frame["day"] = frame["time"].dt.floor("D")
    frame["step"] = _steps(frame)
    steps = frame.groupby([*_TARGET, "day"], observed=True)["step"].median()
    life = frame.groupby(_TARGET, observed=True)["time"].agg(["min", "max"])
    usual = frame.groupby(_TARGET, observed=True)["step"].median()
    rows = [
        _days_of(target, life.loc[target], steps.loc[target], usual[target], frame) for target in life.index.to_list()
    ]
    return typed(pd.concat(rows, ignore_index=True), _COVERAGE)


def _days_of(
    target: tuple[str, str], life: pd.Series, steps: pd.Series, usual: float, frame: pd.DataFrame
) -> pd.DataFrame:
    own = frame[(frame["job"] == target[0]) & (frame["instance"] == target[1])]
    days = pd.date_range(life["min"].floor("D"), life["max"].floor("D"), freq="D", unit="us")
    step = steps.reindex(days).fillna(usual).to_numpy()
    step_time = pd.to_timedelta(np.nan_to_num(step, nan=0.0), unit="s")
    ends = np.minimum(days + DAY, life["max"] + step_time)
    seconds = (ends - np.maximum(days, life["min"])).total_seconds().to_numpy()
    # A single sample shows no step: it is what could be expected.
    expected = np.where(np.isnan(step), 1, np.rint(seconds / np.where(step > 0, step, 1))).astype("int64")
    scrapes = np.minimum(_scrapes(own, days, step), expected)
    return pd.DataFrame(
        {
            "job": target[0],
            "instance": target[1],
            "day": days,
            "step_seconds": step,
            "scrapes": scrapes,
            "expected": expected,
            "coverage": np.divide(scrapes, expected, out=np.zeros(len(days)), where=expected > 0),
        }
    )


def _scrapes(own: pd.DataFrame, days: pd.DatetimeIndex, step: np.ndarray) -> np.ndarray:
    done = own[own["value"] == 1]
    index = days.get_indexer(done["day"])
    offset = (done["time"] - done["time"].groupby(done["day"]).transform("min")).dt.total_seconds().to_numpy()
    width = np.where(np.isnan(step[index]), 1, step[index])
    slots = np.unique(np.column_stack([index, np.rint(offset / width).astype("int64")]), axis=0)
    return np.bincount(slots[:, 0], minlength=len(days))


def scrape_gaps(up: pd.DataFrame, *, gap_steps: float = 2.5) -> pd.DataFrame:
    """Stretches longer than `gap_steps` median steps without any sample of `up`, one row per target and gap.

    Columns: job, instance, start (last sample before), end (first sample after), seconds, missing (scrapes).
    """
    series = _by_series(up)
    usual = series.assign(step=_steps(series)).groupby(_TARGET, observed=True)["step"].median()
    frame = series.sort_values([*_TARGET, "time"], ignore_index=True)
    same = (frame[_TARGET] == frame[_TARGET].shift()).all(axis=1)
    seconds = frame["time"].diff().dt.total_seconds().where(same)
    step = pd.Series(usual.reindex(pd.MultiIndex.from_frame(frame[_TARGET])).to_numpy(), index=frame.index)
    wide = seconds > gap_steps * step
    found = frame.loc[wide, _TARGET].assign(
        start=frame["time"].shift()[wide],
        end=frame["time"][wide],
        seconds=seconds[wide],
        missing=(seconds[wide] / step[wide]).round().astype("int64") - 1,
    )
    return typed(found.reset_index(drop=True), _GAPS)


def covered_days(coverage: pd.DataFrame, *, jobs: Iterable[str], least: float = 0.95) -> pd.DataFrame:
    """Days on which every job has at least the share `least` of its expected scrapes.

    Columns: day, coverage (the smallest over the jobs' targets; 0 where a job has no target that day), covered (bool).
    """
    if coverage.empty:
        return typed([], _COVERED)
    days = pd.Index(sorted(coverage["day"].unique()), name="day")
    smallest = coverage.groupby(["day", "job"], observed=True)["coverage"].min().unstack("job")
    by_day = smallest.reindex(index=days, columns=list(jobs)).fillna(0.0).min(axis=1)
    found = by_day.rename("coverage").reset_index()
    found["covered"] = found["coverage"] >= least
    return typed(found, _COVERED)


def process_starts(starts: pd.DataFrame, up: pd.DataFrame) -> pd.DataFrame:
    """Each process that was seen, by target and time.

    `starts` are samples of `process_start_time_seconds`, `up` those of `up`, both with job and instance.

    Columns: job, instance, started_at (what the process says), seen_at (its first sample), restarted (a process of the
    same target was seen before it began).
    """
    if starts.empty:
        return typed([], _STARTS)
    frame = starts[starts["value"].notna()].sort_values([*_TARGET, "time"], ignore_index=True)
    same = (frame[_TARGET] == frame[_TARGET].shift()).all(axis=1)
    # Started within one millisecond is the same start: some clients recompute it.
    first = frame[~(same & ((frame["value"] - frame["value"].shift()).abs() < 1e-3))].copy()
    first["restarted"] = (first[_TARGET] == first[_TARGET].shift()).all(axis=1)
    first["started_at"] = pd.to_datetime((first["value"] * 1e6).round().astype("int64"), unit="us", utc=True)
    earlier = up[up["value"] == 1].groupby(_TARGET, observed=True)["time"].min()
    known = earlier.reindex(pd.MultiIndex.from_frame(first[_TARGET])).to_numpy("datetime64[us]")
    first["restarted"] |= known < first["started_at"].to_numpy("datetime64[us]")
    return typed(first.rename(columns={"time": "seen_at"})[list(_STARTS)].reset_index(drop=True), _STARTS)


def inventory(hours_by_metric: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Series and samples of each metric, in the order given; 0 where a metric has none.

    Columns: metric, series, samples.
    """
    rows = [
        {"metric": name, "series": hours["series_id"].nunique(), "samples": hours["samples"].sum()}
        for name, hours in hours_by_metric.items()
    ]
    return typed(rows, _INVENTORY)


def _by_series(up: pd.DataFrame) -> pd.DataFrame:
    kept = up[["series_id", *_TARGET, "time", "value"]].sort_values(["series_id", "time"], ignore_index=True)
    return kept.astype({"job": "str", "instance": "str"})


def _steps(frame: pd.DataFrame) -> pd.Series:
    step = frame["time"].diff().dt.total_seconds()
    return step.where(frame["series_id"] == frame["series_id"].shift())
