"""The figure of a replay: the signal that a rule looks at, and when it would have fired."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from cloudxai_analysis.figures.course import Bound, Course, course
from cloudxai_analysis.figures.labels import shortened
from cloudxai_analysis.figures.timeline import days, usual_step
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.words.phrases import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def signal(
    ax: Axes,
    seen: pd.DataFrame,
    episodes: pd.DataFrame,
    *,
    alertname: str,
    meaning: str,
    threshold: float | None,
    window: Window,
) -> Axes:
    """What a rule looks at over time, with its threshold and the times at which it would have fired.

    `seen`: time, value, as `meaning` says; `episodes`: fired_at, resolved_at.
    """
    fired = [(days(episodes["fired_at"]), days(episodes["resolved_at"].fillna(window.end)))] if len(episodes) else []
    spec = Course(
        title=lambda _: f"{shortened(alertname, 32)} would have fired {count(len(episodes), 'time')}",
        subtitle=meaning,
        at="time",
        value="value",
        step=usual_step(seen["time"]),
        bound=None if threshold is None else Bound(threshold, f"threshold {threshold:g}"),
        window=window,
        shaded=[stretch for start, end in fired for stretch in zip(start, end, strict=True)],
        more="; shaded: firing",
    )
    return course(ax, seen, spec)
