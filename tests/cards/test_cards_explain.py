"""Where each number of summary.json comes from, held against the summary itself and against the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudxai_analysis.cards.explain import explained, feeds, found, known
from cloudxai_analysis.cards.summary import summarise
from cloudxai_analysis.checks.catalogue import ROWS
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.operate import evaluate
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.study.study import Study

PACKAGE = Path(__file__).parents[2] / "cloudxai_analysis"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return evaluate.study_of(DemoSource(), tmp_path_factory.mktemp("explain"))


def leaves(value: Any, path: str = "") -> Iterator[str]:
    """Every number of a document by its path; a row of a list by its key where it has one."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}".strip("."))
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, f"{path}.{item['key']}" if isinstance(item, dict) and "key" in item else path)
    elif isinstance(value, float | int):
        yield path


def test_every_number_of_the_summary_is_explained(study: Study) -> None:
    paths = set(leaves(summarise(study)))
    assert len(paths) > 140
    assert {path for path in paths if not found(path)} == set()
    for name in {found(path) for path in paths} & set(known()):
        lines = list(explained(study, name))
        assert lines[-1].startswith("  lake version"), name
        assert any(line.startswith(("  metric ", "  ledger: ")) for line in lines), f"{name} rests on nothing"


def test_what_makes_a_number_stands_where_it_is_said_to_stand(study: Study) -> None:
    for name in known():
        for line in explained(study, name):
            place = next((word for word in line.split() if ".py:" in word), "")
            if place:
                file, _, number = place.partition(":")
                starts = {
                    min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
                    for node in ast.walk(ast.parse((PACKAGE / file).read_text(encoding="utf-8")))
                    if isinstance(node, ast.FunctionDef | ast.Lambda)
                }
                assert int(number) in starts, line


@pytest.mark.parametrize(
    ("name", "fed"),
    [
        ("readiness.error_budget", {"checks.availability", "numbers.readiness.error_budget_used_minutes"}),
        ("tenant_cost_estimate", {"numbers.cost.total", "tiles.cost", "checks.anomalies"}),
        ("measures.cardinality.tenant_churn".removeprefix("measures."), {"checks.churn"}),
        ("ALERTS", {"checks.false_positives", "template.readiness_alerts"}),
    ],
)
def test_what_a_frame_a_metric_or_a_function_feeds(study: Study, name: str, fed: set[str]) -> None:
    assert fed <= set(feeds(study, name))
    assert "checks.gaps" not in feeds(study, name)


def test_an_unknown_name_names_near_ones(study: Study) -> None:
    with pytest.raises(UsageError, match=r"no number 'churm'.*Near are churn"):
        list(explained(study, "churm"))


def test_every_check_says_what_it_rests_on() -> None:
    assert {name for name in known() if name.startswith("checks.")} == {f"checks.{key}" for key in ROWS}
    assert [name for name, one in known().items() if not one.frames and name != "coverage"] == []
