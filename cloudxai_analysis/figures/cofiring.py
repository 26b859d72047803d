"""The figure of alerts that fire together: for each two rules, how often the one began while the other fired."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.labels import shortened
from cloudxai_analysis.figures.marks import lanes, lanes_that_fit, left_out
from cloudxai_analysis.figures.shapes import rectangles
from cloudxai_analysis.figures.style import BLUE, INK, SMALL_SIZE, axes_size, empty, styled, title
from cloudxai_analysis.words.phrases import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 9  # rules whose shares can be read side by side
_NAME = 26


@styled
def cofiring_matrix(ax: Axes, pairs: pd.DataFrame, groups: pd.DataFrame) -> Axes:
    """Shares as squares whose size tells the share, linked pairs framed: the row's rule began while the column's fired.

    `pairs`: alertname, other, episodes, together, share, linked; `groups`: group, alertname.
    """
    if pairs.empty or not pairs["together"].sum() > 0:
        return empty(ax, "no two rules fired together")
    names = _ordered(pairs, groups)
    shown = names[: min(_MOST, lanes_that_fit(ax))]
    lanes(ax, [f"{number + 1}  {shortened(name, _NAME)}" for number, name in enumerate(shown)])
    ax.set_xlim(-0.5, max(len(shown), 5) - 0.5)
    ax.set_xticks(range(len(shown)), [str(number + 1) for number in range(len(shown))])
    ax.grid(visible=True, axis="y", alpha=0.3)
    place = {name: number for number, name in enumerate(shown)}
    inside = pairs[pairs["alertname"].isin(shown) & pairs["other"].isin(shown) & (pairs["together"] > 0)]
    x, y = (inside[column].map(place).to_numpy(dtype=float) for column in ("other", "alertname"))
    wide, high = _square(ax)
    side = np.sqrt(inside["share"].to_numpy(dtype=float))
    rectangles(
        ax,
        x - wide * side,
        y - high * side,
        2 * wide * side,
        2 * high * side,
        facecolor=BLUE,
        edgecolor="none",
        alpha=0.35,
    )
    linked = inside["linked"].to_numpy(dtype=bool)
    rectangles(
        ax,
        x[linked] - wide,
        y[linked] - high,
        *(2 * wide, 2 * high),
        facecolor="none",
        edgecolor=INK,
        linewidth=1.4,
    )
    for at, lane, share in zip(x, y, inside["share"], strict=True):
        ax.text(at, lane, f"{share * 100:.0f}", ha="center", va="center", fontsize=SMALL_SIZE, gid="share")
    ax.set_xlabel(
        "share of the row's episodes (%) that began while the column's rule fired; framed: linked", loc="left"
    )
    detail = "Alerts that fire together, 28 days" + left_out(len(shown), len(names), "rules")
    return title(ax, _message(pairs, groups), detail)


def _ordered(pairs: pd.DataFrame, groups: pd.DataFrame) -> list[str]:
    """Rules of a group beside each other, then the others by name."""
    grouped = groups["alertname"].astype(str).tolist()
    rest = sorted({str(name) for name in pairs.loc[pairs["together"] > 0, ["alertname", "other"]].to_numpy().ravel()})
    return [*grouped, *(name for name in rest if name not in grouped)]


def _square(ax: Axes) -> tuple[float, float]:
    """Half the sides of the largest square that fits a cell, in units of the axes."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    width, height = axes_size(ax)
    cell = min(width / abs(right - left), height / abs(top - bottom))
    half = 0.46 * cell
    return half / width * abs(right - left), half / height * abs(top - bottom)


def _message(pairs: pd.DataFrame, groups: pd.DataFrame) -> str:
    top = pairs.iloc[0]
    one, other = (shortened(str(top[name]), _NAME) for name in ("alertname", "other"))
    if groups.empty:
        return f"No rules are linked; at most {top['together']} of {top['episodes']} {one} with {other}"
    number = int(groups["group"].max())
    return (
        f"{count(number, 'group')} of rules fire together: {one} with {other}, {top['together']} of {top['episodes']}"
    )
