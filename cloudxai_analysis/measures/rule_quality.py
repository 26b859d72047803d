"""What each alert rule is worth: what it alone caught, what it cost those on call, and with which others it fires."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from itertools import permutations

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.frames import columns_of, micros, typed
from cloudxai_analysis.measures.judgement import first_catches, near_misses, recall
from cloudxai_analysis.measures.noise import LABEL_SET, at_night, flapping, weekly_noise
from cloudxai_analysis.measures.rates import alert_groups, false_positive_rates, further_needed

PAGE_WEIGHT, NIGHT_WEIGHT = 3, 6  # of a false alert group, where one that wakes nobody counts 1
NEVER, PENDING, ALWAYS = "never fired", "pending, never fired", "fires nearly always"
FIRED, UNKNOWN = "fired", "no alert is stored"
_NEAR = 5 * 60_000_000  # microseconds between the begin of an alert and another that fires with it
_ORDER = (ALWAYS, NEVER, PENDING, FIRED, UNKNOWN)


def added(judged: pd.DataFrame, incidents: pd.DataFrame) -> pd.DataFrame:
    """What each rule that fired adds: the incidents that it caught, those that it alone caught or caught first.

    Columns: alertname, caught, alone, first.
    """
    caught = first_catches(judged, incidents)
    rules = caught.groupby("id")["alertname"].transform("size")
    soonest = caught.groupby("id")["fired_at"].transform("min")
    marked = caught.assign(alone=rules == 1, first=caught["fired_at"] == soonest, caught=1)
    counts = marked.groupby("alertname")[["caught", "alone", "first"]].sum()
    return typed(counts.reindex(_rules(judged), fill_value=0).rename_axis("alertname").reset_index(), added)


def false_burden(judged: pd.DataFrame, *, paging: Collection[str], zone: str) -> pd.DataFrame:
    """What each rule's false alert groups cost: 1 each, 3 where the rule wakes people, 6 where it did so at night.

    Columns: alertname, paging, false_at_night, weight; the heaviest first.
    """
    false = alert_groups(judged).query("judgement == 'false'").astype({"alertname": "str"})
    frame = at_night(false["fired_at"], zone).groupby(false["alertname"]).agg(["size", "sum"])
    frame = frame.reindex(_rules(judged), fill_value=0).astype("int64").rename_axis("alertname").reset_index()
    number, night = frame["size"], frame["sum"]
    frame["paging"] = frame["alertname"].isin(list(paging))
    frame["weight"] = number.where(~frame["paging"], PAGE_WEIGHT * (number - night) + NIGHT_WEIGHT * night)
    return typed(frame.assign(false_at_night=night), false_burden, by="-weight alertname")


def _rules(judged: pd.DataFrame) -> list[str]:
    return sorted(judged["alertname"].astype("str").unique())


def rule_overview(
    judged: pd.DataFrame,
    incidents: pd.DataFrame,
    pendings: pd.DataFrame,
    *,
    paging: Collection[str],
    zone: str,
    days: float,
    share: float,
) -> pd.DataFrame:
    """All that is known of each rule that fired in `days` days, the one whose false alert groups weigh most first.

    `needed` is told by `rates.further_needed` for this share.

    Columns: alertname, severity, paging, weight, episodes, trials, false_positives, false_at_night,
    rate, low, high, design_effect, needed, judged_share, incidents, caught, recall, recall_low,
    recall_high, detection_seconds, reset_seconds, acknowledge_seconds, alone, first, near_misses,
    short_lived, at_night, flapping, per_week (episodes).
    """
    key = ["alertname", "severity"]
    rates = false_positive_rates(judged)
    found = rates.assign(needed=further_needed(rates, share=share))
    found = found.merge(weekly_noise(judged, zone=zone)[[*key, "short_lived", "at_night"]], how="left", on=key)
    named = recall(judged, incidents).rename(columns={"low": "recall_low", "high": "recall_high"})
    named = named.drop(columns=["caught", "reset", "acknowledged"])
    near = near_misses(judged, incidents, pendings).groupby("alertname").size().rename("near_misses").reset_index()
    again = flapping(judged).groupby("alertname")["episodes"].sum().rename("flapping").reset_index()
    burden = false_burden(judged, paging=paging, zone=zone)
    for other in (burden, named, added(judged, incidents), near, again):
        found = found.merge(other, how="left", on="alertname")
    found["per_week"] = found["episodes"] / days * 7
    counts = [name for name, kind in columns_of(rule_overview).items() if kind == "int64"]
    found[counts] = found[counts].fillna(0)
    return typed(found, rule_overview, by="-weight -episodes alertname")


def rule_history(
    rules: pd.DataFrame, episodes: pd.DataFrame, pendings: pd.DataFrame, window: Window, *, always: float = 0.9
) -> pd.DataFrame:
    """What each alert rule of a file did over a window, the ones to look at first.

    `rules`: alertname, file, line. Without an episode or pending stretch of any rule nothing is
    known: the server may not keep ALERTS.

    Columns: alertname, file, line, answer, episodes, pendings, firing_share, last_fired.
    """
    fired = episodes.groupby(episodes["alertname"].astype("str"))
    by_set = episodes.groupby(LABEL_SET, observed=True)["seconds"].sum().reset_index()
    longest = by_set.groupby(by_set["alertname"].astype("str"))["seconds"].max() / window.duration.total_seconds()
    name = rules["alertname"].astype("str")
    frame = rules.assign(
        episodes=name.map(fired.size()).fillna(0),
        pendings=name.map(pendings["alertname"].astype("str").value_counts()).fillna(0),
        firing_share=name.map(longest.to_dict()).fillna(0.0).clip(upper=1.0),
        last_fired=name.map(fired["fired_at"].max().to_dict()),
    )
    met = [frame["firing_share"] >= always, frame["episodes"] > 0, frame["pendings"] > 0]
    frame["answer"] = np.select(met, [ALWAYS, FIRED, PENDING], NEVER)
    if episodes.empty and pendings.empty:
        frame = frame.assign(answer=UNKNOWN, firing_share=np.nan)
    order = pd.Categorical(frame["answer"], _ORDER, ordered=True)
    return typed(frame.assign(order=order).sort_values(["order", "alertname"], ignore_index=True), rule_history)


def cofiring_pairs(episodes: pd.DataFrame, window: Window, *, since: pd.Timestamp) -> pd.DataFrame:
    """Of each rule's episodes, how many began while another rule fired, one row per ordered pair that ever did.

    Another rule counts where it fires within 5 minutes of the begin, for the same tenant or for
    all; `expected` is the share of the window, from `since` on, in which it does.

    Columns: alertname, other, episodes (of the first), together, share, expected, linked; the
    largest share first.
    """
    begin = window.start if pd.isna(since) else max(window.start, since)
    span = (window.end - begin).total_seconds() * 1e6
    names = episodes["alertname"].astype("str").to_numpy(dtype=object)
    tenants, whose = pd.factorize(episodes["tenant"].astype("str"))
    nobodys = (whose == "")[tenants]
    begun = micros(episodes["fired_at"])
    opens, closes = begun - _NEAR, micros(episodes["resolved_at"]) + _NEAR
    number = pd.Series(names, dtype="str").value_counts()
    together: Counter[tuple[str, str]] = Counter()
    expected = {}
    for other in number.index:
        theirs, hit = names == other, np.zeros(len(names), dtype=bool)
        for tenant in np.unique(tenants[theirs]):
            some = theirs & (tenants == tenant)
            near_to = np.flatnonzero((tenants == tenant) | nobodys | (whose[tenant] == ""))
            hit[near_to] |= _within(begun[near_to], opens[some], closes[some])
        together.update((name, other) for name in names[hit & ~theirs])
        expected[other] = min(1.0, _covered(opens[theirs], closes[theirs]) / span)
    rows = [
        (name, other, number[name], together[name, other], expected[other])
        for name, other in permutations(number.index, 2)
        if together[name, other] or together[other, name]
    ]
    frame = pd.DataFrame(rows, columns=["alertname", "other", "episodes", "together", "expected"])
    frame["share"] = frame["together"] / frame["episodes"]
    frame["linked"] = (frame["together"] >= 3) & (frame["share"] >= np.maximum(0.5, 2 * frame["expected"]))
    return typed(frame, cofiring_pairs, by="-share -together alertname other")


def _within(times: np.ndarray, opens: np.ndarray, closes: np.ndarray) -> np.ndarray:
    """Whether each time lies in any of some stretches: more of them have begun than were over before it."""
    return np.searchsorted(np.sort(opens), times, "right") > np.searchsorted(np.sort(closes), times, "left")


def _covered(start: np.ndarray, end: np.ndarray) -> int:
    """How long at least one of some stretches lasts."""
    order = np.argsort(start, kind="stable")
    start, reached = start[order], np.maximum.accumulate(end[order])
    before = np.append(start[:1], reached[:-1])
    return int(np.maximum(reached - np.maximum(start, before), 0).sum())
