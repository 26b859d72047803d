"""What a source left out or had to decide while it read, counted by metric, for the provenance."""

from __future__ import annotations

from collections import Counter
from threading import Lock


class Notes:
    """Counts by metric and kind; `lines` is a living list, so whoever holds it sees what later reads add."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = Lock()

    def add(self, metric: str, count: int, what: str) -> None:
        """Count what happened to samples of a metric; `what` goes on from '`metric`: 12 '."""
        if count:
            with self._lock:
                self._counts[metric, what] += count
                self.lines[:] = [f"{name}: {n:,} {text}" for (name, text), n in sorted(self._counts.items())]
