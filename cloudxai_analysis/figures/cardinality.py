"""Figures of the tenant labels: how many there are, how near the cap, who came and went, what the guard refused."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloudxai_analysis.figures.labels import shortened, without_port
from cloudxai_analysis.figures.lines import draw_line, hatch, hatch_unknown
from cloudxai_analysis.figures.marks import (
    End,
    Entry,
    bound_line,
    end_labels,
    end_room,
    event_lines,
    key,
    left_out,
)
from cloudxai_analysis.figures.shapes import columns, hatched, tinted, value_ticks
from cloudxai_analysis.figures.style import (
    BLUE,
    GREEN,
    INK,
    KEY_TOP,
    LINE,
    PURPLE,
    SMALL_SIZE,
    VERMILLION,
    axes_size,
    empty,
    margins,
    styled,
    title,
)
from cloudxai_analysis.figures.timeline import (
    HOUR,
    Floats,
    day_words,
    days,
    frame_words,
    moment_of,
    time_axis,
)
from cloudxai_analysis.figures.weeks import week_axis
from cloudxai_analysis.words.phrases import NO_DATA, apart, count, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_END_NAME = 14  # characters of an instance beside a line or in a key
_LINES = ((VERMILLION, (0, (5, 2))), (GREEN, (0, (2, 1.5))), (PURPLE, (0, (7, 2, 1.5, 2))))
_SETS = (("stayed", BLUE, ""), ("returning", GREEN, "----"), ("new", PURPLE, "////"), ("lost", VERMILLION, "xxxx"))


@styled
def tenants_and_cap(ax: Axes, active: pd.DataFrame, held: pd.DataFrame, *, cap: int, events: pd.DataFrame) -> Axes:
    """Active tenants over all processes and held tenants of the fullest processes, under the cap of a process.

    `active`: hour, tenants, generated; `held`: job, instance, hour, held; `events`: process restarts (instance,
    started_at).
    """
    if active.empty and held.empty:
        return empty(ax, "no tenant was exported in this window")
    hours = pd.concat([active["hour"], held["hour"]])
    fullest = held.sort_values("hour", kind="stable").groupby("instance", observed=True)["held"].last()
    fullest = fullest.rename(index=str).sort_values(ascending=False, kind="stable")
    shown, names = (
        [str(name) for name in fullest.index[: len(_LINES)]],
        without_port(held["instance"].astype(str), most=_END_NAME),
    )
    ends = [End(cap, f"cap {cap}")]
    if len(active):
        ends.append(End(float(active["tenants"].iloc[-1]), f"{active['tenants'].iloc[-1]:.0f} active", BLUE))
    for name, (color, _) in zip(shown, _LINES, strict=False):
        ends.append(End(float(fullest[name]), f"{names[name]} holds {fullest[name]:.0f}", color))
    most = max([cap, *active["tenants"], *fullest])
    ax.set_ylim(0, 1.2 * most)
    margins(ax, left=value_ticks(ax, "{:.0f}".format, whole=True), right=end_room(ends))
    time_axis(ax, float(days(hours).min()), float(days(hours).max()) + HOUR)
    bound_line(ax, cap)
    x, y = days(active["hour"]), active["tenants"].to_numpy(dtype=float)
    draw_line(ax, x, y, color=BLUE)
    for name, (color, dashes) in zip(shown, _LINES, strict=False):
        rows = held[held["instance"].astype(str) == name]
        draw_line(ax, days(rows["hour"]), rows["held"].to_numpy(dtype=float), color=color, linestyle=dashes)
    hatch_unknown(ax, x, y)
    restarts = without_port([*held["instance"].astype(str), *events["instance"].astype(str)], most=_END_NAME)
    started = zip(days(events["started_at"]), events["instance"].astype(str), strict=True)
    event_lines(ax, [(float(at), f"restart {restarts[name]}") for at, name in started])
    end_labels(ax, ends)
    detail = f"Tenants by hour, {frame_words(hours, step=_HOUR)} (UTC)" + left_out(
        len(shown), len(fullest), "processes"
    )
    return title(ax, _tenants_message(active, fullest, names, cap), detail)


@styled
def headroom_over_time(ax: Axes, headroom: pd.DataFrame, *, cap: int, warn_share: float) -> Axes:
    """Free labels of the fullest process by hour, with the bound under which it warns.

    `headroom`: hour, headroom, job, instance, held.
    """
    if headroom.empty or headroom["headroom"].isna().all():
        return empty(ax, "no held tenants are known in this window")
    x, y = days(headroom["hour"]), headroom["headroom"].to_numpy(dtype=float)
    warn, last = warn_share * cap, float(y[np.isfinite(y)][-1])
    ends = [End(warn, f"warn under {warn:.0f}"), End(last, f"{last:.0f} left", BLUE)]
    ax.set_ylim(min(0.0, float(np.nanmin(y))), max(1.15 * float(np.nanmax(y)), 1.3 * warn, 1.0))
    margins(ax, left=value_ticks(ax, "{:.0f}".format, whole=True), right=end_room(ends))
    time_axis(ax, float(x.min()), float(x.max()) + HOUR)
    bound_line(ax, warn)
    draw_line(ax, x, y, color=BLUE)
    draw_line(ax, x, np.where(y < warn, y, np.nan), color=VERMILLION, linewidth=3.2)
    hatch_unknown(ax, x, y)
    _say_least(ax, x, y)
    end_labels(ax, ends)
    detail = f"Headroom by hour under a cap of {cap}, {frame_words(headroom['hour'], step=_HOUR)} (UTC)"
    return title(
        ax, f"{count(last, 'label')} left at the end, {np.nanmin(y):.0f} at the least".replace("-", "−"), detail
    )


@styled
def churn_by_day(ax: Axes, churn: pd.DataFrame, *, bound: float) -> Axes:
    """Churn of each day as a share of the day's tenants; days on which it is unknown are hatched.

    `churn`: day, tenants, came, left, churn (NaN unknown).
    """
    if churn.empty:
        return empty(ax, "no covered day in this window")
    x, y = days(churn["day"]), churn["churn"].to_numpy(dtype=float)
    known = np.isfinite(y)
    top = 1.25 * max(float(y[known].max(initial=0.0)), bound)
    ends = [End(bound, f"bound {percent(bound, 0)}")]
    ax.set_ylim(0, top)
    margins(ax, left=value_ticks(ax, lambda share: f"{share * 100:g} %"), right=end_room(ends))
    time_axis(ax, float(x.min()), float(x.max()) + 1, centred=True)
    for some, color, cross in ((known & (y <= bound), BLUE, ""), (known & (y > bound), VERMILLION, "xxxx")):
        tinted(ax, x[some] + 0.12, 0.0, 0.76, y[some], color=color, hatch=cross)
    hatched(ax, x[~known] + 0.12, 0.12 * top, 0.76, np.full(int((~known).sum()), 0.88 * top))
    bound_line(ax, bound)
    _say_churn(ax, churn, x, y, top)
    end_labels(ax, ends)
    detail = f"Tenants that came or left, of the day's tenants, {frame_words(churn['day'], step=_DAY)} (UTC)"
    return title(ax, _churn_message(churn), detail)


@styled
def rejections_by_hour(ax: Axes, rejections: pd.DataFrame) -> Axes:
    """Refused requests by hour, the processes upon each other.

    `rejections`: hour, job, instance, rejections.
    """
    if rejections.empty or not rejections["rejections"].sum() > 0:
        return empty(ax, "the guard refused nothing in this window")
    table = rejections.assign(
        instance=rejections["instance"].astype(str), rejections=rejections["rejections"].fillna(0)
    )
    table = table.pivot_table(index="hour", columns="instance", values="rejections", aggfunc="sum", fill_value=0.0)
    busiest = table.sum().sort_values(ascending=False, kind="stable")
    busiest = busiest[busiest > 0]
    names, total = without_port(rejections["instance"].astype(str), most=_END_NAME), table.sum(axis=1)
    x, base = days(table.index), np.zeros(len(table))
    ax.set_ylim(0, 1.15 * float(total.max()))
    margins(ax, left=value_ticks(ax, "{:,.0f}".format, whole=True), top=KEY_TOP)
    time_axis(ax, float(x.min()), float(x.max()) + HOUR)
    colors = (VERMILLION, BLUE, GREEN, PURPLE)
    groups = [[name] for name in busiest.index[:3]] + ([list(busiest.index[3:])] if len(busiest) > 3 else [])
    entries = []
    for group, color in zip(groups, colors, strict=False):
        heights = table[group].sum(axis=1).to_numpy(dtype=float)
        columns(ax, x, heights, width=HOUR, color=color, base=base)
        base = base + heights
        name = names[group[0]] if len(group) == 1 else f"{len(group)} others"
        entries.append(Entry(f"{name}: {heights.sum():,.0f}", {"marker": "s", "color": color}))
    key(ax, entries)
    hatch_unknown(ax, x, np.ones(len(x)))
    most = moment_of(float(x[int(total.to_numpy().argmax())]))
    detail = f"Refused requests by hour, {frame_words(rejections['hour'], step=_HOUR)} (UTC)"
    return title(
        ax, f"{total.sum():,.0f} refusals, {total.max():,.0f} of them on {day_words(most)}, {most:%H:%M}", detail
    )


@styled
def tenant_sets_by_week(ax: Axes, by_week: pd.DataFrame) -> Axes:
    """Tenants of each week by what they were the week before; those lost lie below zero.

    `by_week`: week, new, returning, stayed, lost.
    """
    if by_week.empty or not by_week[["new", "returning", "stayed", "lost"]].to_numpy().any():
        return empty(ax, "no tenant was seen in these weeks")
    last = by_week.iloc[-1]
    ends = _set_ends(last)
    above = by_week[["stayed", "returning", "new"]].sum(axis=1)
    ax.set_ylim(-1.25 * float(by_week["lost"].max()), 1.1 * float(max(above.max(), 1)))
    margins(ax, left=value_ticks(ax, lambda value: f"{abs(value):.0f}", whole=True), right=end_room(ends))
    week_axis(ax, [str(week) for week in by_week["week"]])
    x, base = np.arange(len(by_week), dtype=float), np.zeros(len(by_week))
    for name, color, lines in _SETS:
        heights = by_week[name].to_numpy(dtype=float) * (-1 if name == "lost" else 1)
        some = heights != 0
        start = np.zeros(len(by_week)) if name == "lost" else base
        tinted(ax, x[some] - 0.38, start[some], 0.76, heights[some], color=color, hatch=lines)
        if name != "lost":
            base = base + heights
    unseen = x[(by_week[["new", "returning", "stayed", "lost"]] == 0).all(axis=1).to_numpy()]
    hatch(ax, [(float(place) - 0.38, float(place) + 0.38) for place in unseen])
    ax.axhline(0, color=INK, linewidth=0.8)
    end_labels(ax, ends)
    said = ", ".join(f"{last[name]:.0f} {name}" for name in ("new", "returning", "stayed", "lost"))
    detail = f"Tenants by week, {by_week['week'].iloc[0]} to {last['week']} (UTC); lost ones below zero"
    return title(ax, f"{last['week']}: {said}", detail)


def _tenants_message(active: pd.DataFrame, fullest: pd.Series, names: dict[str, str], cap: int) -> str:
    now = apart(*active[["tenants", "generated"]].iloc[-1]) if len(active) else NO_DATA
    if fullest.empty:
        return f"{now} active at the end"
    name = str(fullest.index[0])
    return f"{now} active; {shortened(names[name], 20)} holds {fullest.iloc[0]:.0f} of {cap} labels"


def _say_least(ax: Axes, x: Floats, y: Floats) -> None:
    least = int(np.nanargmin(y))
    left, right = ax.get_xlim()
    moment = moment_of(float(x[least]))
    beyond = x[least] > (left + right) / 2
    low, high = ax.get_ylim()
    # All else lies above the least, so that the text stands below it where there is room.
    below = (y[least] - low) / (high - low) * axes_size(ax)[1] > 1.5 * LINE
    ax.plot([x[least]], [y[least]], marker="v", markersize=7, color=INK, linestyle="none", clip_on=False)
    ax.annotate(
        f"least {y[least]:.0f}, {day_words(moment)}, {moment:%H:%M}",
        (float(x[least]), float(y[least])),
        (-9 if beyond else 9, -LINE if below else 5),
        textcoords="offset points",
        ha="right" if beyond else "left",
        fontsize=SMALL_SIZE,
    )


def _churn_message(churn: pd.DataFrame) -> str:
    known = churn[churn["churn"].notna()]
    if known.empty:
        return "Churn is unknown on every day"
    highest = known.iloc[int(known["churn"].to_numpy().argmax())]
    return f"Highest daily churn {percent(highest['churn'])}, on {day_words(highest['day'])}"


def _say_churn(ax: Axes, churn: pd.DataFrame, x: Floats, y: Floats, top: float) -> None:
    left, right = ax.get_xlim()
    if axes_size(ax)[0] / (right - left) < 40:
        return  # The days are narrower than the text; the table has the numbers.
    for at, share, came, gone in zip(x, y, churn["came"], churn["left"], strict=True):
        known = np.isfinite(share)
        text = f"+{came:.0f} −{gone:.0f}" if known else "unknown"
        ax.text(at + 0.5, (share if known else 0.0) + 0.03 * top, text, ha="center", fontsize=SMALL_SIZE)


def _set_ends(last: pd.Series) -> list[End]:
    ends, base = [End(-float(last["lost"]) / 2, f"{last['lost']:.0f} lost", VERMILLION)], 0.0
    for name, color, _ in _SETS[:3]:
        ends.append(End(base + float(last[name]) / 2, f"{last[name]:.0f} {name}", color))
        base += float(last[name])
    return ends
