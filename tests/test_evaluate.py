"""Evaluation: no false findings in clean weeks, the smallest size found by hand, planted events found in own weeks."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import world_study

from cloudxai_analysis.checks import judge
from cloudxai_analysis.cli import main_group
from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.operate import evaluate
from cloudxai_analysis.operate.evaluate import smallest_found
from cloudxai_analysis.operate.planted import KINDS, SIZES
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.scenario import EXTENT
from cloudxai_analysis.study.study import Study

W46 = parse_window("2026-W46")


@pytest.fixture(scope="module")
def beta(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoSource, Study]:
    source = DemoSource()
    return source, evaluate.study_of(source, tmp_path_factory.mktemp("beta"))


@pytest.mark.parametrize("seed", [2, 3, 11, 23, 404, 2**53 + 1])
@pytest.mark.slow
def test_a_clean_week_has_no_finding(seed: int) -> None:
    with TemporaryDirectory() as folder:
        assert evaluate.findings(world_study("clean", seed, Path(folder))) == []


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


def smallest(events: list[tuple[float, bool]], share: float = 0.9) -> float | None:
    sizes, found = zip(*events, strict=True)
    return smallest_found(pd.Series(sizes), pd.Series(found), share=share)


# Doublings are [1, 2), [2, 4), [4, 8): of the second half is found, of the third all.
HALF = [(1, False), (2, True), (3, False), (5, True), (7, True)]
TEN = [16.0 + number for number in range(10)]


@pytest.mark.parametrize(
    ("events", "share", "expected"),
    [
        (HALF, 0.9, 5.0),
        (HALF, 0.5, 2.0),
        (HALF, 0.0, 1.0),
        (HALF[::-1], 0.9, 5.0),
        ([(0.0001, True), (0.001, True)], 0.9, 0.0001),
        # All of the small and of the large are found, of the middle none: only the large ones are sure.
        ([(1, True), (2, False), (3, False), (5, True)], 0.9, 5.0),
        ([(1, True), (2, True), (4, True), (8, False)], 0.9, None),
        # A doubling without events says nothing, and sizes may be fractions.
        ([(0.3, True), (0.4, True), (900.0, True)], 0.9, 0.3),
        ([(0.3, False), (0.6, True), (70.0, True)], 0.9, 0.6),
        # Nine of ten are enough, eight are not.
        ([*((size, size < 25) for size in TEN), (32.0, True)], 0.9, 16.0),
        ([*((size, size < 24) for size in TEN), (32.0, True)], 0.9, 32.0),
    ],
)
def test_the_smallest_size_found_by_hand(
    events: list[tuple[float, bool]], share: float, expected: float | None
) -> None:
    assert smallest(events, share) == expected


@given(st.lists(st.tuples(st.floats(0.01, 1e5), st.booleans()), min_size=1, max_size=50))
def test_from_the_smallest_on_nine_of_ten_are_found(events: list[tuple[float, bool]]) -> None:
    least = smallest(events)
    if least is None:
        largest = max(size for size, _ in events)
        assert any(not found for size, found in events if size > largest / 2 - 0.01)
    else:
        above = [found for size, found in events if size >= round(least - 0.005, 3)]
        assert sum(above) >= 0.9 * len(above) - 1e-9


def test_curves_count_by_size_and_say_what_was_never_planted() -> None:
    """Of spikes of half the cost on top one of two was found, of twice as much both; of outages nothing was planted."""
    row = {"kind": "cost_spike", "unit": KINDS["cost_spike"][2]}
    rows = [{**row, "size": size, "found": found} for size, found in [(0.5, True), (0.5, False), (1, True), (1, True)]]
    curves = {curve["kind"]: curve for curve in evaluate.curves(rows)}
    assert list(curves) == list(KINDS)
    assert curves["cost_spike"]["smallest"] == 1
    assert [(one["size"], one["found"], one["runs"]) for one in curves["cost_spike"]["sizes"]] == [
        *((0.25, 0, 0), (0.5, 1, 2), (1, 2, 2), (3, 0, 0), (7, 0, 0))
    ]
    assert (curves["restart"]["smallest"], curves["restart"]["check"]) == (None, "restarts")
    assert [one["runs"] for one in curves["restart"]["sizes"]] == [0] * SIZES


def test_what_was_found_is_said_in_sentences() -> None:
    spike = [{"kind": "cost_spike", "unit": KINDS["cost_spike"][2], "size": 3, "found": True}]
    gap = [{"kind": "scrape_gap", "unit": KINDS["scrape_gap"][2], "size": 2, "found": False}]
    weeks = [{"week": "2026-W45", "findings": []}, {"week": "2026-W46", "findings": [{"check": "restarts"}]}]
    said = list(evaluate.lines({"weeks": weeks, "curves": evaluate.curves([*spike, *gap])}))
    assert said[:2] == ["2026-W45 as it is: nothing is found.", "2026-W46 as it is: restarts."]
    assert "cost spike: found from 3 of its own cost on top, for six hours on (3: 1 of 1)." in said
    assert "scrape gap: not found in nine of ten, however large (2: 0 of 1 minutes)." in said
    assert "restart: could not be planted; there is no series of it, or no room." in said


@pytest.mark.slow
def test_own_weeks_are_copied_and_nothing_of_them_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last week of a clean demo: nothing is found in it as it is, the largest event of each kind in its copies."""
    monkeypatch.setenv("CLOUDXAI_OUTPUTS", str(tmp_path))
    source = "demo://?seed=1&scenario=clean"
    assert main_group.main(["pull", "--source", source], standalone_mode=False) == 0
    folder = tmp_path / "demo-seed-1-scenario-clean"
    before = {file: file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}
    asked = ["evaluate", "--source", source, "--weeks", "1", "--copies", "1"]
    assert main_group.main(asked, standalone_mode=False) == 0
    after = {file: file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}
    result = json.loads(after.pop(folder / "evaluation.json"))
    assert after == before
    assert result["environment"] == "demo-seed-1-scenario-clean"
    assert result["weeks"] == [{"week": "2026-W46", "findings": []}]
    largest = {curve["kind"]: curve["sizes"][-1] for curve in result["curves"]}
    assert {kind for kind, one in largest.items() if one["found"] == one["runs"] == 1} == set(KINDS)


def test_every_check_that_finds_events_is_one_of_the_judge() -> None:
    assert {check for check, _, _ in KINDS.values()} <= set(judge.KEYS)
    assert {len(sizes) for _, sizes, _ in KINDS.values()} == {SIZES}
