"""Replayed episodes held against those that the server fired."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.measures.frames import TIME, typed
from cloudxai_analysis.sources.series import SeriesBatch

_LABELS = ["alertname", "severity", "tenant", "instance"]
_EDGES = ["fired_at", "resolved_at"]
_AGREEMENT = {
    "status": "str",
    **dict.fromkeys(_LABELS, "str"),
    **dict.fromkeys([*_EDGES, "replayed_fired_at", "replayed_resolved_at"], TIME),
    "why": "str",
}
_COUNTS = {"alertname": "str", **dict.fromkeys(["fired", "same", "other", "extra", "apart"], "int64")}
_NOBODY = {"fired_at": pd.NaT, "resolved_at": pd.NaT}
_COMMIT_MS = 100  # what the server does between the end of a scrape and its commit
Row = dict[Any, Any]
Times = NDArray[np.int64]


def agreement(
    fired: pd.DataFrame,
    replayed: pd.DataFrame,
    down: pd.DataFrame,
    *,
    interval_seconds: float,
    settle_seconds: float,
    unsettled: Times,
) -> pd.DataFrame:
    """Each episode that the server fired, or that only replay has, with what the other says of it.

    Two are the same where label set, first and last firing evaluation are. Set apart are those that the window cuts or
    that touch a stretch of `down` or the `settle_seconds` after it, in which a server restores its alerts; and those
    that differ with an `unsettled` evaluation within `settle_seconds` of an edge.

    Columns: status ('same', 'other' (at another evaluation, or the server's alone), 'extra' (replay's alone), 'apart'),
    alertname, severity, tenant, instance, fired_at, resolved_at, replayed_fired_at, replayed_resolved_at, why.
    """
    # Counted from the server's own evaluations, rounding moves nothing into a neighbouring one.
    zero = (fired if len(fired) else replayed)["fired_at"].min()
    left, live = (_numbered(episodes, zero, interval_seconds) for episodes in (replayed, fired))
    same = {key: left.pop(key) for key in live if key in left}
    pairs = [(key in same, row, same.get(key) or _overlapping(row, left)) for key, row in live.items()]
    pairs += [(False, _NOBODY, row) for row in left.values()]
    rows = []
    for is_same, theirs, ours in pairs:
        row = theirs if theirs is not _NOBODY else ours
        why = _cut_or_down(row, down, settle_seconds)
        if not why and not is_same and _under_way([theirs, ours], unsettled, settle_seconds):
            why = "a scrape was under way when the rule was evaluated"
        status = "apart" if why else "same" if is_same else "extra" if theirs is _NOBODY else "other"
        replays = {f"replayed_{name}": ours[name] for name in _EDGES}
        rows.append({**row, **{name: theirs[name] for name in _EDGES}, **replays, "status": status, "why": why})
    frame = typed(rows, _AGREEMENT)
    at = frame["fired_at"].fillna(frame["replayed_fired_at"])
    return frame.assign(at=at).sort_values(["at", *_LABELS], ignore_index=True).drop(columns="at")


def agreement_counts(agreed: pd.DataFrame) -> pd.DataFrame:
    """How many episodes of each rule have each status, and how many of them the server fired.

    Columns: alertname, fired (those set apart left out), same, other, extra, apart.
    """
    statuses = ["same", "other", "extra", "apart"]
    kinds = pd.crosstab(agreed["alertname"], agreed["status"]).reindex(columns=statuses, fill_value=0).reset_index()
    return typed(kinds.assign(fired=kinds["same"] + kinds["other"]), _COUNTS)


def unsettled(times: Times, scrapes: SeriesBatch) -> Times:
    """The evaluations during a scrape, whose samples bear the time of its begin and were not there yet.

    `scrapes` are samples of `scrape_duration_seconds`: each says when a scrape began and how long it took.
    """
    took = np.where(np.isfinite(scrapes.values), scrapes.values, 0.0)
    next_one = np.searchsorted(times, scrapes.times, side="right")
    evaluated = np.append(times, np.iinfo(np.int64).max)[next_one]
    return np.unique(evaluated[evaluated < scrapes.times + np.rint(took * 1000).astype(np.int64) + _COMMIT_MS])


def _numbered(episodes: pd.DataFrame, zero: pd.Timestamp, interval_seconds: float) -> dict[tuple[Any, ...], Row]:
    """The episodes by label set and the numbers of the evaluations at which they began and ended; and how often."""
    frame = episodes.astype(dict.fromkeys(_LABELS, "str"))
    key = frame[_LABELS].copy()
    for edge in _EDGES:
        key[edge] = np.rint((frame[edge] - zero).dt.total_seconds() / interval_seconds)
    key["again"] = key.groupby(list(key.columns)).cumcount()
    return dict(zip(key.itertuples(index=False, name=None), frame.to_dict("records"), strict=True))


def _overlapping(row: Row, left: dict[tuple[Any, ...], Row]) -> Row:
    """The first of those left that is of the same label set and fires in part at the same time, taken out of them."""
    for key, other in left.items():
        overlaps = other["fired_at"] < row["resolved_at"] and other["resolved_at"] > row["fired_at"]
        if overlaps and all(other[name] == row[name] for name in _LABELS):
            return left.pop(key)
    return _NOBODY


def _cut_or_down(row: Row, down: pd.DataFrame, settle_seconds: float) -> str:
    if row["cut_start"] or row["cut_end"]:
        return "cut by the window's edge"
    ends = down["end"] + pd.Timedelta(seconds=settle_seconds)
    began = row["fired_at"] if pd.isna(row["pending_at"]) else row["pending_at"]
    touched = (began <= ends) & (row["resolved_at"] >= down["start"])
    return "the server was down" if touched.any() else ""


def _under_way(rows: list[Row], unsettled: Times, settle_seconds: float) -> bool:
    """Whether a begin or end was decided while samples were still to come."""
    edges = [row[name].timestamp() * 1000 for row in rows for name in _EDGES if not pd.isna(row[name])]
    near = settle_seconds * 1000
    return any(bool(((unsettled >= edge - near) & (unsettled <= edge + near)).any()) for edge in edges)
