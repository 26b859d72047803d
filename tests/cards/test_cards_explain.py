"""Where each number of summary.json comes from, held against the summary itself and against the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudxai_analysis.cards.explain import KNOWN, explained, feeds, found
from cloudxai_analysis.cards.summary import summarise
from cloudxai_analysis.checks.finding import ROWS
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.study.study import Study

PACKAGE = Path(__file__).parents[2] / "cloudxai_analysis"


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


def functions(file: str) -> set[int]:
    """The lines in which a function or a lambda of a file begins, decorators included."""
    return {
        min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
        for node in ast.walk(ast.parse((PACKAGE / file).read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.Lambda)
    }


def test_every_number_is_explained_down_to_its_metrics_and_the_lines_that_make_it(demo_study: Study) -> None:
    paths = set(leaves(summarise(demo_study)))
    assert len(paths) > 140
    assert {path for path in paths if not found(path)} == set()
    assert {name for name in KNOWN if name.startswith("checks.")} == {f"checks.{key}" for key in ROWS}
    for name in KNOWN:
        lines = list(explained(demo_study, name))
        assert lines[-1].startswith("  lake version"), name
        assert any(line.startswith(("  metric ", "  ledger: ")) for line in lines), f"{name} rests on nothing"
        for place in (word for line in lines for word in line.split() if ".py:" in word):
            file, _, number = place.partition(":")
            assert int(number) in functions(file), place
    assert "    readiness.outages" in "\n".join(explained(demo_study, "outages"))
    with pytest.raises(UsageError, match=r"no number 'churm'.*Near are churn"):
        list(explained(demo_study, "churm"))


@pytest.mark.parametrize(
    ("name", "fed"),
    [
        ("readiness.error_budget", {"checks.availability", "numbers.readiness.error_budget_used_minutes"}),
        ("tenant_cost_estimate", {"numbers.cost.total", "tiles.cost", "checks.anomalies"}),
        ("tenant_churn", {"checks.churn"}),
        ("ALERTS", {"checks.false_positives", "template.readiness_alerts"}),
    ],
)
def test_what_a_frame_a_metric_or_a_function_feeds(demo_study: Study, name: str, fed: set[str]) -> None:
    told = feeds(demo_study, name)
    assert fed <= set(told)
    assert "checks.gaps" not in told
