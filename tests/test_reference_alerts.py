"""The reference rules, routes and dashboard: valid for the real tools, and nothing for our own audits to find."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from audited_files import corpus_of, findings

from cloudxai_analysis.platform.contract import load_contract

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "reference"
RULES = REFERENCE / "rules" / "cloudxai.rules.yml"
ROUTES = REFERENCE / "alertmanager.yml"
DASHBOARD = REFERENCE / "dashboards" / "cloudxai.json"


def ran(*command: str | Path) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.needs("promtool")
def test_promtool_takes_the_rules_and_their_tests_pass() -> None:
    ran("promtool", "check", "rules", RULES)
    ran("promtool", "test", "rules", RULES.with_name("cloudxai.test.yml"))


@pytest.mark.needs("amtool")
def test_amtool_takes_the_routes() -> None:
    ran("amtool", "check-config", ROUTES)


def test_our_audits_find_nothing() -> None:
    paths = [*sorted((REFERENCE / "rules").glob("*.rules.yml")), ROUTES, DASHBOARD]
    files = corpus_of(*paths)
    assert findings(*paths) == []
    assert (len(files.routings), len(files.dashboards)) == (1, 1)


def test_the_contracts_alerts_are_there_as_the_contract_says() -> None:
    alerts = {rule.name: rule for rule in corpus_of(RULES).rules if rule.kind == "alert"}
    for name, promised in load_contract().alerts.items():
        assert (alerts[name].labels["severity"], alerts[name].for_seconds) == (promised.severity, promised.for_seconds)


def test_each_alert_has_its_section_in_the_runbook() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    anchors = {title.lower() for title in re.findall(r"^## (\w+)$", runbook, re.MULTILINE)}
    alerts = [rule for rule in corpus_of(RULES).rules if rule.kind == "alert"]
    assert {rule.annotations["runbook_url"].partition("#")[2] for rule in alerts} == anchors
    assert {rule.name.lower() for rule in alerts} == anchors


def test_the_dashboard_shows_each_metric_of_the_beta() -> None:
    files = corpus_of(RULES, DASHBOARD)
    queries = " ".join(target.expr for panel in files.dashboards[0].panels for target in panel.targets)
    queries += " ".join(rule.expr for rule in files.rules if rule.kind == "record")
    roles = (
        "readiness",
        "readiness_transitions",
        "readiness_check",
        "tenant_readiness",
        "tenant_transitions",
        "rejections",
        "cost",
    )
    contract = load_contract()
    assert [role for role in roles if contract[role].name not in queries] == []
