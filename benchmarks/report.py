"""How long a weekly report on the demo takes, against the floor of an empty notebook.

The floor is an empty notebook run by papermill and turned into HTML by nbconvert in one process: what any suite of
this kind pays before it has done anything. `first` is the first report of a fresh folder, pull included; `warm` the
same report again, which stands as nothing has changed; `weekly` that of a new week on a lake that has the five before.
Each is a process of its own; the smallest of several runs counts. Beside the wall time stands that of the CPU, its
children included, which other work on the machine does not touch.

JSON keys: floor, first, warm and weekly, each with _seconds, _cpu_seconds and, but for the floor, _x_floor and
_cpu_x_floor; second_pull_tiles (tiles that the warm run pulled; 0 means that it asked the source for nothing).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
FLOOR = """
import sys
import nbformat, papermill
from nbconvert import HTMLExporter
source, target = sys.argv[1:]
papermill.execute_notebook(source, target, progress_bar=False, kernel_name="python3")
open(target + ".html", "w").write(HTMLExporter().from_filename(target)[0])
"""
SAID = {
    "floor": "empty notebook, papermill and nbconvert",
    "first": "first report, pull of six weeks included",
    "weekly": "a new week, on a lake that has the five before",
    "warm": "the same report again, of which nothing has changed",
}
EMPTY = {
    "cells": [{"cell_type": "code", "metadata": {}, "source": "pass", "outputs": [], "execution_count": None}],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "nbformat": 4,
    "nbformat_minor": 4,
}


def taken(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Wall and CPU seconds of one process, the latter with its children's; its output is shown where it fails."""
    began, before = time.perf_counter(), _cpu()
    done = subprocess.run(command, env=environment, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return time.perf_counter() - began, _cpu() - before


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def floor(folder: Path, environment: dict[str, str]) -> tuple[float, float]:
    """An empty notebook through papermill and nbconvert."""
    notebook = folder / "empty.ipynb"
    notebook.write_text(json.dumps(EMPTY))
    return taken([sys.executable, "-c", FLOOR, str(notebook), str(folder / "out.ipynb")], environment)


def main() -> None:
    """Run everything, print the table, and with --json the figures as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--runs", type=int, default=3, help="runs of each; the smallest counts")
    given = parser.parse_args()
    command = [sys.executable, "-m", "cloudxai_analysis.cli", "report", "--source", "demo://"]
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in SAID}
    tiles = 0
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(given.runs):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            environment = {**os.environ, "CLOUDXAI_OUTPUTS": str(folder / "outputs")}
            # In turn, so that a slower minute of the machine falls on all of them.
            runs["floor"].append(floor(folder, environment))
            runs["first"].append(taken([*command, "--week", "2026-W45"], environment))
            runs["weekly"].append(taken([*command, "--week", "2026-W46"], environment))
            before = sorted((folder / "outputs").rglob("*.parquet"))
            runs["warm"].append(taken([*command, "--week", "2026-W46"], environment))
            tiles += len(set((folder / "outputs").rglob("*.parquet")) - set(before))
    result: dict[str, float] = {}
    print("| run | seconds | x floor | CPU seconds | x floor |\n| --- | ---: | ---: | ---: | ---: |")
    for name, said in SAID.items():
        wall, cpu = (min(times) for times in zip(*runs[name], strict=True))
        result |= {f"{name}_seconds": round(wall, 2), f"{name}_cpu_seconds": round(cpu, 2)}
        result |= {f"{name}_x_floor": round(wall / result["floor_seconds"], 2)}
        result |= {f"{name}_cpu_x_floor": round(cpu / result["floor_cpu_seconds"], 2)}
        times = (result[f"{name}_{kind}"] for kind in ("seconds", "x_floor", "cpu_seconds", "cpu_x_floor"))
        print(f"| {said} | {' | '.join(map(str, times))} |")
    if given.json:
        print(json.dumps(result | {"second_pull_tiles": tiles}))


if __name__ == "__main__":
    main()
