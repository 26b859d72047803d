"""The tiles of the first screen: one number each, with its trend, its bound and where it comes from."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd

from cloudxai_analysis.checks import judge
from cloudxai_analysis.ground.window import DAY, HOUR, WEEK, Window
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import NO_DATA, apart, count, money, percent, signed, span

NO_WEEK_BEFORE = "no week before to compare with"
SPARK_WEEKS = 13
MEDIAN_WEEKS = 4
WHOLE = 0.999  # share of the expected scrapes from which on a sum is of the whole window


def rounded(value: float | None) -> float | None:
    """Nine significant digits, None for unknown or endless: enough for people, and the same bytes on every machine."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.9g}")


def tiles(study: Study) -> list[dict[str, Any]]:
    """The five tiles, in the order in which they are read."""
    return [_settled(study, tile(study), _SECTIONS[key]) for key, tile in TILES.items()]


def _settled(study: Study, tile: dict[str, Any], section: str) -> dict[str, Any]:
    """The tile, or why it has no number: its series may count twice, or mix what is apart."""
    if judge.told_apart(study, "", section).empty:
        return tile
    nothing: dict[str, Any] = {"value": None, "change_week": None, "median4": None, "spark": []}
    unsaid = {"text": NO_DATA, "detail": "", "change_week_text": "", "median4_text": ""}
    return tile | nothing | unsaid | {"status": "unknown", "missing": judge.check(study, "labels").finding}


def _availability(study: Study) -> dict[str, Any]:
    topic, bound = study.readiness, study.bounds.availability
    week = topic.availability["availability"].iloc[0]
    rolling = topic.rolling_availability

    def at_end(window: Window) -> float:
        known = rolling[rolling["day"] <= window.end]["availability"]
        return float(known.iloc[-1]) if len(known) else math.nan

    seen = rolling[rolling["day"].isin([study.seen.start, study.seen.end])]["seen_minutes"]
    whole = topic.slo_availability["seen_minutes"].iloc[0] * 60
    days = round(topic.slo_window.duration / DAY)
    label = f"{days} days" if whole > (days - 0.5) * DAY.total_seconds() else f"{span(whole)} seen"
    return _tile(
        study,
        key="availability",
        label=f"Availability, {label}",
        value=topic.slo_availability["availability"].iloc[0],
        by_week=_by_week(study, at_end),
        say=lambda share: percent(share, 3),
        say_change=lambda change: f"{signed(f'{change * 100:.3f}', change)} points",
        unit="share",
        detail=f"{percent(week, 3)} in {study.window.name}{' so far' if study.partial else ''}{_unseen(study)}",
        bound=bound,
        bound_text=f"objective {percent(bound, 1)}",
        good="up",
        link="readiness-availability",
        unlike=NO_WEEK_BEFORE
        if len(seen) < 2
        else ""
        if seen.min() > study.bounds.coverage * seen.max()
        else "no comparison: the period a week earlier was not seen as long",
    )


def _unseen(study: Study) -> str:
    own = study.readiness.bounds.iloc[0]
    if own["seen_share"] > WHOLE or not own["seen_minutes"]:
        return ""
    return f", {percent(own['low'])} to {percent(own['high'])} with what was not seen"


def _headroom(study: Study) -> dict[str, Any]:
    frame, cap = study.cardinality.headroom, study.contract.tenant_cap

    def last(window: Window) -> float:
        hours = study.within(frame, "hour", window)["headroom"]
        return float(hours.iloc[-1]) if len(hours) else math.nan

    least = study.within(frame)["headroom"].min()
    fullest = "".join(study.within(frame)["instance"].tail(1))
    bound = int(judge.bound_of(study, "headroom") or 0)
    return _tile(
        study,
        key="headroom",
        label="Tenant labels left",
        value=last(study.seen),
        by_week=_by_week(study, last),
        say=lambda labels: f"{labels:.0f} of {cap}",
        say_change=lambda change: signed(f"{change:.0f}", change),
        unit="labels",
        detail=f"least in the window: {least:.0f}" if not math.isnan(least) else "",
        bound=bound,
        bound_text=f"warn under {bound}",
        good="up",
        link="cardinality-headroom",
        unlike=_unlike(study) or _restarted(study, fullest),
    )


def _cost(study: Study) -> dict[str, Any]:
    weekly, currency = study.cost.weekly_costs, study.contract.currency

    def total(window: Window) -> float:
        found = weekly[(weekly["start"] == window.start) & (weekly["currency"] == currency)]["cost"]
        # What was half seen cost more than its sum, and is no week to hold another against.
        whole = window.start == study.seen.start or study.telemetry.seen_share(window) >= study.bounds.coverage
        return float(found.iloc[0]) if len(found) and whole else math.nan

    costs = study.cost.costs
    own = costs[costs["currency"] == currency]
    real = study.cost.real_costs["currency"].eq(currency).sum()
    change, relative = study.cost.change
    tile = _tile(
        study,
        key="cost",
        label=f"Cost, {study.window.name}",
        value=float(own["cost"].sum()) if len(own) else math.nan,
        by_week=_by_week(study, total),
        say=lambda amount: money(amount, currency),
        say_change=lambda _: f"{signed(money(change, currency), change)} ({signed(percent(relative), relative)})",
        unit=currency,
        detail=f"{apart(len(own), len(own) - real)}, estimate{_in_part(study)}",
        bound=None,
        bound_text="",
        good="",
        link="cost-weeks",
        unlike=_unlike(study),
        change=change,
    )
    return tile | {"status": judge.check(study, "anomalies").status} if tile["value"] is not None else tile


def _in_part(study: Study) -> str:
    share = study.cost.covered_share
    return "" if share > WHOLE else f"; {percent(share)} of the window seen"


def _false_positives(study: Study) -> dict[str, Any]:
    topic, bound = study.alerts, study.bounds.false_positive_rate
    pooled, weeks = topic.pooled_false_positives.iloc[0], topic.weekly_pooled.set_index("week")
    change = weeks["change"].iloc[-1] if len(weeks) else ""
    unsure = "" if change in ("better", "worse") else f", {change}"

    def rate(window: Window) -> float:
        return float(weeks["rate"].get(window.name, math.nan))

    interval = f"95 % interval {percent(pooled['low'], 0)} to {percent(pooled['high'], 0)}"
    tile = _tile(
        study,
        key="false_positives",
        label="False alert groups, 28 days",
        value=pooled["rate"],
        by_week=_by_week(study, rate),
        say=lambda share: percent(share, 0),
        say_change=lambda change: f"{signed(f'{change * 100:.0f}', change)} points{unsure}",
        unit="share",
        detail=f"{interval}, n = {pooled['trials']:.0f}; each point of the line: 28 days up to that week",
        bound=bound,
        bound_text=f"at most {percent(bound, 0)}",
        good="down",
        link="alerts-false-positives",
    )
    if tile["value"] is None:
        tile["missing"] = judge.check(study, "false_positives").finding
    # A number that may be chance is neither better nor worse.
    return tile | {"change_week": None} if unsure else tile


def _coverage(study: Study) -> dict[str, Any]:
    share, bound = study.telemetry.seen_share, study.bounds.coverage
    days = study.within(study.telemetry.covered, "day")
    return _tile(
        study,
        key="coverage",
        label="Time seen",
        value=share(study.seen),
        by_week=_by_week(study, share),
        say=lambda value: percent(value, 2),
        say_change=lambda change: f"{signed(f'{change * 100:.2f}', change)} points",
        unit="share",
        detail=f"{int(days['covered'].sum())} of {count(len(list(study.seen.days())), 'day')} covered",
        bound=bound,
        bound_text=f"a day needs {percent(bound, 0)}",
        good="up",
        link="telemetry-coverage",
        unlike=_unlike(study) if study.partial or study.telemetry.first_seen > study.seen.start - WEEK + HOUR else "",
    )


def _unlike(study: Study) -> str:
    """Why this window and the one before are not alike; '' where they are: both over, and both seen."""
    if study.partial:
        return "the window is not over"
    share = study.telemetry.seen_share(Window(study.seen.start - study.seen.duration, study.seen.start))
    own = study.telemetry.seen_share(study.seen)
    if math.isnan(share):
        return NO_WEEK_BEFORE
    if min(share, own) < study.bounds.coverage:
        which = f"{percent(own, 0)} of this week" if own < share else f"{percent(share, 0)} of the week before"
        return f"no comparison: {which} was seen"
    return ""


def _restarted(study: Study, instance: str) -> str:
    """Why a process's labels are not alike at the window's ends; '' where it ran on."""
    starts = study.telemetry.starts
    own = study.within(starts[starts["instance"] == instance], "seen_at")
    return "no comparison: the process restarted" if len(own) else ""


TILES: dict[str, Callable[[Study], dict[str, Any]]] = {
    "availability": _availability,
    "headroom": _headroom,
    "cost": _cost,
    "false_positives": _false_positives,
    "coverage": _coverage,
}
_SECTIONS = dict(zip(TILES, ("readiness", "cardinality", "cost", "alerts", "telemetry"), strict=True))


def _by_week(study: Study, value: Callable[[Window], float]) -> list[float]:
    return [value(week) for week in study.history.weeks()][-SPARK_WEEKS:]


def _tile(
    study: Study,
    *,
    key: str,
    label: str,
    value: float,
    by_week: list[float],
    say: Callable[[float], str],
    say_change: Callable[[float], str],
    unit: str,
    detail: str,
    bound: float | None,
    bound_text: str,
    good: str,
    link: str,
    unlike: str = "",
    change: float | None = None,
) -> dict[str, Any]:
    known = rounded(value)
    before = [week for week in by_week[:-1] if not math.isnan(week)]
    if change is None and len(by_week) > 1:
        change = by_week[-1] - by_week[-2]
    # Only like is held against like.
    change = math.nan if unlike or change is None else change
    median = float(pd.Series(before[-MEDIAN_WEEKS:]).median()) if len(before) >= MEDIAN_WEEKS else math.nan
    status = judge.check(study, key).status if key in judge.KEYS else "pass"
    return {
        "key": key,
        "label": label,
        "value": known,
        "text": NO_DATA if known is None else say(known),
        "unit": unit,
        "detail": detail if known is not None else "",
        "bound": bound,
        "bound_text": bound_text,
        "good": good,
        "status": "unknown" if known is None else status,
        "change_week": rounded(change),
        "change_week_text": "" if math.isnan(change) else say_change(change),
        "no_change": "" if not math.isnan(change) else unlike or NO_WEEK_BEFORE,
        "median4": rounded(median),
        "median4_text": "" if math.isnan(median) else say(median),
        "spark": [rounded(week) for week in by_week],
        "link": link,
        "missing": "" if known is not None else judge.check(study, key).finding if key in judge.KEYS else NO_DATA,
    }
