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

from cloudxai_analysis.lint.alert_shapes import Shape, ends
from cloudxai_analysis.lint.facts import NOTHING, Labels
from cloudxai_analysis.lint.nodes import Node
from cloudxai_analysis.lint.reading import read_tree
from cloudxai_analysis.lint.routes import Routing, load_routing
from cloudxai_analysis.lint.rules import Rule

TREES = 24
ALERTS_A_TREE = 14
pytestmark = [pytest.mark.server, pytest.mark.needs("prometheus-alertmanager")]


def loaded(file: Path) -> Routing:
    (tree,), faults = read_tree(file)
    routing = load_routing(tree, str(file))
    assert routing is not None
    assert routing.root is not None
    assert faults == []
    return routing


def predicted(routing: Routing, alerts: list[dict[str, str]]) -> set[Delivery]:
    def told(labels: dict[str, str]) -> list[tuple[str, tuple[str, ...] | None]]:
        rule = Rule(labels["alertname"], "alert", "", 1, 0.0, 0.0, {}, {}, "", None, "", 1, Node(None, 1))
        shape = Shape(rule, labels, NOTHING, Labels(NOTHING), NOTHING, NOTHING)
        reached = ends(routing.root, shape)
        assert all(sure for _, sure in reached)
        return [
            (route.receiver.name, None if route.group_by is None else tuple(label.name for label in route.group_by))
            for route, _ in reached
        ]

    return deliveries(alerts, told)


def test_generated_trees(tmp_path: Path) -> None:
    with webhooks() as hooks:

        def difference(seed: int) -> tuple[int, set[Delivery], set[Delivery]]:
            chance = Random(seed)  # noqa: S311
            folder = tmp_path / str(seed)
            folder.mkdir()
            config = yaml.safe_dump(routing_file(chance, f"{hooks.url}/{seed}"), sort_keys=False)
            alerts = label_sets(chance, ALERTS_A_TREE)
            with servers.alertmanager(folder, config=config) as server:
                expected = predicted(loaded(folder / "alertmanager.yml"), alerts)
                post_alerts(server.url, alerts)
                came = hooks.settled(f"/{seed}", expected)
            return len(came), came - expected, expected - came

        with ThreadPoolExecutor(6) as pool:
            found = dict(zip(range(TREES), pool.map(difference, range(TREES)), strict=True))
    assert {seed: (more, less) for seed, (_, more, less) in found.items() if more or less} == {}
    # The trees say something: every alert is told to somebody, some to several.
    assert sum(came for came, _, _ in found.values()) > TREES * ALERTS_A_TREE
