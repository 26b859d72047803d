"""The reference rules, routes and dashboard: the real tools take them, hours by hand agree, our audits find nothing."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pandas as pd
import pytest
import servers
import yaml
from _memory import MemorySnapshot
from audited_files import corpus_of, findings

from cloudxai_analysis.ground.window import DAY, Window
from cloudxai_analysis.measures.agreement import cost_agreement
from cloudxai_analysis.measures.cost import hourly_costs
from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.sources.demo import DemoSource

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "reference"
RULES = REFERENCE / "rules"
ALERTS, COSTS = RULES / "cloudxai.rules.yml", RULES / "tenant-cost.rules.yml"
ROUTES = REFERENCE / "alertmanager.yml"
DASHBOARD = REFERENCE / "dashboards" / "cloudxai.json"


def ran(*command: str | Path) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def one_test(folder: Path, number: int) -> Path:
    """A test file that holds only the test of costs with that number."""
    whole = yaml.safe_load((RULES / "tenant-cost.test.yml").read_text(encoding="utf-8"))
    rule_files = [str(RULES / name) for name in whole["rule_files"]]
    file = folder / "one.test.yml"
    file.write_text(yaml.safe_dump({**whole, "rule_files": rule_files, "tests": [whole["tests"][number]]}))
    return file


@pytest.mark.needs("promtool", "amtool")
def test_the_tools_take_rules_and_routes_and_the_alerts_tests_pass() -> None:
    ran("promtool", "check", "rules", ALERTS, COSTS)
    ran("promtool", "test", "rules", RULES / "cloudxai.test.yml")
    ran("amtool", "check-config", ROUTES)


# A gap, a restart and tenants that leave; and the border of a month.
@pytest.mark.server
@pytest.mark.parametrize("number", [0, 1])
def test_costs_are_those_worked_out_by_hand(number: int, tmp_path: Path) -> None:
    ran("promtool", "test", "rules", one_test(tmp_path, number))


def test_our_audits_find_nothing_and_each_alert_of_the_contract() -> None:
    """An alert that waits or weighs otherwise than the contract promises would be found."""
    paths = [ALERTS, COSTS, ROUTES, DASHBOARD]
    files = corpus_of(*paths)
    assert findings(*paths) == []
    assert (len(files.routings), len(files.dashboards)) == (1, 1)
    assert load_contract().alerts.keys() <= {rule.name for rule in files.rules}


def test_each_alert_has_its_section_in_the_runbook() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    anchors = {title.lower() for title in re.findall(r"^## (\w+)$", runbook, re.MULTILINE)}
    alerts = [rule for rule in corpus_of(ALERTS).rules if rule.kind == "alert"]
    assert {rule.annotations["runbook_url"].partition("#")[2] for rule in alerts} == anchors
    assert {rule.name.lower() for rule in alerts} == anchors


def test_the_dashboard_shows_each_metric_of_the_beta() -> None:
    files = corpus_of(ALERTS, DASHBOARD)
    queries = " ".join(query.text for query in files.dashboards[0].queries)
    queries += " ".join(rule.expr for rule in files.rules if rule.kind == "record")
    roles = "readiness readiness_transitions readiness_check tenant_readiness tenant_transitions rejections cost"
    contract = load_contract()
    assert [role for role in roles.split() if contract[role].name not in queries] == []


def asked(server: servers.Server, expression: str, moment: datetime) -> list[dict[str, Any]]:
    query = urlencode({"query": expression, "time": moment.timestamp()})
    with urlopen(f"{server.url}/api/v1/query?{query}") as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return found


def groups() -> dict[str, dict[str, Any]]:
    found = yaml.safe_load(COSTS.read_text(encoding="utf-8"))["groups"]
    return {group["name"]: group for group in found}


def test_sums_are_divided_by_the_evaluations_of_an_hour() -> None:
    assert groups()["tenant-cost-minutes"]["interval"] == "1m"
    sums = [rule["expr"] for rule in groups()["tenant-cost-windows"]["rules"] if "coverage" not in rule["record"]]
    assert all(") / 60" in expression for expression in sums)
    # Five minutes of look-back must hold two evaluations.
    assert groups()["tenant-cost-windows"]["interval"] == "2m"


@pytest.mark.server
def test_a_moment_lies_in_its_month(prometheus: servers.Server) -> None:
    rules = {rule["record"]: rule["expr"] for rule in groups()["tenant-cost-minutes"]["rules"]}
    label = rules["tenant:tenant_cost_estimate:sum_by_month"].partition("group_left (billing_window)")[2]
    for moment in (
        datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2026, 11, 1, tzinfo=UTC),
        datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
        datetime(2028, 2, 29, 12, tzinfo=UTC),
    ):
        (found,) = asked(prometheus, label, moment)
        assert (found["metric"], found["value"][1]) == ({"billing_window": f"{moment:%Y-%m}"}, "1")


@pytest.mark.server
def test_a_recorded_day_is_what_we_integrate(start_prometheus: Callable[..., servers.Server]) -> None:
    # Three days of the demo; on the second a process is not scraped for 51 minutes.
    demo, days = DemoSource(), Window(datetime(2026, 10, 27, tzinfo=UTC), datetime(2026, 10, 30, tzinfo=UTC))
    server = start_prometheus([demo.read("tenant_cost_estimate", {}, days)])
    minutes, windows = groups()["tenant-cost-minutes"]["rules"], groups()["tenant-cost-windows"]["rules"]
    # The minutes that the first rule records, made on the spot.
    expression = re.sub(
        r"tenant:tenant_cost_estimate:sum\[(\w+)\]",
        lambda range_: f"({minutes[0]['expr']})[{range_[1]}:1m]",
        windows[0]["expr"],
    )
    gauge = pd.DataFrame(
        [
            {"tenant": found["metric"]["tenant"], "last_ts": midnight, "last": float(found["value"][1])}
            for midnight in (days.start + DAY, days.start + 2 * DAY)
            for found in asked(server, expression, midnight - timedelta(seconds=1))
        ]
    )
    gauge["last_ts"] = pd.DatetimeIndex(gauge["last_ts"]).as_unit("us") - pd.Timedelta(seconds=1)
    gauge = gauge.assign(hour=gauge["last_ts"].dt.floor("h"), window="1d", currency="EUR", samples=1)
    hours = MemorySnapshot(demo).hours("tenant_cost_estimate", days, ["tenant", "currency"])
    ours = hourly_costs(hours, semantics="rate", currency="EUR")
    covered = pd.DataFrame({"day": [day.start for day in days.days()][:2], "covered": True})
    held = cost_agreement(ours, gauge, covered, label="window")
    assert len(held) > 100
    assert held["known"].all()
    # A minute at an edge or where a tenant comes or goes, of the 1440 of the day.
    assert (held["drift"].abs() <= 3 / 1440).all()
    assert held["drift"].median() == pytest.approx(0, abs=1e-9)
