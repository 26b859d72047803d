"""Tainted numbers by hand: a process that refused from 09:00 stays short until it starts anew."""

from __future__ import annotations

import pandas as pd
import pytest
from alert_frames import TIME, at

from cloudxai_analysis.measures.taint import tainted_stretches

END, AFTER = at("2026-11-12 00:00"), at("2026-11-12 00:01")


def frame(columns: str, *rows: tuple) -> pd.DataFrame:
    """Rows of these columns, of one job; a text that is a clock is a moment."""
    moments = {"start", "end", "started_at", "first_seen", "until", "time", "seen_at"}
    found = pd.DataFrame(list(rows), columns=columns.split()).assign(job="cloudxai")
    return found.assign(
        **{name: pd.Series([at(text) for text in found[name]], dtype=TIME) for name in moments & set(found)}
    )


def starts(*rows: tuple[str, str], until: pd.Timestamp = AFTER) -> pd.DataFrame:
    found = frame("instance started_at", *rows).assign(restarted=True, processes=1, until=until)
    return found.assign(seen_at=found["started_at"]).astype({"until": TIME})


TWICE = [("a", "09:00", "09:30", 5), ("a", "12:00", "12:10", 2)]
MANY = [(f"t{number}", "01:00") for number in range(60)]
CAME = [("harbor-lane", "15:01"), ("late", "15:11"), ("early", "08:00")]
STEPS = [("a", "09:00", "x"), ("a", "09:10", "x"), ("a", "09:10", "y"), ("a", "13:00", "z"), ("b", "09:00", "w")]
NAMES = [("a", "09:00", "harbor-lane"), ("a", "09:10", "req-0a1b2c3d"), ("a", "09:10", "req-9f8e7d6c")]
# Refusals, starts, and more; then instance, start, last refusal, until, over, rejections, missing at least and most.
TAINTS = {
    # Whom 09:00 refused is still missing at 12:00, though nobody asked in between.
    "until it starts anew": (
        (TWICE, starts(("a", "08:00"), ("a", "15:00"))),
        [("a", "09:00", "12:10", "15:00", True, 7, 0, 7)],
    ),
    "a start parts two": (
        (TWICE, starts(("a", "10:00"), ("b", "11:00"))),
        [("a", "09:00", "09:30", "10:00", True, 5, 0, 5), ("a", "12:00", "12:10", END, False, 2, 0, 2)],
    ),
    # A rollout gave its successor another name.
    "it ended": (
        (TWICE[:1], starts(("a", "08:00"), until=at("10:00"))),
        [("a", "09:00", "09:30", "10:00", True, 5, 0, 5)],
    ),
    "a counter that names them": (
        ([("a", "09:00", "09:30", 50)], starts(), MANY, STEPS),
        [("a", "09:00", "09:30", END, False, 50, 0, 2)],
    ),
    "generated names are no tenants": (
        ([("a", "09:00", "09:30", 50)], starts(), MANY, NAMES),
        [("a", "09:00", "09:30", END, False, 50, 0, 1)],
    ),
    # One came a minute after the restart, one after eleven minutes, one long before.
    "at least who came soon after": (
        ([("a", "09:00", "14:00", 2)], starts(("a", "15:00")), CAME),
        [("a", "09:00", "14:00", "15:00", True, 2, 1, 2)],
    ),
    "it has not let go": (
        ([("a", "09:00", "14:00", 2)], starts(), CAME),
        [("a", "09:00", "14:00", END, False, 2, 0, 2)],
    ),
    # Of 384 requests of a fleet of three the upper bound is no bound.
    "more requests than tenants": (
        ([("a", "09:00", "14:00", 384)], starts(("a", "15:00")), CAME),
        [("a", "09:00", "14:00", "15:00", True, 384, 1, None)],
    ),
    "nobody refused": (([], starts(("a", "08:00"))), []),
}


@pytest.mark.parametrize("case", TAINTS)
def test_tenants_are_missing_from_a_refusal_on(case: str) -> None:
    (refused, started, *more), expected = TAINTS[case]
    tenants, steps = [*more, *(MANY, [])[len(more) :]]
    found = tainted_stretches(
        frame("instance start end rejections", *refused),
        started,
        frame("instance time tenant", *steps).assign(step=1.0),
        frame("tenant first_seen", *tenants).assign(last_seen=END),
        pd.DataFrame({"stem": ["req-"], "shape": ["hex"]}),
        end=END,
    )
    columns = ["instance", "start", "last_refusal", "until", "over", "rejections", "missing_least", "missing_most"]
    rows = [[None if pd.isna(one) else one for one in row] for row in found[columns].values.tolist()]
    assert rows == [[row[0], *map(at, row[1:4]), *row[4:]] for row in expected]
    assert str(found["start"].dtype) == TIME
