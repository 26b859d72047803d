"""The tiles of the first screen: one number each, with its trend, its bound and where it comes from."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from cloudxai_analysis.cards.compose import ROWS, Row, Tile
from cloudxai_analysis.checks import judge
from cloudxai_analysis.ground.window import DAY, HOUR, Window
from cloudxai_analysis.study.cost import GENERATED
from cloudxai_analysis.study.numbers import NUMBERS, rounded
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import NO_DATA, day, money, percent, signed, span
from cloudxai_analysis.words.sentences import say

NOTHING_BEFORE = "no {} before to compare with"
SPARK_WEEKS = 13
MEDIAN_WEEKS = 4
WHOLE = 0.999  # share of the expected scrapes from which on a sum is of the whole window


@dataclass(frozen=True)
class Told:
    """What a tile tells: its number, the number of each week, why the last two cannot be compared, and words."""

    value: float
    by_week: Callable[[Window], float]
    unlike: str = ""
    words: dict[str, Any] = field(default_factory=dict)
    change: float | None = None
    bound: float | None = None


def tiles(study: Study) -> list[dict[str, Any]]:
    """The tiles, in the order in which they are read."""
    return [_tile(study, link, tile, TILES[tile.key](study)) for link, tile in _ON_TOP]


def _tile(study: Study, link: str, tile: Tile, told: Told) -> dict[str, Any]:
    key = tile.check or ROWS[link].check
    # No number where the series may count twice, or mix what is apart.
    mixed = len(judge.told_apart(study, "", link.partition("-")[0])) > 0
    by_week = [] if mixed else [told.by_week(week) for week in study.history.weeks()][-SPARK_WEEKS:]
    value, change = None if mixed else rounded(told.value), told.change
    if change is None:
        change = by_week[-1] - by_week[-2] if len(by_week) > 1 else math.nan
    if mixed or told.unlike:
        change = math.nan
    before = [week for week in by_week[:-1] if not math.isnan(week)]
    median = statistics.median(before[-MEDIAN_WEEKS:]) if len(before) >= MEDIAN_WEEKS else math.nan
    check = judge.check(study, "labels" if mixed else key)
    bound = (told.bound or judge.bound_of(study, key)) if tile.bound_text else None
    common = {"cap": study.contract.tenant_cap, "currency": study.contract.currency, "window": study.window.name}
    period = study.window.period
    words = {
        **common,
        "so_far": " so far" * study.partial,
        "period": period,
        **told.words,
        "bound": bound,
        "change": change,
    }

    def said(name: str, number: float | None) -> str:
        return "" if number is None or math.isnan(number) else say(getattr(tile, name), {**words, "value": number})

    status = "unknown" if value is None else check.status
    if value is not None and status == "pass" and tile.amber and bound and value >= tile.amber * bound:
        status = "warn"
    return {
        "key": tile.key,
        "label": say(tile.label, words),
        "value": value,
        "text": said("text", value) or NO_DATA,
        "unit": say(tile.unit, words),
        "detail": said("detail", value),
        "bound": bound,
        "bound_text": said("bound_text", value),
        "good": tile.good,
        "status": status,
        # A change that may be chance is neither better nor worse.
        "change_week": None if words.get("unsure") else rounded(change),
        "change_week_text": said("change", change),
        "against": say(tile.against, words),
        "no_change": "" if not math.isnan(change) else told.unlike or NOTHING_BEFORE.format(period),
        "median4": rounded(median),
        "spark": [rounded(week) for week in by_week],
        "link": link,
        "missing": check.finding if value is None else "",
    }


def _error_budget(study: Study) -> Told:
    topic, rolling = study.readiness, study.readiness.rolling_availability
    used = (1 - rolling["availability"]) * rolling["seen_minutes"]

    def at_end(window: Window) -> float:
        known = used[rolling["day"] <= window.end]
        return float(known.iloc[-1]) if len(known) else math.nan

    seen = rolling[rolling["day"].isin([study.seen.start, study.seen.end])]["seen_minutes"]
    unlike = NOTHING_BEFORE.format("week") if len(seen) < 2 else ""
    if len(seen) == 2 and seen.min() <= study.bounds.coverage * seen.max():
        unlike = "no comparison: the period a week earlier was not seen as long"
    whole, days = topic.slo_availability["seen_minutes"].iloc[0] * 60, round(topic.slo_window.duration / DAY)
    own = topic.bounds.iloc[0]
    unseen = f", {percent(own['low'])} to {percent(own['high'])} with what was not seen"
    words = {
        "period": f"{days} days" if whole > (days - 0.5) * DAY.total_seconds() else f"{span(whole)} seen",
        "availability": NUMBERS["readiness.availability_30d"](study),
        "slo": study.bounds.availability,
        "unseen": "" if own["seen_share"] > WHOLE or not own["seen_minutes"] else unseen,
    }
    allowed = float(topic.error_budget["allowed_minutes"].iloc[0])
    return Told(NUMBERS["readiness.error_budget_used_minutes"](study), at_end, unlike, words, bound=allowed)


def _headroom(study: Study) -> Told:
    frame = study.cardinality.headroom

    def last(window: Window) -> float:
        hours = study.within(frame, "hour", window)["headroom"]
        return float(hours.iloc[-1]) if len(hours) else math.nan

    starts, fullest = study.telemetry.starts, study.within(frame)["instance"].tail(1)
    restarted = len(study.within(starts[starts["instance"].isin(fullest)], "seen_at")) > 0
    unlike = _unlike(study) or ("no comparison: the process restarted" if restarted else "")
    dates = study.cardinality.time_to_cap["earliest95"].dropna()
    words = {
        "least": NUMBERS["cardinality.headroom_least"](study),
        "earliest": f"; cap at the earliest {day(dates.iloc[0])}" if len(dates) else "",
    }
    return Told(last(study.seen), last, unlike, words)


def _cost(study: Study) -> Told:
    topic, currency = study.cost, study.contract.currency
    weekly = topic.weekly_costs[topic.weekly_costs["currency"] == currency].set_index("start")["cost"]

    def total(window: Window) -> float:
        return float(weekly.get(window.start, math.nan)) if _whole(study, window) else math.nan

    tenants, real = (int(frame["currency"].eq(currency).sum()) for frame in (topic.costs, topic.real_costs))
    change, relative = topic.change
    seen = "" if topic.covered_share > WHOLE else f"; {percent(topic.covered_share)} of the window seen"
    names = change_by_names(study)
    by_names = f"; {signed(money(names, currency), names)} of the change by generated names" if names else ""
    words = {"tenants": tenants, "generated": tenants - real, "relative": relative, "in_part": seen}
    words |= {"by_names": by_names if math.isfinite(change) and not _unlike(study) else ""}
    return Told(NUMBERS["cost.total"](study), total, _unlike(study), words, change)


def change_by_names(study: Study) -> float:
    """What generated names cost more than in the week before, in the contract's currency."""
    movers, currency = study.cost.cost_movers, study.contract.currency
    return float(movers.loc[(movers["tenant"] == GENERATED) & (movers["currency"] == currency), "change"].sum())


def _false_positives(study: Study) -> Told:
    weeks = study.alerts.weekly_pooled.set_index("week")
    change = weeks["change"].iloc[-1] if len(weeks) else ""
    unsure = {"not distinguishable": ", which may be chance"}.get(change, "")
    pooled = study.alerts.pooled_false_positives.iloc[0]
    bound = study.bounds.false_positive_rate
    stands = "over" if pooled["low"] > bound else "within" if pooled["high"] <= bound else "not shown to be over"
    words = {
        "unsure": unsure,
        "stands": stands,
        "wrong": pooled["false_positives"],
        **pooled[["low", "high", "trials"]],
    }
    return Told(pooled["rate"], lambda window: float(weeks["rate"].get(window.name, math.nan)), "", words)


def _coverage(study: Study) -> Told:
    share, days = study.telemetry.seen_share, study.within(study.telemetry.covered, "day")
    whole = study.telemetry.first_seen <= study.window.before.start + HOUR and not study.partial
    words = {"covered": int(days["covered"].sum()), "days": len(list(study.seen.days()))}
    return Told(share(study.seen), share, "" if whole else _unlike(study), words, _change(study, share))


def _unlike(study: Study) -> str:
    """Why this window and the one before are not alike; '' where they are: both over, and both seen."""
    if study.partial:
        return "the window is not over"
    period, share = study.window.period, study.telemetry.seen_share(study.window.before)
    own = study.telemetry.seen_share(study.seen)
    if math.isnan(share):
        return NOTHING_BEFORE.format(period)
    if min(share, own) < study.bounds.coverage:
        which = f"{percent(own, 0)} of this {period}" if own < share else f"{percent(share, 0)} of the {period} before"
        return f"no comparison: {which} was seen"
    return ""


def _change(study: Study, of: Callable[[Window], float]) -> float:
    """What a number of the window is more than in the one before it."""
    return of(study.seen) - of(study.window.before)


def _whole(study: Study, window: Window) -> bool:
    """Whether a sum over the window is one: what was half seen is no week to hold another against."""
    return window.start == study.seen.start or study.telemetry.seen_share(window) >= study.bounds.coverage


def _summed(row: Row, column: str) -> Callable[[Study], Told]:
    """What the card's check found, beside the same sum of each week, in the contract's currency."""

    def summed(study: Study) -> Told:
        def total(window: Window) -> float:
            rows = study.within(frame, row.by, window)
            return float(rows[column].sum()) if _whole(study, window) else math.nan

        frame, value = attrgetter(row.frame)(study), judge.check(study, row.check).value
        frame = frame[frame["currency"] == study.contract.currency]
        value = math.nan if value is None else value
        return Told(value, total, _unlike(study), change=_change(study, total))

    return summed


_GIVEN = {
    **{"error_budget": _error_budget, "headroom": _headroom, "cost": _cost},
    **{"false_positives": _false_positives, "coverage": _coverage},
}
_ON_TOP = sorted(((key, row.tile) for key, row in ROWS.items() if row.tile), key=lambda one: one[1].place)
# What each tile tells, by its key in `summary.json`.
TILES: dict[str, Callable[[Study], Told]] = {
    tile.key: _GIVEN.get(tile.key) or _summed(ROWS[link], tile.sums) for link, tile in _ON_TOP
}
