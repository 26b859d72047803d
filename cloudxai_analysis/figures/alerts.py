"""Figures of the alerts: what fired and was true, which rules cry wolf, and the signal that a rule looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from cloudxai_analysis.figures.course import Bound, Course, course
from cloudxai_analysis.figures.labels import shortened
from cloudxai_analysis.figures.lanes import Words, intervals, stretches
from cloudxai_analysis.figures.marks import Entry
from cloudxai_analysis.figures.style import BLUE, GREEN, INK, VERMILLION
from cloudxai_analysis.figures.timeline import days, usual_step
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
_RULE_NAME, _TITLE_NAME = 30, 32  # characters of a rule in a list, for names in one word of four or five; in a title


def episodes_on_timeline(ax: Axes, judged: pd.DataFrame, window: Window) -> Axes:
    """One lane per rule with its episodes: a bar as long as it fired, and a marker that says whether it was true.

    `judged`: alertname, fired_at, resolved_at, judgement.
    """
    numbers, said = judged["alertname"].astype(str).value_counts(), judged["judgement"].astype(str).value_counts()
    parts = {name: f"{said[name]} {name}" for name in JUDGED if name in said.index}
    words = Words(
        title=lambda frame: f"{count(len(frame), 'episode')}: {', '.join(parts.values())}",
        subtitle="Alert episodes by rule",
        noun="rules",
        key=[Entry(text, JUDGED[name]) for name, text in parts.items()],
    )
    columns = {"lane": "alertname", "start": "fired_at", "end": "resolved_at", "mark": "judgement"}
    return stretches(ax, judged, words, window=window, lanes=numbers.index.tolist(), marks=JUDGED, **columns)


def false_positive_rates(ax: Axes, rates: pd.DataFrame, *, bound: float) -> Axes:
    """The share of false alert groups of each rule with its 95 % interval, and the bound.

    `rates`: alertname, severity, trials, false_positives, rate, low, high (NaN without an alert group).
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

    def said(row: pd.Series) -> str:
        return f"{row['false_positives']:.0f} of {row['trials']:.0f} false" if row["trials"] > 0 else "none judged"

    subtitle = "Share of judged alert groups that were false, by rule, 28 days"
    xlabel = f"dashed: bound {percent(bound, 0)}; whiskers: 95 % interval"
    words = Words(title=message, subtitle=subtitle, noun="rules")
    return intervals(ax, rates, words, names=_rules, said=said, bound=bound, xlabel=xlabel)


def signal(
    ax: Axes,
    seen: pd.DataFrame,
    episodes: pd.DataFrame,
    *,
    alertname: str,
    meaning: str,
    threshold: float | None,
    window: Window,
) -> Axes:
    """What a rule looks at over time, with its threshold and the times at which it would have fired.

    `seen`: time, value, as `meaning` says; `episodes`: fired_at, resolved_at.
    """
    fired = [(days(episodes["fired_at"]), days(episodes["resolved_at"].fillna(window.end)))] if len(episodes) else []
    spec = Course(
        title=lambda _: f"{shortened(alertname, _TITLE_NAME)} would have fired {count(len(episodes), 'time')}",
        subtitle=meaning,
        at="time",
        value="value",
        step=usual_step(seen["time"]),
        bound=None if threshold is None else Bound(threshold, f"threshold {threshold:g}"),
        window=window,
        shaded=[stretch for start, end in fired for stretch in zip(start, end, strict=True)],
        more="; shaded: firing",
    )
    return course(ax, seen, spec)


def _rules(frame: pd.DataFrame) -> list[str]:
    """The rules' names, with their severity where one name has several."""
    names, severities = frame["alertname"].astype(str), frame["severity"].astype(str)
    several = names.duplicated(keep=False)
    return [
        f"{shortened(name, 22)} {shortened(severity, 7)}" if twice else shortened(name, _RULE_NAME)
        for name, severity, twice in zip(names, severities, several, strict=True)
    ]
