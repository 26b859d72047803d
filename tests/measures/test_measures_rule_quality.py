"""What each rule adds, costs and goes together with, by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest
from by_hand import at, episodes, incidents, pendings

from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.measures import rule_quality
from cloudxai_analysis.measures.rule_quality import ALWAYS, FIRED, NEVER, PENDING, UNKNOWN, rule_history

WEEK = parse_window("2026-W46")
NOVEMBER = Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 29, tzinfo=UTC))


def test_what_a_rule_adds_by_hand() -> None:
    truth = incidents(("one", "10:00", "10:20"), ("two", "12:00", "12:20"), ("three", "14:00", "14:20"))
    found = episodes(
        # The first incident: A at 2 minutes, B at 3; the second: B alone; the third: both at once.
        *(("A", "10:02", 5), ("B", "10:03", 5), ("B", "12:04", 5), ("A", "14:01", 5), ("B", "14:01", 5)),
        ("C", "18:00", 5, "false"),
    )
    assert rule_quality.added(found, truth).values.tolist() == [["A", 2, 0, 2], ["B", 3, 1, 2], ["C", 0, 0, 0]]


def test_the_burden_weighs_pages_three_times_and_those_at_night_six() -> None:
    found = episodes(
        *(("Page", "02:00", 5, "false"), ("Page", "12:00", 5, "false"), ("Page", "12:20", 5, "false")),
        *(("Ticket", "02:00", 5, "false"), ("Ticket", "05:00", 5, "false"), ("Good", "02:00", 5, "true")),
    )
    frame = rule_quality.false_burden(found, paging=("Page",), zone="UTC")
    # Page: one group at night, 6, and one by day, 3; the ticket rule: two groups, 1 each.
    assert frame.values.tolist() == [["Page", True, 1, 9], ["Ticket", False, 2, 2], ["Good", False, 0, 0]]
    # 02:00 UTC is 11:00 in Tokyo, and 12:00 is 21:00.
    assert rule_quality.false_burden(found, paging=("Page",), zone="Asia/Tokyo")["weight"].tolist() == [6, 2, 0]


def test_an_overview_puts_everything_of_a_rule_beside_each_other() -> None:
    truth = incidents(("one", "10:00", "10:20", "", ("A",)), ("two", "12:00", "12:20", "", ("A", "B")))
    found = episodes(
        ("A", "10:02", 30), ("A", "23:00", 2, "false"), ("B", "15:00", 4, "false"), ("C", "16:00", 4, "unjudged")
    )
    waiting = pendings(("B", "12:01", "12:03"))
    how = {"paging": ("A",), "zone": "UTC", "days": 28, "share": 0.25}
    frame = rule_quality.rule_overview(found, truth, waiting, **how)
    rows = frame.set_index("alertname")
    expected = {
        "A": {
            **{"paging": True, "weight": 6, "trials": 2, "false_positives": 1, "false_at_night": 1, "rate": 0.5},
            **{"incidents": 2, "caught": 1, "recall": 0.5, "alone": 1, "first": 1, "near_misses": 0},
            **{"detection_seconds": 120.0, "reset_seconds": 720.0, "per_week": 0.5, "short_lived": 1, "at_night": 1},
        },
        "B": {"weight": 1, "incidents": 1, "caught": 0, "near_misses": 1},
        "C": {"trials": 0, "needed": 12.0, "judged_share": 0.0, "caught": 0},
    }
    assert frame["alertname"].tolist() == list(expected)
    for name, values in expected.items():
        assert rows.loc[name, list(values)].to_dict() == values
    assert rule_quality.rule_overview(found[:0], truth, waiting, **how).empty


RULES = pd.DataFrame({"alertname": ["Seen", "Stuck", "Quiet", "Nearly"], "file": "a.yml", "line": [3, 9, 15, 21]})
SEEN = [("Seen", "2026-11-09 10:00", 120, "", "a"), ("Seen", "2026-11-11 02:00", 120, "", "b")]
HOURS = [f"2026-11-{9 + hour // 24:02d} {hour % 24:02d}:00" for hour in range(168)]


@pytest.mark.parametrize(
    ("fired", "waiting", "answers"),
    [
        # 160 of 168 hours = 95 % by one tenant.
        (
            [*SEEN, ("Stuck", "2026-11-09 08:00", 160 * 60)],
            ("Nearly", "Seen"),
            {"Stuck": ALWAYS, "Quiet": NEVER, "Nearly": PENDING, "Seen": FIRED},
        ),
        # Many short ones of one label set add up, and those of many do not.
        ([("Stuck", hour, 57, "", "a") for hour in HOURS], (), {"Stuck": ALWAYS, "Nearly": NEVER}),
        ([("Stuck", hour, 57, "", hour) for hour in HOURS], (), {"Stuck": FIRED}),
        ([], (), dict.fromkeys(["Nearly", "Quiet", "Seen", "Stuck"], UNKNOWN)),
    ],
)
def test_each_rule_of_a_file_says_what_it_did(fired: list, waiting: tuple, answers: dict[str, str]) -> None:
    frame = rule_history(RULES, episodes(*fired), pendings(*((name, "10:00", "10:01") for name in waiting)), WEEK)
    said = dict(zip(frame["alertname"], frame["answer"], strict=True))
    assert {name: said[name] for name in answers} == answers
    assert list(said) == list(answers) or len(answers) < 4
    assert frame["firing_share"].isna().all() == (not fired)
    row = frame.set_index("alertname").loc["Seen"]
    if "Seen" in waiting:
        told = row[["line", "episodes", "pendings", "firing_share", "last_fired"]].tolist()
        assert told == [3, 2, 1, 2 / 168, at("2026-11-11 02:00")]


def pairs(*rows: tuple) -> dict:
    """Of (rule, day, clock, minutes, tenant)."""
    rows = [(*row, "")[:5] for row in rows]
    found = episodes(*((rule, f"2026-11-{day:02d} {clock}", long, "", who) for rule, day, clock, long, who in rows))
    frame = rule_quality.cofiring_pairs(found, NOVEMBER, since=at("2026-11-01 00:00"))
    return {(row.alertname, row.other): (row.together, row.share, row.linked) for row in frame.itertuples()}


BOTH = [(name, day, "10:00", 10) for name in ("A", "B") for day in (2, 3, 4)]
LINKED = {("A", "B"): (3, 1.0, True), ("B", "A"): (3, 1.0, True)}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # On three of four days B begins two minutes after A; C is alone.
        (
            [
                *(("A", day, "10:00", 10) for day in (2, 3, 4, 5)),
                *((name, day, clock, 10) for name, clock in (("B", "10:02"), ("C", "15:00")) for day in (2, 3, 4)),
            ],
            {("A", "B"): (3, 0.75, True), ("B", "A"): (3, 1.0, True)},
        ),
        # Five minutes before and after are together.
        ([("A", 2, "10:00", 10), ("B", 2, "10:15", 1)], {("B", "A"): (1, 1.0, False), ("A", "B"): (0, 0.0, False)}),
        ([("A", 2, "10:00", 10), ("B", 2, "10:16", 1)], {}),
        # A began five minutes before B did, and B while A fired.
        ([("A", 2, "10:00", 10), ("B", 2, "10:05", 1)], dict.fromkeys([("A", "B"), ("B", "A")], (1, 1.0, False))),
        # Tenants are kept apart, and the platform speaks of all.
        ([(*row, row[0]) for row in BOTH], {}),
        ([(*row, "acme") for row in BOTH], LINKED),
        ([(*row, "x" if row[0] == "B" else "") for row in BOTH], LINKED),
        ([("A", 2, "10:00", 5)], {}),
        ([], {}),
    ],
)
def test_shares_by_hand(rows: list, expected: dict) -> None:
    assert pairs(*rows) == expected


def test_what_fires_nearly_always_is_linked_to_nothing() -> None:
    rows = [("Always", 1, "00:00", 28 * 1440)] + [("A", day, "10:00", 10) for day in range(2, 9)]
    assert pairs(*rows)["A", "Always"] == (7, 1.0, False)
