"""Figures of the alerts: what fired and was true, which rules cry wolf, make noise, or fire together; files' faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from cloudxai_analysis.figures.course import Columns, Course, course
from cloudxai_analysis.figures.labels import shortened
from cloudxai_analysis.figures.lanes import (
    Bars,
    Grid,
    Intervals,
    Layer,
    Stretches,
    bars,
    grid,
    intervals,
    named,
    stretches,
)
from cloudxai_analysis.figures.marks import Entry, box
from cloudxai_analysis.figures.style import BLUE, GREEN, HATCH, INK, VERMILLION, empty
from cloudxai_analysis.figures.timeline import Floats, days, week_axis
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
_SEVERITIES = {"error": (VERMILLION, "xx"), "warning": (BLUE, "//"), "info": (GREEN, "")}
_RULE_NAME = 30  # characters of a rule in a list, for names in one word of four or five
_TITLE_NAME = 32
_DENSE = HATCH + "//"


def episodes_on_timeline(ax: Axes, judged: pd.DataFrame, window: Window) -> Axes:
    """One lane per rule with its episodes: a bar as long as it fired, and a marker that says whether it was true.

    `judged`: alertname, fired_at, resolved_at, judgement.
    """
    numbers, said = judged["alertname"].astype(str).value_counts(), judged["judgement"].astype(str).value_counts()
    parts = {name: f"{said[name]} {name}" for name in JUDGED if name in said.index}
    spec = Stretches(
        title=lambda frame: f"{count(len(frame), 'episode')}: {', '.join(parts.values())}",
        subtitle="Alert episodes by rule",
        window=window,
        lane="alertname",
        order=lambda _: numbers.index.tolist(),
        noun="rules",
        names=lambda name: shortened(name, _RULE_NAME),
        start="fired_at",
        end="resolved_at",
        mark="judgement",
        marks=JUDGED,
        key=[Entry(text, JUDGED[name]) for name, text in parts.items()],
    )
    return stretches(ax, judged, spec)


def false_positive_rates(ax: Axes, rates: pd.DataFrame, *, bound: float) -> Axes:
    """The share of false alert groups of each rule with its 95 % interval, and the bound.

    `rates`: alertname, severity, trials, false_positives, rate, low, high (NaN without a trial).
    """

    def message(rates: pd.DataFrame) -> str:
        known = rates[rates["rate"].notna()]
        if known.empty:
            return "No rule could be judged"
        if not known["false_positives"].sum() > 0:
            return f"None of {count(known['trials'].sum(), 'judged alert group')} was false"
        worst = known.iloc[int(known["false_positives"].to_numpy().argmax())]
        name, groups = shortened(str(worst["alertname"]), _TITLE_NAME), count(worst["trials"], "alert group")
        return f"{name} most often false: {worst['false_positives']:.0f} of {groups}"

    spec = Intervals(
        title=message,
        subtitle="Share of judged alert groups that were false, by rule, 28 days",
        names=rules,
        said=lambda row: (
            f"{row['false_positives']:.0f} of {row['trials']:.0f} false" if row["trials"] > 0 else "none judged"
        ),
        noun="rules",
        value="rate",
        low="low",
        high="high",
        bound=bound,
        xlabel=f"dashed: bound {percent(bound, 0)}; whiskers: 95 % interval",
    )
    return intervals(ax, rates, spec)


def noise_by_rule(ax: Axes, noise: pd.DataFrame) -> Axes:
    """Episodes of each rule as bars from zero, of which the hatched part began at night.

    `noise`: alertname, severity, episodes, short_lived, at_night, seconds.
    """
    total = int(noise["episodes"].sum())
    spec = Bars(
        title=lambda frame: (
            f"{shortened(str(frame['alertname'].iloc[0]), _TITLE_NAME)} fired most: "
            f"{frame['episodes'].iloc[0]:.0f} of {count(total, 'episode')}"
        ),
        subtitle="Alert episodes by rule in the window",
        names=rules,
        layers=[Layer(lambda frame: frame["episodes"]), Layer(lambda frame: frame["at_night"], hatch=_DENSE)],
        said=lambda row: f"{row['episodes']:.0f} ({row['short_lived']:.0f} short, {row['at_night']:.0f} at night)",
        noun="rules",
        key=[box("episodes", BLUE), Entry("hatched: begun at night"), Entry("short: under five minutes")],
    )
    return bars(ax, noise.sort_values("episodes", ascending=False, kind="stable") if total else noise[:0], spec)


def worth_and_noise(ax: Axes, overview: pd.DataFrame) -> Axes:
    """Of each rule to the right the incidents that it caught, to the left the alert groups in which it was false.

    `overview`: alertname, severity, false_positives, false_at_night, caught, alone, first, verdict.
    """

    def message(overview: pd.DataFrame) -> str:
        if not overview["false_positives"].sum():
            return f"No alert group of {count(len(overview), 'rule')} is known to be false"
        first = overview.iloc[0]
        false, caught = count(first["false_positives"], "false alert group"), count(first["caught"], "incident")
        return f"{shortened(str(first['alertname']), _TITLE_NAME)}: {false} for {caught} caught"

    spec = Bars(
        title=message,
        subtitle="False alert groups and incidents caught by rule, 28 days",
        names=rules,
        layers=[
            Layer(lambda frame: -frame["false_positives"], VERMILLION),
            Layer(lambda frame: -frame["false_at_night"], VERMILLION, _DENSE),
            Layer(lambda frame: frame["caught"]),
            Layer(lambda frame: frame["alone"], hatch="...."),
        ],
        said=lambda row: f"{row['caught']:.0f}" if row["caught"] else "",
        left=lambda row: f"{row['false_positives']:.0f}" if row["false_positives"] else "",
        note=lambda row: str(row["verdict"]).rpartition(", ")[2],
        noun="rules",
        xlabel="left: false alert groups; right: incidents caught",
        key=[
            box("false groups, hatched: at night", VERMILLION),
            box("incidents caught, dotted: by it alone", BLUE),
        ],
    )
    return bars(ax, overview, spec)


def weekly_rates(ax: Axes, rates: pd.DataFrame, *, bound: float) -> Axes:
    """The false-positive rate of each rule over the 28 days that end with each week, a cell each.

    `rates`: week, start, alertname, trials, false_positives, rate, low, high (NaN without a trial), change.
    """
    known = rates[rates["rate"].notna()]
    if known.empty:
        return empty(ax)
    mondays = pd.date_range(rates["start"].min(), rates["start"].max(), freq="7D")
    weeks = [f"{monday.isocalendar()[0]}-W{monday.isocalendar()[1]:02d}" for monday in mondays]
    totals = known.groupby("alertname", observed=True)[["false_positives", "trials"]].sum()
    order = totals.sort_values(["false_positives", "trials"], ascending=False, kind="stable").index

    def message(known: pd.DataFrame) -> str:
        own = known[known["week"] == known["week"].iloc[-1]]
        worst = own.iloc[int(own["false_positives"].to_numpy().argmax())]
        name, groups = shortened(str(worst["alertname"]), _TITLE_NAME), count(worst["trials"], "alert group")
        change = f", {worst['change']}" if worst["change"] else ""
        return f"{name}: {worst['false_positives']:.0f} of {groups} false{change}"

    spec = Grid(
        title=message,
        subtitle=f"False of judged alert groups, 28 days up to each week; filled: the share, bound {percent(bound, 0)}",
        row="alertname",
        rows=[str(name) for name in order],
        x=lambda frame: frame["week"].map({week: at for at, week in enumerate(weeks)}).to_numpy(dtype=float),
        share="rate",
        axis=lambda ax: week_axis(ax, weeks),
        said=lambda frame: [f"{row.false_positives:.0f} of {row.trials:.0f}" for row in frame.itertuples()],
        bad=lambda frame: frame["rate"] > bound,
        framed=True,
        noun="rules",
    )
    return grid(ax, known, spec)


def pages_by_shift(ax: Axes, shifts: pd.DataFrame, *, zone: str) -> Axes:
    """Pages of each shift over time, stacked by whether they were true, false or not judged; shifts by night shaded.

    `shifts`: start, end, shift, pages, true_pages, false_pages, at_night.
    """
    if not shifts["pages"].sum() > 0:
        return empty(ax)
    start, end = days(shifts["start"]), days(shifts["end"])
    pages, true, false = (shifts[name].to_numpy(dtype=float) for name in ("pages", "true_pages", "false_pages"))
    middle = (shifts["start"] + (shifts["end"] - shifts["start"]) / 2).dt.tz_convert(zone).dt.hour
    night = ((middle >= 22) | (middle < 8)).to_numpy(dtype=bool)
    rest = pages - true - false

    def message(frame: pd.DataFrame) -> str:
        top = frame.iloc[int(pages.argmax())]
        local = top["start"].tz_convert(zone)
        return (
            f"{count(top['pages'], 'page')} in the shift of {local:%a} {local.day} {local:%b, %H:%M}, "
            f"{frame['at_night'].sum():.0f} of {count(pages.sum(), 'page')} at night"
        )

    def stack(values: Floats, color: str, base: Any, hatch: str) -> Columns:
        return Columns(start, values, end - start, color, base, hatch)

    spec = Course(
        title=message,
        subtitle="Pages by shift",
        parts=lambda _: [
            stack(true, GREEN, 0.0, ""),
            stack(false, VERMILLION, true, _DENSE),
            stack(rest, BLUE, true + false, "...."),
        ],
        unit="{:.0f}".format,
        whole=True,
        window=Window(shifts["start"].iloc[0].to_pydatetime(), shifts["end"].iloc[-1].to_pydatetime()),
        shaded=list(zip(start[night], end[night], strict=True)),
        shade=INK,
        key=[
            box("true", GREEN),
            box("false, hatched", VERMILLION),
            *([box("neither, dotted", BLUE)] if rest.any() else []),
            Entry("shaded: shifts by night"),
        ],
        more=f"; shifts by the clock of {zone}",
    )
    return course(ax, shifts, spec)


def findings_by_code(ax: Axes, findings: pd.DataFrame) -> Axes:
    """One bar per code, the gravest and most frequent on top.

    `findings`: severity ('error', 'warning', 'info'), code, file.
    """
    table = findings.groupby(["severity", "code"]).agg(times=("file", "size"), files=("file", "nunique")).reset_index()
    table["weight"] = table["severity"].map(list(_SEVERITIES).index)
    table = table.sort_values(["weight", "times", "code"], ascending=[True, False, True], ignore_index=True)
    errors = int((findings["severity"] == "error").sum())

    def layer(severity: str) -> Layer:
        color, hatch = _SEVERITIES[severity]
        return Layer(lambda table: table["times"].where(table["severity"] == severity), color, hatch)

    spec = Bars(
        title=lambda _: f"{count(len(findings), 'finding')}, {errors} of them errors",
        subtitle="Findings by code",
        names=named("code", 40),
        layers=[layer(severity) for severity in _SEVERITIES],
        said=lambda row: f"{row['times']} in {count(row['files'], 'file')}",
        noun="codes",
        xlabel="findings",
        key=[box(severity, color, tint=False) for severity, (color, _) in _SEVERITIES.items()],
    )
    return bars(ax, table, spec)


def rules(frame: pd.DataFrame) -> list[str]:
    """The rules' names, with their severity where one name has several."""
    names, severities = frame["alertname"].astype(str), frame["severity"].astype(str)
    several = names.duplicated(keep=False)
    return [
        f"{shortened(name, 22)} {shortened(severity, 7)}" if twice else shortened(name, _RULE_NAME)
        for name, severity, twice in zip(names, severities, several, strict=True)
    ]
