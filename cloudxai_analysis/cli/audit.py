"""The command that audits rule, routing and dashboard files: `cloudxai audit`."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from cloudxai_analysis.cli.door import hand_over, say
from cloudxai_analysis.cli.options import fail_on, settled_environment
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.words.phrases import count

if TYPE_CHECKING:
    from cloudxai_analysis.lint import Finding
    from cloudxai_analysis.lint.corpus import Corpus
    from cloudxai_analysis.platform.settings import Environment

_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_DOCS = "docs/audits.md"


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@click.option("--format", "form", type=click.Choice(["text", "json", "sarif"]), default="text", show_default=True)
@fail_on(*_LEVELS, default="error")
@click.option("--silences", default="", metavar="FILE", help="What not to tell [.cloudxai-audit.yml].")
@click.option("--source", default="", metavar="URL", help="A server whose metrics the files are held against, too.")
@click.option("--environment", default="", metavar="NAME", help="Environment of the settings.")
@click.option("--scrape-seconds", type=click.FloatRange(min=0, min_open=True), help="How often [15, assumed].")
@click.option("--most", type=click.IntRange(min=0), default=20, show_default=True, help="Places of one code.")
def audit(
    paths: tuple[Path, ...],
    form: str,
    failing: tuple[str, ...],
    silences: str,
    source: str,
    environment: str,
    scrape_seconds: float | None,
    most: int,
) -> int:
    """Audit rules (Prometheus), routing (Alertmanager) and dashboards (Grafana) in files and folders.

    Exit code 1 where a finding is as grave as --fail-on says.
    """
    from cloudxai_analysis.lint.audit import SILENCES_FILE, read_silences, silenced
    from cloudxai_analysis.lint.audit import audit as audited
    from cloudxai_analysis.lint.corpus import read_corpus

    settled = settled_environment(source, environment)
    known = _of_server(settled) if source else {}
    file = Path(silences or SILENCES_FILE)
    if silences and not file.is_file():
        raise UsageError(f"No file of silences '{silences}'. Check the path.")
    hushed = read_silences(file) if file.is_file() else []
    corpus = read_corpus(paths, contract=settled.contract, scrape_seconds=scrape_seconds, **known)
    left, hidden = silenced(audited(corpus), hushed, today=datetime.now(UTC).date())
    left = sorted(left)
    if form == "text":
        silenced_too = f"; {len(hidden)} silenced" if hidden else ""
        say([*lines_by_code(left, most), f"{corpus}: {sums(left)}{silenced_too}. Codes: {_DOCS}"])
    else:
        data = _as_data(left, corpus, len(hidden)) if form == "json" else as_sarif(left)
        hand_over(f"{json.dumps(data, indent=1, ensure_ascii=True)}\n")
    return exit_code(left, failing)


def exit_code(findings: Sequence[Finding], failing: Collection[str]) -> int:
    """1 where a finding is as grave as --fail-on says."""
    return int(any(finding.severity in failing for finding in findings))


def _of_server(settled: Environment) -> dict[str, Any]:
    from cloudxai_analysis.sources.catalogue import metric_names, metric_types
    from cloudxai_analysis.sources.open import source_of
    from cloudxai_analysis.sources.server import ServerSource

    source = source_of(settled)
    if not isinstance(source, ServerSource):
        raise UsageError("--source of an audit is a server, http(s)://host:port; the demo has the contract's metrics.")
    known = {"known_metrics": metric_names(source), "metric_types": metric_types(source)}
    return {**known, "loaded_alerts": source.rules()}


def lines_by_code(findings: Sequence[Finding], most: int) -> list[str]:
    """The findings by code, the gravest codes first, each with its advice once and its first places."""
    by_code: dict[tuple[int, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        by_code[list(_LEVELS).index(finding.severity), finding.code].append(finding)
    lines = []
    for (_, code), same in sorted(by_code.items(), key=lambda one: (one[0][0], -len(one[1]), one[0][1])):
        lines += [f"{same[0].severity} [{code}] {count(len(same), 'place')}", f"    {same[0].why} {same[0].action}"]
        for finding in same[:most]:
            subject = f" {finding.subject}:" if finding.subject else ""
            lines.append(f"  {finding.file}:{finding.line}:{subject} {finding.message}")
        if len(same) > most:
            lines.append(f"  and {len(same) - most} more; --most {len(same)}, or --format json, tells all")
    return lines


def sums(findings: Sequence[Finding]) -> str:
    """How many there are of each weight."""
    by_weight: Counter[str] = Counter(finding.severity for finding in findings)
    return ", ".join(count(by_weight[weight], weight) for weight in _LEVELS if by_weight[weight]) or "no finding"


def _as_data(findings: Sequence[Finding], corpus: Corpus, hidden: int) -> dict[str, Any]:
    return {
        "findings": [asdict(finding) for finding in findings],
        "silenced": hidden,
        "files": len(corpus.files),
        "rules": len(corpus.rules),
        "routings": len(corpus.routings),
        "dashboards": len(corpus.dashboards),
    }


def as_sarif(findings: Sequence[Finding]) -> dict[str, Any]:
    """The findings in the Static Analysis Results Interchange Format, OASIS, version 2.1.0."""
    codes = {finding.code: finding for finding in findings}
    rules = [
        {
            "id": code,
            "shortDescription": {"text": one.why},
            "help": {"text": one.action},
            "defaultConfiguration": {"level": _LEVELS[one.severity]},
        }
        for code, one in sorted(codes.items())
    ]
    driver = {"name": "cloudxai audit", "rules": rules}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": list(map(_result, findings))}],
    }


def _result(finding: Finding) -> dict[str, Any]:
    subject = f"{finding.subject}: " if finding.subject else ""
    place = {
        "artifactLocation": {"uri": quote(os.fsencode(finding.file))},
        "region": {"startLine": max(finding.line, 1)},
    }
    return {
        "ruleId": finding.code,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{subject}{finding.message} {finding.action}"},
        "locations": [{"physicalLocation": place}],
    }
