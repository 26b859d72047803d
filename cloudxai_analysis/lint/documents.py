"""What a file holds: its documents, those inside of resources, and what of them is told but not audited."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.nodes import Node
from cloudxai_analysis.lint.reading import read_text
from cloudxai_analysis.lint.routes import configuration
from cloudxai_analysis.lint.rules import bare_rules, group_lists, is_rule

_RESOURCES = frozenset({"ConfigMap", "Secret"})
_WORDS = ("groups:", "receivers:", '"panels"', "route:")


def documents_in(tree: Node, file: str) -> Iterator[tuple[Node, list[Finding]]]:
    """A document, and those that it carries as texts or in a list, each with what is wrong with its text."""
    for resource in (tree, *tree.get("items").items()) if tree.get("kind").text().endswith("List") else (tree,):
        yield resource, []
        for text, line, as_json in _texts(resource):
            # The text of a block begins on the line after its sign; a quoted one begins on its own.
            is_block = "\n" in text and not file.lower().endswith(".json")
            first_line = line + 1 if is_block else line
            documents, faults = read_text(text, file, first_line=first_line, as_json=as_json)
            yield from ((document, []) for document in documents)
            yield Node(None, first_line), faults


def _texts(resource: Node) -> Iterator[tuple[str, int, bool]]:
    """The texts of a resource that are files of ours, each with its line, and whether it is JSON."""
    kind = resource.get("kind").text()
    entries = []
    if kind in _RESOURCES:
        for place in (resource.get("data"), resource.get("stringData")):
            entries += [(name, node) for name, node in place.pairs() if isinstance(node.value, str)]
    for name, node in entries:
        text = str(node.value)
        if kind == "Secret" and ":" not in text:
            try:
                text = b64decode(text, validate=True).decode()
            except ValueError:
                continue
        if any(word in text for word in _WORDS):
            yield text, node.line, name.lower().endswith(".json")
    if kind == "GrafanaDashboard" and isinstance(resource.get("spec", "json").value, str):
        node = resource.get("spec", "json")
        yield node.text(), node.line, True
    node = resource.get("alertmanager_config")  # as Mimir and Cortex take it
    if isinstance(node.value, str):
        yield node.value, node.line, False


def is_others(tree: Node) -> bool:
    """Whether a document is surely no business of ours: a test of promtool, a specification of Sloth or of an API, a
    collector's configuration."""
    tests = tree.has("tests") and (tree.has("rule_files") or tree.has("evaluation_interval"))
    collects = isinstance(tree.get("receivers").value, dict) and tree.has("exporters")
    return tests or collects or any(tree.has(key) for key in ("openapi", "swagger", "slos"))


def not_audited(tree: Node) -> str:
    """What a document is that these audits know and do not read; '' of every other one."""
    kind, version = tree.get("kind").text(), tree.get("apiVersion").text()
    if kind in ("AlertingRule", "RecordingRule") and version.startswith("loki.grafana.com"):
        return f"{kind} of Loki: its expressions are LogQL"
    rules = [rule for group in tree.get("groups").items() for rule in group.get("rules").items()]
    if any(rule.has("uid") and rule.has("data") for rule in rules):
        return "Alerts that Grafana manages"
    if tree.has("contactPoints") or (tree.has("policies") and version == "1"):
        return "Notification policies that Grafana manages"
    body = tree.get("spec") if version.startswith("dashboard.grafana.app/v2") else tree
    if isinstance(body.get("elements").value, dict) and body.has("layout"):
        return "A dashboard in Grafana's second schema"
    other = {group.get("type").text() for group in tree.get("groups").items()} - {"", "prometheus"}
    if other and rules:
        return f"Rules in the language of {sorted(other)[0]}"
    return ""


def is_ours(tree: Node) -> bool:
    """Whether a document holds rules or a routing; of a dashboard, see `load_dashboards`."""
    holds = next(group_lists(tree), None) is not None or any(map(is_rule, bare_rules(tree)))
    return holds or configuration(tree) is not None
