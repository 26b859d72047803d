"""What each alert rule is worth: what it alone caught, what it cost those on call, and with which others it fires."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from itertools import permutations

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.frames import columns_of, typed
from cloudxai_analysis.measures.judgement import first_catches, near_misses, recall
from cloudxai_analysis.measures.noise import LABEL_SET, at_night, flapping, weekly_noise
from cloudxai_analysis.measures.rates import alert_groups, false_positive_rates
from cloudxai_analysis.measures.stretches import micros

PAGE_WEIGHT, NIGHT_WEIGHT = 3, 6  # of a false alert group, where one that wakes nobody counts 1
NEVER, PENDING, ALWAYS, FIRED, UNKNOWN = (
    "never fired",
    "pending, never fired",
    "fires nearly always",
    "fired",
    "no alert is stored",
)
_ORDER = (ALWAYS, NEVER, PENDING, FIRED, UNKNOWN)


def added(judged: pd.DataFrame, incidents: pd.DataFrame) -> pd.DataFrame:
    """What a rule adds: the incidents that it caught, those that it alone caught, and those that it caught first.

    Columns: alertname, caught, alone, first (numbers of incidents); every rule that fired, by name.
    """
    caught = first_catches(judged, incidents)
    rules = caught.groupby("id")["alertname"].transform("size")
    soonest = caught.groupby("id")["fired_at"].transform("min")
    marked = caught.assign(alone=rules == 1, first=caught["fired_at"] == soonest, caught=1)
    counts = marked.groupby("alertname")[["caught", "alone", "first"]].sum()
    names = sorted(judged["alertname"].astype("str").unique())
    return typed(counts.reindex(names, fill_value=0).rename_axis("alertname").reset_index(), added)


def false_burden(judged: pd.DataFrame, *, paging: Collection[str], zone: str) -> pd.DataFrame:
    """What each rule's false alert groups cost: 1 each, 3 where the rule wakes people, 6 where it did so at night.

    Columns: alertname, paging (bool), false_at_night (begun from 22:00 to 08:00 in `zone`), weight; the heaviest first.
    """
    names = sorted(judged["alertname"].astype("str").unique())
    false = alert_groups(judged).query("judgement == 'false'").astype({"alertname": "str"})
    frame = at_night(false["fired_at"], zone).groupby(false["alertname"]).agg(["size", "sum"])
    frame = frame.reindex(names, fill_value=0).astype("int64").rename_axis("alertname").reset_index()
    number, night = frame["size"], frame["sum"]
    frame["paging"] = frame["alertname"].isin(list(paging))
    frame["weight"] = number.where(~frame["paging"], PAGE_WEIGHT * (number - night) + NIGHT_WEIGHT * night)
    rows = typed(frame.assign(false_at_night=night), false_burden)
    return rows.sort_values(["weight", "alertname"], ascending=[False, True], ignore_index=True)


def rule_overview(
    judged: pd.DataFrame,
    incidents: pd.DataFrame,
    pendings: pd.DataFrame,
    needed: pd.DataFrame,
    *,
    paging: Collection[str],
    zone: str,
    days: float,
) -> pd.DataFrame:
    """All that is known of each rule that fired in `days` days, the one whose false alert groups weigh most first.

    `needed` with alertname, severity and `needed`, as `rates.further_needed` says.

    Columns: alertname, severity, paging (bool), weight (of its false alert groups), episodes, trials, false_positives,
    false_at_night, rate, low, high, design_effect, needed (further true alert groups until the rate is surely
    within bounds), judged_share, incidents (that name it), caught, recall, recall_low, recall_high, detection_seconds,
    reset_seconds, acknowledge_seconds (medians), alone, first, near_misses (incidents), short_lived, at_night,
    flapping, per_week (episodes).
    """
    key = ["alertname", "severity"]
    found = false_positive_rates(judged).merge(needed, how="left", on=key)
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
    found = typed(found, rule_overview)
    return found.sort_values(["weight", "episodes", "alertname"], ascending=[False, False, True], ignore_index=True)


def rule_history(
    rules: pd.DataFrame, episodes: pd.DataFrame, pendings: pd.DataFrame, window: Window, *, always: float = 0.9
) -> pd.DataFrame:
    """What each alert rule of a file did over a window, the ones to look at first.

    `rules`: alertname, file, line. A rule 'fires nearly always' where one label set fired for the share `always` of the
    window or more. Without an episode or pending stretch of any rule nothing is known: the server may not keep ALERTS.

    Columns: alertname, file, line, answer, episodes (number), pendings (stretches that came to nothing), firing_share
    (of the window, by the label set that fired longest), last_fired.
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


def cofiring_pairs(
    episodes: pd.DataFrame,
    window: Window,
    *,
    since: pd.Timestamp,
    minutes: float = 5,
    least: int = 3,
    share: float = 0.5,
    times: float = 2.0,
) -> pd.DataFrame:
    """Of each rule's episodes, how many began while another rule fired, one row per ordered pair that ever did.

    Another rule counts where it fires within `minutes` minutes of the begin, for the same tenant or for all. A pair is
    linked where that holds for at least `least` episodes and the share `share` of them, and `times` as often as chance
    would have it: `expected` is the share of the window, from `since` on, in which the other rule fires, so widened.

    Columns: alertname, other, episodes (of the first), together, share (their ratio), expected, linked (bool); the
    largest share first. Both orders of a pair are there.
    """
    near = round(minutes * 60_000_000)
    begin = window.start if pd.isna(since) else max(window.start, since)
    span = (window.end - begin).total_seconds() * 1e6
    names, tenants = (episodes[name].astype("str").to_numpy(dtype=object) for name in ("alertname", "tenant"))
    begun = micros(episodes["fired_at"])
    opens, closes = begun - near, micros(episodes["resolved_at"]) + near
    number = pd.Series(names, dtype="str").value_counts()
    together: Counter[tuple[str, str]] = Counter()
    expected = {}
    for other in number.index:
        theirs = names == other
        over = (opens[theirs] <= begun[:, np.newaxis]) & (begun[:, np.newaxis] <= closes[theirs])
        own, whose = tenants[:, np.newaxis], tenants[theirs]
        hit = (over & ((own == whose) | (own == "") | (whose == ""))).any(axis=1)
        together.update((name, other) for name in names[hit & ~theirs])
        expected[other] = min(1.0, _covered(opens[theirs], closes[theirs]) / span)
    rows = [
        (name, other, number[name], together[name, other], expected[other])
        for name, other in permutations(number.index, 2)
        if together[name, other] or together[other, name]
    ]
    frame = pd.DataFrame(rows, columns=["alertname", "other", "episodes", "together", "expected"])
    frame["share"] = frame["together"] / frame["episodes"]
    frame["linked"] = (frame["together"] >= least) & (frame["share"] >= share)
    frame["linked"] &= frame["share"] >= times * frame["expected"]
    order = ["share", "together", "alertname", "other"]
    return typed(frame, cofiring_pairs).sort_values(order, ascending=[False, False, True, True], ignore_index=True)


def cofiring_groups(pairs: pd.DataFrame) -> pd.DataFrame:
    """Rules that fire together: the connected components of the linked pairs, one row per rule, by group.

    Columns: group (from 1, the largest first), alertname.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    linked = pairs[pairs["linked"]]
    if linked.empty:
        return typed([], cofiring_groups)
    codes, names = pd.factorize(pd.concat([linked["alertname"], linked["other"]]), sort=True)
    edges = np.split(codes, 2)
    graph = coo_array((np.ones(len(linked)), tuple(edges)), shape=(len(names), len(names)))
    frame = pd.DataFrame({"alertname": names, "component": connected_components(graph, directed=False)[1]})
    of_one = frame.groupby("component")["alertname"]
    frame["rules"], frame["leader"] = of_one.transform("size"), of_one.transform("min")
    frame = frame.sort_values(["rules", "leader", "alertname"], ascending=[False, True, True], ignore_index=True)
    return typed(frame.assign(group=pd.factorize(frame["leader"])[0] + 1), cofiring_groups)


def _covered(start: np.ndarray, end: np.ndarray) -> int:
    """How long at least one of some stretches lasts."""
    order = np.argsort(start, kind="stable")
    start, reached = start[order], np.maximum.accumulate(end[order])
    before = np.append(start[:1], reached[:-1])
    return int(np.maximum(reached - np.maximum(start, before), 0).sum())
