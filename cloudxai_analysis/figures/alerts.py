"""Figures of the alerts: what fired and was true, and which rules cry wolf."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.labels import shortened
from cloudxai_analysis.figures.lanes import lane_of, lanes
from cloudxai_analysis.figures.marks import Entry, key, left_out, rectangles, say
from cloudxai_analysis.figures.style import BLUE, GREEN, INK, KEY_TOP, VERMILLION, empty, point, styled, title
from cloudxai_analysis.figures.timeline import Floats, day_of, days, time_axis, window_words
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.words.phrases import count, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

JUDGED: dict[str, dict[str, Any]] = {
    "true": {"marker": "o", "color": GREEN},
    "false": {"marker": "X", "color": VERMILLION},
    "standing": {"marker": "s", "color": BLUE},
    "unjudged": {"marker": "D", "color": INK, "markerfacecolor": "none"},
}
_STACK = 5  # episodes of the same moment that a lane shows beside each other
_TITLE_NAME = 32  # characters of a rule in a title


@styled
def episodes_on_timeline(ax: Axes, judged: pd.DataFrame, window: Window) -> Axes:
    """One lane per rule with its episodes: a bar as long as it fired, and a marker that says whether it was true.

    `judged`: alertname, fired_at, resolved_at (missing: it goes on), judgement.
    """
    if judged.empty:
        return empty(ax)
    numbers, said = judged["alertname"].astype(str).value_counts(), judged["judgement"].astype(str).value_counts()
    parts = {name: f"{said[name]} {name}" for name in JUDGED if name in said.index}
    shown = lanes(ax, numbers.index, top=KEY_TOP)
    time_axis(ax, day_of(window.start), day_of(window.end))
    inside = judged[judged["alertname"].astype(str).isin(shown)].sort_values("fired_at", kind="stable")
    (left, right), lane = ax.get_xlim(), lane_of(inside["alertname"], shown)
    start, end = np.maximum(days(inside["fired_at"]), left), days(inside["resolved_at"])
    end = np.where(np.isfinite(end), end, right)
    height, crowds = _stacked(lane, start, apart=8 * point(ax))
    rectangles(ax, start, height - 0.06, np.maximum(end - start, 2 * point(ax)), 0.12, facecolor=INK, alpha=0.55)
    for name, looks in JUDGED.items():
        some = inside["judgement"].astype(str).to_numpy() == name
        ax.plot(start[some], height[some], linestyle="none", markersize=6.5, **looks)
    for last, size in crowds.items():
        away = 8 if start[last] < (left + right) / 2 else -8
        say(ax, f"{size} at once", (start[last], lane[last]), (away, 0), gid="value")
    on = inside["resolved_at"].isna().to_numpy()
    ax.plot(end[on], lane[on], linestyle="none", marker=">", markersize=7, color=INK, clip_on=False)
    key(ax, [Entry(text, JUDGED[name]) for name, text in parts.items()])
    out = left_out(len(shown), len(numbers), "rules")
    message = f"{count(len(judged), 'episode')}: {', '.join(parts.values())}"
    return title(ax, message, f"Alert episodes by rule, {window_words(window)} (UTC){out}")


def _stacked(lane: Floats, start: Floats, *, apart: float) -> tuple[Floats, dict[int, int]]:
    """Heights at which episodes of one moment stand above each other; the size of each crowd too large, by its last."""
    order = np.lexsort((start, lane))
    new = (np.diff(lane[order]) > 0) | (np.diff(start[order]) > apart)
    crowd = pd.Series(np.append(0, np.cumsum(new)), index=order).sort_index()
    rank, size = crowd.groupby(crowd).cumcount().to_numpy(), crowd.groupby(crowd).transform("size").to_numpy()
    last = np.flatnonzero((rank == size - 1) & (size > _STACK))
    return lane + 0.17 * np.array([0, 1, -1, 2, -2])[rank % _STACK], {int(at): int(size[at]) for at in last}


@styled
def false_positive_rates(ax: Axes, rates: pd.DataFrame, *, bound: float) -> Axes:
    """The share of false alert groups of each rule with its 95 % interval, and the bound.

    `rates`: alertname, severity, trials, false_positives, rate, low, high (NaN without an alert
    group).
    """
    if rates.empty:
        return empty(ax)
    false, groups = rates["false_positives"], rates["trials"]
    texts = [f"{k:.0f} of {n:.0f} false" if n > 0 else "none judged" for k, n in zip(false, groups, strict=True)]
    drawn = len(lanes(ax, _rules(rates), texts=texts))
    ax.set_xlim(-0.04, 1.04)
    ax.set_xticks([bound, 1], [percent(bound, 0), "100 %"])
    ax.axvline(bound, color=INK, linewidth=1.1, linestyle=(0, (6, 3)))
    rate, low, high = rates[["rate", "low", "high"]].head(drawn).to_numpy(dtype=float).T
    looks: dict[str, Any] = {"markersize": 7, "capsize": 4, "elinewidth": 1.8, "clip_on": False}
    for some, color, marker in ((rate <= bound, BLUE, "o"), (rate > bound, VERMILLION, "D")):
        off = np.abs([rate[some] - low[some], high[some] - rate[some]])
        ax.errorbar(rate[some], np.flatnonzero(some), xerr=off, fmt=marker, color=color, **looks)
    known = rates[rates["rate"].notna()]
    if known.empty:
        message = "No rule could be judged"
    elif not known["false_positives"].sum() > 0:
        message = f"None of {count(known['trials'].sum(), 'judged alert group')} was false"
    else:
        worst = known.iloc[int(known["false_positives"].to_numpy().argmax())]
        name, of = shortened(str(worst["alertname"]), _TITLE_NAME), count(worst["trials"], "alert group")
        message = f"Most false: {name}, {worst['false_positives']:.0f} of {of}"
    out = left_out(drawn, len(rates), "rules")
    return title(ax, message, f"False share of alert groups in 28 days, 95 % interval; dashed: the bound{out}")


def _rules(frame: pd.DataFrame) -> list[str]:
    """The rules' names, with their severity where one name has several."""
    names, severities = frame["alertname"].astype(str), frame["severity"].astype(str)
    both = names.map(lambda name: shortened(name, 22)) + " " + severities.map(lambda one: shortened(one, 7))
    return names.where(~names.duplicated(keep=False), both).tolist()
