"""How long audits take beside the bare parsing of the same files: 10,000 rules and 1,000 panels.

The files are made in a temporary folder: rules in 100 files, panels in 50 dashboards, in the manner of the reference
ones, with a fault here and there. Bare parsing is PyYAML's C loader and the standard library's JSON, which give values
without lines. Rounds take turns; each number is the least of its rounds.

JSON keys: rules, panels, findings, seconds, parse_seconds, audit_x_parse.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from cloudxai_analysis.lint.audit import audit
from cloudxai_analysis.lint.corpus import read_corpus
from cloudxai_analysis.platform.contract import load_contract

RULES, RULE_FILES, PANELS, DASHBOARDS = 10_000, 100, 1_000, 50
_EXPRESSIONS = (
    'sum by (tenant) (rate(tenant_readiness_transitions_total{job="cloudxai"}[5m])) > %d',
    "max by (instance) (node_load1) / count by (instance) (node_cpu_seconds_total{mode='idle'}) > %d",
    "histogram_quantile(0.95, sum by (le) (rate(readiness_check_duration_seconds_bucket[5m]))) > 0.%d",
    "increase(tenant_label_rejections_total[10m]) > %d",
    "tenant_readiness_transitions_total > %d",
)


def rule(number: int) -> dict[str, object]:
    """One alert."""
    return {
        "alert": f"Rule{number}",
        "expr": _EXPRESSIONS[number % len(_EXPRESSIONS)] % (number + 1),
        "for": "5m",
        "labels": {"severity": ("page", "ticket")[number % 2], "owner": "platform"},
        "annotations": {
            "summary": "{{ $labels.tenant }} is over {{ $value | humanize }}",
            "runbook_url": f"https://example.com/runbook#{number}",
        },
    }


def panel(number: int) -> dict[str, object]:
    """One panel."""
    return {
        "id": number,
        "title": f"Panel {number}",
        "type": "timeseries",
        "fieldConfig": {"defaults": {"unit": "short"}},
        "targets": [
            {"refId": "A", "expr": f'rate(tenant_readiness_transitions_total{{tenant=~"$tenant"}}[{number + 5}m])'}
        ],
    }


def write(folder: Path) -> None:
    """Put the files into `folder`."""
    share = RULES // RULE_FILES
    for place in range(RULE_FILES):
        rules = [rule(number) for number in range(place * share, (place + 1) * share)]
        text = yaml.safe_dump({"groups": [{"name": f"group{place}", "rules": rules}]}, sort_keys=False)
        (folder / f"rules{place}.yml").write_text(text, encoding="utf-8")
    share = PANELS // DASHBOARDS
    variable = {"name": "tenant", "type": "query", "query": "label_values(tenant_readiness_state, tenant)"}
    for place in range(DASHBOARDS):
        board = {
            "title": f"Dashboard {place}",
            "templating": {"list": [variable]},
            "panels": [panel(number) for number in range(share)],
        }
        (folder / f"board{place}.json").write_text(json.dumps(board, indent=1), encoding="utf-8")


def parse(folder: Path) -> None:
    """Read every file and make values of it, and nothing else."""
    for file in sorted(folder.iterdir()):
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".json":
            json.loads(text)
        else:
            yaml.load(text, Loader=yaml.CSafeLoader)


def seconds(run: Callable[[], object]) -> float:
    """How long it takes once."""
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def main() -> None:
    """Measure, print the table, and with --json the figures as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    contract = load_contract()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        found = audit(read_corpus([folder], contract=contract))
        rounds = [
            (seconds(lambda: parse(folder)), seconds(lambda: audit(read_corpus([folder], contract=contract))))
            for _ in range(given.rounds)
        ]
    parsing, auditing = (min(column) for column in zip(*rounds, strict=True))
    print("| what | seconds | × parsing |\n| --- | ---: | ---: |")
    print(f"| bare parsing of {RULES:,} rules and {PANELS:,} panels | {parsing:.2f} | 1 |")
    print(f"| `cloudxai audit`, {len(found):,} findings | {auditing:.2f} | {auditing / parsing:.1f} |")
    if given.json:
        figures = {
            "rules": RULES,
            "panels": PANELS,
            "findings": len(found),
            "seconds": round(auditing, 3),
            "parse_seconds": round(parsing, 3),
            "audit_x_parse": round(auditing / parsing, 2),
        }
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
