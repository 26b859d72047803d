"""The tenant harness: how far a guarded and an unguarded platform can grow on this machine, and how fast it renders.

The knee is the number of tenants at which a scrape takes longer than its second or fails; where none is reached, what
was tried stands in its place, and `..._reached` is false. First two equal arms say what this machine can tell apart.
Rendering is that of 10,000 tenants of whom one changed, beside the same by prometheus_client, in turns.

    benchmarks/harness.py                     # up to 300,000 tenants; minutes, and gigabytes
    benchmarks/harness.py --tenants 3000

JSON keys: knee_tenants_guarded, knee_tenants_unguarded (each with `_reached`), noise_floor_share, render_x_client.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import prometheus_client as client

from cloudxai_analysis.operate.harness.exporter import Platform
from cloudxai_analysis.operate.harness.load import ARMS, lines, loaded
from cloudxai_analysis.operate.harness.processes import platform_words
from cloudxai_analysis.platform.contract import load_contract

TENANTS, ROUNDS = 10_000, 5


def rendering() -> tuple[float, float]:
    """Seconds for one scrape's bytes of as many tenants: by the harness, and by the client library."""
    contract = load_contract()
    names = [f"load-{number:07d}" for number in range(TENANTS)]
    ours = Platform(**platform_words(contract, cap=None))
    ours.load([["try", name, 1.0, 1] for name in names])
    registry, roles = client.CollectorRegistry(), ("tenant_readiness", "tenant_transitions", "cost")
    client.disable_created_metrics()
    for role in roles:
        kind = client.Counter if contract[role].kind == "counter" else client.Gauge
        metric = kind(contract[role].name, contract[role].help, ["tenant"], registry=registry)
        for name in names:
            metric.labels(name)
    taken = {"ours": float("inf"), "client": float("inf")}
    for number in range(ROUNDS):
        ours.load([["cost", names[number], 2.0 + number]])
        taken["ours"] = min(taken["ours"], seconds_of(ours.exposed))
        taken["client"] = min(taken["client"], seconds_of(lambda: client.generate_latest(registry)))
    return taken["ours"], taken["client"]


def seconds_of(run: Callable[[], object]) -> float:
    """Wall time of one run."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def main() -> None:
    """Measure, print the tables, and with --json the figures as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--tenants", type=int, default=300_000, help="at most so many")
    parser.add_argument("--pairs", type=int, default=60, help="scrapes of two equal arms")
    given = parser.parse_args()
    ours, theirs = rendering()
    contract = load_contract()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "load"
        grown = loaded(place, contract, cap=contract.tenant_cap, most=given.tenants, pairs=given.pairs)
    print("| arm | tenants | scrape, ms | failed | bytes | platform, MB | server, MB | series |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for step in grown["steps"]:
        memory = f"{step['platform_bytes'] / 1e6:.0f} | {step['server_bytes'] / 1e6:.0f}"
        scrape = f"{1000 * step['seconds']:.1f} | {step['failed_scrapes']} | {step['scrape_bytes']:,}"
        print(f"| {step['arm']} | {step['tenants']:,} | {scrape} | {memory} | {step['server_series']:,} |")
    print("", *lines(grown, 0), sep="\n")
    print(f"{TENANTS:,} tenants are rendered in {1000 * ours:.1f} ms, by prometheus_client in {1000 * theirs:.1f} ms.")
    if given.json:
        knees = {arm: grown["knees"][arm] or grown["most_tried"][arm] for arm in ARMS}
        found = {f"knee_tenants_{arm}": knee for arm, knee in knees.items()}
        found |= {f"knee_tenants_{arm}_reached": grown["knees"][arm] is not None for arm in ARMS}
        print(json.dumps({**found, "noise_floor_share": grown["noise"]["floor"], "render_x_client": theirs / ours}))


if __name__ == "__main__":
    main()
