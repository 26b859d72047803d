"""How long a replay of four weeks of ten rules takes, beside vmalert's replay mode, over one VictoriaMetrics.

A VictoriaMetrics on the loopback holds four weeks of the demo. In turn vmalert replays ten rules (with
`-replay.rulesDelay=0`, in its usual pieces of 1,000 points and in one of 50,000, whichever is faster counting) and this
suite replays the same rules; both ask the same server for the same expressions at the same minutes, and both end with
every episode: vmalert's are written back, as it does, and ours are frames. Times are the smallest of several rounds;
vmalert's is that of its process, ours is given in a running Python (as a notebook has it) and as a process of its own.

The last line is what a replay adds to that: every threshold, `for` and `keep_firing_for` of the ten rules varied.

JSON keys: vmalert_x_ours (vmalert's seconds divided by ours), vmalert_x_process (by those of our whole process),
vmalert_seconds, ours_seconds, process_seconds, candidates, candidates_seconds, samples, episodes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT / "tests"), str(PROJECT / "tests" / "replay")]

import servers  # noqa: E402
import ten_rules  # noqa: E402
import vmalert  # noqa: E402

from cloudxai_analysis.ground.window import WEEK, Window, parse_window  # noqa: E402
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits  # noqa: E402
from cloudxai_analysis.replay.candidates import Truth, Variant, candidates, variants  # noqa: E402
from cloudxai_analysis.replay.history import History  # noqa: E402
from cloudxai_analysis.replay.rules import AlertingRule, rules_in  # noqa: E402
from cloudxai_analysis.sources.demo import DemoSource  # noqa: E402
from cloudxai_analysis.sources.open import open_source  # noqa: E402

LAST = parse_window("2026-W46")
SPAN = Window(LAST.end - 4 * WEEK, LAST.end)
POINTS = (1_000, 50_000)
ROUNDS = 5


def main() -> None:
    """Print the table, or the numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--once", nargs=2, metavar=("URL", "RULES"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.once:
        replayed(asked.once[0], Path(asked.once[1]))
        return
    found = measured(asked.rounds)
    if asked.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:<24}{value:>14,.3f}" if isinstance(value, float) else f"{name:<24}{value:>14,}")


def measured(rounds: int) -> dict[str, Any]:
    """Everything that is printed."""
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "ten.rules.yml"
        rules.write_text(ten_rules.RULES, encoding="utf-8")
        with servers.victoria_metrics(Path(folder), options=("-search.maxPointsPerTimeseries=60000",)) as server:
            samples = vmalert.load(server.url, DemoSource(), ten_rules.METRICS, SPAN)
            theirs: dict[int, list[float]] = {points: [] for points in POINTS}
            ours, whole, episodes = [], [], 0
            for _ in range(rounds):
                for points in POINTS:
                    theirs[points].append(seconds(lambda n=points: vmalert.replayed(server.url, rules, SPAN, points=n)))
                ours.append(seconds(lambda: replayed(server.url, rules)))
                whole.append(seconds(lambda: alone(server.url, rules)))
            episodes = replayed(server.url, rules)
            varied, taken = candidates_of(server.url, rules)
    best = min(min(times) for times in theirs.values())
    return {
        "samples": samples,
        "episodes": episodes,
        "vmalert_seconds": best,
        "ours_seconds": min(ours),
        "process_seconds": min(whole),
        "vmalert_x_ours": best / min(ours),
        "vmalert_x_process": best / min(whole),
        "candidates": varied,
        "candidates_seconds": taken,
    }


def seconds(run: Callable[[], Any]) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def replayed(url: str, rules: Path) -> int:
    """The number of episodes of the ten rules over the four weeks, as this suite replays them."""
    history, read = opened(url, rules)
    _ = history.alerts, history.scrapes
    with ThreadPoolExecutor(Limits().concurrency) as pool:
        return sum(map(len, pool.map(history.replay, read)))


def alone(url: str, rules: Path) -> None:
    """The same in a process of its own, which imports all that it needs."""
    subprocess.run([sys.executable, __file__, "--once", url, str(rules)], check=True)


def candidates_of(url: str, rules: Path) -> tuple[int, float]:
    """How many candidates the ten rules have, and how long it takes to replay and judge them all."""
    demo = DemoSource()
    with tempfile.TemporaryDirectory() as folder:
        from cloudxai_analysis.ledger import Ledger

        ledger = Ledger(Path(folder) / "ledger.jsonl")
        ledger.seed(demo.ledger_entries())
        truth = Truth.of(ledger, SPAN)
    began, number = time.perf_counter(), 0
    history, read = opened(url, rules)
    for rule in read:
        side = history.left_side(rule)
        tried = variants(side, Variant.of(rule))
        number += len(candidates(side, tried, truth, SPAN, alertname=rule.name, markers=history.markers))
    return number, time.perf_counter() - began


def opened(url: str, rules: Path) -> tuple[History, list[AlertingRule]]:
    """The server's four weeks, and the rules."""
    server: Any = open_source(url, limits=Limits(), settings=EnvironmentSettings())
    read = rules_in([rules])[0]
    return History(server, server, SPAN, read, evaluation_seconds=60), read


if __name__ == "__main__":
    main()
