"""The rows of `checks.toml`: every answer is found somewhere, every table of words has a word for all that comes."""

from __future__ import annotations

import re
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest
import test_checks_alerts
import test_checks_cardinality
import test_checks_cost
import test_checks_readiness
import test_checks_telemetry

from cloudxai_analysis import cards, checks
from cloudxai_analysis.cards import card, summary, words
from cloudxai_analysis.cards.cardinality import headroom
from cloudxai_analysis.cards.compose import ROWS as CARDS
from cloudxai_analysis.cards.compose import TERMS
from cloudxai_analysis.cards.tiles import tiles
from cloudxai_analysis.checks import NEEDED, SEVERITY, Status, judge, week_status
from cloudxai_analysis.checks.finding import OF_SECTION, ROWS, SECTIONS
from cloudxai_analysis.figures import new_axes
from cloudxai_analysis.measures.judgement import JUDGEMENTS
from cloudxai_analysis.measures.semantics import CAUSES, FINDINGS, LEFT_OUT
from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.platform.settings import Bounds
from cloudxai_analysis.sources.scenario import EXTENT
from cloudxai_analysis.study.study import Study

TOPICS = (test_checks_telemetry, test_checks_cardinality, test_checks_cost, test_checks_alerts, test_checks_readiness)
ALL = [row for topic in TOPICS for row in topic.ROWS]
DEFINITIONS = (Path(__file__).parents[2] / "docs" / "definitions.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("key", ROWS)
def test_every_answer_of_a_check_is_found_by_a_row_of_the_tests(key: str) -> None:
    assert {row.answer() for row in ALL if row.key == key} == set(ROWS[key].answers)


def test_rows_rank_each_check_once_and_name_roles_cards_terms_and_figures_that_are_there() -> None:
    assert sorted(row.harm for row in ROWS.values()) == list(range(1, len(ROWS) + 1))
    assert list(dict.fromkeys(row.section for row in ROWS.values())) == list(SECTIONS)
    assert {role for row in ROWS.values() for role in row.roles} <= set(load_contract().metrics)
    assert set(OF_SECTION) < set(SECTIONS)
    assert {row.card for row in ROWS.values()} <= set(CARDS)
    for key, row in CARDS.items():
        assert (row.defined or row.check) in TERMS
        assert not row.check or ROWS[row.check].card == key
        room, _, name = row.figure.partition(".")
        assert not row.figure or callable(getattr(import_module(f"cloudxai_analysis.figures.{room}"), name))


def test_no_sentence_has_a_condition_and_every_table_a_word_for_all_that_a_measure_gives() -> None:
    """A tenant called by a ULID once stopped the report: the words stood two rooms from the shapes."""
    for file in (file for room in (checks, cards) for file in Path(room.__file__).parent.glob("*.toml")):
        assert not re.search(r"\{%|\{\{[^}]* if ", file.read_text(encoding="utf-8")), file
    assert set(SEVERITY) == set(words.WORDS["status"]) == set(card.SHAPES) == set(get_args(Status))
    assert set(LEFT_OUT) <= set(CAUSES)
    assert set(FINDINGS) <= {name for name, answer in ROWS["semantics"].answers.items() if answer.status == "warn"}
    assert set(summary.ACTIONABLE) == set(JUDGEMENTS)
    contract = load_contract()
    assert {rule.signal for rule in contract.alerts.values()} <= set(contract.metrics)


def test_a_bound_is_rounded_once(tmp_path: Path) -> None:
    """30 labels and a share of 0.15 were 5, 4 and 4 on one page: 4.5 labels are 5 whole ones, wherever they stand."""
    study = test_checks_cardinality.headroom(20, 4, 20, cap=30).study(tmp_path)
    check = judge.judged(study, "headroom")
    tile = next(one for one in tiles(study) if one["key"] == "headroom")
    assert (check.bound, check.status, tile["bound"], tile["bound_text"]) == (5.0, "warn", 5, "warn under 5")
    assert check.size == "under 5 labels in 1 hour"
    axes = new_axes()
    headroom(study).draw(axes)
    assert "warn under 5" in [text.get_text() for text in axes.texts]


def test_every_check_has_a_sentence_stands_in_its_section_and_says_what_people_are_asked(demo_study: Study) -> None:
    found = judge.checks(demo_study)
    assert tuple(check.key for check in found) == judge.KEYS
    assert set(NEEDED) == {"coverage", "headroom", "guard", "availability"}
    assert list(dict.fromkeys(check.section for check in found)) == list(SECTIONS)
    assert week_status(found) == "warn"
    for check in found:
        assert check is judge.check(demo_study, check.key)
        assert check.status in get_args(Status)
        assert check.finding.endswith(".")
        assert "\n" not in check.finding
        assert check.value is None or check.status != "unknown"
        if check.status in ("warn", "fail"):
            assert all((check.size, check.samples, check.disproof, check.action, check.decides))
            assert EXTENT.start <= check.since < EXTENT.end
        for event in check.events:
            assert set(event) == {"kind", "place", "start", "end", "size", "unit"}
            assert event["start"].utcoffset() == timedelta(0)
            assert event["end"] is None or event["end"] >= event["start"]
            assert event["size"] > 0
    bounds = {check.bound_key: check.bound for check in found if check.bound_key}
    assert set(bounds) == set(Bounds.model_fields)
    assert None not in bounds.values()
