"""Replayed episodes held against those that the server fired."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.measures.frames import TIME, typed

_KEYS = ["alertname", "severity", "tenant", "instance"]
_AGREEMENT = {
    "status": "str",
    **dict.fromkeys(_KEYS, "str"),
    "fired_at": TIME,
    "resolved_at": TIME,
    "replayed_fired_at": TIME,
    "replayed_resolved_at": TIME,
    "why": "str",
}
_NONE = np.zeros(0, dtype=np.int64)
_COUNTS = {"alertname": "str", "fired": "int64", "same": "int64", "other": "int64", "extra": "int64", "apart": "int64"}


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
    # Counted from the server's own evaluations, the rounding can move nothing into a neighbouring one.
    zero = (fired if len(fired) else replayed)["fired_at"].min()
    live, ours = (_numbered(frame, zero, interval_seconds) for frame in (fired, replayed))
    keys = [*_KEYS, "began", "ended", "again"]
    both = live.merge(ours[keys].assign(found=True), how="left", on=keys)["found"].notna().to_numpy()
    theirs = ours.merge(live[keys].assign(found=True), how="left", on=keys)["found"].notna().to_numpy()
    unmatched = ours[~theirs]
    rows: list[dict[str, Any]] = []
    used: set[Any] = set()
    for row, same in zip(live.to_dict("records"), both, strict=True):
        other = None if same else _overlapping(row, unmatched, used)
        near = row if same else other
        why = _apart(row, down, settle_seconds) or ("" if same else _late(row, near, unsettled, settle_seconds))
        rows.append(
            {
                **row,
                "status": "apart" if why else "same" if same else "other",
                "replayed_fired_at": near["fired_at"] if near else pd.NaT,
                "replayed_resolved_at": near["resolved_at"] if near else pd.NaT,
                "why": why,
            }
        )
    for index, row in zip(unmatched.index, unmatched.to_dict("records"), strict=True):
        if index in used:
            continue
        why = _apart(row, down, settle_seconds) or _late(row, None, unsettled, settle_seconds)
        rows.append(
            {
                **row,
                "status": "apart" if why else "extra",
                "replayed_fired_at": row["fired_at"],
                "replayed_resolved_at": row["resolved_at"],
                "fired_at": pd.NaT,
                "resolved_at": pd.NaT,
                "why": why,
            }
        )
    frame = typed(rows, _AGREEMENT)
    at = frame["fired_at"].fillna(frame["replayed_fired_at"])
    return frame.assign(at=at).sort_values(["at", *_KEYS], ignore_index=True).drop(columns="at")


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


def _numbered(episodes: pd.DataFrame, zero: pd.Timestamp, interval_seconds: float) -> pd.DataFrame:
    """The episodes with the numbers of the evaluations at which they began and ended."""
    frame = episodes.astype(dict.fromkeys(_KEYS, "str"))
    for column, moment in (("began", "fired_at"), ("ended", "resolved_at")):
        frame[column] = np.rint((frame[moment] - zero).dt.total_seconds() / interval_seconds).astype("int64")
    frame["again"] = frame.groupby([*_KEYS, "began", "ended"]).cumcount()
    return frame


def _overlapping(row: dict[str, Any], others: pd.DataFrame, used: set[Any]) -> dict[str, Any] | None:
    """The first of the others that is of the same label set and fires in part at the same time."""
    inside = (others["fired_at"] < row["resolved_at"]) & (others["resolved_at"] > row["fired_at"])
    for key in _KEYS:
        inside &= others[key] == row[key]
    found = [index for index in others.index[inside] if index not in used]
    if not found:
        return None
    used.add(found[0])
    return {str(key): value for key, value in others.loc[found[0]].items()}


def _late(
    row: dict[str, Any], other: dict[str, Any] | None, unsettled: NDArray[np.int64], settle_seconds: float
) -> str:
    """Why an episode that differs says nothing: its begin or end was decided while samples were still to come."""
    edges = [row["fired_at"], row["resolved_at"]]
    edges += [other["fired_at"], other["resolved_at"]] if other else []
    for edge in edges:
        at, near = int(edge.timestamp() * 1000), round(settle_seconds * 1000)
        first, last = np.searchsorted(unsettled, [at - near, at + near])
        if last > first:
            return "a scrape was under way when the rule was evaluated"
    return ""


def _apart(row: dict[str, Any], down: pd.DataFrame, settle_seconds: float) -> str:
    if row["cut_start"] or row["cut_end"]:
        return "cut by the window's edge"
    ends = down["end"] + pd.Timedelta(seconds=settle_seconds)
    began = row["fired_at"] if pd.isna(row["pending_at"]) else row["pending_at"]
    if bool(((began <= ends) & (row["resolved_at"] >= down["start"])).any()):
        return "the server was down"
    return ""
