from datetime import UTC, datetime

import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures import cofiring

TIME = "datetime64[us, UTC]"
WINDOW = Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 29, tzinfo=UTC))


def episodes(*rows):
    """One row per (alertname, day, clock, minutes, tenant)."""
    rows = [(*row, *("",)[len(row) - 4 :]) for row in rows]
    frame = pd.DataFrame(rows, columns=["alertname", "day", "clock", "minutes", "tenant"])
    text = [f"2026-11-{day:02d}T{clock}" for day, clock in zip(frame["day"], frame["clock"], strict=True)]
    frame["fired_at"] = pd.to_datetime(pd.Series(text, dtype="str"), utc=True).astype(TIME)
    frame["resolved_at"] = frame["fired_at"] + pd.to_timedelta(frame["minutes"].astype("float64"), unit="min")
    return frame.astype({"alertname": "str", "tenant": "str"})


def pairs(*rows, **more):
    frame = cofiring.cofiring_pairs(episodes(*rows), WINDOW, **more)
    return {(row.alertname, row.other): (row.together, row.share, row.linked) for row in frame.itertuples()}


def test_shares_by_hand():
    # On three of four days B begins two minutes after A; C is alone.
    rows = [("A", day, "10:00", 10) for day in (2, 3, 4, 5)]
    rows += [("B", day, "10:02", 10) for day in (2, 3, 4)]
    rows += [("C", day, "15:00", 10) for day in (2, 3, 4)]
    assert pairs(*rows) == {("A", "B"): (3, 0.75, True), ("B", "A"): (3, 1.0, True)}


def test_five_minutes_before_and_after_are_together():
    assert pairs(("A", 2, "10:00", 10), ("B", 2, "10:15", 1))["B", "A"][0] == 1
    assert pairs(("A", 2, "10:00", 10), ("B", 2, "10:16", 1)) == {}
    # A began five minutes before B did, and B while A fired: both directions.
    assert pairs(("A", 2, "10:00", 10), ("B", 2, "10:05", 1)) == {
        ("A", "B"): (1, 1.0, False),
        ("B", "A"): (1, 1.0, False),
    }


def test_tenants_are_kept_apart_and_the_platform_speaks_of_all():
    apart = [(name, day, "10:00", 10, name.lower()) for name in ("A", "B") for day in (2, 3, 4)]
    assert pairs(*apart) == {}
    same = [(name, day, "10:00", 10, "acme") for name in ("A", "B") for day in (2, 3, 4)]
    assert pairs(*same)["A", "B"] == (3, 1.0, True)
    one_global = [
        *[("A", day, "10:00", 10, "") for day in (2, 3, 4)],
        *[("B", day, "10:00", 10, "x") for day in (2, 3, 4)],
    ]
    assert pairs(*one_global)["B", "A"] == (3, 1.0, True)
    assert pairs(*one_global)["A", "B"] == (3, 1.0, True)


def test_what_fires_nearly_always_is_linked_to_nothing():
    rows = [("Always", 1, "00:00", 28 * 1440)] + [("A", day, "10:00", 10) for day in range(2, 9)]
    assert pairs(*rows)["A", "Always"] == (7, 1.0, False)


def test_groups_are_connected_components():
    rows = []
    for day in (2, 3, 4):
        rows += [("A", day, "10:00", 10), ("B", day, "10:02", 10)]
        rows += [("B", day, "18:00", 10), ("C", day, "18:02", 10)]
        rows += [("X", day, "02:00", 10), ("Y", day, "02:01", 10), ("Z", day, "23:00", 10)]
    found = cofiring.cofiring_groups(cofiring.cofiring_pairs(episodes(*rows), WINDOW))
    # A goes with half of B, and C with the other half: one group of three.
    assert found[["group", "alertname", "rules", "episodes", "together"]].values.tolist() == [
        [1, "A", 3, 3, 1.0],
        [1, "B", 3, 6, 0.5],
        [1, "C", 3, 3, 1.0],
        [2, "X", 2, 3, 1.0],
        [2, "Y", 2, 3, 1.0],
    ]


def test_nothing_gives_empty_frames():
    nothing = cofiring.cofiring_pairs(episodes(), WINDOW)
    assert nothing.empty
    assert list(cofiring.cofiring_groups(nothing)) == ["group", "alertname", "rules", "episodes", "together"]
    assert cofiring.cofiring_pairs(episodes(("A", 2, "10:00", 5)), WINDOW).empty
