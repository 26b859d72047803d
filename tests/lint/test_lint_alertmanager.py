"""Whom an alert is sent to: what is predicted from the file, and what a real Alertmanager delivers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest
import servers
import yaml
from routing_trees import label_sets, routing_file
from webhooks import Delivery, deliveries, post_alerts, webhooks

from cloudxai_analysis.lint.reading import read_tree
from cloudxai_analysis.lint.routing import Routing, inhibited, load_routing, receivers_of
from cloudxai_analysis.lint.rules import load_rules

REFERENCE = Path(__file__).parents[2] / "reference"
TREES = 24
ALERTS_A_TREE = 14
pytestmark = [pytest.mark.server, pytest.mark.needs("prometheus-alertmanager")]


def loaded(file: Path) -> Routing:
    (tree,), faults = read_tree(file)
    routing, more = load_routing(tree, str(file))
    assert routing is not None
    assert not [fault for fault in faults + more if fault.severity == "error"]
    return routing


def predicted(routing: Routing, alerts: list[dict[str, str]]) -> set[Delivery]:
    def told(labels: dict[str, str]) -> list[tuple[str, tuple[str, ...] | None]]:
        if inhibited(routing, labels, alerts):
            return []
        return [(to.receiver, to.group_by) for to in receivers_of(routing, labels)]

    return deliveries(alerts, told)


def test_generated_trees(tmp_path: Path) -> None:
    with webhooks() as hooks:

        def difference(seed: int) -> tuple[int, int, set[Delivery], set[Delivery]]:
            chance = Random(seed)  # noqa: S311
            folder = tmp_path / str(seed)
            folder.mkdir()
            config = yaml.safe_dump(routing_file(chance, f"{hooks.url}/{seed}"), sort_keys=False)
            alerts = label_sets(chance, ALERTS_A_TREE)
            with servers.alertmanager(folder, config=config) as server:
                expected = predicted(loaded(folder / "alertmanager.yml"), alerts)
                post_alerts(server.url, alerts)
                came = hooks.settled(f"/{seed}", expected)
            kept_back = len(alerts) - len({labels for _, labels, _ in came})
            return len(came), kept_back, came - expected, expected - came

        with ThreadPoolExecutor(6) as pool:
            found = dict(zip(range(TREES), pool.map(difference, range(TREES)), strict=True))
    assert {seed: (more, less) for seed, (_, _, more, less) in found.items() if more or less} == {}
    # The trees say something: most alerts are told to somebody, some to several, some to nobody.
    assert sum(came for came, _, _, _ in found.values()) > TREES * ALERTS_A_TREE * 0.75
    assert 10 < sum(kept for _, kept, _, _ in found.values()) < TREES * ALERTS_A_TREE * 0.5


def reference_alerts() -> list[dict[str, str]]:
    """One alert of each reference rule for each of two tenants, or for each of two processes or jobs."""
    (tree,), _ = read_tree(REFERENCE / "rules" / "cloudxai.rules.yml")
    rules, _ = load_rules(tree, "cloudxai.rules.yml")
    alerts = []
    for rule in rules:
        for tenant, instance in (("acme", "a:1"), ("bolt", "b:1")) if rule.kind == "alert" else ():
            labels = {"alertname": rule.name, "job": "cloudxai", **rule.labels}
            if rule.name.startswith("Tenant"):
                labels |= {"instance": instance}
            if rule.name in ("TenantReadinessBreach", "TenantFlapping"):
                labels |= {"tenant": tenant}
            if rule.name == "TelemetryMissing":
                labels |= {"metric": f"metric_{tenant}"}
            alerts.append(labels)
    return [dict(labels) for labels in {frozenset(labels.items()): labels for labels in alerts}.values()]


@pytest.mark.parametrize(
    ("quiet", "kept_back"),
    [
        # Nothing of the platform itself: of a tenant that is down, the flapping is kept back.
        ({"ServiceNotReady", "ReadinessUnknown"}, {("TenantFlapping", "acme"), ("TenantFlapping", "bolt")}),
        ({"ServiceNotReady", "ReadinessUnknown", "TenantReadinessBreach"}, set()),
        (
            set(),
            {
                *(
                    (name, tenant)
                    for name in ("TenantReadinessBreach", "TenantFlapping")
                    for tenant in ("acme", "bolt")
                ),
                ("ReadinessFlapping", ""),
                ("TelemetryMissing", ""),
            },
        ),
    ],
)
def test_reference_rules_through_reference_routes(
    quiet: set[str], kept_back: set[tuple[str, str]], tmp_path: Path
) -> None:
    alerts = [labels for labels in reference_alerts() if labels["alertname"] not in quiet]
    with webhooks() as hooks:
        config = yaml.safe_load((REFERENCE / "alertmanager.yml").read_text(encoding="utf-8"))
        for receiver in config["receivers"]:
            receiver["webhook_configs"] = [{"url": f"{hooks.url}/{receiver['name']}"}]
        for route in (config["route"], *config["route"]["routes"]):
            route["group_wait"] = "1s"
        with servers.alertmanager(tmp_path, config=yaml.safe_dump(config)) as server:
            expected = predicted(loaded(tmp_path / "alertmanager.yml"), alerts)
            post_alerts(server.url, alerts)
            came = hooks.settled("", expected)
    assert came == expected
    told = {frozenset(labels.items()) for labels in alerts} - {labels for _, labels, _ in came}
    assert {(dict(labels)["alertname"], dict(labels).get("tenant", "")) for labels in told} == kept_back
    receivers = {dict(labels)["severity"]: receiver for receiver, labels, _ in came}
    by_hand = {"page": "/on-call", "critical": "/on-call", "security": "/security", "ticket": "/tickets"}
    assert receivers.items() <= by_hand.items()
    # No notification holds alerts of two tenants.
    for receiver, labels, group in came:
        assert dict(group).get("tenant") == dict(labels).get("tenant"), receiver
