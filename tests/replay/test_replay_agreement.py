"""Episodes held against each other, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cloudxai_analysis.replay.agreement import agreement, agreement_counts

NOON = pd.Timestamp("2026-11-09T12:00:00.411Z")


def episodes(*rows: tuple[str, int, int], cut_end: bool = False) -> pd.DataFrame:
    """Episodes by tenant, first and end minute."""
    frame = pd.DataFrame(
        [
            {
                "alertname": "A",
                "severity": "page",
                "tenant": tenant,
                "instance": "",
                "pending_at": pd.NaT,
                "fired_at": NOON + pd.Timedelta(minutes=first),
                "resolved_at": NOON + pd.Timedelta(minutes=end),
                "cut_start": False,
                "cut_end": cut_end,
            }
            for tenant, first, end in rows
        ],
        columns=[
            "alertname",
            "severity",
            "tenant",
            "instance",
            "pending_at",
            "fired_at",
            "resolved_at",
            "cut_start",
            "cut_end",
        ],
    )
    for moment in ("pending_at", "fired_at", "resolved_at"):
        frame[moment] = utc(frame[moment])
    return frame


def utc(column: pd.Series) -> pd.Series:
    return pd.to_datetime(column, utc=True).dt.as_unit("us")


def down(*stretches: tuple[int, int]) -> pd.DataFrame:
    """Stretches in which the server was down, by minutes."""
    rows = [[NOON + pd.Timedelta(minutes=minute) for minute in stretch] for stretch in stretches]
    frame = pd.DataFrame(rows, columns=["start", "end"])
    return frame.assign(start=utc(frame["start"]), end=utc(frame["end"]))


def held(live: pd.DataFrame, ours: pd.DataFrame, stretches: pd.DataFrame | None = None) -> pd.DataFrame:
    none = down() if stretches is None else stretches
    return agreement(live, ours, none, interval_seconds=60, settle_seconds=120)


def test_the_same_is_the_same_evaluations_of_the_same_labels() -> None:
    live = episodes(("a", 0, 5), ("a", 10, 12), ("b", 20, 22))
    ours = episodes(("a", 0, 5), ("a", 10, 13), ("c", 20, 22))
    assert held(live, ours)["status"].tolist() == ["same", "other", "other", "extra"]
    (row,) = held(live, ours).query("tenant == 'a' and status == 'other'").to_dict("records")
    assert row["replayed_resolved_at"] == NOON + pd.Timedelta(minutes=13)


def test_a_phase_that_is_known_to_a_few_milliseconds_is_the_same_evaluation() -> None:
    live, ours = episodes(("a", 0, 5)), episodes(("a", 0, 5))
    shift = pd.Timedelta(milliseconds=40)
    moved = ours.assign(fired_at=ours["fired_at"] + shift, resolved_at=ours["resolved_at"] + shift)
    assert held(live, moved)["status"].tolist() == ["same"]
    moved = ours.assign(fired_at=ours["fired_at"] + pd.Timedelta(minutes=1))
    assert held(live, moved)["status"].tolist() == ["other"]


def test_two_alerts_that_look_alike_count_twice() -> None:
    twice = episodes(("a", 0, 5), ("a", 0, 5))
    assert held(twice, twice)["status"].tolist() == ["same", "same"]
    assert held(twice, episodes(("a", 0, 5)))["status"].tolist() == ["same", "other"]


def test_edges_and_a_server_that_was_down_are_told_apart() -> None:
    live = episodes(("a", 0, 5), ("a", 30, 32), ("a", 60, 65))
    stretches = down((5, 29))
    assert held(live, episodes(("a", 60, 65)), stretches)["status"].tolist() == ["apart", "apart", "same"]
    assert held(live, episodes(("a", 60, 65)), stretches)["why"].tolist()[:2] == ["the server was down"] * 2
    cut = episodes(("a", 0, 5), cut_end=True)
    assert held(cut, episodes())["why"].tolist() == ["cut by the window's edge"]


def test_counts_are_by_rule() -> None:
    counts = agreement_counts(held(episodes(("a", 0, 5), ("b", 9, 10)), episodes(("a", 0, 5), ("c", 3, 4))))
    assert counts.to_dict("records") == [{"alertname": "A", "fired": 2, "same": 1, "other": 1, "extra": 1, "apart": 0}]
    assert agreement_counts(held(episodes(), episodes())).empty


def test_only_what_differs_is_set_apart_by_a_scrape_under_way() -> None:
    late = np.array([round((NOON + pd.Timedelta(minutes=9)).timestamp() * 1000)], dtype=np.int64)
    live, ours = episodes(("a", 10, 20), ("b", 10, 20), ("c", 40, 50)), episodes(("a", 10, 20), ("b", 11, 20))
    agreed = agreement(live, ours, down(), interval_seconds=60, settle_seconds=120, unsettled=late).set_index("tenant")
    assert agreed["status"].to_dict() == {"a": "same", "b": "apart", "c": "other"}
    assert agreed.loc["b", "why"] == "a scrape was under way when the rule was evaluated"
