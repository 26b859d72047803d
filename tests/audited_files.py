"""Files read together, as the audits of routing and dashboards take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.dashboard_audits import dashboard_findings
from cloudxai_analysis.lint.dashboards import Dashboard, load_dashboards
from cloudxai_analysis.lint.expression_audits import DEFAULT_SCRAPE_SECONDS
from cloudxai_analysis.lint.reading import read_tree
from cloudxai_analysis.lint.routes import Routing
from cloudxai_analysis.lint.routing import load_routing
from cloudxai_analysis.lint.routing_audits import routing_findings
from cloudxai_analysis.lint.rules import Rule, load_rules
from cloudxai_analysis.platform.contract import Contract, load_contract


@dataclass
class Audited:
    """The rules, routings and dashboards of some files, and what was found while reading them."""

    contract: Contract = field(default_factory=load_contract)
    rules: list[Rule] = field(default_factory=list)
    routings: list[Routing] = field(default_factory=list)
    dashboards: list[Dashboard] = field(default_factory=list)
    known_metrics: Sequence[str] | None = None
    metric_types: Mapping[str, str] = field(default_factory=dict)
    scrape_seconds: float = DEFAULT_SCRAPE_SECONDS
    faults: list[Finding] = field(default_factory=list)

    @property
    def findings(self) -> list[Finding]:
        """What is wrong with the files, their routing and their dashboards."""
        return [*self.faults, *routing_findings(self), *dashboard_findings(self)]


def audited(*paths: Path) -> Audited:
    """What the files hold."""
    files = Audited()
    for path in paths:
        trees, faults = read_tree(path, name=path.name)
        files.faults += faults
        for tree in trees:
            rules, _ = load_rules(tree, path.name)
            routing, of_routing = load_routing(tree, path.name)
            dashboards, of_dashboards = load_dashboards(tree, path.name)
            files.rules += rules
            files.routings += [routing] if routing else []
            files.dashboards += dashboards
            files.faults += of_routing + of_dashboards
    return files


def written(folder: Path, name: str, text: str) -> Path:
    """A file of that name and text."""
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file
