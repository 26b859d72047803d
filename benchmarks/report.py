"""How long a weekly report on the demo takes, against the floor of an empty notebook.

The floor is an empty notebook run by papermill and turned into HTML by nbconvert in one process: what any suite of
this kind pays before it has done anything. `first` is the first report of a fresh folder, pull included; `warm` the
same report again. Each is a process of its own; the smallest of several runs counts.

JSON keys: floor_seconds, first_seconds, warm_seconds, first_x_floor, warm_x_floor, second_pull_tiles (tiles that the
second run pulled; 0 means that it asked the source for nothing).
"""

from __future__ import annotations

import argparse
import json
import os
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
EMPTY = {
    "cells": [{"cell_type": "code", "metadata": {}, "source": "pass", "outputs": [], "execution_count": None}],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "nbformat": 4,
    "nbformat_minor": 4,
}


def seconds(command: list[str], environment: dict[str, str]) -> float:
    """Wall time of one process; its output is shown where it fails."""
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, cwd=PROJECT, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return taken


def floor(folder: Path, environment: dict[str, str]) -> float:
    """An empty notebook through papermill and nbconvert."""
    notebook = folder / "empty.ipynb"
    notebook.write_text(json.dumps(EMPTY))
    return seconds([sys.executable, "-c", FLOOR, str(notebook), str(folder / "out.ipynb")], environment)


def main() -> None:
    """Run everything, print the table, and with --json the figures as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--runs", type=int, default=3, help="runs of each; the smallest counts")
    given = parser.parse_args()
    command = [sys.executable, "-m", "cloudxai_analysis.cli", "report", "--source", "demo://"]
    floors, firsts, warms, tiles = [], [], [], 0
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(given.runs):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            environment = {**os.environ, "CLOUDXAI_OUTPUTS": str(folder / "outputs")}
            # In turn, so that a slower minute of the machine falls on all three.
            floors.append(floor(folder, environment))
            firsts.append(seconds(command, environment))
            before = sorted((folder / "outputs").rglob("*.parquet"))
            warms.append(seconds(command, environment))
            tiles += len(set((folder / "outputs").rglob("*.parquet")) - set(before))
    result = {
        "floor_seconds": round(min(floors), 2),
        "first_seconds": round(min(firsts), 2),
        "warm_seconds": round(min(warms), 2),
        "first_x_floor": round(min(firsts) / min(floors), 2),
        "warm_x_floor": round(min(warms) / min(floors), 2),
        "second_pull_tiles": tiles,
    }
    print("| run | seconds | x floor |\n| --- | ---: | ---: |")
    print(f"| empty notebook, papermill and nbconvert | {result['floor_seconds']} | 1 |")
    print(f"| first report, pull of six weeks included | {result['first_seconds']} | {result['first_x_floor']} |")
    print(f"| the same report again | {result['warm_seconds']} | {result['warm_x_floor']} |")
    if given.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
