"""Routing files of Alertmanager made by chance, and label sets to go through them."""

from __future__ import annotations

from random import Random
from typing import Any

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
