"""What routing and dashboards are held against: the files that were read, and what is known of their metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from cloudxai_analysis.lint.dashboards import Dashboard
from cloudxai_analysis.lint.expression_audits import Auditor
from cloudxai_analysis.lint.metrics import Metrics
from cloudxai_analysis.lint.routes import Routing
from cloudxai_analysis.lint.rules import Rule
from cloudxai_analysis.platform.contract import Contract


class Files(Protocol):
    """The content of all files that were read together; `known_metrics` are a server's, None where none was asked."""

    @property
    def contract(self) -> Contract:
        """What the platform promises to export."""

    @property
    def rules(self) -> Sequence[Rule]:
        """All rules, alerting and recording."""

    @property
    def routings(self) -> Sequence[Routing]:
        """Each Alertmanager's configuration, and lists of silences."""

    @property
    def dashboards(self) -> Sequence[Dashboard]:
        """All dashboards."""

    @property
    def metric_types(self) -> Mapping[str, str]:
        """A server's metadata, empty where none was asked."""

    @property
    def scrape_seconds(self) -> float:
        """How often targets are scraped."""

    @property
    def known_metrics(self) -> Iterable[str] | None:
        """The names of the series that a server has."""


def auditor_of(files: Files) -> Auditor:
    """An auditor of expressions that knows the contract, the recording rules and a server's metrics."""
    metrics = Metrics(files.contract, files.rules, names=files.known_metrics, types=files.metric_types)
    evaluation = float(files.contract.evaluation_interval_seconds)
    return Auditor(metrics, scrape_seconds=files.scrape_seconds, evaluation_seconds=evaluation)
