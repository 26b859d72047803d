"""Replay of rules from a live Prometheus' own history, against what that Prometheus fired."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import live_platform
import pandas as pd
import pytest
import servers

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits
from cloudxai_analysis.replay.agreement import agreement_counts
from cloudxai_analysis.replay.history import History
from cloudxai_analysis.replay.rules import rules_in
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.rules import AlertingRule, loaded_rules

pytestmark = [pytest.mark.server, pytest.mark.slow]
SECONDS = 75
DOWN_SECONDS = 14.0


def opened(url: str) -> Any:
    return open_source(url, limits=Limits(), settings=EnvironmentSettings())


def moment() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def replayed(source: Any, window: Window, rules: list[AlertingRule]) -> tuple[pd.DataFrame, History]:
    """The agreement of every rule with what the server fired."""
    history = History(source, source, window, rules, evaluation_seconds=1)
    agreed = [history.agreement(history.replay(rule)) for rule in rules]
    return pd.concat(agreed, ignore_index=True), history


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Window, list[AlertingRule]]]:
    """A Prometheus that has scraped the platform and evaluated its rules each second for a while."""
    folder = tmp_path_factory.mktemp("live")
    rules = folder / "beta.rules.yml"
    rules.write_text(live_platform.RULES, encoding="utf-8")
    with (
        live_platform.exporter(SECONDS + 30) as target,
        servers.prometheus(folder, config=live_platform.config(rules, target)) as server,
    ):
        began = moment()
        time.sleep(SECONDS)
        source = opened(server.url)
        yield source, Window(began + timedelta(seconds=3), moment() - timedelta(seconds=2)), rules_in([rules])[0]


def test_replay_fires_what_the_live_server_fired(live: tuple[Any, Window, list[AlertingRule]]) -> None:
    agreed, history = replayed(*live)
    assert history.markers
    counts = agreement_counts(agreed)
    fired, same = counts["fired"].sum(), counts["same"].sum()
    wrong = agreed[agreed["status"].isin(["other", "extra"])]
    # Of some 26; on a busy machine several are set apart, since a scrape was under way when the rule was evaluated.
    assert fired >= 12, counts.to_string()
    assert same >= 0.99 * fired, wrong.to_string()
    assert not (agreed["status"] == "extra").any(), wrong.to_string()
    # What is the same is so to the very evaluation: each of the two groups was asked at its own milliseconds.
    kept = agreed[agreed["status"] == "same"]
    for edge in ("fired_at", "resolved_at"):
        assert ((kept[edge] - kept[f"replayed_{edge}"]).abs() <= pd.Timedelta(milliseconds=1)).all()
    assert len({history.steps(rule).first % 1000 for rule in live[2]}) == 2


def test_the_rules_that_it_has_loaded_are_those_of_the_file(live: tuple[Any, Window, list[AlertingRule]]) -> None:
    source, window, rules = live
    loaded = loaded_rules(source)
    assert [(rule.name, rule.for_seconds, rule.keep_firing_for_seconds, rule.labels) for rule in loaded] == [
        (rule.name, rule.for_seconds, rule.keep_firing_for_seconds, rule.labels) for rule in rules
    ]
    assert {rule.interval_seconds for rule in loaded} == {1.0}
    counts = agreement_counts(replayed(source, window, loaded)[0])
    assert counts["same"].sum() >= 0.99 * counts["fired"].sum()


def test_a_server_that_was_down_is_told_apart(tmp_path: Path) -> None:
    rules = tmp_path / "beta.rules.yml"
    rules.write_text(live_platform.RULES, encoding="utf-8")
    with live_platform.exporter(100) as target:
        config = live_platform.config(rules, target)
        with servers.prometheus(tmp_path, config=config):
            began = moment()
            time.sleep(16)
        stopped = moment()
        time.sleep(DOWN_SECONDS)
        with servers.prometheus(tmp_path, config=config) as server:
            time.sleep(18)
            window = Window(began + timedelta(seconds=3), moment() - timedelta(seconds=2))
            agreed, history = replayed(opened(server.url), window, rules_in([rules])[0])
            inside = history.down(1000)
    assert len(inside) == 1
    assert abs((inside["start"].iloc[0] - stopped).total_seconds()) < 4
    assert DOWN_SECONDS - 2 < (inside["end"] - inside["start"]).dt.total_seconds().iloc[0] < DOWN_SECONDS + 12
    assert not agreed["status"].isin(["other", "extra"]).any(), agreed.to_string()
    assert (agreed["why"] == "the server was down").any()
