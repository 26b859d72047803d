"""What the telemetry proposes as incidents, by hand."""

from __future__ import annotations

import pandas as pd
import pytest
from alert_frames import at, incidents, table

from cloudxai_analysis.measures import judgement as proposals

NAME = 'a"b\n<script>=c'
FLAPS = [(f"10:{minute:02d}", f"10:{minute + 1:02d}", 1, "acme") for minute in range(0, 40, 2)]


def proposed(everybody: list = (), single: list = ()) -> pd.DataFrame:
    """Of outages as (start, end, minutes, tenant)."""
    outages, tenants = (table("start end minutes tenant", ("",), rows) for rows in (everybody, single))
    return proposals.proposed_incidents(outages.astype({"minutes": float}), tenants.astype({"minutes": float}))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"everybody": [("10:00", "10:19", 19)], "single": [("14:00", "14:05", 5, "acme")]},
            [("", "10:00", "10:19", "1 period, 19 min"), ("acme", "14:00", "14:05", "1 period, 5 min")],
        ),
        # Dips of one tenant within half an hour are one proposal.
        (
            {
                "single": [
                    *FLAPS,
                    ("11:09", "11:12", 3, "acme"),
                    ("12:00", "12:05", 5, "acme"),
                    ("10:05", "10:09", 4, "b"),
                ]
            },
            [
                ("acme", "10:00", "11:12", "21 periods, 23 min"),
                ("b", "10:05", "10:09", "1 period, 4 min"),
                ("acme", "12:00", "12:05", "1 period, 5 min"),
            ],
        ),
        # A single failed scrape is none, and a tenant's dip in a global one neither.
        ({"everybody": [("10:00", "10:01", 1)], "single": [("14:00", "14:02", 2, "acme")]}, []),
        (
            {
                "everybody": [("10:00", "10:20", 20)],
                "single": [("10:00", "10:20", 20, "a"), ("10:10", "10:40", 30, "b")],
            },
            [("", "10:00", "10:20", "1 period, 20 min"), ("b", "10:10", "10:40", "1 period, 30 min")],
        ),
        # What goes on has no end and takes in what follows.
        (
            {"single": [("10:00", None, 5, "a"), ("18:00", "18:10", 10, "a"), ("18:00", "18:10", 10, "b")]},
            [("a", "10:00", None, "2 periods, 15 min"), ("b", "18:00", "18:10", "1 period, 10 min")],
        ),
        ({"single": [("10:00", "10:05", 5, NAME)]}, [(NAME, "10:00", "10:05", "1 period, 5 min")]),
        ({}, []),
    ],
)
def test_dips_are_proposed(given: dict, expected: list) -> None:
    found = proposed(**given)
    assert found[["tenant", "start", "evidence"]].values.tolist() == [
        [who, at(start), why] for who, start, _, why in expected
    ]
    assert [None if pd.isna(end) else end for end in found["end"]] == [end and at(end) for _, _, end, _ in expected]


def test_they_say_what_they_are() -> None:
    found = proposed([("10:00", "10:19", 19)], [("14:00", "14:05", 5, "acme")])
    assert found[["id", "alerts", "severity", "summary", "source"]].values.tolist() == [
        ["proposed-20261111T100000Z", (), "", "the whole platform not ready", "readiness dips"],
        ["proposed-20261111T140000Z-acme", (), "", "acme not ready", "readiness dips"],
    ]


@pytest.mark.parametrize(
    ("known", "states", "left"),
    [
        ([], [], ["a", "b", "c"]),
        ([("I", "10:04", None, "a")], [], ["b", "c"]),
        ([("I", "10:05", "10:09", "a")], [], ["a", "b", "c"]),
        ([("I", "09:00", "15:00", "")], [], ["c"]),
        ([("I", "09:00", "23:00", "other")], [], ["a", "b", "c"]),
        ([], ["open", "confirmed", "rejected"], ["a"]),
    ],
)
def test_what_the_ledger_knows_is_not_proposed_again(known: list, states: list, left: list) -> None:
    found = proposed([], [("10:00", "10:05", 5, "a"), ("14:00", "14:05", 5, "b"), ("18:00", "18:05", 5, "c")])
    decided = pd.DataFrame({"id": found["id"].tolist()[: len(states)], "state": states}).astype("str")
    assert proposals.not_known(found, incidents(*known), decided)["tenant"].tolist() == left
