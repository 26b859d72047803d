"""Routings: matchers read as Alertmanager reads them, forms and refusals, and whom a real one sends alerts to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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

TREES = 24
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
Delivery = tuple[str, LabelSet, LabelSet]  # the path that was posted to, the alert's labels, the group's labels
SETTLED_SECONDS = 1.5
LONGEST_SECONDS = 30.0


class Webhooks:
    """What was delivered to receivers, each below a path of its own."""

    def __init__(self, url: str, delivered: set[Delivery]) -> None:
        self.url, self._delivered = url, delivered

    def settled(self, path: str, expected: set[Delivery]) -> set[Delivery]:
        """What came below the path, once all that is expected is there and nothing more has come for a while."""
        until, before, since = time.monotonic() + LONGEST_SECONDS, set[Delivery](), time.monotonic()
        while time.monotonic() < until:
            time.sleep(0.1)
            every = list(self._delivered)
            now = {(place.removeprefix(path), *rest) for place, *rest in every if place.startswith(f"{path}/")}
            if now != before:
                before, since = now, time.monotonic()  # type: ignore[assignment]
            elif expected <= before and time.monotonic() - since > SETTLED_SECONDS:
                break
        return before


@contextmanager
def webhooks() -> Iterator[Webhooks]:
    """A running receiver."""
    delivered: set[Delivery] = set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            group = frozenset(body["groupLabels"].items())
            delivered.update((self.path, frozenset(alert["labels"].items()), group) for alert in body["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Webhooks(f"http://127.0.0.1:{server.server_port}", delivered)
        server.shutdown()
        thread.join()


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


def routing_file(chance: Random, hook: str) -> dict[str, Any]:
    """A configuration with four to fourteen routes; receivers post to `hook`."""
    receivers = [f"r{number}" for number in range(chance.randint(2, 6))]
    root = {
        "receiver": receivers[0],
        **{"group_wait": "1s", "group_interval": "1h", "repeat_interval": "4h"},
        "routes": [_route(chance, receivers, 1) for _ in range(chance.randint(2, 4))],
        **_group_by(chance),
    }
    hooks = [{"name": name, "webhook_configs": [{"url": f"{hook}/{name}"}]} for name in receivers]
    return {"route": root, "receivers": hooks}


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
    """What would come if each alert went to the routes at which it ends."""
    came: set[Delivery] = set()
    for labels in alerts:
        rule = Rule(labels["alertname"], "alert", "", 1, 0.0, 0.0, {}, {}, "", None, "", 1, Node(None, 1))
        reached = ends(routing.root, Shape(rule, labels, NOTHING, Labels(NOTHING), NOTHING))
        assert all(sure for _, sure in reached)
        for route, _ in reached:
            names = labels if route.group_by is None else route.group_by
            group = frozenset((name, labels[name]) for name in names if name in labels)
            came.add((f"/{route.receiver}", frozenset(labels.items()), group))
    return came


@pytest.mark.server
@pytest.mark.needs("prometheus-alertmanager")
def test_generated_trees_send_where_it_is_predicted(tmp_path: Path) -> None:
    with webhooks() as hooks:

        def difference(seed: int) -> tuple[int, set[Delivery], set[Delivery]]:
            chance = Random(seed)  # noqa: S311
            folder = tmp_path / str(seed)
            folder.mkdir()
            config = yaml.safe_dump(routing_file(chance, f"{hooks.url}/{seed}"), sort_keys=False)
            alerts = label_sets(chance, ALERTS_A_TREE)
            with servers.alertmanager(folder, config=config) as server:
                (routing,) = corpus_of(folder / "alertmanager.yml").routings
                expected = predicted(routing, alerts)
                content = json.dumps([{"labels": labels} for labels in alerts]).encode()
                urlopen(Request(f"{server.url}/api/v2/alerts", content, {"Content-Type": "application/json"})).close()
                came = hooks.settled(f"/{seed}", expected)
            # What Alertmanager takes is not said to be refused.
            assert [fault for fault in findings(folder / "alertmanager.yml") if "refuses" in fault.why] == []
            return len(came), came - expected, expected - came

        with ThreadPoolExecutor(6) as pool:
            found = dict(zip(range(TREES), pool.map(difference, range(TREES)), strict=True))
    assert {seed: (more, less) for seed, (_, more, less) in found.items() if more or less} == {}
    # The trees say something: every alert is told to somebody, some to several.
    assert sum(came for came, _, _ in found.values()) > TREES * ALERTS_A_TREE
