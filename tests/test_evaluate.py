"""Evaluation: no false findings in clean weeks, the smallest size found by hand, scenarios that hold every kind."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis import evaluate, judge
from cloudxai_analysis.evaluate import random_scenario, smallest_found
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.scenario import EXTENT
from cloudxai_analysis.study import Study
from cloudxai_analysis.window import last_whole_week, parse_window

W46 = parse_window("2026-W46")


@pytest.fixture(scope="module")
def beta(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoSource, Study]:
    source = DemoSource()
    return source, evaluate.study_of(source, tmp_path_factory.mktemp("beta"))


@pytest.mark.parametrize("seed", [2, 3, 11, 23, 404, 2**53 + 1])
@pytest.mark.slow
def test_a_clean_week_has_no_finding(seed: int) -> None:
    assert evaluate.clean_findings(seed) == []


def test_the_study_is_of_the_last_whole_week(beta: tuple[DemoSource, Study]) -> None:
    source, study = beta
    assert (study.window, study.seen.end) == (W46, EXTENT.end)
    assert study.ledger.incidents()["id"].iloc[0] == "INC-001"
    assert len(study.ledger.labels()) == sum(entry["kind"] == "label" for entry in source.ledger_entries())


def test_an_event_is_found_by_kind_place_and_start(beta: tuple[DemoSource, Study]) -> None:
    source, study = beta
    truth = source.truth()
    spike = truth[truth["kind"] == "cost_spike"].iloc[0].to_dict()
    assert evaluate.was_found(spike, study)
    assert not evaluate.was_found({**spike, "place": "another-tenant"}, study)
    assert evaluate.was_found({**spike, "start": spike["start"] + timedelta(hours=1)}, study)
    assert not evaluate.was_found({**spike, "start": spike["start"] + timedelta(minutes=61)}, study)
    assert not evaluate.was_found({**spike, "start": spike["start"] + timedelta(minutes=1)}, study, apart=timedelta(0))
    missed = truth[truth["kind"] == "scrape_gap"].iloc[0].to_dict()
    assert missed["start"] < W46.start
    assert not evaluate.was_found(missed, study)


def smallest(*events: tuple[float, bool], share: float = 0.9) -> float | None:
    return smallest_found(
        pd.Series([size for size, _ in events]), pd.Series([found for _, found in events]), share=share
    )


def test_the_smallest_size_found_by_hand() -> None:
    """Doublings are [1, 2), [2, 4), [4, 8): of the second half is found, of the third all."""
    events = [(1, False), (2, True), (3, False), (5, True), (7, True)]
    assert smallest(*events) == 5.0
    assert smallest(*events, share=0.5) == 2.0
    assert smallest(*events, share=0.0) == 1.0
    assert smallest(*reversed(events)) == 5.0


def test_a_hole_above_counts_against_what_lies_below() -> None:
    """All of the small and of the large are found, of the middle none: only the large ones are sure."""
    assert smallest((1, True), (2, False), (3, False), (5, True)) == 5.0
    assert smallest((1, True), (2, True), (4, True), (8, False)) is None


def test_a_doubling_without_events_says_nothing_and_sizes_may_be_fractions() -> None:
    assert smallest((0.3, True), (0.4, True), (900.0, True)) == 0.3
    assert smallest((0.3, False), (0.6, True), (70.0, True)) == 0.6


@pytest.mark.parametrize(("found", "expected"), [(9, 16.0), (8, 32.0)])
def test_nine_of_ten_are_enough(found: int, expected: float) -> None:
    sizes = [(16.0 + number, number < found) for number in range(10)]
    assert smallest(*sizes, (32.0, True)) == expected


@given(st.lists(st.tuples(st.floats(0.01, 1e5), st.booleans()), min_size=1, max_size=50))
def test_from_the_smallest_on_nine_of_ten_are_found(events: list[tuple[float, bool]]) -> None:
    least = smallest(*events)
    if least is None:
        largest = max(size for size, _ in events)
        assert any(not found for size, found in events if size > largest / 2 - 0.01)
    else:
        above = [found for size, found in events if size >= round(least - 0.005, 3)]
        assert sum(above) >= 0.9 * len(above) - 1e-9


@pytest.mark.parametrize("seed", [*range(0, 400, 7), 5_000, 2**40])
def test_a_random_scenario_holds_one_event_of_every_kind_in_the_week(seed: int) -> None:
    scenario = random_scenario(seed)
    counts = Counter(event.kind for event in scenario.events)
    assert set(counts.values()) == {1}
    # A burst shows as generated names, and as rejections where it fills the process.
    assert set(counts) == (set(evaluate.FOUND_BY) - {"generated_names", "rejections"}) | {"burst"}
    week = last_whole_week(EXTENT.end)
    for event in scenario.events:
        if event.kind != "semantics_break":
            assert week.start <= event.at < week.end
            assert event.at + timedelta(minutes=getattr(event, "minutes", 0)) <= week.end
    assert random_scenario(seed) == scenario


def test_random_scenarios_differ_in_time_and_size() -> None:
    sizes = {
        (event.kind, event.at.isoformat(), getattr(event, "minutes", 0))
        for seed in range(30)
        for event in random_scenario(seed).events
    }
    assert len(sizes) > 8 * 30


def test_planted_findings_name_kind_size_unit_and_whether_found() -> None:
    rows = pd.DataFrame(evaluate.planted_findings(5_000))
    assert rows.columns.tolist() == ["kind", "size", "unit", "found"]
    assert set(rows["kind"]) <= set(evaluate.FOUND_BY)
    assert rows.set_index("kind").loc["restart", "found"]
    assert (rows["size"] > 0).all()


@pytest.mark.slow
def test_an_evaluation_counts_weeks_and_kinds(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    result = evaluate.evaluate(
        clean_seeds=1, planted_seeds=1, workers=2, progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(1, 2), (2, 2)]
    # Of one week without a finding the 95 % Wilson interval reaches to 1.96² / (1 + 1.96²).
    assert result["clean"] == {
        **{"weeks": 1, "false_weeks": 0, "rate": 0.0, "low": 0.0, "high": 0.7935, "by_check": {}}
    }
    kinds = [row["kind"] for row in result["sensitivity"]]
    assert kinds == sorted(set(kinds))
    for row in result["sensitivity"]:
        assert 0 <= row["found"] <= row["runs"]
        assert (row["smallest"] is None) == (row["found"] < row["runs"])
    file = tmp_path / "evaluation.json"
    evaluate.write_result(result, file)
    assert json.loads(file.read_text(encoding="utf-8")) == result


def test_every_check_that_finds_events_is_one_of_the_judge() -> None:
    assert set(evaluate.FOUND_BY.values()) <= set(judge.KEYS)
