"""Alerts that fire together: pairs of rules by how often one begins while the other fires, and groups of such pairs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.frames import typed
from cloudxai_analysis.measures.matching import moments

Micros = NDArray[np.int64]


def cofiring_pairs(
    episodes: pd.DataFrame,
    window: Window,
    *,
    minutes: float = 5,
    least: int = 3,
    share: float = 0.5,
    times: float = 2.0,
) -> pd.DataFrame:
    """Of each rule's episodes, how many began while another rule fired, one row per ordered pair that ever did.

    Another rule counts where it fires within `minutes` minutes of the begin, for the same tenant or for all. A pair is
    linked where that holds for at least `least` episodes and the share `share` of them, and `times` as often as chance
    would have it: `expected` is the share of the window in which the other rule fires, so widened.

    Columns: alertname, other, episodes (of the first), together, share (their ratio), expected, linked (bool); the
    largest share first. Both orders of a pair are there.
    """
    near, span = round(minutes * 60_000_000), (window.end_ms - window.start_ms) * 1_000
    names = episodes["alertname"].astype("str").to_numpy(dtype=object)
    tenants = episodes["tenant"].astype("str").to_numpy(dtype=object)
    begun = moments(episodes["fired_at"]).astype(np.int64)
    until = moments(episodes["resolved_at"]).astype(np.int64)
    number = pd.Series(names, dtype="str").value_counts()
    together: dict[tuple[str, str], int] = {}
    expected: dict[str, float] = {}
    for other in number.index:
        theirs = names == other
        firing = _union(begun[theirs] - near, until[theirs] + near)
        hit = ~theirs & _inside(firing, begun)
        for tenant in set(tenants[hit & (tenants != "")]):
            here = hit & (tenants == tenant)
            own = theirs & ((tenants == tenant) | (tenants == ""))
            hit[here] = _inside(_union(begun[own] - near, until[own] + near), begun[here])
        expected[other] = min(1.0, float((firing[:, 1] - firing[:, 0]).sum()) / span)
        for name, count in pd.Series(names[hit], dtype="str").value_counts().items():
            together[str(name), other] = int(count)
    both = sorted({*together, *((other, name) for name, other in together)})
    rows = [(name, other, number[name], together.get((name, other), 0), expected[other]) for name, other in both]
    frame = pd.DataFrame(rows, columns=["alertname", "other", "episodes", "together", "expected"])
    frame["share"] = frame["together"] / frame["episodes"]
    frame["linked"] = (frame["together"] >= least) & (frame["share"] >= share)
    frame["linked"] &= frame["share"] >= times * frame["expected"]
    order = ["share", "together", "alertname", "other"]
    return typed(frame, cofiring_pairs).sort_values(order, ascending=[False, False, True, True], ignore_index=True)


def cofiring_groups(pairs: pd.DataFrame) -> pd.DataFrame:
    """Rules that fire together: the connected components of the linked pairs, one row per rule, by group.

    Columns: group (from 1, the largest first), alertname, rules (in the group), episodes (of the rule), together
    (largest share of them that began while another rule of the group fired).
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    linked = pairs[pairs["linked"]]
    names = sorted({*linked["alertname"], *linked["other"]})
    if not names:
        return typed([], cofiring_groups)
    place = {name: number for number, name in enumerate(names)}
    edges = [linked[column].map(place).to_numpy(dtype="int64") for column in ("alertname", "other")]
    graph = coo_array((np.ones(len(linked)), edges), shape=(len(names), len(names)))
    _, component = connected_components(graph, directed=False)
    group = dict(zip(names, component.tolist(), strict=True))
    inside = pairs[pairs["alertname"].map(group) == pairs["other"].map(group)]
    frame = inside.groupby("alertname").agg(episodes=("episodes", "first"), together=("share", "max")).reset_index()
    by_group = frame.groupby(frame["alertname"].map(group))["alertname"]
    frame["rules"], frame["leader"] = by_group.transform("size"), by_group.transform("min")
    frame = frame.sort_values(["rules", "leader", "alertname"], ascending=[False, True, True], ignore_index=True)
    return typed(frame.assign(group=(frame["leader"] != frame["leader"].shift()).cumsum()), cofiring_groups)


def _union(start: Micros, end: Micros) -> NDArray[np.int64]:
    """Stretches put together where they overlap: rows of start and end, in order."""
    order = np.argsort(start, kind="stable")
    start, end = start[order], np.maximum.accumulate(end[order])
    opens = np.append(True, start[1:] > end[:-1])[: len(start)]
    first = np.flatnonzero(opens)
    last = np.append(first[1:], len(start)) - 1 if len(first) else first
    return np.stack([start[first], end[last]], axis=1)


def _inside(stretches: NDArray[np.int64], moments: Micros) -> NDArray[np.bool_]:
    if not len(stretches):
        return np.zeros(len(moments), dtype=bool)
    place = np.searchsorted(stretches[:, 0], moments, side="right") - 1
    return (place >= 0) & (moments <= stretches[np.maximum(place, 0), 1])
