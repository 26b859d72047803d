"""Figures of the rules' quality: what each adds against its noise, and how its rate moved from week to week."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.alerts import rules
from cloudxai_analysis.figures.labels import shortened, text_width
from cloudxai_analysis.figures.marks import Entry, key, lanes, lanes_that_fit, left_out
from cloudxai_analysis.figures.shapes import tinted
from cloudxai_analysis.figures.style import (
    BLUE,
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
from cloudxai_analysis.figures.weeks import week_axis
from cloudxai_analysis.words.phrases import count, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE_NAME = 32
_HALF = 0.34  # of a lane, what the share 1 takes above or below its middle
_ROW = 40.0  # points that a rule's own axis of shares needs


@styled
def worth_and_noise(ax: Axes, overview: pd.DataFrame) -> Axes:
    """Of each rule to the right the incidents that it caught, to the left the alert groups in which it was false.

    `overview`: alertname, severity, false_positives, false_at_night, caught, alone, first, verdict.
    """
    if overview.empty:
        return empty(ax, "no alert is stored, so that no rule can be weighed")
    shown = overview.head(lanes_that_fit(ax, top=KEY_TOP))
    said = [str(verdict).rpartition(", ")[2] for verdict in shown["verdict"]]
    lanes(ax, rules(shown), top=KEY_TOP, right=max(text_width(text, SMALL_SIZE) for text in said) + 16)
    false, night = (shown[name].to_numpy(dtype=float) for name in ("false_positives", "false_at_night"))
    caught, alone = (shown[name].to_numpy(dtype=float) for name in ("caught", "alone"))
    place = np.arange(len(shown), dtype=float)
    tinted(ax, -false, place - _HALF, false, 2 * _HALF, color=VERMILLION)
    tinted(ax, -night, place - _HALF, night, 2 * _HALF, color=VERMILLION, hatch=HATCH + "//")
    tinted(ax, 0.0, place - _HALF, caught, 2 * _HALF, color=BLUE)
    tinted(ax, 0.0, place - _HALF, alone, 2 * _HALF, color=BLUE, hatch="....")
    left, right = max(false.max(), 1.0), max(caught.max(), 1.0)
    room = 0.12 * (left + right)
    ax.set_xlim(-left - room, right + room)
    ax.axvline(0, color=INK, linewidth=1.1)
    _counts(ax, -false, place, left=True)
    _counts(ax, caught, place, left=False)
    for at, text in zip(place, said, strict=True):
        ax.text(1.02, at, text, transform=ax.get_yaxis_transform(), va="center", fontsize=SMALL_SIZE, gid="verdict")
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    ax.grid(visible=False)
    ax.set_xlabel("left: false alert groups; right: incidents caught", loc="left")
    key(
        ax,
        [
            Entry("false groups, hatched: at night", {"marker": "s", "color": VERMILLION, "markerfacecolor": "none"}),
            Entry("incidents caught, dotted: by it alone", {"marker": "s", "color": BLUE, "markerfacecolor": "none"}),
        ],
    )
    detail = "False alert groups and incidents caught by rule, 28 days" + left_out(len(shown), len(overview), "rules")
    return title(ax, _worth_message(overview), detail)


@styled
def weekly_rates(ax: Axes, rates: pd.DataFrame, *, bound: float) -> Axes:
    """The false-positive rate of each rule over the 28 days that end with each week, one small axis a rule.

    `rates`: week, start, alertname, trials, false_positives, rate, low, high (NaN without a trial), change.
    """
    known = rates[rates["rate"].notna()]
    if known.empty:
        return empty(ax, "no episode of any 28 days was judged")
    names, weeks = _most_false(known), _every_week(rates)
    shown = names[: max(1, int(lanes_that_fit(ax) * 15 / _ROW))]
    lanes(ax, [shortened(name, 30) for name in shown], right=64)
    ax.set_ylim(len(shown) - 0.5, -0.5)
    week_axis(ax, weeks)
    place = {week: number for number, week in enumerate(weeks)}
    for lane, name in enumerate(shown):
        own = known[known["alertname"] == name]
        x = own["week"].map(place).to_numpy(dtype=float)
        rate, low, high = (own[column].to_numpy(dtype=float) for column in ("rate", "low", "high"))

        def height(share: np.ndarray | float, lane: int = lane) -> np.ndarray:
            return np.asarray(lane + _HALF - 2 * _HALF * np.asarray(share, dtype=float))

        ax.plot([-0.6, len(weeks) - 0.4], [height(bound)] * 2, color=INK, linewidth=0.9, linestyle=(0, (6, 3)))
        ax.vlines(x, height(low), height(high), color=BLUE, linewidth=1.8)
        for some, color, marker in ((rate <= bound, BLUE, "o"), (rate > bound, VERMILLION, "D")):
            ax.plot(x[some], height(rate[some]), linestyle="none", marker=marker, markersize=6, color=color)
        for share in (0.0, 1.0):
            text = f"{share * 100:.0f} %"
            ax.text(
                1.01, float(height(share)), text, transform=ax.get_yaxis_transform(), va="center", fontsize=SMALL_SIZE
            )
        if lane:
            ax.axhline(lane - 0.5, color=INK, linewidth=0.5, alpha=0.4)
    ax.grid(visible=False, axis="y")
    detail = (
        f"Alert groups that were false, 28 days up to each week; dashed: bound {percent(bound, 0)}; bars: 95 % interval"
    )
    return title(ax, _weeks_message(known), detail + left_out(len(shown), len(names), "rules"))


def _counts(ax: Axes, ends: np.ndarray, place: np.ndarray, *, left: bool) -> None:
    low, high = ax.get_xlim()
    away = 4 / axes_size(ax)[0] * (high - low) * (-1 if left else 1)
    for end, at in zip(ends, place, strict=True):
        if end:
            ax.text(end + away, at, f"{abs(end):.0f}", ha="right" if left else "left", va="center", fontsize=SMALL_SIZE)


def _worth_message(overview: pd.DataFrame) -> str:
    first = overview.iloc[0]
    name = shortened(str(first["alertname"]), _TITLE_NAME)
    if not overview["false_positives"].sum():
        return f"No alert group of {count(len(overview), 'rule')} is known to be false"
    caught = count(first["caught"], "incident")
    return f"{name}: {count(first['false_positives'], 'false alert group')} for {caught} caught"


def _most_false(known: pd.DataFrame) -> list[str]:
    totals = known.groupby("alertname")[["false_positives", "trials"]].sum()
    order = totals.sort_values(["false_positives", "trials"], ascending=False, kind="stable")
    return [str(name) for name in order.index]


def _every_week(rates: pd.DataFrame) -> list[str]:
    """The weeks from the first to the last one, those without an episode as well."""
    mondays = pd.date_range(rates["start"].min(), rates["start"].max(), freq="7D")
    return [f"{monday.isocalendar()[0]}-W{monday.isocalendar()[1]:02d}" for monday in mondays]


def _weeks_message(known: pd.DataFrame) -> str:
    own = known[known["week"] == known["week"].iloc[-1]]
    worst = own.iloc[int(own["false_positives"].to_numpy().argmax())]
    name = shortened(str(worst["alertname"]), _TITLE_NAME)
    change = f", {worst['change']}" if worst["change"] else ""
    return f"{name}: {worst['false_positives']:.0f} of {count(worst['trials'], 'alert group')} false{change}"
