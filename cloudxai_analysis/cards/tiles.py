"""The tiles of the first screen: one number each, with its trend, its bound and where it comes from."""

from __future__ import annotations

import math
import statistics
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudxai_analysis.checks import judge
from cloudxai_analysis.ground.window import DAY, HOUR, WEEK, Window
from cloudxai_analysis.study.numbers import NUMBERS, rounded
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import NO_DATA, percent, span
from cloudxai_analysis.words.sentences import say

NO_WEEK_BEFORE = "no week before to compare with"
SPARK_WEEKS = 13
MEDIAN_WEEKS = 4
WHOLE = 0.999  # share of the expected scrapes from which on a sum is of the whole window
ROWS: dict[str, dict[str, str]] = tomllib.loads(Path(__file__).with_name("tiles.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Told:
    """What a tile tells: its number, the number of each week, why the last two cannot be compared, and words."""

    value: float
    by_week: Callable[[Window], float]
    unlike: str = ""
    words: dict[str, Any] = field(default_factory=dict)
    change: float | None = None


def tiles(study: Study) -> list[dict[str, Any]]:
    """The five tiles, in the order in which they are read."""
    return [_tile(study, key, told(study)) for key, told in TILES.items()]


def _tile(study: Study, key: str, told: Told) -> dict[str, Any]:
    row = ROWS[key]
    # No number where the series may count twice, or mix what is apart.
    mixed = len(judge.told_apart(study, "", row["link"].partition("-")[0])) > 0
    by_week = [] if mixed else [told.by_week(week) for week in study.history.weeks()][-SPARK_WEEKS:]
    value, change = None if mixed else rounded(told.value), told.change
    if change is None:
        change = by_week[-1] - by_week[-2] if len(by_week) > 1 else math.nan
    if mixed or told.unlike:
        change = math.nan
    before = [week for week in by_week[:-1] if not math.isnan(week)]
    median = statistics.median(before[-MEDIAN_WEEKS:]) if len(before) >= MEDIAN_WEEKS else math.nan
    check = judge.check(study, "labels" if mixed else row["check"])
    bound = judge.bound_of(study, row["check"]) if row.get("bound_text") else None
    common = {"cap": study.contract.tenant_cap, "currency": study.contract.currency, "window": study.window.name}
    words = {**common, **told.words, "bound": bound, "change": change}

    def said(name: str, number: float | None) -> str:
        return "" if number is None or math.isnan(number) else say(row[name], {**words, "value": number})

    return {
        "key": key,
        "label": say(row["label"], words),
        "value": value,
        "text": said("text", value) or NO_DATA,
        "unit": say(row["unit"], words),
        "detail": said("detail", value),
        "bound": bound,
        "bound_text": said("bound_text", bound),
        "good": row.get("good", ""),
        "status": "unknown" if value is None else check.status,
        # A change that may be chance is neither better nor worse.
        "change_week": None if words.get("unsure") else rounded(change),
        "change_week_text": said("change", change),
        "no_change": "" if not math.isnan(change) else told.unlike or NO_WEEK_BEFORE,
        "median4": rounded(median),
        "median4_text": said("text", median),
        "spark": [rounded(week) for week in by_week],
        "link": row["link"],
        "missing": check.finding if value is None else "",
    }


def _availability(study: Study) -> Told:
    topic, rolling = study.readiness, study.readiness.rolling_availability

    def at_end(window: Window) -> float:
        known = rolling[rolling["day"] <= window.end]["availability"]
        return float(known.iloc[-1]) if len(known) else math.nan

    seen = rolling[rolling["day"].isin([study.seen.start, study.seen.end])]["seen_minutes"]
    unlike = NO_WEEK_BEFORE if len(seen) < 2 else ""
    if len(seen) == 2 and seen.min() <= study.bounds.coverage * seen.max():
        unlike = "no comparison: the period a week earlier was not seen as long"
    whole, days = topic.slo_availability["seen_minutes"].iloc[0] * 60, round(topic.slo_window.duration / DAY)
    own = topic.bounds.iloc[0]
    unseen = f", {percent(own['low'])} to {percent(own['high'])} with what was not seen"
    words = {
        "period": f"{days} days" if whole > (days - 0.5) * DAY.total_seconds() else f"{span(whole)} seen",
        "share": NUMBERS["readiness.availability_week"](study),
        "so_far": " so far" if study.partial else "",
        "unseen": "" if own["seen_share"] > WHOLE or not own["seen_minutes"] else unseen,
    }
    return Told(NUMBERS["readiness.availability_30d"](study), at_end, unlike, words)


def _headroom(study: Study) -> Told:
    frame = study.cardinality.headroom

    def last(window: Window) -> float:
        hours = study.within(frame, "hour", window)["headroom"]
        return float(hours.iloc[-1]) if len(hours) else math.nan

    starts, fullest = study.telemetry.starts, study.within(frame)["instance"].tail(1)
    restarted = len(study.within(starts[starts["instance"].isin(fullest)], "seen_at")) > 0
    unlike = _unlike(study) or ("no comparison: the process restarted" if restarted else "")
    return Told(last(study.seen), last, unlike, {"least": NUMBERS["cardinality.headroom_least"](study)})


def _cost(study: Study) -> Told:
    topic, currency = study.cost, study.contract.currency
    weekly = topic.weekly_costs[topic.weekly_costs["currency"] == currency].set_index("start")["cost"]

    def total(window: Window) -> float:
        # What was half seen cost more than its sum, and is no week to hold another against.
        whole = window.start == study.seen.start or study.telemetry.seen_share(window) >= study.bounds.coverage
        return float(weekly.get(window.start, math.nan)) if whole else math.nan

    tenants, real = (int(frame["currency"].eq(currency).sum()) for frame in (topic.costs, topic.real_costs))
    change, relative = topic.change
    seen = "" if topic.covered_share > WHOLE else f"; {percent(topic.covered_share)} of the window seen"
    words = {"tenants": tenants, "generated": tenants - real, "relative": relative, "in_part": seen}
    return Told(NUMBERS["cost.total"](study), total, _unlike(study), words, change)


def _false_positives(study: Study) -> Told:
    weeks = study.alerts.weekly_pooled.set_index("week")
    change = weeks["change"].iloc[-1] if len(weeks) else ""
    unsure = "" if change in ("better", "worse") else f", {change}"
    pooled = study.alerts.pooled_false_positives.iloc[0]
    words = {"unsure": unsure, **pooled[["low", "high", "trials"]]}
    return Told(pooled["rate"], lambda window: float(weeks["rate"].get(window.name, math.nan)), "", words)


def _coverage(study: Study) -> Told:
    share, days = study.telemetry.seen_share, study.within(study.telemetry.covered, "day")
    whole = study.telemetry.first_seen <= study.seen.start - WEEK + HOUR and not study.partial
    words = {"covered": int(days["covered"].sum()), "days": len(list(study.seen.days()))}
    return Told(share(study.seen), share, "" if whole else _unlike(study), words)


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


# By the key of each one's row.
TILES: dict[str, Callable[[Study], Told]] = dict(
    zip(ROWS, (_availability, _headroom, _cost, _false_positives, _coverage), strict=True)
)
