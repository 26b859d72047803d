"""Replayed episodes held against those that the server fired."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.measures.frames import TIME, typed

_LABELS = ["alertname", "severity", "tenant", "instance"]
_AGREEMENT = {
    "status": "str",
    **dict.fromkeys(_LABELS, "str"),
    **dict.fromkeys(["fired_at", "resolved_at", "replayed_fired_at", "replayed_resolved_at"], TIME),
    "why": "str",
}
_COUNTS = {"alertname": "str", **dict.fromkeys(["fired", "same", "other", "extra", "apart"], "int64")}
_NONE = np.zeros(0, dtype=np.int64)
_NOBODY = {"fired_at": pd.NaT, "resolved_at": pd.NaT}
Row = dict[Any, Any]


def agreement(
    fired: pd.DataFrame,
    replayed: pd.DataFrame,
    down: pd.DataFrame,
    *,
    interval_seconds: float,
    settle_seconds: float,
    unsettled: NDArray[np.int64] = _NONE,
) -> pd.DataFrame:
    """Each episode that the server fired, or that only replay has, with what the other says of it.

    `fired` and `replayed` are episodes; `down` has start and end. Two are the same where label set, first and last
    firing evaluation are. Told apart, and no disagreement, are episodes that a window's edge cuts, and those that touch
    a stretch in which the server was down or the `settle_seconds` after it, in which a server restores its alerts; of
    those that differ also the ones with an `unsettled` evaluation within `settle_seconds` of an edge, at which a scrape
    was under way whose samples only a later query finds.

    Columns: status ('same', 'other' (the server's alone, or at another evaluation), 'extra' (replay's alone), 'apart'),
    alertname, severity, tenant, instance, fired_at, resolved_at (NaT of an extra one), replayed_fired_at,
    replayed_resolved_at (NaT where replay has none that overlaps), why ('' or what sets it apart).
    """
    # Counted from the server's own evaluations, rounding moves nothing into a neighbouring one.
    zero = (fired if len(fired) else replayed)["fired_at"].min()
    left = _numbered(replayed, zero, interval_seconds)
    live = _numbered(fired, zero, interval_seconds)
    same = {key: left.pop(key) for key in live if key in left}
    pairs = [
        ("same", row, same[key]) if key in same else ("other", row, _overlapping(row, left))
        for key, row in live.items()
    ]
    pairs += [("extra", _NOBODY, row) for row in left.values()]
    rows = []
    for status, theirs, ours in pairs:
        row = ours if status == "extra" else theirs
        why = _cut_or_down(row, down, settle_seconds)
        if not why and status != "same":
            why = _under_way([theirs, ours], unsettled, settle_seconds)
        replays = {f"replayed_{name}": ours[name] for name in _NOBODY}
        times = {name: theirs[name] for name in _NOBODY}
        rows.append({**row, **times, **replays, "status": "apart" if why else status, "why": why})
    frame = typed(rows, _AGREEMENT)
    at = frame["fired_at"].fillna(frame["replayed_fired_at"])
    return frame.assign(at=at).sort_values(["at", *_LABELS], ignore_index=True).drop(columns="at")


def agreement_counts(agreed: pd.DataFrame) -> pd.DataFrame:
    """How many episodes of each rule replay has as the server fired them.

    Columns: alertname, fired (by the server, those set apart left out), same, other (not at the same evaluations, or
    not at all), extra (replay's alone), apart.
    """
    kinds = pd.crosstab(agreed["alertname"], agreed["status"]).reindex(
        columns=["same", "other", "extra", "apart"], fill_value=0
    )
    frame = kinds.reset_index()
    return typed(frame.assign(fired=frame["same"] + frame["other"]), _COUNTS)


def _numbered(episodes: pd.DataFrame, zero: pd.Timestamp, interval_seconds: float) -> dict[tuple[Any, ...], Row]:
    """The episodes by label set and the numbers of the evaluations at which they began and ended; and how often."""
    frame = episodes.astype(dict.fromkeys(_LABELS, "str"))
    key = frame[_LABELS].copy()
    for moment in ("fired_at", "resolved_at"):
        key[moment] = np.rint((frame[moment] - zero).dt.total_seconds() / interval_seconds)
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


def _under_way(rows: list[Row], unsettled: NDArray[np.int64], settle_seconds: float) -> str:
    """Why an episode that differs says nothing: its begin or end was decided while samples were still to come."""
    near = round(settle_seconds * 1000)
    for edge in (row[name] for row in rows for name in _NOBODY if not pd.isna(row[name])):
        at = int(edge.timestamp() * 1000)
        first, last = np.searchsorted(unsettled, [at - near, at + near])
        if last > first:
            return "a scrape was under way when the rule was evaluated"
    return ""
