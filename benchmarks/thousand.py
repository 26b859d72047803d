"""What a report and the showback of 1,000 tenants over six weeks take: CPU seconds and the most memory of each.

A platform of 13 processes is scraped each minute: readiness and cost of 80 tenants a process, the first of which
changes its cost day by day and is down for an hour a week. It is pulled into a lake of its own; then one process
makes the week's checks, cards, figures and page as the weekly notebook does, and another a showback page a tenant.

JSON keys: pull, report and showback, each with _cpu_seconds and _mib.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.lake.pull import pull
from cloudxai_analysis.lake.tables import open_lake
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.platform.settings import Settings, resolve_environment
from cloudxai_analysis.sources.series import Labels, SeriesBatch
from cloudxai_analysis.study.study import Study

WEEK = parse_window("2026-W46")
SPAN = Window(WEEK.start - timedelta(weeks=5), WEEK.end)
TENANTS, A_PROCESS = 1_000, 80


class Platform:
    """A source of 1,000 tenants whose samples are made as they are read."""

    name = "memory://thousand"

    def describe(self) -> dict[str, Any]:
        """What it says of itself."""
        return {"kind": "memory", "source": self.name, "version": "1", "way": "memory", "hides_markers": False}

    def extent(self) -> Window:
        """What it has samples of."""
        return SPAN

    def read(self, metric: str, matchers: Labels, window: Window) -> SeriesBatch:
        """The samples of a metric in a window."""
        times = np.arange(window.start_ms, window.end_ms, 60_000, dtype=np.int64)
        every = _series(metric, times)
        own = ((labels, of) for labels, of in every if all(labels.get(one) == two for one, two in matchers.items()))
        return SeriesBatch.of(metric, [(labels, times, values) for labels, values in own])


def _series(metric: str, times: np.ndarray) -> Iterator[tuple[Labels, np.ndarray]]:
    ones, hour = np.ones(len(times)), times // 3_600_000
    for process in range(TENANTS // A_PROCESS + 1):
        labels = {"job": "cloudxai", "instance": f"api-{process}:80"}
        if metric in ("up", "readiness_state"):
            yield labels, ones
        for tenant in range(process * A_PROCESS, min((process + 1) * A_PROCESS, TENANTS)):
            own = labels | {"tenant": f"tenant-{tenant}"}
            if metric == "tenant_readiness_state":
                yield own, np.where((hour + tenant) % 168 == 0, 0.0, 1.0) if tenant % A_PROCESS == 0 else ones
            if metric == "tenant_cost_estimate":
                yield own | {"currency": "EUR"}, 2 + 0.1 * (hour // 24 % 7) if tenant % A_PROCESS == 0 else 2 * ones


def _environment(folder: Path) -> Any:
    settled = resolve_environment(Settings.model_construct(), source="demo://", name="thousand")
    return settled.model_copy(update={"outputs": folder})


def pulled(folder: Path) -> int:
    """Pull everything into a lake; gives the number of samples."""
    settled = _environment(folder)
    return pull(Platform(), open_lake(settled.lake), settled.contract, SPAN, now=SPAN.end).samples_pulled


def _study(folder: Path) -> Study:
    settled = _environment(folder)
    snapshot = open_lake(settled.lake).snapshot()
    lake = {"rollups": snapshot.version, "samples": snapshot.samples_version}
    provenance = {"source": snapshot.provenance["source"], "lake": lake, "warnings": []}
    return Study(settled, WEEK, snapshot, ledger=Ledger(settled.ledger), now=SPAN.end, provenance=provenance)


def reported(folder: Path) -> int:
    """The week's checks, cards, figures and page; gives the page's bytes."""
    from cloudxai_analysis.cards.card import LOOK_MIME, NARROW_MIME, SVG_MIME
    from cloudxai_analysis.cards.compose import ROWS
    from cloudxai_analysis.cards.notebook import headline, maker, write_summary
    from cloudxai_analysis.decide.signoff import Signoff
    from cloudxai_analysis.report.page import render

    study = _study(folder)
    bundles = [headline(study, signoff=Signoff(study).summary)._repr_mimebundle_()]
    for card in (maker(key)(study) for key, row in ROWS.items() if row.page):
        bundles.append({LOOK_MIME: card.as_dict()})
        if figure := card.svg():
            bundles.append({SVG_MIME: figure, NARROW_MIME: card.svg(narrow=True)})
    write_summary(study, output=str(folder / "report"))
    return len(render({"cells": [{"outputs": [{"data": data}]} for data in bundles], "metadata": {}}))


def showed(folder: Path) -> int:
    """A showback page a tenant; gives their number."""
    from cloudxai_analysis.cards.showback import shared, tenants, told
    from cloudxai_analysis.report.showback import page_of, write_pages

    study = _study(folder)
    names, alike = tenants(study), shared(study)
    pages = ((own["tenant"], page_of(own, alike)) for own in told(study, names))
    write_pages(pages, folder / "showback", total=len(names))
    return len(list((folder / "showback").iterdir()))


def measured(what: Callable[[Path], int], folder: Path) -> tuple[int, float, float]:
    """What it gives, its CPU seconds and its most memory in MiB, in this process."""
    began = time.process_time()
    given = what(folder)
    return given, time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run the three, print the table, and with --json the figures as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    result: dict[str, float] = {}
    said = {"pull": (pulled, "samples pulled"), "report": (reported, "bytes of page"), "showback": (showed, "pages")}
    print("| step | gives | CPU seconds | MiB |\n| --- | --- | ---: | ---: |")
    with tempfile.TemporaryDirectory() as scratch:
        for name, (what, unit) in said.items():
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as own:
                given, cpu, memory = own.submit(measured, what, Path(scratch)).result()
            result |= {f"{name}_cpu_seconds": round(cpu, 1), f"{name}_mib": round(memory)}
            print(f"| {name} | {given:,} {unit} | {cpu:.1f} | {memory:,.0f} |", flush=True)
    if parser.parse_args().json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
