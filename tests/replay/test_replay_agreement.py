"""Episodes held against each other, and the alerts that a server left, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.replay.agreement import agreement, agreement_counts, unsettled
from cloudxai_analysis.replay.history import alert_labels, alert_samples, by_alert
from cloudxai_analysis.sources.rules import AlertingRule
from cloudxai_analysis.sources.series import STALENESS_MARKER_BITS, SeriesBatch

NOON = pd.Timestamp("2026-11-09T12:00:00.411Z")
MINUTE = pd.Timedelta(minutes=1)
CUT, DOWN, UNDER_WAY = (
    "cut by the window's edge",
    "the server was down",
    "a scrape was under way when the rule was evaluated",
)
Rows = list[tuple[str, float, float]]


def utc(column: pd.Series) -> pd.Series:
    return pd.to_datetime(column, utc=True).dt.as_unit("us")


def episodes(rows: Rows, *, cut_end: bool = False) -> pd.DataFrame:
    """Episodes by tenant, first and end minute."""
    frame = pd.DataFrame(rows, columns=["tenant", "fired_at", "resolved_at"]).assign(alertname="A", severity="page")
    times = {name: utc(NOON + frame[name].astype("float64") * MINUTE) for name in ("fired_at", "resolved_at")}
    return frame.assign(
        instance="", pending_at=utc(pd.Series(pd.NaT, frame.index)), cut_start=False, cut_end=cut_end, **times
    )


def held(
    live: Rows, ours: Rows, *, down: tuple[float, float] | None = None, late: float | None = None, cut: bool = False
) -> pd.DataFrame:
    stretches = pd.DataFrame([down] if down else [], columns=["start", "end"]).astype("float64")
    return agreement(
        episodes(live, cut_end=cut),
        episodes(ours),
        pd.DataFrame({name: utc(NOON + stretches[name] * MINUTE) for name in ("start", "end")}),
        interval_seconds=60,
        settle_seconds=120,
        unsettled=np.array([] if late is None else [round((NOON + late * MINUTE).timestamp() * 1000)], dtype=np.int64),
    )


SAME = [("a", 0, 5)]
CASES = [
    # Of the same labels at the same evaluations, one more, another tenant.
    ([*SAME, ("a", 10, 12), ("b", 20, 22)], [*SAME, ("a", 10, 13), ("c", 20, 22)], {}, "same other other extra"),
    # A phase that is known to a few milliseconds is the same evaluation, and a minute is another one.
    (SAME, [("a", 0.0007, 5.0007)], {}, "same"),
    (SAME, [("a", 1, 5)], {}, "other"),
    # Two alerts that look alike count twice.
    (SAME * 2, SAME * 2, {}, "same same"),
    (SAME * 2, SAME, {}, "same other"),
    # Each replayed episode stands beside one of the server's, and what is beside one is not extra.
    ([("a", 0, 5), ("a", 6, 9)], [("a", 1, 8)], {}, "other other"),
    ([("a", 0, 9)], [("a", 1, 4), ("a", 5, 8)], {}, "other extra"),
    # A server that was down, two minutes after it, and edges are told apart.
    ([("a", 0, 5), ("a", 30, 32), ("a", 60, 65)], [("a", 60, 65)], {"down": (5, 29)}, "apart apart same"),
    ([("a", 0, 5)], [], {"cut": True}, "apart"),
    ([], [("a", 30, 32)], {"down": (5, 29)}, "apart"),
    # Only what differs is set apart by a scrape under way.
    ([("a", 10, 20), ("b", 10, 20), ("c", 40, 50)], [("a", 10, 20), ("b", 11, 20)], {"late": 9}, "same apart other"),
]  # fmt: skip


@pytest.mark.parametrize(("live", "ours", "also", "status"), CASES)
def test_each_episode_beside_the_other_s(live: Rows, ours: Rows, also: dict, status: str) -> None:
    assert held(live, ours, **also)["status"].tolist() == status.split()


def test_what_sets_apart_is_told_and_the_other_s_times_are_shown() -> None:
    assert held(SAME, [], cut=True)["why"].tolist() == [CUT]
    assert held(SAME, [], down=(5, 29))["why"].tolist() == [DOWN]
    assert held(SAME, [("a", 1, 5)], late=-1)["why"].tolist() == [UNDER_WAY]
    (row,) = held(SAME, [("a", 0, 6)]).to_dict("records")
    assert (row["resolved_at"], row["replayed_resolved_at"]) == (NOON + 5 * MINUTE, NOON + 6 * MINUTE)


def test_counts_are_by_rule() -> None:
    counts = agreement_counts(held([*SAME, ("b", 9, 10)], [*SAME, ("c", 3, 4)]))
    assert counts.to_dict("records") == [{"alertname": "A", "fired": 2, "same": 1, "other": 1, "extra": 1, "apart": 0}]
    assert agreement_counts(held([], [])).empty


def test_an_evaluation_between_a_scrapes_begin_and_its_commit_is_unsettled() -> None:
    """Evaluations at 0.7 s of each second; scrapes begin at 0.0, and two of them take too long."""
    begun = 1000 * np.arange(4, dtype=np.int64)
    scrapes = SeriesBatch.of("scrape_duration_seconds", [({}, begun, np.array([0.01, 0.65, 0.55, 1.8]))])
    assert unsettled(begun + 700, scrapes).tolist() == [1700, 3700]
    exactly = SeriesBatch.of("scrape_duration_seconds", [({}, begun[:1] + 700, np.array([0.05]))])
    assert not len(unsettled(begun + 700, exactly))
    assert not len(unsettled(begun + 700, SeriesBatch.of("scrape_duration_seconds", [])))


def test_the_rule_s_labels_win_and_simple_templates_are_filled_in() -> None:
    series = {"__name__": "x", "tenant": "a", "severity": "low", "empty": ""}
    labels = {"severity": "page", "who": "{{ $labels.tenant }}/{{$labels.absent}}", "raw": "{{ $value }}"}
    found = alert_labels(series, AlertingRule("A", "x", labels=labels))
    assert found == {"tenant": "a", "severity": "page", "who": "a/", "raw": "{{ $value }}", "alertname": "A"}


def test_series_that_make_one_alert_are_one_or_an_error() -> None:
    times, one_alert = np.array([1000, 2000], dtype=np.int64), [{"alertname": "A"}] * 2
    apart = SeriesBatch.of("", [({"a": "x"}, times, np.ones(2)), ({"a": "y"}, times + 5000, np.ones(2))])
    merged, kept = by_alert(apart, one_alert, "A")
    assert (merged.times.tolist(), kept) == ([1000, 2000, 6000, 7000], [0])
    same = SeriesBatch.of("", [({"a": "x"}, times, np.ones(2)), ({"a": "y"}, times, np.ones(2))])
    with pytest.raises(UsageError, match="Rule 'A': several series of its expression make the same alert"):
        by_alert(same, one_alert, "A")


def test_a_rule_s_own_alerts_are_told_by_its_labels_and_replicas_are_one() -> None:
    own = {"alertname": "A", "severity": "page", "zone": "z"}
    series = [
        {**own, "alertstate": "firing", "replica": "0"},
        {**own, "alertstate": "pending", "replica": "1"},
        {**own, "alertstate": "firing", "severity": "ticket"},
        {**own, "alertstate": "firing", "alertname": "B"},
    ]
    ended = np.array([1.0, np.nan])
    ended.view(np.int64)[1] = STALENESS_MARKER_BITS
    times = np.array([1000, 2000], dtype=np.int64)
    batch = SeriesBatch.of("ALERTS", [(labels, times, ended) for labels in series])
    rule = AlertingRule("A", "up == 0", labels={"severity": "page", "who": "{{ $labels.x }}", "team": "nobody's"})
    found = alert_samples(
        batch, rule, replica_labels=["replica"], named=lambda labels: {**labels, "tenant": labels["zone"]}
    )
    assert found["alertstate"].tolist() == ["firing", "firing", "pending", "pending"]
    assert (found["tenant"].unique().tolist(), found["alert"].nunique()) == (["z"], 1)
    assert found["value"].isna().tolist() == [False, True, False, True]
