"""The demo behind a Prometheus of our own: its samples by bits, burn rates, and the whole command."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from cloudxai_analysis.cli.replay import replay
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.lake.memory import MemorySnapshot
from cloudxai_analysis.lint.tools import version_of
from cloudxai_analysis.measures.readiness import burn_stretches, global_readiness
from cloudxai_analysis.measures.telemetry import job_states
from cloudxai_analysis.measures.time_seen import holds
from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits
from cloudxai_analysis.replay.demo_server import NeedsServer, demo_server
from cloudxai_analysis.replay.history import History
from cloudxai_analysis.replay.rules import burn_rules, rules_in
from cloudxai_analysis.replay.session import RuleReplay, Session, opened
from cloudxai_analysis.replay.written import as_data, as_markdown
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.study import settle

WEEK = parse_window("2026-W46")
LONG = Window(WEEK.start - timedelta(days=4), WEEK.end)
METRICS = ("readiness_state", "up", "readiness_transitions_total")
RULES = """\
groups:
  - name: beta
    interval: 1m
    rules:
      - {alert: TenantReadinessBreach, expr: tenant_readiness_state == 0, for: 2m, labels: {severity: page}}
      - {alert: ServiceNotReady, expr: min(readiness_state) by (job) == 0, for: 5m, labels: {severity: critical}}
      - {alert: "Broken | <b>", expr: "sum("}
"""
PROPOSED = """\
groups:
  - name: beta
    rules:
      - {alert: TenantReadinessBreach, expr: tenant_readiness_state == 0, for: 4m, labels: {severity: page}}
      - {alert: Fresh, expr: up == 0}
"""


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[DemoSource, Any]]:
    demo = DemoSource()
    with demo_server(demo, METRICS, LONG) as url:
        yield demo, open_source(url, limits=Limits(), settings=EnvironmentSettings())


@pytest.mark.server
@pytest.mark.parametrize("metric", METRICS)
def test_the_server_holds_the_demo_s_samples_by_bits(served: tuple[DemoSource, Any], metric: str) -> None:
    demo, server = served
    ours, theirs = demo.read(metric, {}, LONG), server.read(metric, {}, LONG)
    assert sorted(map(str, ours.labels)) == sorted(map(str, theirs.labels))
    for labels, first, last in zip(ours.labels, ours.offsets[:-1], ours.offsets[1:], strict=True):
        place = theirs.labels.index(labels)
        inside = slice(theirs.offsets[place], theirs.offsets[place + 1])
        np.testing.assert_array_equal(theirs.times[inside], ours.times[first:last])
        np.testing.assert_array_equal(theirs.values[inside].view(np.int64), ours.values[first:last].view(np.int64))


@pytest.mark.server
def test_burn_rules_fire_where_the_measure_says_that_the_budget_burns(served: tuple[DemoSource, Any]) -> None:
    demo, server = served
    burning = burn_rules(load_contract(), slo=0.999)
    history = History(server, demo, WEEK, burning, evaluation_seconds=60)
    samples, up = (
        MemorySnapshot(demo).samples(metric, LONG, ("job", "instance")) for metric in ("readiness_state", "up")
    )
    burns = burn_stretches(global_readiness(samples, up, job_states(holds(up))), WEEK, slo=0.999)
    for rule, over in zip(burning, ({14.4, 6.0}, {3.0, 1.0}), strict=True):
        own = burns[burns["threshold"].isin(over)]
        found = history.replay(rule).episodes
        assert len(found), rule.name
        # Whichever pair burns: one stretch of the rule covers those of its pairs that touch.
        for episode in found.itertuples():
            near = own[
                (own["start"] <= episode.resolved_at) & (own["end"].fillna(episode.resolved_at) >= episode.fired_at)
            ]
            # The measure waits until more was lost than the minute that one failed scrape may cost.
            assert 0 <= (near["start"].min() - episode.fired_at).total_seconds() <= 180
            assert abs((near["end"].max() - episode.resolved_at).total_seconds()) <= 60
        assert sum(
            ((found["fired_at"] <= row.start + pd.Timedelta("60s")) & (found["resolved_at"] >= row.start)).any()
            for row in own.itertuples()
        ) == len(own)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Session, list[RuleReplay]]]:
    """The demo's last week, its rules replayed beside those that are proposed."""
    folder = tmp_path_factory.mktemp("session")
    (folder / "beta.rules.yml").write_text(RULES, encoding="utf-8")
    (folder / "proposed.rules.yml").write_text(PROPOSED, encoding="utf-8")
    given, proposed = (rules_in([folder / f"{name}.rules.yml"])[0] for name in ("beta", "proposed"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOUDXAI_OUTPUTS", str(folder / "outputs"))
        asked = settle("2026-W46", source="demo://", environment="")
        with opened(asked.environment, asked.window, asked.now, weeks=1, given=given, proposed=proposed) as session:
            yield session, session.compared()


@pytest.mark.server
def test_each_rule_stands_beside_what_is_proposed_for_it(session: tuple[Session, list[RuleReplay]]) -> None:
    # What JSON cannot hold is an error.
    found = json.loads(json.dumps(as_data(session[1], session[0].history.window), allow_nan=False))
    assert found["window"] == {"start": "2026-11-09T00:00:00+00:00", "end": "2026-11-16T00:00:00+00:00"}
    rules = {rule["name"]: rule for rule in found["rules"]}
    assert list(rules) == ["TenantReadinessBreach", "ServiceNotReady", "Broken | <b>", "Fresh"]
    breach = rules["TenantReadinessBreach"]
    # The week has one incident of a tenant and two false pages of four minutes.
    present, proposed = breach["variants"]
    for variant, expected in ((present, ("present", 2, 0, 1)), (proposed, ("proposed", 0, 0, 1))):
        assert tuple(variant[key] for key in ("name", "false_positives", "misses", "incidents")) == expected
    assert proposed["detection_seconds"] - present["detection_seconds"] == 120
    assert breach["agreement"]["same"] == breach["agreement"]["fired"] > 0
    assert breach["draft"]["lint"] == "passed"
    names = [variant["name"] for variant in rules["ServiceNotReady"]["variants"]]
    assert names == ["present", "burn rate, pages", "burn rate, tickets"]
    assert "unclosed left parenthesis" in rules["Broken | <b>"]["unknown"]
    assert rules["Fresh"]["agreement"] is None


@pytest.mark.server
def test_markdown_shows_foreign_text_as_text(session: tuple[Session, list[RuleReplay]]) -> None:
    text = as_markdown(session[1], session[0].history.window)
    assert "| Broken &#124; &lt;b&gt; | unknown |" in text
    assert "### Broken &#124; &lt;b&gt;" in text
    assert "<b>" not in text

    with pytest.raises(UsageError, match=r"No rule 'Nope'\. There are .*ServiceNotReady"):
        session[0].compared(only=["Nope"])


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command in a folder of its own, on the demo's last week."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLOUDXAI_OUTPUTS", str(tmp_path / "outputs"))
    Path("beta.rules.yml").write_text(RULES, encoding="utf-8")
    Path("empty.yml").write_text("groups: []\n", encoding="utf-8")

    def runs(*words: str) -> str:
        given = ["--source", "demo://", "--week", "2026-W46", "--weeks", "1", *words]
        return CliRunner().invoke(replay, given, catch_exceptions=False, standalone_mode=False).stdout

    return runs


@pytest.mark.server
def test_the_command_says_one_rule_after_the_other(run: Any) -> None:
    text = run("beta.rules.yml", "--rule", "TenantReadinessBreach")
    assert text.startswith("Replay over 2026-W46")
    assert "\nTenantReadinessBreach\n" in text
    assert "ServiceNotReady" not in text
    assert re.search(r"draft \(passed\):\n.*    for: 4m\n", text, re.DOTALL)


@pytest.mark.parametrize(
    ("file", "error", "said"),
    [
        ("missing.yml", UsageError, r"Rule file missing\.yml does not exist"),
        ("empty.yml", UsageError, r"No alerting rule in empty\.yml"),
        ("beta.rules.yml", NeedsServer, "Replay needs a server"),
    ],
)
def test_mistakes_are_one_line(
    run: Any, monkeypatch: pytest.MonkeyPatch, file: str, error: type[UsageError], said: str
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    # The audits keep which tools there are.
    version_of.cache_clear()
    with pytest.raises(error, match=said):
        run(file)
    version_of.cache_clear()
