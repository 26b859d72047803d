"""A routing file read into routes: Alertmanager's own, an `AlertmanagerConfig`, or a list of silences."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable, Iterator
from itertools import pairwise

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.codes import found
from cloudxai_analysis.lint.durations import duration_seconds
from cloudxai_analysis.lint.matchers import Matcher, MatcherUnreadable, checked, read_matchers
from cloudxai_analysis.lint.nodes import Node
from cloudxai_analysis.lint.reading import read_text
from cloudxai_analysis.lint.routes import (
    Inhibition,
    Named,
    Receiver,
    Route,
    RoutedTo,
    Routing,
    Silence,
    inhibited,
    receivers_of,
)

__all__ = ["RoutedTo", "Routing", "inhibited", "is_routing", "load_routing", "receivers_of"]

_TOP = {
    "global", "route", "receivers", "inhibit_rules", "templates", "mute_time_intervals", "time_intervals", "tracing",
}  # fmt: skip
_ROUTE = {
    "receiver", "group_by", "match", "match_re", "matchers", "continue", "routes", "group_wait", "group_interval",
    "repeat_interval", "mute_time_intervals", "active_time_intervals",
}  # fmt: skip
_INHIBITION = {
    "name", "source_match", "source_match_re", "source_matchers", "target_match", "target_match_re", "target_matchers",
    "equal", "sources",
}  # fmt: skip
_YES = ("true", "yes", "on", "y")  # as YAML 1.1 has it, which Alertmanager reads
_CAMEL = re.compile(r"[A-Z]")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_OPERATORS = {(False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~"}
DEEPEST_ROUTES = 50


def is_routing(tree: Node) -> bool:
    """Whether the tree looks like Alertmanager's configuration, a resource that holds one, or a list of silences."""
    return _are_silences(tree) or _configuration(tree) is not None or any(_texts(tree))


def load_routing(tree: Node, file: str) -> tuple[Routing | None, list[Finding]]:
    """The routing that the tree holds, None where it holds none, and what keeps Alertmanager from reading it."""
    if _are_silences(tree):
        silences = Routing(file, part=True)
        reader = _Reader(silences, resource=False)
        silences.silences = [reader.silence(node) for node in tree.items()]
        return silences, reader.findings
    found = _configuration(tree)
    faults: list[Finding] = []
    if found is None:
        for text, line, first_line in _texts(tree):
            documents, faults = read_text(text, file, first_line=first_line)
            tree = Node(None, line)
            found = next((inside for inside in map(_configuration, documents) if inside is not None), None)
            if found is not None:
                break
    if found is None:
        return None, []
    resource = tree.get("kind").text() == "AlertmanagerConfig"
    reader = _Reader(Routing(file, part=resource), resource=resource)
    reader.read(found)
    return reader.routing, faults + reader.findings


def _configuration(tree: Node) -> Node | None:
    if tree.get("kind").text() == "AlertmanagerConfig":
        return tree.get("spec")
    # Helm's values carry it under alertmanager.config.
    for place in (tree, tree.get("alertmanager", "config"), tree.get("config")):
        route = place.get("route")
        told = any(place.has(key) for key in ("receivers", "inhibit_rules", "time_intervals", "mute_time_intervals"))
        if isinstance(route.value, dict) and (told or _ROUTE & set(route.value)):
            return place
        if any(receiver.has("name") for receiver in place.get("receivers").items()):
            return place
    return None


def _texts(tree: Node) -> Iterator[tuple[str, int, int]]:
    """Texts in a tree that may be a configuration, each with its line and that on which it begins."""
    kind = tree.get("kind").text()
    places = [tree.get("data"), tree.get("stringData")] if kind in ("ConfigMap", "Secret") else []
    entries = [pair for place in places for pair in place.pairs() if pair[0].endswith((".yaml", ".yml"))]
    if tree.has("alertmanager_config"):  # as Mimir and Cortex take it
        entries.append(("", tree.get("alertmanager_config")))
    for _, node in entries:
        text = node.text()
        if kind == "Secret" and "\n" not in text and ":" not in text:
            try:
                yield b64decode(text, validate=True).decode(), node.line, node.line
            except ValueError:
                continue
        elif "route" in text and "receiver" in text:
            yield text, node.line, node.line + 1


def _are_silences(tree: Node) -> bool:
    entries = tree.items()
    return bool(entries) and all(entry.has("matchers") and entry.has("startsAt") for entry in entries)


class _Reader:
    """One configuration, read key by key."""

    def __init__(self, routing: Routing, *, resource: bool) -> None:
        self.routing = routing
        self.findings: list[Finding] = []
        self._resource = resource
        self._old: list[Named] = []
        self._new = False

    def read(self, tree: Node) -> None:
        """Fill the routing with what the tree holds."""
        if not self._resource:
            self._check_keys(tree, _TOP, "configuration")
        self.routing.receivers = [
            Receiver(node.get("name").text(), node.get("name").line, _integrations(node))
            for node in tree.get("receivers").items()
        ]
        for key in ("time_intervals", "mute_time_intervals"):
            self.routing.intervals += [
                Named(node.get("name").text(), node.get("name").line) for node in self._under(tree, key).items()
            ]
        self._check_unique("routing/duplicate-receiver", "receiver", self.routing.receivers)
        self._check_unique("routing/duplicate-interval", "time interval", self.routing.intervals)
        self.routing.inhibitions = [self._inhibition(node) for node in self._under(tree, "inhibit_rules").items()]
        top = tree.get("route")
        if isinstance(top.value, dict):
            self.routing.root = self._route(top, None, 0)
            self._check_root(self.routing.root)
            self._check_names()
        elif not self._resource:
            self._say("routing/bad-root", tree.line, "configuration", "There is no `route`")
        if self._old and self._new:
            keys = ", ".join(sorted({f"`{old.name}`" for old in self._old}))
            more = f" and in {len(self._old) - 1} more places" if len(self._old) > 1 else ""
            self._say(
                "routing/old-matchers",
                self._old[0].line,
                "matchers",
                f"{keys} stand here{more}, and newer `matchers` elsewhere",
            )

    def silence(self, node: Node) -> Silence:
        """One entry of what `amtool silence query -o json` gives."""
        matchers = [self._resource_matcher(inside) for inside in node.get("matchers").items()]
        name = node.get("comment").text() or node.get("id").text()
        state = node.get("status", "state").text()
        return Silence(name, node.line, tuple(matcher for matcher in matchers if matcher), state)

    def _route(self, node: Node, parent: Route | None, depth: int) -> Route:
        if not self._resource:
            self._check_keys(node, _ROUTE, "route")
        own = {_snake(key): line for key, line in node.key_lines.items()}
        name = node.get("receiver")
        receiver = (
            Named(name.text(), name.line) if name.text() else (parent.receiver if parent else Named("", node.line))
        )
        route = Route(node.line, receiver, own=own, parent=parent)
        if parent:
            route.group_by = parent.group_by
            route.group_wait, route.group_interval = parent.group_wait, parent.group_interval
            route.repeat_interval = parent.repeat_interval
        before = len(self.findings)
        route.matchers = self._matchers(node, "match", "match_re", "matchers")
        route.unread = len(self.findings) > before
        route.goes_on = node.get("continue").text().lower() in _YES
        labels = self._names(node, "group_by")
        if labels:
            route.group_by = None if any(label.name == "..." for label in labels) else labels
            self._check_group_by(labels, route)
        for key in ("group_wait", "group_interval", "repeat_interval"):
            self._set_duration(route, key, self._under(node, key))
        route.mute = self._names(node, "mute_time_intervals")
        route.active = self._names(node, "active_time_intervals")
        if depth >= DEEPEST_ROUTES:
            self._say(
                "routing/unreadable", node.line, str(route), f"Routes lie over {DEEPEST_ROUTES} deep; no deeper is read"
            )
            return route
        inside = node.get("routes")
        if inside.value is not None and not isinstance(inside.value, list):
            self._say("routing/unreadable", inside.line, str(route), "`routes` is no list")
        for child in inside.items():
            if isinstance(child.value, dict):
                route.routes.append(self._route(child, route, depth + 1))
            elif child.value is not None:
                self._say("routing/unreadable", child.line, str(route), "An entry of `routes` is no route")
        return route

    def _inhibition(self, node: Node) -> Inhibition:
        if not self._resource:
            self._check_keys(node, _INHIBITION, "inhibition")
        sides = {}
        for side in ("source", "target"):
            sides[side] = self._matchers(node, f"{side}_match", f"{side}_match_re", f"{side}_matchers")
        return Inhibition(node.line, sides["source"], sides["target"], self._names(node, "equal"))

    def _matchers(self, node: Node, equal: str, regular: str, either: str) -> tuple[Matcher, ...]:
        found: list[Matcher | None] = []
        if self._resource:
            # A resource has its matchers as mappings; `sourceMatch` and `targetMatch` are lists of them, too.
            for key in (equal, either):
                found += [self._resource_matcher(entry) for entry in self._under(node, key).items()]
            return tuple(matcher for matcher in found if matcher)
        for key, operator in ((equal, "="), (regular, "=~")):
            pairs = node.get(key).pairs()
            if pairs:
                self._old.append(Named(key, node.key_lines.get(key, node.line)))
            for name, value in pairs:
                found.append(self._checked(Matcher(name, operator, value.text(), value.line)))  # type: ignore[arg-type]
        listed = node.get(either)
        self._new = self._new or bool(listed.items())
        if listed.value is not None and not isinstance(listed.value, list):
            self._say("routing/unreadable", listed.line, either, f"`{either}` is no list")
        for entry in listed.items():
            try:
                found += read_matchers(entry.text(), entry.line)
            except MatcherUnreadable as error:
                self._say("routing/bad-matcher", entry.line, entry.text(), _sentence(str(error)))
        return tuple(matcher for matcher in found if matcher)

    def _resource_matcher(self, node: Node) -> Matcher | None:
        kind = node.get("matchType").text()
        if not kind:
            regular = node.get("isRegex").value is True or node.get("regex").value is True
            kind = _OPERATORS[regular, node.get("isEqual").value is not False]
        name = node.get("name").text()
        return self._checked(Matcher(name, kind, node.get("value").text(), node.line))  # type: ignore[arg-type]

    def _checked(self, matcher: Matcher) -> Matcher | None:
        try:
            if matcher.operator not in ("=", "!=", "=~", "!~"):
                raise MatcherUnreadable(f"'{matcher.operator}' is none of = != =~ !~")
            if not matcher.name:
                raise MatcherUnreadable("a matcher names no label")
            return checked(matcher)
        except MatcherUnreadable as error:
            self._say("routing/bad-matcher", matcher.line, str(matcher), _sentence(str(error)))
            return None

    def _names(self, node: Node, key: str) -> tuple[Named, ...]:
        listed = self._under(node, key)
        if listed.value is not None and not isinstance(listed.value, list):
            self._say("routing/unreadable", listed.line, key, f"`{key}` is no list")
        return tuple(Named(entry.text(), entry.line) for entry in listed.items())

    def _set_duration(self, route: Route, key: str, node: Node) -> None:
        if node.value is None:
            return
        found = duration_seconds(node.text())
        if found is None or (found == 0 and key != "group_wait"):
            self._say(
                "routing/bad-duration", node.line, str(route), f"`{key}: {node.text()}` is no duration that can be used"
            )
        else:
            setattr(route, key, found)

    def _check_group_by(self, labels: Iterable[Named], route: Route) -> None:
        names = [label.name for label in labels]
        for place, label in enumerate(labels):
            if label.name == "..." and len(names) > 1:
                said = "`...` stands beside labels"
            elif label.name in names[:place]:
                said = f"The label '{label.name}' stands there twice"
            elif label.name != "..." and not _LABEL.fullmatch(label.name):
                said = f"'{label.name}' is no label's name"
            else:
                continue
            self._say("routing/bad-group-by", label.line, str(route), said)

    def _check_root(self, root: Route) -> None:
        if self._resource:
            return
        if not root.receiver.name:
            self._say("routing/bad-root", root.line, "default route", "The first route has no receiver")
        for key, given in (
            ("matchers", root.matchers),
            ("continue", root.goes_on),
            ("mute_time_intervals", root.mute),
            ("active_time_intervals", root.active),
        ):
            if given:
                line = root.own.get(key) or root.own.get("match") or root.own.get("match_re") or root.line
                self._say("routing/bad-root", line, "default route", f"The first route has `{key}`")

    def _check_names(self) -> None:
        receivers = {receiver.name for receiver in self.routing.receivers}
        intervals = {interval.name for interval in self.routing.intervals}
        for route in self.routing.routes():
            name = route.receiver
            if "receiver" in route.own and name.name and name.name not in receivers:
                self._say("routing/undefined-receiver", name.line, str(route), f"There is no receiver '{name.name}'")
            for interval in (*route.mute, *route.active):
                if interval.name not in intervals:
                    said = f"There is no time interval '{interval.name}'"
                    self._say("routing/undefined-interval", interval.line, str(route), said)

    def _check_unique(self, code: str, what: str, named: Iterable[Named | Receiver]) -> None:
        for first, second in pairwise(sorted(named, key=lambda one: (one.name, one.line))):
            if first.name == second.name:
                said = f"'{second.name}' is defined on line {first.line} already"
                self._say(code, second.line, f"{what} {second.name}", said)

    def _check_keys(self, node: Node, known: set[str], what: str) -> None:
        for key, line in node.key_lines.items():
            # Who shares parts of a file by anchors keeps them under x-… or .…: Alertmanager refuses those, too.
            if key not in known:
                self._say("routing/unknown-key", line, what, f"Alertmanager knows no key '{key}' in a {what}")

    def _under(self, node: Node, key: str) -> Node:
        return node.get(_camel(key)) if self._resource and not node.has(key) else node.get(key)

    def _say(self, code: str, line: int, subject: str, message: str) -> None:
        self.findings.append(found(code, file=self.routing.file, line=line, subject=subject, message=f"{message}."))


def _integrations(node: Node) -> tuple[str, ...]:
    found = []
    for key, entries in node.pairs():
        kind = _snake(key)
        if kind.endswith("_configs"):
            found += [kind.removesuffix("_configs")] * sum(entry.value is not None for entry in entries.items())
    return tuple(found)


def _camel(key: str) -> str:
    first, *others = key.split("_")
    return first + "".join(part.capitalize() for part in others)


def _snake(key: str) -> str:
    return _CAMEL.sub(lambda found: f"_{found[0].lower()}", key)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
