"""Pages by shift of those on call: how often each was woken, and how often for nothing."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.alerts import at_night
from cloudxai_analysis.measures.frames import typed
from cloudxai_analysis.measures.matching import moments


def pages_by_shift(
    judged: pd.DataFrame,
    window: Window,
    *,
    paging: Collection[str],
    zone: str,
    shift_hours: float = 12,
    first_hour: float = 8,
) -> pd.DataFrame:
    """Pages of each shift that overlaps a window, by start; shifts without a page are there, too.

    A page is the begin of an episode of a rule in `paging`. Shifts change every `shift_hours` from `first_hour` on by
    the clock of the time zone `zone`, so that one in which the clock is changed is an hour longer or shorter.

    Columns: start, end (UTC), shift (its begin by the zone's clock, as '20:00'), pages, true_pages, false_pages (by
    their judgement), at_night (pages from 22:00 to 08:00 in `zone`).
    """
    edges = _edges(window, zone, shift_hours, first_hour)
    own = judged[judged["alertname"].isin(list(paging))]
    place = np.searchsorted(moments(edges), moments(own["fired_at"]), side="right") - 1
    inside = (place >= 0) & (place < len(edges) - 1)
    own, place = own[inside], place[inside]

    def counted(some: pd.Series) -> np.ndarray:
        return np.bincount(place[some.to_numpy(dtype=bool)], minlength=len(edges) - 1)

    start = edges.iloc[:-1].reset_index(drop=True)
    rows = {
        "start": start,
        "end": edges.iloc[1:].reset_index(drop=True),
        "shift": start.dt.tz_convert(zone).dt.strftime("%H:%M"),
        "pages": counted(own["judgement"] != ""),
        "true_pages": counted(own["judgement"] == "true"),
        "false_pages": counted(own["judgement"] == "false"),
        "at_night": counted(at_night(own["fired_at"], zone)),
    }
    return typed(pd.DataFrame(rows), pages_by_shift)


def _edges(window: Window, zone: str, shift_hours: float, first_hour: float) -> pd.Series:
    """The moments at which a shift changes, from the last one before the window to the first one after it."""
    first = pd.Timestamp(window.start).tz_convert(zone).tz_localize(None).normalize() - timedelta(days=1)
    last = pd.Timestamp(window.end).tz_convert(zone).tz_localize(None).normalize() + timedelta(days=2)
    clock = pd.date_range(first + timedelta(hours=first_hour), last, freq=timedelta(hours=shift_hours))
    # By the wall clock: what the change skips begins when it is over, what it repeats begins the first time.
    local = clock.tz_localize(zone, ambiguous=np.ones(len(clock), dtype=bool), nonexistent="shift_forward")
    edges = local.tz_convert("UTC").as_unit("us")
    kept = (edges > pd.Timestamp(window.start) - timedelta(hours=shift_hours + 1)) & (
        edges < pd.Timestamp(window.end) + timedelta(hours=shift_hours + 1)
    )
    found = pd.Series(edges[kept])
    before = max(int((found <= pd.Timestamp(window.start)).sum()) - 1, 0)
    after = int((found < pd.Timestamp(window.end)).sum())
    return found.iloc[before : after + 1].reset_index(drop=True)
