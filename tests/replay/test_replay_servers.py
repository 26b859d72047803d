"""Replay against what real servers fired, a live Prometheus and vmalert, and of the demo: cards and command."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import live_platform
import numpy as np
import pandas as pd
import pytest
import servers
import ten_rules
import vmalert
from click.testing import CliRunner

from cloudxai_analysis.cards import replay as cards
from cloudxai_analysis.cli.replay import replay
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.lint.tools import version_of
from cloudxai_analysis.operate import evaluate
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits
from cloudxai_analysis.replay.demo_server import NeedsServer, demo_server
from cloudxai_analysis.replay.episodes import agreement_counts
from cloudxai_analysis.replay.history import History
from cloudxai_analysis.replay.rules import rules_in
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.rules import AlertingRule, loaded_rules
from cloudxai_analysis.study.study import Study

# The week in which a burst fills a process, a tenant flaps, pages are false, and the platform is not ready once.
WEEK = parse_window("2026-W46")
SECONDS = 75
DOWN_SECONDS = 14.0


def opened(url: str) -> Any:
    return open_source(url, limits=Limits(), settings=EnvironmentSettings())


def moment() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def agreed(source: Any, window: Window, rules: list[AlertingRule], seconds: float) -> tuple[pd.DataFrame, History]:
    """The agreement of every rule with what the server fired."""
    history = History(source, source, window, rules, evaluation_seconds=seconds)
    found = [history.agreement(rule, history.replay(rule)) for rule in rules]
    return pd.concat(found, ignore_index=True), history


def written(folder: Path, text: str, name: str = "beta.rules.yml") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Window, list[AlertingRule]]]:
    """A Prometheus that has scraped the platform and evaluated its rules each second for a while."""
    folder = tmp_path_factory.mktemp("live")
    rules = written(folder, live_platform.RULES)
    with (
        live_platform.exporter(SECONDS + 30) as target,
        servers.prometheus(folder, config=live_platform.config(rules, target)) as server,
    ):
        began = moment()
        time.sleep(SECONDS)
        source = opened(server.url)
        yield source, Window(began + timedelta(seconds=3), moment() - timedelta(seconds=2)), rules_in([rules])[0]


@pytest.mark.server
@pytest.mark.slow
def test_replay_fires_what_the_live_server_fired(live: tuple[Any, Window, list[AlertingRule]]) -> None:
    source, window, rules = live
    found, history = agreed(source, window, rules, 1)
    assert history.markers
    counts = agreement_counts(found)
    wrong = found[found["status"].isin(["other", "extra"])]
    # Of some 26; on a busy machine several are set apart, since a scrape was under way when the rule was evaluated.
    assert counts["fired"].sum() >= 12, counts.to_string()
    assert wrong.empty, wrong.to_string()
    # Each of the two groups was asked at its own milliseconds, which are those of its alerts.
    phases = {history.steps(rule).first % 1000 for rule in rules}
    assert len(phases) == 2
    assert phases >= {*np.unique(history.alerts.times % 1000)}
    # What it has loaded are the rules of the file.
    loaded = loaded_rules(source)
    kept = ("name", "for_seconds", "keep_firing_for_seconds", "labels", "interval_seconds")
    assert [[getattr(rule, name) for name in kept] for rule in loaded] == [
        [getattr(rule, name) for name in kept] for rule in rules
    ]
    assert agreed(source, window, loaded, 1)[0].equals(found)


@pytest.mark.server
@pytest.mark.slow
def test_a_server_that_was_down_is_told_apart(tmp_path: Path) -> None:
    rules = written(tmp_path, live_platform.RULES)
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
            found, history = agreed(opened(server.url), window, rules_in([rules])[0], 1)
            (gap,) = history.down(1000).to_dict("records")
    assert abs((gap["start"] - stopped).total_seconds()) < 4
    assert DOWN_SECONDS - 2 < gap["seconds"] < DOWN_SECONDS + 12
    assert not found["status"].isin(["other", "extra"]).any(), found.to_string()
    assert (found["status"] == "apart").any()


@pytest.mark.needs("victoria-metrics", "vmalert")
def test_every_episode_is_that_of_vmalert_s_own_replay(tmp_path: Path) -> None:
    rules = written(tmp_path, ten_rules.RULES)
    with servers.victoria_metrics(tmp_path) as server:
        vmalert.load(server.url, DemoSource(), ten_rules.METRICS, WEEK)
        vmalert.replayed(server.url, rules, WEEK)
        found, _ = agreed(opened(server.url), WEEK, rules_in([rules])[0], 60)
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
CARDS = (cards.agreement, cards.overview, cards.frontier, cards.signal)


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
        ("missing.yml", UsageError, r"Rule file missing\.yml does not exist"),
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


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return evaluate.study_of(DemoSource(), tmp_path_factory.mktemp("replay"))


@pytest.mark.server
def test_each_card_says_what_was_found(study: Study, tmp_path: Path) -> None:
    replays = cards.replayed(study, rules=str(written(tmp_path, RULES)), weeks=1)
    agreement, overview, frontier, signal = (card(study, replays) for card in CARDS)
    assert agreement.heading == "4 of 4 episodes were replayed as the server fired them (100.0 %)."
    assert overview.heading == "1 rule of 3 could be better on these weeks."
    assert "Unknown: Broken" in overview.note
    assert frontier.heading.startswith("TenantReadinessBreach: ")
    assert "false positives 2 → 0" in frontier.note
    assert signal.heading == f"TenantReadinessBreach would have fired {len(signal.table)} times."
    assert signal.svg().startswith("<svg")
    assert "for: 4m" in cards.drafts(replays)
    assert cards.frontier(study, replays, "ServiceNotReady").heading.startswith("ServiceNotReady: ")


def test_without_a_server_each_card_says_what_it_needs(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    version_of.cache_clear()
    replays = cards.replayed(study, rules=str(written(tmp_path, RULES)))
    for shown in (card(study, replays) for card in CARDS):
        assert shown.heading.startswith("Unknown: ")
        assert "Replay needs a server" in shown.empty
        assert shown.svg() == ""
    assert "Replay needs a server" in cards.drafts(replays)
    version_of.cache_clear()
