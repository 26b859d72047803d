"""The form of what is told by name: a lane each, as many as there is room for; and bars in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures import style
from cloudxai_analysis.figures.labels import shortened, text_width
from cloudxai_analysis.figures.marks import say, tinted
from cloudxai_analysis.figures.timeline import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAME = 30  # characters of a lane's name
_FOOT = 14.0  # points below bars that need no axis
_AIR = 4.0  # points between a bar and its text
_HALF = 0.34  # of a lane, on each side of its middle


def lanes(
    ax: Axes,
    names: Sequence[str],
    *,
    texts: Sequence[str] = (),
    top: float = style.TOP,
    foot: float = style.BOTTOM,
) -> list[str]:
    """Make a lane for each name, as many as fit without touching, at the heights 0, 1, 2, ... from the top down.

    `texts` stand at the lanes' right. Gives the names that have a lane.
    """
    shown = list(names[: max(1, int((style.figure_size(ax)[1] - top - foot) / style.LINE))])
    labels, middle, half = [shortened(name, _NAME) for name in shown], (len(shown) - 1) / 2, max(len(shown) / 2, 1.25)
    wide, room = max(text_width(label, style.TEXT_SIZE) for label in labels), 0.4 * style.figure_size(ax)[0]
    if wide > room:
        labels = [shortened(name, int(_NAME * room / wide)) for name in shown]
        wide = max(text_width(label, style.TEXT_SIZE) for label in labels)
    beside = max((text_width(text, style.SMALL_SIZE) for text in texts), default=-6.0)
    style.margins(ax, left=wide + 12, right=beside + 20, top=top, bottom=foot)
    ax.set_ylim(middle + half, middle - half)
    ax.set_yticks(range(len(shown)), labels)
    ax.grid(visible=False, axis="y")
    ax.grid(visible=True, axis="x")
    for lane, text in enumerate(texts[: len(shown)]):
        say(ax, text, (1.0, lane), (6, 0), gid="value", coords=ax.get_yaxis_transform())
    return shown


def lane_of(labels: pd.Series, shown: Sequence[str]) -> Floats:
    """The height of each label's lane, NaN where it has none."""
    return labels.astype(str).map({name: lane for lane, name in enumerate(shown)}).to_numpy(dtype=float)


def bars(ax: Axes, names: Sequence[str], ends: Floats, texts: Sequence[str], *, color: str = style.BLUE) -> int:
    """Bars from zero to `ends`, with `texts` there, the first on top; those to the left are hatched. How many fit."""
    drawn = len(lanes(ax, names, foot=_FOOT))
    ends, texts = ends[:drawn], texts[:drawn]
    low, high, wide = ends.min(initial=0.0), ends.max(initial=0.0), style.axes_size(ax)[0]
    # The axis is as long as the texts at its ends need.
    room = max(text_width(text, style.SMALL_SIZE) for text in texts) + 2 * _AIR
    left = room if low < 0 else 0.0
    scale = ((high - low) or 1.0) / max(wide - room - left, 0.1 * wide)
    ax.set_xlim(low - left * scale, high + room * scale)
    for lane, (end, text) in enumerate(zip(ends, texts, strict=True)):
        say(ax, text, (end, lane), (-_AIR if end < 0 else _AIR, 0), gid="value")
    for some, tint, hatch in ((ends > 0, color, ""), (ends < 0, style.BLUE, style.HATCH)):
        tinted(ax, 0.0, np.flatnonzero(some) - _HALF, ends[some], 2 * _HALF, color=tint, hatch=hatch)
    ax.axvline(0, color=style.INK, linewidth=0.8)
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    return drawn
