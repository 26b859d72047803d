"""Figures of the alerts: what fired and whether it was true, which rules cry wolf, which make noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.labels import shortened
from cloudxai_analysis.figures.marks import Entry, key, lane_of, lanes, lanes_that_fit, left_out
from cloudxai_analysis.figures.shapes import rectangles, texts_at_ends, tinted, wide_enough
from cloudxai_analysis.figures.style import (
    BLUE,
    GREEN,
    HATCH,
    INK,
    KEY_TOP,
    SMALL_SIZE,
    VERMILLION,
    axes_size,
    empty,
    styled,
    title,
)
from cloudxai_analysis.figures.timeline import Floats, day_of, days, time_axis, window_words
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.words.phrases import count, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOOKS: dict[str, dict[str, Any]] = {
    "true": {"marker": "o", "color": GREEN},
    "false": {"marker": "X", "color": VERMILLION},
    "standing": {"marker": "s", "color": BLUE},
    "unjudged": {"marker": "D", "color": INK, "markerfacecolor": "none"},
}
_STACK = 5  # episodes of the same moment that a lane shows beside each other
_RULE_NAME = 30  # characters of a rule in a list, for names in one word of four or five
_TITLE_NAME = 32


@styled
def episodes_on_timeline(ax: Axes, judged: pd.DataFrame, window: Window) -> Axes:
    """One lane per rule with its episodes: a bar as long as it fired, and a marker that says whether it was true.

    `judged`: alertname, fired_at, resolved_at, judgement.
    """
    if judged.empty:
        return empty(ax, f"no alert is stored of {window_words(window)}")
    frame = judged.assign(alertname=judged["alertname"].astype(str)).sort_values("fired_at", kind="stable")
    numbers = frame["alertname"].value_counts()
    shown = [str(name) for name in numbers.index[: lanes_that_fit(ax, top=KEY_TOP)]]
    lanes(ax, [shortened(name, _RULE_NAME) for name in shown], top=KEY_TOP)
    time_axis(ax, day_of(window.start), day_of(window.end))
    frame = frame[frame["alertname"].isin(shown)]
    start, end = days(frame["fired_at"]), days(frame["resolved_at"])
    end = np.where(np.isfinite(end), end, ax.get_xlim()[1])
    lane = lane_of(frame["alertname"], shown)
    rank, size = _crowds(ax, lane, start)
    height = lane + (np.minimum(rank, _STACK - 1) - (np.minimum(size, _STACK) - 1) / 2) * 0.17
    rectangles(
        ax, start, height - 0.06, wide_enough(ax, end - start), 0.12, facecolor=INK, edgecolor="none", alpha=0.55
    )
    verdict = frame["judgement"].astype(str).to_numpy()
    for name, looks in _LOOKS.items():
        some = verdict == name
        ax.plot(start[some], height[some], linestyle="none", markersize=6.5, **looks)
    _say_crowds(ax, lane, start, rank, size)
    said = judged["judgement"].astype(str).value_counts()
    parts = [(name, f"{said[name]} {name}") for name in _LOOKS if name in said.index]
    key(ax, [Entry(text, _LOOKS[name]) for name, text in parts])
    message = f"{count(len(judged), 'episode')}: {', '.join(text for _, text in parts)}"
    detail = f"Alert episodes by rule, {window_words(window)} (UTC)" + left_out(len(shown), len(numbers), "rules")
    return title(ax, message, detail)


@styled
def false_positive_rates(ax: Axes, rates: pd.DataFrame, *, bound: float) -> Axes:
    """The share of false alert groups of each rule with its 95 % interval, and the bound.

    `rates`: alertname, severity, trials, false_positives, rate, low, high (NaN without a trial).
    """
    if rates.empty:
        return empty(ax, "no alert is stored, so that no rule can be judged")
    shown = rates.head(lanes_that_fit(ax))
    said = [_trials(row) for _, row in shown.iterrows()]
    lanes(ax, rules(shown), right=118)
    ax.set_xlim(-0.02, 1.02)
    ax.set_xticks(np.linspace(0, 1, 5), [f"{share:.0f} %" for share in np.linspace(0, 100, 5)])
    ax.axvline(bound, color=INK, linewidth=1.1, linestyle=(0, (6, 3)))
    ax.set_xlabel(f"dashed: bound {percent(bound, 0)}; whiskers: 95 % interval", loc="left")
    place = np.arange(len(shown), dtype=float)
    rate, low, high = (shown[name].to_numpy(dtype=float) for name in ("rate", "low", "high"))
    known = np.isfinite(rate)
    for some, color, marker in ((known & (rate <= bound), BLUE, "o"), (known & (rate > bound), VERMILLION, "D")):
        ax.hlines(place[some], low[some], high[some], color=color, linewidth=1.8)
        for edge in (low, high):
            ax.plot(edge[some], place[some], linestyle="none", marker="|", markersize=8, color=color)
        ax.plot(rate[some], place[some], linestyle="none", marker=marker, markersize=7, color=color, clip_on=False)
    for at, text in zip(place, said, strict=True):
        ax.text(1.03, at, text, transform=ax.get_yaxis_transform(), va="center", fontsize=SMALL_SIZE, gid="value")
    detail = "Share of judged alert groups that were false, by rule, 28 days" + left_out(
        len(shown), len(rates), "rules"
    )
    return title(ax, _rates_message(rates), detail)


@styled
def noise_by_rule(ax: Axes, noise: pd.DataFrame) -> Axes:
    """Episodes of each rule as bars from zero, of which the hatched part began at night.

    `noise`: alertname, severity, episodes, short_lived, at_night, seconds.
    """
    if noise.empty or not noise["episodes"].sum() > 0:
        return empty(ax, "no alert of this window is stored")
    ordered = noise.sort_values("episodes", ascending=False, kind="stable")
    shown = ordered.head(lanes_that_fit(ax, top=KEY_TOP, bottom=14))
    values, night = shown["episodes"].to_numpy(dtype=float), shown["at_night"].to_numpy(dtype=float)
    lanes(ax, rules(shown), top=KEY_TOP, bottom=14)
    texts_at_ends(ax, values, [_noise(row) for _, row in shown.iterrows()])
    place = np.arange(len(shown), dtype=float)
    tinted(ax, 0.0, place - 0.34, values, 0.68, color=BLUE)
    tinted(ax, 0.0, place - 0.34, night, 0.68, color=BLUE, hatch=HATCH + "//")
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    key(
        ax,
        [
            Entry("episodes", {"marker": "s", "color": BLUE, "markerfacecolor": "none"}),
            Entry("hatched: begun at night", {}),
            Entry("short: under five minutes", {}),
        ],
    )
    first, total = ordered.iloc[0], int(noise["episodes"].sum())
    name = shortened(str(first["alertname"]), _TITLE_NAME)
    detail = "Alert episodes by rule in the window" + left_out(len(shown), len(noise), "rules")
    return title(ax, f"{name} fired most: {first['episodes']:.0f} of {count(total, 'episode')}", detail)


def _crowds(ax: Axes, lane: Floats, start: Floats) -> tuple[Floats, Floats]:
    """Of each episode, which one it is of those that would overlap in its lane, and how many these are."""
    left, right = ax.get_xlim()
    near = 8 / axes_size(ax)[0] * (right - left)
    rank, size = np.zeros(len(start)), np.ones(len(start))
    for place in np.unique(lane):
        rows = np.flatnonzero(lane == place)
        crowd = np.cumsum(np.append(True, np.diff(start[rows]) > near)) - 1
        number = np.bincount(crowd)
        first = np.append(0, np.cumsum(number)[:-1])
        rank[rows] = np.arange(len(rows)) - first[crowd]
        size[rows] = number[crowd]
    return rank, size


def _say_crowds(ax: Axes, lane: Floats, start: Floats, rank: Floats, size: Floats) -> None:
    left, right = ax.get_xlim()
    for row in np.flatnonzero((rank == size - 1) & (size > _STACK)):
        beyond = start[row] > left + 0.8 * (right - left)
        ax.annotate(
            f"{size[row]:.0f} at once",
            (float(start[row]), float(lane[row])),
            (-9 if beyond else 9, 0),
            textcoords="offset points",
            ha="right" if beyond else "left",
            va="center",
            fontsize=SMALL_SIZE,
        )


def rules(frame: pd.DataFrame) -> list[str]:
    """The rules' names, with their severity where one name has several."""
    names, severities = frame["alertname"].astype(str), frame["severity"].astype(str)
    several = names.duplicated(keep=False)
    return [
        f"{shortened(name, 22)} {shortened(severity, 7)}" if twice else shortened(name, _RULE_NAME)
        for name, severity, twice in zip(names, severities, several, strict=True)
    ]


def _trials(row: pd.Series) -> str:
    return f"{row['false_positives']:.0f} of {row['trials']:.0f} false" if row["trials"] > 0 else "none judged"


def _noise(row: pd.Series) -> str:
    return f"{row['episodes']:.0f} ({row['short_lived']:.0f} short, {row['at_night']:.0f} at night)"


def _rates_message(rates: pd.DataFrame) -> str:
    known = rates[rates["rate"].notna()]
    if known.empty:
        return "No rule could be judged"
    if not known["false_positives"].sum() > 0:
        return f"None of {count(known['trials'].sum(), 'judged alert group')} was false"
    worst = known.iloc[int(known["false_positives"].to_numpy().argmax())]
    name = shortened(str(worst["alertname"]), _TITLE_NAME)
    return f"{name} most often false: {worst['false_positives']:.0f} of {count(worst['trials'], 'alert group')}"
