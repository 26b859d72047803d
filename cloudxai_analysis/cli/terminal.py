"""Progress on the terminal: a bar where a person looks on, a line a step where nobody does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from cloudxai_analysis.cli.door import say
from cloudxai_analysis.words.phrases import plain


class Steps:
    """The steps of a long command; each method is handed to the work as its progress callback."""

    def __init__(self, console: Console, bar: Progress) -> None:
        self._console = console
        self._bar = bar
        self._tasks: dict[str, TaskID] = {}
        self._said: set[str] = set()
        self._began = time.monotonic()

    def pull(self, done: int, total: int, samples: int) -> None:
        """Tiles pulled of those missing, samples so far, their rate, and the time left."""
        seconds = time.monotonic() - self._began
        left = seconds / done * (total - done)
        detail = f"{samples:,} samples, {samples / seconds:,.0f}/s, {left:.0f} s left"
        self._advance("pull", done, total, detail)
        if done == total:
            self._line(f"pull: {done} tiles, {detail}")

    def section(self, done: int, total: int, name: str) -> None:
        """Cells run of the notebook's, and the heading that is being worked on."""
        self._named("notebook", done, total, name)

    def load(self, done: int, total: int, name: str) -> None:
        """Parts of a run of the harness, and what the next one does."""
        self._named("harness", done, total, name)

    def showback(self, done: int, total: int) -> None:
        """Pages made of those asked for."""
        self._advance("showback", done, total, "")
        if done == total or done % 100 == 0:
            self._line(f"showback: {done:,} of {total:,} pages")

    def metrics(self, done: int, total: int) -> None:
        """Metrics compared of those asked for."""
        self._advance("compare", done, total, "")

    def _named(self, step: str, done: int, total: int, name: str) -> None:
        name = plain(name)
        self._advance(step, done, total, name)
        if name and name not in self._said:
            self._said.add(name)
            self._line(f"{step}: {name}")

    def _advance(self, step: str, done: int, total: int, detail: str) -> None:
        if step not in self._tasks:
            self._tasks[step] = self._bar.add_task(step, total=total, detail="")
        self._bar.update(self._tasks[step], completed=done, total=total, detail=detail)

    def _line(self, text: str) -> None:
        if not self._console.is_terminal:
            say([text], err=True)


@contextmanager
def show_progress() -> Iterator[Steps]:
    """Progress on stderr while the block runs."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:>8}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield Steps(console, bar)
