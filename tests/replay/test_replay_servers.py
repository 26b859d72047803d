"""Replay against what vmalert fired, and of the demo: cards and command; `test_live_episodes` has a live Prometheus."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import servers
import ten_rules
import vmalert
from click.testing import CliRunner
from small_platform import opened

from cloudxai_analysis.cards import replay as cards
from cloudxai_analysis.cli.replay import replay
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.lint.tools import version_of
from cloudxai_analysis.replay.episodes import agreement_counts
from cloudxai_analysis.replay.history import History
from cloudxai_analysis.replay.own_server import NeedsServer, demo_server
from cloudxai_analysis.replay.rules import rules_in
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.study.study import Study

# The week in which a burst fills a process, a tenant flaps, pages are false, and the platform is not ready once.
WEEK = parse_window("2026-W46")


def written(folder: Path, text: str, name: str = "beta.rules.yml") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.mark.needs("victoria-metrics", "vmalert")
def test_every_episode_is_that_of_vmalert_s_own_replay(tmp_path: Path) -> None:
    rules = written(tmp_path, ten_rules.RULES)
    with servers.victoria_metrics(tmp_path) as server:
        vmalert.load(server.url, DemoSource(), ten_rules.METRICS, WEEK)
        vmalert.replayed(server.url, rules, WEEK)
        source, read = opened(server.url), rules_in([rules])[0]
        history = History(source, source, WEEK, read, evaluation_seconds=60)
        found = pd.concat([history.agreement(rule, history.replay(rule)) for rule in read], ignore_index=True)
    wrong = found[found["status"].isin(["other", "extra"])]
    assert wrong.empty, wrong.to_string()
    counts = agreement_counts(found).set_index("alertname")
    assert counts["same"].sum() >= 25
    told = set(counts.index[counts["same"] > 0])
    assert {"TenantReadinessBreach", "TenantFlapping", "ServiceNotReady", "ProcessRestarted"} <= told
    # Only what the week's edges cut.
    assert counts["apart"].sum() <= 4


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
CARDS = (cards.agreement, cards.overview, cards.frontier)


@pytest.mark.server
def test_the_server_of_our_own_holds_the_demo_s_samples_by_bits() -> None:
    demo, long = DemoSource(), Window(WEEK.start - timedelta(days=4), WEEK.end)
    metrics = ("readiness_state", "up")
    with demo_server(demo, metrics, long) as url:
        for metric in metrics:
            ours, theirs = demo.read(metric, {}, long), opened(url).read(metric, {}, long)
            order = [theirs.labels.index(labels) for labels in ours.labels]
            for mine, place in enumerate(order):
                inside = slice(theirs.offsets[place], theirs.offsets[place + 1])
                own = slice(ours.offsets[mine], ours.offsets[mine + 1])
                np.testing.assert_array_equal(theirs.times[inside], ours.times[own])
                np.testing.assert_array_equal(theirs.values[inside].view(np.int64), ours.values[own].view(np.int64))
            assert len(theirs) == len(order)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command in a folder of its own, on the demo's last week."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLOUDXAI_OUTPUTS", str(tmp_path / "outputs"))
    written(tmp_path, RULES)
    written(tmp_path, PROPOSED, "proposed.rules.yml")
    written(tmp_path, "groups: []\n", "empty.yml")

    def runs(*words: str) -> str:
        given = ["--source", "demo://", "--week", "2026-W46", "--weeks", "1", *words]
        return CliRunner().invoke(replay, given, catch_exceptions=False, standalone_mode=False).stdout

    return runs


@pytest.mark.server
def test_the_command_sets_each_rule_beside_what_is_proposed_for_it(run: Any) -> None:
    found = json.loads(run("beta.rules.yml", "--proposed", "proposed.rules.yml", "--format", "json"))
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
    assert "unclosed left parenthesis" in rules["Broken | <b>"]["unknown"]
    assert rules["Fresh"]["agreement"] is None


@pytest.mark.server
def test_what_is_read_shows_foreign_text_as_text(run: Any) -> None:
    text = run("beta.rules.yml", "--as-it-is")
    assert "| Broken &#124; &lt;b&gt; | unknown |" in text
    assert "### Broken &#124; &lt;b&gt;" in text
    assert ("<b>" in text, "```yaml" in text) == (False, False)
    with pytest.raises(UsageError, match=r"No rule 'Nope'\. There are .*ServiceNotReady"):
        run("beta.rules.yml", "--rule", "Nope")


@pytest.mark.parametrize(
    ("file", "error", "said"),
    [
        ("missing.yml", UsageError, r"No file or folder 'missing\.yml'"),
        ("empty.yml", UsageError, r"No alerting rule in empty\.yml"),
        ("beta.rules.yml", NeedsServer, "Replay needs a server"),
    ],
)
def test_mistakes_are_one_line(run: Any, monkeypatch: pytest.MonkeyPatch, file: str, error: Any, said: str) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    # The audits keep which tools there are.
    version_of.cache_clear()
    with pytest.raises(error, match=said):
        run(file)
    version_of.cache_clear()


@pytest.mark.server
def test_each_card_says_what_was_found(demo_study: Study, tmp_path: Path) -> None:
    replays = cards.replayed(demo_study, rules=str(written(tmp_path, RULES)), weeks=1)
    agreement, overview, frontier = (card(demo_study, replays) for card in CARDS)
    assert agreement.heading == "4 of 4 episodes were replayed as the server fired them (100.0 %)."
    assert overview.heading == "1 rule of 3 could be better on these weeks."
    assert "Unknown: Broken" in overview.note
    assert frontier.heading.startswith("TenantReadinessBreach: ")
    assert "false positives 2 → 0" in frontier.note
    assert "for: 4m" in cards.drafts(replays)
    assert cards.frontier(demo_study, replays, "ServiceNotReady").heading.startswith("ServiceNotReady: ")


def test_without_a_server_each_card_says_what_it_needs(
    demo_study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    version_of.cache_clear()
    replays = cards.replayed(demo_study, rules=str(written(tmp_path, RULES)))
    for shown in (card(demo_study, replays) for card in CARDS):
        assert shown.heading.startswith("Unknown: ")
        assert "Replay needs a server" in shown.empty
    assert "Replay needs a server" in cards.drafts(replays)
    version_of.cache_clear()
