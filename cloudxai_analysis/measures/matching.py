"""Which alerts an incident speaks of, and which of them caught it: the ground that judgement stands on."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Moments = NDArray[np.datetime64]
# The end of an incident that goes on; far enough away for an hour to be added to it.
_NEVER = np.datetime64("9999-01-01", "us")


def matches(
    episodes: pd.DataFrame,
    incidents: pd.DataFrame,
    *,
    before_minutes: float,
    after_minutes: float,
    standing_minutes: float = 0.0,
) -> pd.DataFrame:
    """Episodes with the incidents of their scope that they caught, or stood in.

    An episode caught an incident where `fired_at` lies in it, widened by `before_minutes` and `after_minutes`; it
    stood in one where it fired earlier, at most `standing_minutes` before the start, and still fired when the widened
    incident began.

    Columns: row (of the episode), place (of the incident), id, caught (bool); by row, caught ones first, then the
    incident whose start is nearest.
    """
    fired = moments(episodes["fired_at"])[:, np.newaxis]
    resolved = moments(episodes["resolved_at"])[:, np.newaxis]
    start, end = moments(incidents["start"]), ends(incidents)
    opened, closed = start - _span(before_minutes), end + _span(after_minutes)
    scope = in_scope(episodes, incidents)
    caught = scope & (fired >= opened) & (fired < closed)
    stood = scope & (fired < opened) & (resolved > opened) & (start - fired <= _span(standing_minutes))
    row, place = np.nonzero(caught | stood)
    pairs = pd.DataFrame({"row": row, "place": place, "caught": caught[row, place]})
    pairs["id"] = incidents["id"].astype("str").to_numpy()[place]
    pairs["away"] = np.abs(fired[row, 0] - start[place])
    pairs = pairs.sort_values(["row", "caught", "away"], ascending=[True, False, True], ignore_index=True)
    return pairs[["row", "place", "id", "caught"]]


def in_scope(alerts: pd.DataFrame, incidents: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether each incident (column) speaks of each alert (row): its tenant's or all, and of the rules it names."""
    theirs, tenants = _text(alerts["tenant"])[:, np.newaxis], _text(incidents["tenant"])
    scope = np.asarray((tenants == "") | (theirs == tenants), dtype=bool)
    names = _text(alerts["alertname"])
    for place, named in enumerate(incidents["alerts"]):
        if named:
            scope[:, place] &= np.isin(names, list(named))
    return scope


def moments(times: pd.Series) -> Moments:
    """Times as a numpy array, in UTC."""
    return np.asarray(times.dt.tz_convert(None).to_numpy(dtype="datetime64[us]"))


def ends(incidents: pd.DataFrame) -> Moments:
    """The incidents' ends; of one that goes on, never."""
    end = moments(incidents["end"])
    return np.where(np.isnat(end), _NEVER, end)


def _span(minutes: float) -> np.timedelta64:
    return np.timedelta64(round(minutes * 60_000_000), "us")


def _text(values: pd.Series) -> NDArray[np.object_]:
    return np.asarray(values.astype("str").to_numpy(dtype=object))
