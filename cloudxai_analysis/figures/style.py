"""The looks that every figure shares: colours, sizes, the two-line title and the empty state."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

from cloudxai_analysis.figures.labels import one_line, text_width

if TYPE_CHECKING:
    from matplotlib import RcParams
    from matplotlib.axes import Axes

# Of Okabe and Ito's colours (2008) these stand out 3:1 from white and a dark page alike.
BLUE, VERMILLION, GREEN, PURPLE = PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
DASHES: tuple[str | tuple[int, tuple[float, ...]], ...] = ("-", (0, (5, 2)), (0, (2, 1.5)), (0, (7, 2, 1.5, 2)))
INK = "#0b1f2a"  # the page's text colour: svg.py writes it as currentColor
HATCH = "////"

TITLE_SIZE, TEXT_SIZE, SMALL_SIZE = 13.5, 11.5, 11.0
LINE = 15.0  # points from one line of text to the next
TOP, BOTTOM = 50.0, 40.0
KEY_TOP = 68.0  # where a key stands below the title
_EDGE = 6.0

P = ParamSpec("P")


@cache
def rc() -> RcParams:
    """The style file's settings."""
    import matplotlib

    file = Path(__file__).parent / "cloudxai.mplstyle"
    return matplotlib.rc_params_from_file(str(file), use_default_template=False)


def styled(draw: Callable[P, Axes]) -> Callable[P, Axes]:
    """`draw` under the style: matplotlib reads its settings when an artist is made."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Axes:
        import matplotlib

        with matplotlib.rc_context(rc()):
            return draw(*args, **kwargs)

    return drawn


@styled
def new_axes(width: float = 7.2, height: float = 3.4) -> Axes:
    """Axes alone in a transparent figure of `width` × `height` inches, without global state."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    figure.patch.set_visible(False)
    axes = figure.add_subplot()
    axes.patch.set_visible(False)
    margins(axes)
    return axes


def margins(ax: Axes, *, left: float = 40.0, right: float = 14.0, top: float = TOP, bottom: float = BOTTOM) -> None:
    """Leave that many points free around the axes, and at least a fifth of the width for the data."""
    width, height = figure_size(ax)
    left, right = min(left, 0.45 * width), min(right, 0.35 * width)
    ax.set_position((left / width, bottom / height, 1 - (left + right) / width, 1 - (top + bottom) / height))


def figure_size(ax: Axes) -> tuple[float, float]:
    """Width and height of the whole figure in points."""
    figure = ax.get_figure(root=True)
    width, height = figure.get_size_inches() if figure else (7.2, 3.4)
    return float(width) * 72, float(height) * 72


def axes_size(ax: Axes) -> tuple[float, float]:
    """Width and height of the axes in points."""
    (width, height), box = figure_size(ax), ax.get_position()
    return float(box.width) * width, float(box.height) * height


def point(ax: Axes) -> float:
    """A point in the units of the horizontal axis."""
    left, right = ax.get_xlim()
    return float(right - left) / axes_size(ax)[0]


def from_corner(ax: Axes, right: float, down: float) -> tuple[float, float]:
    """The place so many points from the figure's top left corner, in fractions of the axes."""
    (width, height), box = figure_size(ax), ax.get_position()
    return float((right / width - box.x0) / box.width), float((1 - down / height - box.y0) / box.height)


def title(ax: Axes, message: str, detail: str) -> Axes:
    """Write what the figure says, and below it, smaller, the measure and the window.

    Comes last: both lines start at the figure's edge, wherever the axes are.
    """
    room = figure_size(ax)[0] - 2 * _EDGE
    message, detail = one_line(message), one_line(detail)
    if _fitting(detail, TEXT_SIZE, room) < 0.85 * TEXT_SIZE:
        detail = re.split("[,;] ", detail, maxsplit=1)[0]  # the axis says the window, too
    x, y = from_corner(ax, _EDGE, 17)
    ax.set_title(message, loc="left", x=x, y=y, pad=0, fontsize=_fitting(message, TITLE_SIZE, room, bold=True))
    x, y = from_corner(ax, _EDGE, 34)
    ax.text(x, y, detail, transform=ax.transAxes, fontsize=_fitting(detail, TEXT_SIZE, room), gid="detail")
    return ax


@styled
def empty(ax: Axes, reason: str = "no number of it is known in this window") -> Axes:
    """Say in the middle of the axes why nothing is drawn there."""
    margins(ax)
    ax.set_axis_off()
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.fill_between([0, 1], 0, 1, facecolor="none", edgecolor=INK, hatch="/", linewidth=0, alpha=0.15)
    ax.text(0.5, 0.62, "Nothing to draw", ha="center", fontsize=TITLE_SIZE, fontweight="bold")
    reason = one_line(reason)
    size = _fitting(reason, TEXT_SIZE, axes_size(ax)[0] - 2 * _EDGE)
    ax.text(0.5, 0.42, reason, ha="center", fontsize=size, gid="detail")
    return ax


def _fitting(text: str, size: float, room: float, *, bold: bool = False) -> float:
    return min(size, size * room / max(text_width(text, size, bold=bold), 1.0))
