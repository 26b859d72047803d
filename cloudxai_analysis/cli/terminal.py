"""Progress on the terminal: a bar where a person looks on, a line a step where nobody does."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from cloudxai_analysis.lake.plan import Plan


class Steps:
    """The steps of a long command; each method is handed to the work as its progress callback."""

    def __init__(self, console: Console, bar: Progress | None) -> None:
        self._console = console
        self._bar = bar
        self._tasks: dict[str, TaskID] = {}
        self._said: set[str] = set()
        self._began = time.monotonic()

    def pull(self, done: int, total: int, samples: int) -> None:
        """Tiles pulled of those missing, samples so far, their rate, and the time left."""
        seconds = time.monotonic() - self._began
        left = seconds / done * (total - done)
        self._advance("pull", done, total, f"{samples:,} samples, {samples / seconds:,.0f}/s, {left:.0f} s left")

    def section(self, done: int, total: int, name: str) -> None:
        """Cells run of the notebook's, and the heading that is being worked on."""
        self._advance("notebook", done, total, name)

    def seed(self, done: int, total: int) -> None:
        """Seeds evaluated of those asked for."""
        self._advance("evaluate", done, total, "")

    def _advance(self, step: str, done: int, total: int, detail: str) -> None:
        if self._bar is not None:
            if step not in self._tasks:
                self._tasks[step] = self._bar.add_task(step, total=total, detail="")
            self._bar.update(self._tasks[step], completed=done, total=total, detail=detail)
        elif step == "notebook" and detail and detail not in self._said:
            self._said.add(detail)
            self._console.print(f"notebook: {detail}", markup=False, highlight=False)
        elif step == "pull" and done == total:
            self._console.print(f"pull: {done} tiles, {detail}", markup=False, highlight=False)


def plan_line(plan: Plan) -> str:
    """What a pull would bring and take, in one line."""
    if not plan.missing:
        return f"the lake has all {plan.tiles} tiles; nothing would be pulled."
    effort = "time and bytes unknown, for no hour that was tried had a sample"
    if not math.isnan(plan.seconds):
        duration = f"{plan.seconds / 60:.1f} minutes" if plan.seconds >= 90 else f"{max(plan.seconds, 1):.0f} s"
        wire = f"{decimal(round(plan.wire_bytes))} from the server, " if plan.wire_bytes else ""
        disk = f"{decimal(round(plan.disk_bytes))} on a disk that has {decimal(plan.free_bytes)} free"
        effort = f"about {wire}{duration}, {disk}"
    return (
        f"{plan.missing} of {plan.tiles} tiles would be pulled: {plan.series:,} series, {plan.samples:,} samples as "
        f"the source counts them, {effort}. Nothing was pulled."
    )


@contextmanager
def show_progress() -> Iterator[Steps]:
    """Progress on stderr while the block runs."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Steps(console, None)
        return
    columns = (
        TextColumn("{task.description:>8}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        yield Steps(console, bar)
