"""Increases of counters: the steps between two samples, and what a series' first one adds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cloudxai_analysis.measures.frames import TARGET, TIME, as_text, with_text

_EXACT = 2.0**53  # beyond it a 64-bit float no longer counts by one: such a value, or none that is finite, is no count
_LABELS = ["category", "object", "str"]


def counter_steps(samples: pd.DataFrame, scrapes: pd.DataFrame, starts: pd.DataFrame) -> pd.DataFrame:
    """Each sample of counters with its step from the one before; after a reset its value.

    `scrapes` are the successful ones. What is no count is skipped over.

    Columns: those of `samples`, before (time of the sample or scrape before, or the process's
    start; NaT unknown), step (0 where nothing is known), sorted by series and time.
    """
    frame = readable(samples[samples["value"].between(0, _EXACT)], starts, at="time")
    frame = frame.sort_values(["series_id", "time"], kind="stable", ignore_index=True)
    first, change = ~frame["series_id"].duplicated(), frame["value"].diff()
    frame["before"] = frame["time"].shift().where(~first)
    frame["step"] = change.where(change >= 0, frame["value"]).where(~first, 0.0)
    ends = frame[~frame["series_id"].duplicated(keep="last")]
    found = _first_steps(frame[first], ends, scrapes, starts)
    frame.loc[found.index, ["before", "step"]] = found
    return frame


def counted_hours(hours: pd.DataFrame, scrapes: pd.DataFrame, starts: pd.DataFrame) -> pd.DataFrame:
    """Hourly rollups of counters whose `increase` has what a series' first sample adds."""
    frame = readable(hours, starts, at="first_ts")
    frame["increase"] = frame["increase"].where(frame["increase"].between(0, _EXACT), 0.0)
    seen = frame[frame["samples"] > 0]
    firsts = seen[~seen["anchored"] & seen["first"].between(0, _EXACT)]
    firsts = firsts.rename(columns={"first_ts": "time", "first": "value"})
    ends = seen.drop_duplicates("series_id", keep="last").rename(columns={"last_ts": "time", "last": "value"})
    labels = [*seen.select_dtypes(_LABELS)]
    kept = ["series_id", "time", "value", *labels]
    found = _first_steps(firsts[kept], ends[kept], scrapes, starts)
    frame.loc[found.index, "increase"] += found["step"]
    return _one_spelling(frame, labels) if "le" in frame else frame


def _one_spelling(frame: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """Of buckets there at the same time under two spellings of `le` the fuller one."""
    fuller = with_text(frame, ["le"]).sort_values("increase", ascending=False, kind="stable")
    bucket = [fuller["hour"], *(_spelled_once(fuller[name], name) for name in labels)]
    top = fuller.groupby(bucket)[["le", "first_ts", "last_ts"]].transform("first")
    kept = (fuller["le"] == top["le"]) | (fuller["first_ts"] > top["last_ts"]) | (fuller["last_ts"] < top["first_ts"])
    return frame[kept.sort_index()].reset_index(drop=True)


def readable(frame: pd.DataFrame, starts: pd.DataFrame, *, at: str) -> pd.DataFrame:
    """The rows whose address is not shared by several processes at the time in column `at`."""
    hidden = np.zeros(len(frame), dtype=bool)
    for row in starts[starts["processes"] > 1].itertuples():
        own = (frame["job"] == row.job) & (frame["instance"] == row.instance)
        hidden |= (own & frame[at].between(row.seen_at.floor("h"), row.until)).to_numpy()
    return frame[~hidden].reset_index(drop=True)


def _first_steps(firsts: pd.DataFrame, ends: pd.DataFrame, scrapes: pd.DataFrame, starts: pd.DataFrame) -> pd.DataFrame:
    """`before` and `step` of each series' first sample; `ends` are the last ones of all."""
    earliest = with_text(pd.concat([scrapes[["job", "time"]], firsts[["job", "time"]]]), ["job"])
    begin = earliest.groupby("job")["time"].min().rename("begin")
    # Most series begin with their job's first scrape, and say nothing.
    first = _with_start(firsts, starts).join(begin, on="job").query("time > begin")
    own = with_text(scrapes[scrapes["instance"].isin(first["instance"].unique())], TARGET)
    own = own.rename(columns={"time": "scraped"}).sort_values("scraped")[[*TARGET, "scraped"]]
    first = pd.merge_asof(
        first.reset_index(), own, left_on="time", right_on="scraped", by=TARGET, allow_exact_matches=False
    ).set_index("index")
    first["before"] = first["scraped"].fillna(first["started_at"].where(first["started_at"] > first["begin"]))
    first["step"] = first["value"].where(first["before"].notna(), 0.0)
    _continue(first, _with_start(ends, starts))
    return first[["before", "step"]].astype({"before": TIME, "step": "float64"})


def _with_start(samples: pd.DataFrame, starts: pd.DataFrame) -> pd.DataFrame:
    """Samples by time with `started_at` of the process that gave them; the index is kept."""
    frame = with_text(samples, TARGET).reset_index().sort_values("time")
    began = with_text(starts, TARGET)[[*TARGET, "seen_at", "started_at"]].sort_values("seen_at")
    found = pd.merge_asof(frame, began, left_on="time", right_on="seen_at", by=TARGET)
    return found.set_index("index").drop(columns="seen_at")


def _continue(first: pd.DataFrame, ends: pd.DataFrame) -> None:
    """Set the step of each series that takes over from one that ended, the latest and lowest first."""
    labels = [name for name in first.select_dtypes(_LABELS) if name != "instance"]
    for frame in (first, ends):
        address = frame["instance"].where(frame["started_at"].isna(), frame["started_at"].astype("str"))
        frame["key"] = list(zip(address, *(_spelled_once(frame[name], name) for name in labels), strict=True))
    known = dict(iter(ends[ends["key"].isin(set(first["key"]))].sort_values("value").groupby("key")))
    for key, own in first.sort_values(["time", "value"]).groupby("key"):
        left = known.get(key, ends[:0])
        for at, row in own.iterrows():
            left = left[left["series_id"] != row["series_id"]]
            ended = left[left["time"] < row["time"]]
            if "le" in labels and (left["le"] != row["le"])[left["time"] >= row["time"]].any():
                first.loc[at, "step"] = 0.0  # the other spelling counts on
            elif len(ended):
                last = ended.loc[ended["time"].idxmax()]
                rise = row["value"] - last["value"]
                first.loc[at, ["before", "step"]] = [last["time"], rise if rise >= 0 else row["value"]]
                left = left[left["series_id"] != last["series_id"]]


def _spelled_once(column: pd.Series, name: str) -> pd.Series:
    """Labels as text; bounds of buckets as numbers are written, since '1' and '1.0' are one."""
    text = as_text(column)
    if name != "le":
        return text
    bound = pd.to_numeric(text, errors="coerce")
    return text.where(bound.isna(), bound.astype("str"))
