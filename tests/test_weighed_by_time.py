"""Platforms whose scrapes change, stop or fail: what is said of their weeks, held against what was written down."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from small_platform import Written, says, study_of

from cloudxai_analysis.checks import judge
from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.study.study import Study

BEFORE, WEEK = parse_window("2026-W45"), parse_window("2026-W46")
HOUR, DAY = 60, 1440
MARKER = np.array([0x7FF0000000000002], dtype="uint64").view("float64")[0]
Spans = Sequence[tuple[float, float]]
Target = tuple[str, Spans, Spans]


def target(name: str = "a:80", start: float = 0, end: float = 14 * DAY, down: Spans = (), gaps: Spans = ()) -> Target:
    """One instance, scraped each minute; minutes count from the Monday of 2026-W45."""
    edges = [start, *(edge for first, long in gaps for edge in (first, first + long)), end]
    return name, list(zip(edges[::2], edges[1::2], strict=True)), down


def study(folder: Path, *targets: Target, markers: bool = False, hours: float = 168) -> Study:
    series: dict[str, list[Written]] = {"up": [], "readiness_state": []}
    for name, spans, down in targets:
        labels = {"job": "cloudxai", "instance": name}
        seconds = np.concatenate([np.arange(round(first * 60), round(last * 60), 60) for first, last in spans])
        up = np.ones(len(seconds))
        for start, minutes in down:
            up[(seconds >= start * 60) & (seconds < (start + minutes) * 60)] = 0
        times, there = BEFORE.start_ms + 1000 * seconds.astype("int64"), up == 1
        kept = there | (np.append(False, there[:-1]) & markers)
        series["up"].append((labels, times, up))
        series["readiness_state"].append((labels, times[kept], np.where(there, 1.0, MARKER)[kept]))
    return study_of(series, folder, WEEK, now=WEEK.start + timedelta(hours=hours))


EDGES = [0, 2 * DAY, 7 * DAY + 77, 8 * DAY + 500, 9 * DAY, 12 * DAY + 3, 14 * DAY]
PODS = [target(f"pod-{edge}-{n}:80", edge, end) for edge, end in pairwise(EDGES) for n in range(3)]
EARLY = ["coverage,availability,outages,burn unknown Too early to tell"]
ROLLED = [target("a:80", end=11 * DAY), target("b:80", end=11 * DAY + 2)]
ROLLED += [target("c:80", start=11 * DAY - 1), target("d:80", start=11 * DAY + 1)]
NONE_GONE = "gaps pass in the 7 days of 2026-W46."
LEFT = "b:80 is no target any more from Thu 12 Nov, 12:01 UTC on, and cloudxai ends with 1 target instead"
READY = "The platform was ready for all of 2026-W46"
# Targets, hours of the week seen, and what must be said.
WEEKS: dict[str, tuple[list[Target], float, list[str]]] = {
    # Of the week there is no `up` at all, of the one before there is.
    "no scrape in the week": ([target(end=6 * DAY)], 168, ["outages,burn,availability unknown", "coverage warn"]),
    "no scrape at all": ([], 168, ["availability,outages,burn,coverage,gaps,isolation unknown"]),
    # Six generations of three pods, each beginning as the one before ends, hide nothing and add nothing.
    "a rollout of pods": (
        *(PODS, 168),
        ["coverage pass 100.00 %", NONE_GONE, f"outages pass {READY}.", "availability pass"],
    ),
    # In the week's last minutes, where what burns would be told.
    "one failed scrape": (
        *([target(down=[(14 * DAY - 3, 1)])], 168),
        [f"outages pass {READY}, but for 1 minute.", "burn pass 1 minute", "availability pass"],
    ),
    "seven minutes": ([target(start=7 * DAY, end=7 * DAY + 7)], 7 / 60, EARLY),
    "half a day": ([target(start=7 * DAY, end=7.5 * DAY)], 11.5, EARLY),
    "a day under way covers nothing yet": ([target()], 47, ["coverage pass All 1 whole day"]),
    # Service discovery dropped it at noon on Thursday: nobody knows whether on purpose. A rollout is no such thing.
    "a target that went for good": (
        [target("a:80"), target("b:80", end=10 * DAY + 12 * HOUR)],
        *(168, [f"gaps pass {LEFT}"]),
    ),
    "targets that were rolled": (ROLLED, 168, [NONE_GONE]),
    "a rollout's surge of half an hour": ([target(), target("b:80", 8 * DAY, 8 * DAY + 30)], 168, [NONE_GONE]),
    "one target all the time": ([target()], 168, [NONE_GONE]),
}


@pytest.mark.parametrize("markers", [True, False], ids=["markers", "hidden markers"])
@pytest.mark.parametrize("case", WEEKS)
def test_a_week_is_said_as_it_was_seen(case: str, markers: bool, tmp_path: Path) -> None:
    targets, hours, expected = WEEKS[case]
    week = study(tmp_path, *targets, markers=markers, hours=hours)
    says(week, expected)
    availability = judge.check(week, "availability")
    assert availability.status != "unknown" or "30 days:" not in availability.finding


def test_a_window_of_whole_history_is_ready_only_by_its_lower_bound(tmp_path: Path) -> None:
    """44 minutes that nobody saw in the last 30 days decide over 99.9 %: 43.2 are allowed."""
    for gap, status in ((42, "pass"), (47, "unknown")):
        says(study(tmp_path, target(start=-16 * DAY, gaps=[(10, gap)])), [f"availability {status}"])
