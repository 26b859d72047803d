"""What every source gives: raw samples of one metric over one window."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import Window

STALENESS_MARKER_BITS = 0x7FF0000000000002
Labels = Mapping[str, str]


def canonical_labels(labels: Labels) -> str:
    """A label set as one string: compact JSON, sorted by name, empty values left out."""
    kept = {name: value for name, value in sorted(labels.items()) if value != ""}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class SeriesBatch:
    """Raw samples of one metric: series `i` owns the samples from `offsets[i]` to `offsets[i + 1]`.

    `labels` leave out `__name__`; `times` are int64 milliseconds since the epoch, ascending within
    a series, without doubles; `values` are float64 with every bit kept, staleness markers included.
    `left_out` says what the source had and the batch has not, and how much: "samples ...": 12.
    """

    metric: str
    labels: tuple[Labels, ...]
    offsets: NDArray[np.int64]
    times: NDArray[np.int64]
    values: NDArray[np.float64]
    left_out: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        metric: str,
        series: Sequence[tuple[Labels, NDArray[np.int64], NDArray[np.float64]]],
        left_out: Mapping[str, int] = MappingProxyType({}),
    ) -> SeriesBatch:
        """A batch of series as (labels, times, values); those without a sample are left out."""
        kept = [item for item in series if len(item[1])]
        lengths = np.array([len(times) for _, times, _ in kept], dtype=np.int64)
        return cls(
            metric=metric,
            labels=tuple(labels for labels, _, _ in kept),
            offsets=np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)]),
            times=np.concatenate([np.empty(0, dtype=np.int64), *(times for _, times, _ in kept)]),
            values=np.concatenate([np.empty(0, dtype=np.float64), *(values for _, _, values in kept)]),
            left_out=left_out,
        )

    @property
    def samples(self) -> int:
        """Number of samples in the batch, markers included."""
        return len(self.times)

    @property
    def owners(self) -> NDArray[np.int64]:
        """For each sample the place of its series."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[tuple[Labels, NDArray[np.int64], NDArray[np.float64]]]:
        """Each series: labels, times and values."""
        for labels, low, high in zip(self.labels, self.offsets[:-1], self.offsets[1:], strict=True):
            yield labels, self.times[low:high], self.values[low:high]


class Source(Protocol):
    """Where telemetry comes from; it is only ever read."""

    @property
    def name(self) -> str:
        """The source's URL without credentials."""

    def describe(self) -> dict[str, Any]:
        """Provenance: `kind`, `source`, `version`, `way` (how samples are read) and `hides_markers` (bool)."""

    def extent(self) -> Window | None:
        """First to last moment with data where the source knows it (the demo does), else None."""

    def read(self, metric: str, matchers: Labels, window: Window) -> SeriesBatch:
        """The raw samples of `metric` in a half-open window, of series whose labels equal `matchers`.

        Raises SourceUnreachable, SourceAnswerError or RefusedForSecurity where it does not answer,
        wrongly or in part.
        """


@runtime_checkable
class Foreseeing(Protocol):
    """A source that does some things for many readings at once."""

    def foresee(self, metric: str, matchers: Labels, windows: Iterable[Window]) -> None:
        """Take note of what `read` will be called for; nothing is asked yet."""


@runtime_checkable
class SeededSource(Protocol):
    """A source that brings its own ledger along and evaluates nothing, as the demo does."""

    def ledger_entries(self) -> list[dict[str, Any]]:
        """What its people wrote."""
