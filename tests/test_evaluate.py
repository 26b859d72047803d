"""Evaluation: no false findings in clean weeks, the smallest size found by hand, planted events found in own weeks."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path

import _own_weeks as evaluate
import pytest
from _planted import KINDS, SIZES
from _worlds import world_study, worlds

from cloudxai_analysis.cli import main_group
from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.study.study import Study

W46 = parse_window("2026-W46")


@pytest.mark.parametrize(("world", "seed"), [("clean", 2**53 + 1), ("rollouts", 23)])
def test_a_healthy_week_has_no_finding(world: str, seed: int, tmp_path: Path) -> None:
    found = evaluate.findings(world_study(world, seed, tmp_path))
    assert [one for one in found if one["check"] not in worlds()[world].told] == []


def test_an_event_is_found_by_kind_place_and_start(demo_study: Study) -> None:
    study, truth = demo_study, DemoSource().truth()
    spike = truth[truth["kind"] == "cost_spike"].iloc[0].to_dict()
    assert evaluate.was_found(spike, study)
    assert not evaluate.was_found({**spike, "place": "another-tenant"}, study)
    assert evaluate.was_found({**spike, "start": spike["start"] + timedelta(hours=1)}, study)
    assert not evaluate.was_found({**spike, "start": spike["start"] + timedelta(minutes=61)}, study)
    missed = truth[truth["kind"] == "scrape_gap"].iloc[0].to_dict()
    assert missed["start"] < W46.start
    assert not evaluate.was_found(missed, study)


def test_curves_count_by_size_and_say_from_which_on_nine_of_ten_are_found() -> None:
    """Of ten spikes of half the cost on top eight were found, of twice as much nine; of outages nothing was planted."""
    found = {0.25: 10, 0.5: 8, 1: 9, 7: 10}
    rows = [{"kind": "cost_spike", "size": size, "found": n < of} for size, of in found.items() for n in range(10)]
    rows += [{"kind": "scrape_gap", "size": size, "found": size < 8} for size in (2, 4, 8)]
    curves = {curve["kind"]: curve for curve in evaluate.curves(rows)}
    assert list(curves) == list(KINDS)
    assert curves["cost_spike"]["smallest"] == 1
    assert [(one["size"], one["found"], one["runs"]) for one in curves["cost_spike"]["sizes"]] == [
        *((0.25, 10, 10), (0.5, 8, 10), (1, 9, 10), (3, 0, 0), (7, 10, 10))
    ]
    assert curves["scrape_gap"]["smallest"] is None
    assert (curves["restart"]["smallest"], curves["restart"]["check"]) == (None, "restarts")
    assert [one["runs"] for one in curves["restart"]["sizes"]] == [0] * SIZES


def test_what_was_found_is_said_in_sentences() -> None:
    spike, gap = ({"kind": "cost_spike", "size": 3, "found": True}, {"kind": "scrape_gap", "size": 2, "found": False})
    weeks = [{"week": "2026-W45", "findings": []}, {"week": "2026-W46", "findings": [{"check": "restarts"}]}]
    said = list(evaluate.lines({"weeks": weeks, "curves": evaluate.curves([spike, gap])}))
    assert said[:2] == ["2026-W45 as it is: nothing is found.", "2026-W46 as it is: restarts."]
    assert "cost spike: found from 3 of its own cost on top, for six hours on (3: 1 of 1)." in said
    assert "scrape gap: not found in nine of ten, however large (2: 0 of 1 minutes)." in said
    assert "restart: could not be planted; there is no series of it, or no room." in said


def test_own_weeks_are_copied_and_nothing_of_them_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last week of a clean demo: nothing is found in it as it is, the largest event of each kind in its copies."""
    monkeypatch.setenv("CLOUDXAI_OUTPUTS", str(tmp_path))
    source = "demo://?seed=1&scenario=clean"
    assert main_group.main(["pull", "--source", source], standalone_mode=False) == 0
    folder = tmp_path / "demo-seed-1-scenario-clean"
    before = {file: file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}
    monkeypatch.setattr(sys, "argv", ["_own_weeks.py", "--source", source, "--weeks", "1", "--copies", "1"])
    assert evaluate.main() == 0
    after = {file: file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}
    result = json.loads(after.pop(folder / "evaluation.json"))
    assert after == before
    assert result["environment"] == "demo-seed-1-scenario-clean"
    assert result["weeks"] == [{"week": "2026-W46", "findings": []}]
    largest = {curve["kind"]: curve["sizes"][-1] for curve in result["curves"]}
    assert {kind for kind, one in largest.items() if one["found"] == one["runs"] == 1} == set(KINDS)
