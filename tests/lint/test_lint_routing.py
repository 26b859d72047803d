"""Routings: matchers read as Alertmanager reads them, forms and refusals, and whom a real one sends alerts to."""

from __future__ import annotations

import json
import time
from pathlib import Path
from random import Random
from typing import Any
from urllib.request import Request, urlopen

import pytest
import servers
import yaml
from audited_files import corpus_of, findings, written

from cloudxai_analysis.lint.documents import Node
from cloudxai_analysis.lint.facts import NOTHING, Labels
from cloudxai_analysis.lint.matchers import Matcher, contradiction, read_matchers
from cloudxai_analysis.lint.routing import Routing
from cloudxai_analysis.lint.routing_faults import Shape, ends
from cloudxai_analysis.lint.rules import Rule

TREES = 16
ALERTS_A_TREE = 14
HOOK = [{"url": "http://127.0.0.1"}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  severity  !=  page  ", [("severity", "!=", "page")]),
        ('{a="b, c", d!~"e"}', [("a", "=", "b, c"), ("d", "!~", "e")]),
        ("a=b,c=d", [("a", "=", "b"), ("c", "=", "d")]),
        ('a="say \\"hi\\"\\n\\t\\\\"', [("a", "=", 'say "hi"\n\\t\\')]),
        ("a=", [("a", "=", "")]),
        ("a=b=c", [("a", "=", "b=c")]),
        ("", []),
        ('"a b"="c"', [("a b", "=", "c")]),
        ("severity", None),
        ("a-b=c", None),
    ],
)
def test_texts_of_matchers(text: str, expected: list[tuple[str, str, str]] | None) -> None:
    read = read_matchers(text)
    assert (None if read is None else [(one.name, one.operator, one.value) for one in read]) == expected


def test_a_pattern_is_anchored_and_a_missing_label_is_empty() -> None:
    matcher = Matcher("severity", "=~", "page|crit")
    assert [matcher.accepts(value) for value in ("crit", "critical", "")] == [True, False, False]
    assert Matcher("severity", "!~", "page").accepts("")
    assert Matcher("severity", "=~", "page|").accepts("")
    assert Matcher("severity", "=~", "(").accepts("page") is None


@pytest.mark.parametrize(
    ("text", "nothing"),
    [
        ('a="b",a=~"c|d"', True),
        ('a=~"b.*",a=~"c.*"', True),
        ('a="b",a!="b"', True),
        ('a=~"b|c",a!~"b|c|d"', True),
        ('a=~"^(?:b|c)$",a=~"d|(e)"', True),
        ('a=~".*b",a=~"c.*"', False),
        ('a!="b",a!="c"', False),
        ('a=""', False),
    ],
)
def test_contradictions(text: str, nothing: bool) -> None:
    assert bool(contradiction(read_matchers(text))) is nothing


def configured(folder: Path, config: Any) -> Path:
    return written(folder, "alertmanager.yml", config if isinstance(config, str) else yaml.safe_dump(config))


@pytest.mark.needs("amtool")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"route": {"receiver": "a", "continue": True}}, "routing/bad-root"),
        ({"route": {"receiver": "a", "group_by": ["x", "x"]}}, "routing/bad-group-by"),
        ({"route": {"receiver": "a", "group_by": ["a-b"]}}, "routing/bad-group-by"),
        ({"route": {"receiver": "a", "group_by": "x"}}, "routing/unreadable"),
        ({"route": {"receiver": "a", "group_interval": "0s"}}, "routing/bad-duration"),
        ({"route": {"receiver": "a", "mute_time_intervals": ["x"]}}, "routing/bad-root"),
        ({"route": {"receiver": "a", "routes": [{"matchers": ["x"]}]}}, "routing/bad-matcher"),
        ({"route": {"receiver": "a", "routes": [{"match_re": {"x": "("}}]}}, "routing/bad-matcher"),
        ({"inhibit_rules": [{"source_matcher": ["a=b"], "equal": ["x"]}]}, "routing/unknown-key"),
        ({"receivers": [{"name": "a", "slack_configs": [{"chanel": "#x"}]}]}, "routing/no-target"),
    ],
)
def test_small_refusals(change: dict[str, object], code: str, tmp_path: Path) -> None:
    config = {"route": {"receiver": "a"}, "receivers": [{"name": "a", "webhook_configs": HOOK}]} | change
    assert code in {fault.code for fault in findings(configured(tmp_path, config))}


SECRET = """\
apiVersion: v1
kind: Secret
stringData:
  alertmanager.yaml: |
    route:
      receiver: core
    receivers:
      - name: core
        webhook_configs: [{url: 'http://x'}]
      - name: old
        webhook_configs: [{url: 'http://x'}]
"""
THOUSAND = [{"matchers": [f'team=~"team-{number}|t{number}.*"'], "receiver": "a"} for number in range(1000)]


@pytest.mark.needs("amtool")
@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("kind: AlertmanagerConfig\nspec: {route: {receiver: a}}\n", [(1, "files/not-audited")]),
        (SECRET, [(10, "routing/unused-receiver")]),
        # t1.* takes what t10 is asked for, but not team-10.
        ({"receivers": [{"name": "a", "webhook_configs": HOOK}], "route": {"receiver": "a", "routes": THOUSAND}}, []),
    ],
)
def test_resources_and_a_thousand_routes(config: Any, expected: list[tuple[int, str]], tmp_path: Path) -> None:
    file = configured(tmp_path, config)
    assert [(fault.line, fault.code) for fault in findings(file)] == expected


LabelSet = frozenset[tuple[str, str]]
Delivery = tuple[str, LabelSet, LabelSet]  # the receiver, the alert's labels, the group's labels
LONGEST_SECONDS = 30.0


def grouped(url: str, expected: set[Delivery]) -> set[Delivery]:
    """What Alertmanager groups for receivers, once all that is expected is there and what comes with it, too."""
    until, settled = time.monotonic() + LONGEST_SECONDS, False
    while True:
        with urlopen(f"{url}/api/v2/alerts/groups") as answer:
            found = {
                (group["receiver"]["name"], frozenset(alert["labels"].items()), frozenset(group["labels"].items()))
                for group in json.load(answer)
                for alert in group["alerts"]
            }
        if settled or time.monotonic() > until:
            return found
        settled = expected <= found
        time.sleep(0.2)


VALUES = {
    "alertname": ["Down", "Slow", "Full", "Down-stream"],
    "severity": ["page", "ticket", "Page", "critical"],
    "tenant": ["acme", "bolt", "a.b", 'quo"ted', "two\nlines"],
    "team": ["core", "core-db", "web"],
    "floor": ["1", "10"],
}
PATTERNS = [
    ".*", ".+", "", "a.*", ".*e", "page|ticket", "core(-db)?", "[a-c].*", "(?i)page", "a.b", r"a\.b", "D.+n", "1",
    "1.*", "^page$", "page|", "w?eb", "(core|web)-?.*", r"\w+", "Down",
]  # fmt: skip


def routing_file(chance: Random) -> dict[str, Any]:
    """A configuration with four to fourteen routes."""
    receivers = [f"r{number}" for number in range(chance.randint(2, 6))]
    routes = [_route(chance, receivers, 1) for _ in range(chance.randint(2, 4))]
    root = {"receiver": receivers[0], "group_wait": "1h", "group_interval": "2h", "routes": routes, **_group_by(chance)}
    return {"route": root, "receivers": [{"name": name, "webhook_configs": HOOK} for name in receivers]}


def label_sets(chance: Random, count: int) -> list[dict[str, str]]:
    """So many different label sets, each with a name of its alert and by chance with other labels."""
    found: dict[frozenset[tuple[str, str]], dict[str, str]] = {}
    while len(found) < count:
        names = ["alertname", *(name for name in VALUES if name != "alertname" and chance.random() < 0.6)]
        labels = {name: chance.choice(VALUES[name]) for name in names}
        found[frozenset(labels.items())] = labels
    return list(found.values())


def _route(chance: Random, receivers: list[str], depth: int) -> dict[str, Any]:
    route: dict[str, Any] = {**_matchers(chance), **_group_by(chance)}
    if chance.random() < 0.8:
        route["receiver"] = chance.choice(receivers)
    if chance.random() < 0.4:
        route["continue"] = True
    if depth < 4 and chance.random() < 0.5:
        route["routes"] = [_route(chance, receivers, depth + 1) for _ in range(chance.randint(1, 3))]
    return route


def _group_by(chance: Random) -> dict[str, Any]:
    some = chance.sample([*VALUES, "missing"], chance.randint(0, 3))
    return chance.choice([{}, {}, {"group_by": ["..."]}, {"group_by": some}, {"group_by": some}])


def _matchers(chance: Random) -> dict[str, Any]:
    kind, name = chance.random(), chance.choice(list(VALUES))
    if kind < 0.15:
        return {"match": {name: chance.choice(VALUES[name])}}
    if kind < 0.3:
        return {"match_re": {name: chance.choice(PATTERNS)}}
    if kind < 0.35:
        return {}
    texts = [_matcher(chance) for _ in range(chance.choice([1, 1, 1, 2]))]
    return {"matchers": ["{" + ", ".join(texts) + "}"] if chance.random() < 0.3 else texts}


def _matcher(chance: Random) -> str:
    name, operator = chance.choice(list(VALUES)), chance.choice(["=", "=", "!=", "=~", "=~", "!~"])
    value = chance.choice(PATTERNS if "~" in operator else [*VALUES[name], ""])
    if value and not set(value) & set('",{}\\\n ') and chance.random() < 0.4:
        return f"{name} {operator} {value}"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{name}{operator}"{escaped}"'


def predicted(routing: Routing, alerts: list[dict[str, str]]) -> set[Delivery]:
    """What is grouped if each alert goes to the routes at which it ends."""
    came: set[Delivery] = set()
    for labels in alerts:
        rule = Rule(labels["alertname"], "alert", "", 1, 0.0, 0.0, {}, {}, "", None, "", 1, Node(None, 1))
        reached = ends(routing.root, Shape(rule, labels, NOTHING, Labels(NOTHING), NOTHING))
        assert all(sure for _, sure in reached)
        for route, _ in reached:
            names = labels if route.group_by is None else route.group_by
            group = frozenset((name, labels[name]) for name in names if name in labels)
            came.add((route.receiver, frozenset(labels.items()), group))
    return came


@pytest.mark.server
@pytest.mark.needs("prometheus-alertmanager")
@pytest.mark.parametrize("seed", range(TREES))
def test_generated_trees_send_where_it_is_predicted(seed: int, tmp_path: Path) -> None:
    chance = Random(seed)  # noqa: S311
    config, alerts = yaml.safe_dump(routing_file(chance), sort_keys=False), label_sets(chance, ALERTS_A_TREE)
    with servers.alertmanager(tmp_path, config=config) as server:
        (routing,) = corpus_of(tmp_path / "alertmanager.yml").routings
        expected = predicted(routing, alerts)
        content = json.dumps([{"labels": labels} for labels in alerts]).encode()
        urlopen(Request(f"{server.url}/api/v2/alerts", content, {"Content-Type": "application/json"})).close()
        assert grouped(server.url, expected) == expected
    # Every alert is told to somebody; and what Alertmanager takes is not said to be refused.
    assert len(expected) >= ALERTS_A_TREE
    assert [fault for fault in findings(tmp_path / "alertmanager.yml") if "refuses" in fault.why] == []
