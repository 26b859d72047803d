"""What each alert rule is worth: what it alone caught, what it nearly caught, what it cost those on call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import timedelta

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.alerts import at_night, flapping, weekly_noise
from cloudxai_analysis.measures.frames import columns_of, typed
from cloudxai_analysis.measures.judgement import false_positive_rates, first_catches, recall, trials
from cloudxai_analysis.measures.matching import ends, in_scope, moments

PAGE_WEIGHT, NIGHT_WEIGHT = 3, 6  # of a false trial, where one that wakes nobody counts 1


def added(judged: pd.DataFrame, incidents: pd.DataFrame) -> pd.DataFrame:
    """What a rule adds: the incidents that it caught, those that it alone caught, and those that it caught first.

    Two rules that fired at the same moment were both first.

    Columns: alertname, caught, alone, first (numbers of incidents); every rule that fired, by name.
    """
    caught = first_catches(judged, incidents)
    rules = caught.groupby("id")["alertname"].transform("size")
    soonest = caught.groupby("id")["fired_at"].transform("min")
    marked = caught.assign(alone=rules == 1, first=caught["fired_at"] == soonest, caught=1)
    counts = marked.groupby("alertname")[["caught", "alone", "first"]].sum()
    names = sorted(judged["alertname"].astype("str").unique())
    return typed(counts.reindex(names, fill_value=0).rename_axis("alertname").reset_index(), added)


def near_misses(judged: pd.DataFrame, incidents: pd.DataFrame, pendings: pd.DataFrame) -> pd.DataFrame:
    """Rules that were pending in an incident of their scope and did not catch it, one row per incident and rule.

    `pendings` as `alerts.pendings` gives them.

    Columns: id, alertname, tenant, pending_at (the first time), pending_seconds (the longest); by incident.
    """
    caught = first_catches(judged, incidents)[["id", "alertname"]]
    began, ended = moments(pendings["pending_at"])[:, np.newaxis], moments(pendings["ended_at"])[:, np.newaxis]
    during = in_scope(pendings, incidents) & (began < ends(incidents)) & (ended > moments(incidents["start"]))
    row, place = np.nonzero(during)
    found = pendings.iloc[row].reset_index(drop=True).assign(id=incidents["id"].astype("str").to_numpy()[place])
    found["pending_seconds"] = (found["ended_at"] - found["pending_at"]).dt.total_seconds()
    found["alertname"] = found["alertname"].astype("str")
    known = found.merge(caught.assign(hit=True), how="left", on=["id", "alertname"])["hit"].notna()
    grouped = found[~known.to_numpy()].sort_values("pending_at").groupby(["id", "alertname"], as_index=False)
    rows = grouped.agg(
        tenant=("tenant", "first"), pending_at=("pending_at", "min"), pending_seconds=("pending_seconds", "max")
    )
    return typed(rows, near_misses).sort_values(["id", "pending_at", "alertname"], ignore_index=True)


def duplicates(episodes: pd.DataFrame) -> pd.DataFrame:
    """One fault told several times: episodes of one rule and tenant that fired at the same time on several instances.

    Columns: alertname, tenant, episodes (that overlap), instances, start (first `fired_at`), end (last
    `resolved_at`); by start.
    """
    frame = episodes.assign(alertname=episodes["alertname"].astype("str"), tenant=episodes["tenant"].astype("str"))
    frame = frame.sort_values(["alertname", "tenant", "fired_at"], ignore_index=True)
    group = frame.groupby(["alertname", "tenant"], observed=True).ngroup().to_numpy()
    other = np.append(True, group[1:] != group[:-1])[: len(frame)]
    fired = moments(frame["fired_at"])
    reached = moments(frame.groupby(group)["resolved_at"].cummax())
    opens = other.copy()
    opens[1:] |= fired[1:] >= reached[:-1]
    grouped = frame.groupby(np.cumsum(opens))
    rows = grouped.agg(
        alertname=("alertname", "first"),
        tenant=("tenant", "first"),
        episodes=("fired_at", "size"),
        instances=("instance", "nunique"),
        start=("fired_at", "min"),
        end=("resolved_at", "max"),
    )
    several = rows[rows["instances"] > 1]
    return typed(several, duplicates).sort_values(["start", "alertname", "tenant"], ignore_index=True)


def weekly_rates(
    judged: pd.DataFrame,
    weeks: Iterable[Window],
    *,
    days: float = 28,
    rates: Callable[[pd.DataFrame], pd.DataFrame] = false_positive_rates,
) -> pd.DataFrame:
    """The false-positive rates, as `rates` makes them, over the `days` days that end with each of `weeks`.

    One week alone holds too few alert groups to be compared with another.

    Columns: week ('2026-W46'), start (Monday), alertname, severity, episodes, trials, false_positives, rate, low, high
    (NaN without a trial), change (against the `days` days that ended a week earlier: 'better' or 'worse' where the two
    intervals do not meet, else 'not distinguishable'; '' where either is unknown); by week and rule.
    """
    parts = []
    for week in weeks:
        inside = (judged["fired_at"] >= week.end - timedelta(days=days)) & (judged["fired_at"] < week.end)
        parts.append(rates(judged[inside].reset_index(drop=True)).assign(week=week.name, start=week.start))
    rows = pd.concat(parts, ignore_index=True).assign(change="") if parts else []
    frame = typed(rows, weekly_rates).sort_values(["start", "alertname", "severity"], ignore_index=True)
    key = ["alertname", "severity", "start"]
    before = frame[[*key, "low", "high"]].assign(start=frame["start"] + pd.Timedelta(days=7))
    earlier = frame[key].merge(before, how="left", on=key)
    compared = earlier["low"].notna() & frame["low"].notna()
    change = np.where(frame["high"] < earlier["low"], "better", "not distinguishable")
    change = np.where(frame["low"] > earlier["high"], "worse", change)
    return typed(frame.assign(change=np.where(compared, change, "")), weekly_rates)


def false_burden(judged: pd.DataFrame, *, paging: Collection[str], zone: str) -> pd.DataFrame:
    """What each rule's false trials cost: 1 each, 3 where the rule wakes people, 6 where it did so at night.

    Columns: alertname, paging (bool), false_trials, false_at_night (begun from 22:00 to 08:00 in `zone`), weight; the
    heaviest first.
    """
    false = trials(judged).query("judgement == 'false'")
    names = sorted(judged["alertname"].astype("str").unique())
    marked = false.assign(night=at_night(false["fired_at"], zone), alertname=false["alertname"].astype("str"))
    grouped = marked.groupby("alertname")["night"].agg(["size", "sum"]).reindex(names, fill_value=0)
    pages = np.isin(np.array(names, dtype=object), list(paging))
    number, night = grouped["size"].to_numpy(dtype="int64"), grouped["sum"].to_numpy(dtype="int64")
    weight = np.where(pages, PAGE_WEIGHT * (number - night) + NIGHT_WEIGHT * night, number)
    columns = {"false_trials": number, "false_at_night": night, "weight": weight}
    rows = typed(pd.DataFrame({"alertname": names, "paging": pages, **columns}), false_burden)
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
    """All that is known of each rule that fired in `days` days, the one whose false trials weigh most first.

    `judged` and `incidents` of those days, `pendings` as `alerts.pendings` gives them, `needed` as
    `judgement.further_trials` does.

    Columns: alertname, severity, paging (bool), weight (of its false trials), episodes, trials, false_positives,
    false_at_night, rate, low, high, design_effect, needed (further true trials until the rate is surely
    within bounds), judged_share, incidents (that name it), caught, recall, recall_low, recall_high, detection_seconds,
    reset_seconds, acknowledge_seconds (medians), alone, first, near_misses (incidents), short_lived, at_night,
    flapping, duplicates (episodes beyond the first of each), per_week (episodes).
    """
    key = ["alertname", "severity"]
    found = false_positive_rates(judged).merge(needed, how="left", on=key)
    found = found.merge(weekly_noise(judged, zone=zone)[[*key, "short_lived", "at_night"]], how="left", on=key)
    named = recall(judged, incidents).rename(columns={"low": "recall_low", "high": "recall_high"})
    named = named[[name for name in named if name in columns_of(rule_overview) and name != "caught"]]
    near = near_misses(judged, incidents, pendings).groupby("alertname").size().rename("near_misses")
    again = flapping(judged).groupby("alertname")["episodes"].sum().rename("flapping")
    told = duplicates(judged)
    told = told.assign(duplicates=told["episodes"] - 1).groupby("alertname")["duplicates"].sum()
    burden = false_burden(judged, paging=paging, zone=zone).drop(columns="false_trials")
    for other in (burden, named, added(judged, incidents)):
        found = found.merge(other, how="left", on="alertname")
    for count in (near, again, told):
        found = found.merge(count.reset_index(), how="left", on="alertname")
    found["per_week"] = found["episodes"] / days * 7
    whole = [
        "weight",
        "false_at_night",
        "incidents",
        "caught",
        "alone",
        "first",
        "near_misses",
        "flapping",
        "duplicates",
    ]
    found[whole] = found[whole].fillna(0)
    found = typed(found, rule_overview)
    return found.sort_values(["weight", "episodes", "alertname"], ascending=[False, False, True], ignore_index=True)
