"""Decoded parts of series put together: one batch, each series once, its samples in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from cloudxai_analysis.ground.errors import SourceAnswerError
from cloudxai_analysis.sources.matchers import Stretch
from cloudxai_analysis.sources.series import Labels, SeriesBatch, canonical_labels

DOUBLES_LEFT_OUT = "samples stood beside another one of the same time with another value; the first was kept."
MOST_SAMPLES = 500_000_000  # of one metric in one window: 8 GB in memory
_BLOCK_SAMPLES = 1 << 25


class Notes:
    """What was left out or decided while reading, counted by metric; `lines` is a living list for the provenance."""

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


@dataclass(frozen=True)
class Decoded:
    """Parts of series in the server's order: their labels as they came, and where their samples stand in a block.

    `kept` has a row for each part: start and end in `times` and `values`, and whether its times ascend (0 or 1).
    """

    labels: Sequence[bytes]
    parse: Callable[[bytes], Mapping[str, str]]
    kept: NDArray[np.int64]
    times: NDArray[np.int64]
    values: NDArray[np.float64]

    @classmethod
    def of_series(cls, labels: Labels, times: NDArray[np.int64], values: NDArray[np.float64]) -> Decoded:
        """One whole series, as an answer with samples instead of chunks gives it."""
        kept = np.array([[0, len(times), int(np.all(np.diff(times) > 0))]], dtype=np.int64)
        return cls([canonical_labels(labels).encode()], lambda _: labels, kept, times, values)


@dataclass(frozen=True)
class Room:
    """A block of arrays to decode into, and the stretch of it that was taken."""

    times: NDArray[np.int64]
    values: NDArray[np.float64]
    start: int
    end: int


class SampleRoom:
    """Blocks to decode into: reserved in large pieces, of which the machine gives only what is written to."""

    def __init__(self) -> None:
        self._left = MOST_SAMPLES
        self._last = Room(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float64), 0, 0)

    def take(self, count: int) -> Room:
        """Room for `count` samples, right behind what was taken before where it fits.

        Raises
        ------
        SourceAnswerError
            More than the most samples that one read may hold.
        """
        self._left -= count
        if self._left < 0:
            raise SourceAnswerError(f"sent more than {MOST_SAMPLES:,} samples. Narrow the matchers.")
        times, values, start = self._last.times, self._last.values, self._last.end
        if start + count > len(times):
            size = max(min(_BLOCK_SAMPLES, self._left + count), count)
            times, values, start = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.float64), 0
        self._last = Room(times, values, start, start + count)
        return self._last


def assembled(
    decoded: Sequence[Decoded],
    stretch: Stretch,
    *,
    notes: Notes,
    leave_out: Labels = MappingProxyType({}),
    own: Mapping[str, Labels] = MappingProxyType({}),
) -> SeriesBatch:
    """One batch of all parts, in the order in which their series first came.

    Labels of `leave_out` are dropped where they have just that value, unless `own` has the label set (canonical) by
    which the series stands without what was added to it. Of samples with one time and different values the
    first is kept, and the others are counted in `notes`. Where the parts already stand one after another in one block,
    nothing is copied.

    Raises
    ------
    SourceAnswerError
        A series is not one that was asked for, or has labels that cannot be read.
    """
    known = _Known(stretch, leave_out, own)
    parts = [
        (known.series(raw, part.parse), block, start, end, ascending)
        for block, part in enumerate(decoded)
        for raw, (start, end, ascending) in zip(part.labels, part.kept.tolist(), strict=True)
        if end > start
    ]
    if not parts:
        return SeriesBatch.of(stretch.metric, [])
    series, blocks, starts, ends, ascending = np.array(parts, dtype=np.int64).T
    times, values = decoded[blocks[0]].times, decoded[blocks[0]].values
    fresh = np.flatnonzero(np.diff(series, prepend=-1))
    one_block = all(decoded[block].times is times for block in np.unique(blocks))
    if one_block and ascending.all() and len(fresh) == series.max() + 1 and np.array_equal(starts[1:], ends[:-1]):
        joints = np.setdiff1d(starts, starts[fresh])
        if np.all(times[joints] > times[joints - 1]):
            whole = slice(starts[0], ends[-1])
            offsets = np.append(starts[fresh], ends[-1]) - starts[0]
            order = [known.labels[index] for index in series[fresh]]
            return SeriesBatch(stretch.metric, tuple(order), offsets, times[whole], values[whole])
    pieces: dict[int, list[tuple[NDArray[np.int64], NDArray[np.float64]]]] = {}
    for index, block, start, end, _ in parts:
        pieces.setdefault(index, []).append((decoded[block].times[start:end], decoded[block].values[start:end]))
    merged = ((known.labels[index], *_merged(found, stretch.metric, notes)) for index, found in pieces.items())
    return SeriesBatch.of(stretch.metric, list(merged))


class _Known:
    """The series seen so far; labels are read once for each form in which they come."""

    def __init__(self, stretch: Stretch, leave_out: Labels, own: Mapping[str, Labels]) -> None:
        self.labels: list[Labels] = []
        self._stretch = stretch
        self._leave_out = leave_out.items()
        self._own = own
        self._by_raw: dict[bytes, int] = {}
        self._by_text: dict[str, int] = {}

    def series(self, raw: bytes, parse: Callable[[bytes], Mapping[str, str]]) -> int:
        if raw not in self._by_raw:
            try:
                labels = self._stretch.asked_labels(dict(parse(raw)))
            except ValueError:
                raise SourceAnswerError(
                    f"sent a series that is not one of {self._stretch.selector}, or whose labels cannot be read. "
                    "Nothing was taken; look at the proxy or the adapter between it and this suite."
                ) from None
            kept = {name: value for name, value in labels.items() if (name, value) not in self._leave_out}
            labels = self._own.get(canonical_labels(labels), kept)
            index = self._by_text.setdefault(canonical_labels(labels), len(self.labels))
            if index == len(self.labels):
                self.labels.append(labels)
            self._by_raw[raw] = index
        return self._by_raw[raw]


def _merged(
    pieces: list[tuple[NDArray[np.int64], NDArray[np.float64]]], metric: str, notes: Notes
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The pieces of one series in order of time, each time once; of equal times the piece that came first counts."""
    times = np.concatenate([times for times, _ in pieces])
    values = np.concatenate([values for _, values in pieces])
    if np.all(np.diff(times) > 0):
        return times, values
    order = np.argsort(times, kind="stable")
    times, values = times[order], values[order]
    first = np.diff(times, prepend=times[0] - 1) > 0
    bits = values.view(np.int64)
    kept_bits = bits[np.maximum.accumulate(np.where(first, np.arange(len(times)), 0))]
    notes.add(metric, int(np.count_nonzero(bits != kept_bits)), DOUBLES_LEFT_OUT)
    return times[first], values[first]
