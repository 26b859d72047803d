"""The telemetry itself: what was scraped of what was expected, where it has holes, which processes began."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

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
_LAST_SECOND = 253_402_300_799  # of the year 9999: what lies beyond it, or before 1970, is no time


def scrape_coverage(up: pd.DataFrame) -> pd.DataFrame:
    """Coverage of each target by day: scrapes that succeeded, of those expected.

    `up` are samples with job and instance. The step is the median one of the day; scrapes are expected from the
    target's first sample to its last, so that a hole at midnight counts; doubles of one scrape, and the two of a pair
    that scrapes the same target, count once.

    Columns: job, instance, day, step_seconds, scrapes, expected, coverage (0 to 1); also days without any sample
    between a target's first and last.
    """
    if up.empty:
        return typed([], _COVERAGE)
    frame = _by_series(up)
    frame["day"] = frame["time"].dt.floor("D")
    frame["step"] = _steps(frame)
    rows = [_days_of(target, own) for target, own in frame.groupby(_TARGET)]
    return typed(pd.concat(rows, ignore_index=True), _COVERAGE)


def _days_of(target: Sequence[str], own: pd.DataFrame) -> pd.DataFrame:
    life = own["time"].agg(["min", "max"])
    days = pd.date_range(life["min"].floor("D"), life["max"].floor("D"), freq="D", unit="us")
    step = own.groupby("day")["step"].median().reindex(days).fillna(own["step"].median()).to_numpy()
    step_time = pd.to_timedelta(np.nan_to_num(step, nan=0.0), unit="s")
    ends = np.minimum(days + DAY, life["max"] + step_time)
    seconds = (ends - np.maximum(days, life["min"])).total_seconds().to_numpy()
    # A single sample shows no step: it is what could be expected.
    expected = np.where(np.isnan(step), 1, np.rint(seconds / np.where(np.isnan(step), 1, step))).astype("int64")
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
    """By day, the slots of one step in which a scrape succeeded, whichever of the target's series shows it."""
    done = own[own["value"] == 1]
    index = days.get_indexer(done["day"])
    width = np.where(np.isnan(step[index]), 1, step[index])
    # Each series is counted from its own first scrape: the two of a pair may lie half a step apart.
    first = done["time"].groupby([done["series_id"], done["day"]]).transform("min")
    lead = (first - done["time"].groupby(done["day"]).transform("min")).dt.total_seconds().to_numpy()
    offset = (done["time"] - first).dt.total_seconds().to_numpy()
    slot = np.floor(lead / width) + np.floor(offset / width + 0.5)
    slots = np.unique(np.column_stack([index, slot.astype("int64")]), axis=0)
    return np.bincount(slots[:, 0], minlength=len(days))


def scrape_gaps(up: pd.DataFrame, *, gap_steps: float = 2.5, around: int = 30) -> pd.DataFrame:
    """Stretches longer than `gap_steps` steps without any sample of `up`, one row per target and gap.

    The step is the median one of the `around` samples before and after, so that another scrape interval is no gap, and
    a time with few samples hides none beside it.

    Columns: job, instance, start (last sample before), end (first sample after), seconds, missing (scrapes).
    """
    series = _by_series(up)
    frame = series.assign(step=_steps(series)).sort_values([*_TARGET, "time"], ignore_index=True)
    local = frame.groupby(_TARGET)["step"].rolling(2 * around + 1, center=True, min_periods=1).median()
    frame["step"] = local.droplevel(_TARGET)
    same = (frame[_TARGET] == frame[_TARGET].shift()).all(axis=1)
    frame["start"] = frame["time"].shift().where(same)
    frame["seconds"] = (frame["time"] - frame["start"]).dt.total_seconds()
    found = frame[frame["seconds"] > gap_steps * frame["step"]].rename(columns={"time": "end"})
    found = found.assign(missing=(found["seconds"] / found["step"]).round().astype("int64") - 1)
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


def process_starts(starts: pd.DataFrame, up: pd.DataFrame, *, clock_seconds: float = 2.0) -> pd.DataFrame:
    """Each process that was seen, by target and time.

    `starts` are samples of `process_start_time_seconds`, `up` those of `up`, both with job and instance. A start that
    moves by at most `clock_seconds`, and not to after the sample before, is the same process.

    Columns: job, instance, started_at (what the process says), seen_at (its first sample), restarted (a process of the
    same target was seen before it began).
    """
    if starts.empty:
        return typed([], _STARTS)
    frame = starts[starts["value"].between(0, _LAST_SECOND, inclusive="right")]
    frame = frame.sort_values([*_TARGET, "time"], ignore_index=True)
    same = (frame[_TARGET] == frame[_TARGET].shift()).all(axis=1)
    before = frame["time"].shift().dt.tz_localize(None).to_numpy("datetime64[us]").astype("int64") / 1e6
    # Some clients recompute their start from a clock that is being set: seconds apart, and before the last sample.
    apart = (frame["value"] - frame["value"].shift()).abs()
    recomputed = (apart < 1e-3) | ((apart <= clock_seconds) & (frame["value"] < before))
    first = frame[~(same & recomputed)].copy()
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
    """Seconds since the sample before of the same series; missing at its first, and where a sample is there twice."""
    step = frame["time"].diff().dt.total_seconds()
    return step.where((frame["series_id"] == frame["series_id"].shift()) & (step > 0))
