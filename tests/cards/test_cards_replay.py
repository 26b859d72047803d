"""Looks at a replay of the demo's rules, with a server and without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudxai_analysis.cards import replay as looks
from cloudxai_analysis.lint.tools import version_of
from cloudxai_analysis.operate import evaluate
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.study.study import Study

RULES = """\
groups:
  - name: beta
    interval: 1m
    rules:
      - {alert: TenantReadinessBreach, expr: tenant_readiness_state == 0, for: 2m, labels: {severity: page}}
      - {alert: ServiceNotReady, expr: min(readiness_state) by (job) == 0, for: 5m, labels: {severity: critical}}
"""
ALL = (looks.agreement, looks.overview, looks.frontier, looks.signal, looks.burn_rate)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return evaluate.study_of(DemoSource(), tmp_path_factory.mktemp("replay"))


@pytest.fixture
def rules(tmp_path: Path) -> str:
    file = tmp_path / "beta.rules.yml"
    file.write_text(RULES, encoding="utf-8")
    return str(file)


@pytest.mark.server
def test_each_look_says_what_was_found(study: Study, rules: str) -> None:
    replays = looks.replayed(study, rules=rules, weeks=1)
    found = {look.__name__: look(study, replays) for look in ALL}
    assert found["agreement"].heading == "4 of 4 episodes were replayed as the server fired them (100.0 %)."
    assert found["overview"].heading == "1 rule of 2 could be better on these weeks."
    assert found["frontier"].heading.startswith("TenantReadinessBreach: ")
    assert "false positives 2 → 0" in found["frontier"].note
    assert found["signal"].heading == f"TenantReadinessBreach would have fired {len(found['signal'].table)} times."
    assert found["burn_rate"].table["name"].tolist() == ["present", "burn rate, pages", "burn rate, tickets"]
    assert found["signal"].svg().startswith("<svg")
    assert "for: 4m" in looks.drafts(replays)
    assert looks.frontier(study, replays, "ServiceNotReady").heading.startswith("ServiceNotReady: ")


def test_without_a_server_each_look_says_what_it_needs(
    study: Study, rules: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    # What is installed is asked once in a process.
    version_of.cache_clear()
    replays = looks.replayed(study, rules=rules)
    for look in ALL:
        shown = look(study, replays)
        assert shown.heading.startswith("Unknown: ")
        assert "Replay needs a server" in shown.empty
        assert shown.svg() == ""
    assert "Replay needs a server" in looks.drafts(replays)
    version_of.cache_clear()
