"""Figures of the tenant labels: how many, how near the cap, who came and went, what was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from cloudxai_analysis.figures.course import Bound, Line, course
from cloudxai_analysis.figures.labels import shortened, without_port
from cloudxai_analysis.figures.marks import Entry, left_out
from cloudxai_analysis.figures.style import BLUE, DASHES, INK, PALETTE, empty
from cloudxai_analysis.figures.timeline import days, moment_of
from cloudxai_analysis.ground.window import DAY, Window
from cloudxai_analysis.words.phrases import NO_DATA, apart, count, day

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAME = 14  # characters of an instance beside a line or in a key


def tenants_and_cap(ax: Axes, active: pd.DataFrame, held: pd.DataFrame, *, cap: int, events: pd.DataFrame) -> Axes:
    """Active tenants over all processes and held tenants of the fullest processes, under the cap of a process.

    `active`: hour, tenants, generated; `held`: job, instance, hour, held; `events`: process
    restarts (instance, started_at).
    """
    held, started = held.assign(instance=held["instance"].astype(str)), events["instance"].astype(str)
    fullest = held.sort_values("hour", kind="stable").groupby("instance")["held"].last()
    fullest = fullest.sort_values(ascending=False, kind="stable")
    shown, names = fullest.index[:3], without_port([*held["instance"], *started], most=_NAME)
    now = apart(*active[["tenants", "generated"]].iloc[-1]) if len(active) else NO_DATA
    message = f"{now} active at the end"
    if len(fullest):
        message = f"{now} active; {shortened(names[shown[0]], 20)} holds {fullest.iloc[0]:.0f} of {cap} labels"

    last = f"{active['tenants'].iloc[-1]:.0f} active" if len(active) else ""
    lines = [Line(days(active["hour"]), active["tenants"].to_numpy(dtype=float), said=last, gaps=True)]
    for name, color, dashes in zip(shown, PALETTE[1:], DASHES[1:], strict=False):
        own, said = held[held["instance"] == name], f"{names[name]} holds {fullest[name]:.0f}"
        looks = {"linestyle": dashes}
        lines.append(Line(days(own["hour"]), own["held"].to_numpy(dtype=float), color, said, looks=looks))
    restarts = zip(days(events["started_at"]), started, strict=True)
    return course(
        ax,
        lines,
        title=message,
        subtitle="Tenants by hour",
        more=left_out(len(shown), len(fullest), "processes"),
        bound=Bound(cap, f"cap {cap}"),
        unit="{:.0f}".format,
        whole=True,
        events=[(float(at), f"restart {names[name]}") for at, name in restarts],
    )


def headroom_over_time(ax: Axes, headroom: pd.DataFrame, *, cap: int, bound: float) -> Axes:
    """Free labels of the fullest process by hour, with the bound under which it warns, and the hour with the least.

    `headroom`: hour, headroom, job, instance, held.
    """
    known = headroom[headroom["headroom"].notna()].astype({"headroom": float})
    least, last = known["headroom"].min(), known["headroom"].tail(1).sum()
    at_least = days(known.nsmallest(1, "headroom")["hour"])
    return course(
        ax,
        [Line(days(known["hour"]), known["headroom"].to_numpy(), said=f"{last:.0f} left", gaps=True)],
        title=f"{count(last, 'label')} left at the end, {least:.0f} at the least".replace("-", "−"),
        subtitle=f"Headroom by hour under a cap of {cap}",
        bound=Bound(bound, f"warn under {bound:.0f}", bad="below"),
        unit="{:.0f}".format,
        whole=True,
        events=[(at, f"least {least:.0f}, {day(moment_of(at))}, {moment_of(at):%H:%M}") for at in at_least],
    )


def held_ahead(ax: Axes, daily: pd.DataFrame, ahead: pd.DataFrame, found: pd.DataFrame, *, cap: int) -> Axes:
    """Held tenants of one process by day, as they were and as they are likely to be: median, 80 % and 95 % intervals.

    `daily`: day, arrivals, held; `ahead`: day, low95, low80, median, high80, high95; `found`: the
    one row of `time_to_cap`.
    """
    known = daily[daily["held"].notna()]
    if known.empty or ahead.empty:
        return empty(ax)
    row, last, will = found.iloc[0], ahead.iloc[-1], days(ahead["day"]) + 1
    low95, low80, median, high80, high95 = ahead[["low95", "low80", "median", "high80", "high95"]].to_numpy(float).T
    square = {"marker": "s", "color": BLUE, "markeredgewidth": 0}
    message = f"The cap of {row['cap']} is not likely to be reached within {row['horizon_days']} days"
    if row["answer"] in ("refusing", "at the cap"):
        message = f"The cap of {row['cap']} is reached"
    elif pd.notna(row["median"]):
        message = f"The cap of {row['cap']} is likely to be reached by {day(row['median'])}"
    return course(
        ax,
        [
            Line(days(known["day"]) + 1, known["held"].to_numpy(dtype=float), INK, step=1.0),
            Line(will, high95, foot=low95, step=1.0, looks={"alpha": 0.14}),
            Line(will, high80, said=f"90 % under {high80[-1]:.0f}", foot=low80, step=1.0, looks={"alpha": 0.3}),
            Line(will, median, said=f"median {last['median']:.0f}", step=1.0, looks={"linestyle": DASHES[1]}),
        ],
        title=message,
        subtitle="Held tenants of the fullest process at each day's end",
        window=Window(known["day"].min().to_pydatetime(), (ahead["day"].max() + DAY).to_pydatetime()),
        bound=Bound(cap, f"cap {cap}"),
        unit="{:.0f}".format,
        whole=True,
        events=[(float(days(known["day"]).max()) + 1, "")],
        key=[
            Entry("as it was", {"marker": "_", "color": INK}),
            Entry("median path", {"marker": "_", "color": BLUE}),
            Entry("80 % of the paths", {**square, "alpha": 0.44}),
            Entry("95 %", {**square, "alpha": 0.14}),
        ],
    )
