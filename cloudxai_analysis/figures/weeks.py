"""ISO weeks side by side on the horizontal axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cloudxai_analysis.figures.labels import text_width
from cloudxai_analysis.figures.style import TEXT_SIZE, axes_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def week_axis(ax: Axes, names: Sequence[str]) -> None:
    """Put the weeks called `names` ('2026-W46') at 0, 1, 2, ...; labels where there is room, counted from the last."""
    places = range(len(names))
    step = math.ceil((text_width("W46", TEXT_SIZE) + 8) / (axes_size(ax)[0] / len(names)))
    labelled = [place for place in places if (len(names) - 1 - place) % step == 0]
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.set_xticks(labelled, [names[place].partition("-")[2] or names[place] for place in labelled])
    years = sorted({name.partition("-")[0] for name in names})
    ax.set_xlabel(f"ISO weeks of {' and '.join(years)}, UTC", loc="left")
