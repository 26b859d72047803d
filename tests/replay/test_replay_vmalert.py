"""Replay of ten rules over the demo's samples, against the episodes that vmalert's replay mode makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
import servers
import ten_rules
import vmalert

from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits
from cloudxai_analysis.replay.agreement import agreement_counts
from cloudxai_analysis.replay.history import History
from cloudxai_analysis.replay.rules import rules_in
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.open import open_source

pytestmark = pytest.mark.needs("victoria-metrics", "vmalert")
# The week in which a burst fills a process, a tenant flaps, pages are false, and the platform is not ready once.
WEEK = parse_window("2026-W46")


@pytest.fixture(scope="module")
def agreed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pd.DataFrame]:
    """Every rule's replayed episodes held against those of the ALERTS that vmalert wrote back."""
    folder = tmp_path_factory.mktemp("vmalert")
    rules = folder / "ten.rules.yml"
    rules.write_text(ten_rules.RULES, encoding="utf-8")
    with servers.victoria_metrics(folder) as server:
        vmalert.load(server.url, DemoSource(), ten_rules.METRICS, WEEK)
        vmalert.replayed(server.url, rules, WEEK)
        source: Any = open_source(server.url, limits=Limits(), settings=EnvironmentSettings())
        read, findings = rules_in([rules])
        assert not findings
        history = History(source, source, WEEK, read, evaluation_seconds=60)
        yield pd.concat([history.agreement(history.replay(rule)) for rule in read], ignore_index=True)


def test_every_episode_is_the_same(agreed: pd.DataFrame) -> None:
    wrong = agreed[agreed["status"].isin(["other", "extra"])]
    assert wrong.empty, wrong.to_string()
    counts = agreement_counts(agreed).set_index("alertname")
    assert counts["same"].sum() >= 25
    assert {"TenantReadinessBreach", "TenantFlapping", "ServiceNotReady", "ProcessRestarted"} <= set(
        counts.index[counts["same"] > 0]
    )


def test_only_the_week_s_edges_are_told_apart(agreed: pd.DataFrame) -> None:
    apart = agreed[agreed["status"] == "apart"]
    assert set(apart["why"]) <= {"cut by the window's edge"}
    assert len(apart) <= 4
