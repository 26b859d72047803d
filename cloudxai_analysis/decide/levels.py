"""What each series of a side shows, by blocks of time, and the step from one side to the other beside its noise."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import log
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.decide.alignment import Alignment

BLOCKS = 7  # of a week one is a day, so that no rhythm of the day is taken for a change
LEAST_SAMPLES = 3 * BLOCKS  # of a series
COUNTS, MOVES, RESTS = "counter", "gauge", "constant"
_SIZES = (8.0, 60.0, 100.0, 1e3, 1024.0, 3600.0, 60e3, 86400.0, 1e6, 1024.0**2, 3600e3, 1e9, 1024.0**3)
FACTORS = tuple(sorted([1.0, *_SIZES, *(1 / size for size in _SIZES)]))  # between units of one kind
FLOOR = 0.01  # of the natural logarithm: no level is known better
_LEAST_STEP, _TIMES = 0.15, 3.0  # of a change: its size, and how many times the usual step it is
_QUANTILES = [0, 0.1, 0.5, 0.9, 1]
_LEAST_STEPS = 10
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Shown:
    """The series of one name on one side of [start, end) milliseconds; `told` is type, unit and help of metadata.

    By series, block and quantile `levels`; by series, block and what is counted `sums`: rises, falls to less than half
    (as resets are), other falls, increase, seconds, samples.
    """

    name: str
    labels: list[dict[str, str]]
    told: Mapping[str, str]
    span: tuple[int, int]
    levels: Numbers
    sums: Numbers

    @cached_property
    def behaves(self) -> str:
        """As a counter, a gauge or a constant, by its steps; '' where they are too few to tell."""
        rises, resets, falls = self.steps
        if not (rises or resets or falls):
            return RESTS
        if rises >= _LEAST_STEPS and falls <= rises // 100 and resets <= rises // 10 and self.range[0] >= 0:
            return COUNTS
        return MOVES if falls >= max(3, rises // 20) or resets >= max(3, rises // 3) else ""

    @property
    def steps(self) -> list[float]:
        """Its rises, resets and other falls."""
        return self.sums[:, :, :3].sum(axis=(0, 1)).tolist()

    @property
    def range(self) -> tuple[float, float]:
        """Its least and its greatest value."""
        return float(np.nanmin(self.levels)), float(np.nanmax(self.levels))

    @property
    def samples(self) -> Numbers:
        """How many samples each series has."""
        return self.sums[:, :, 5].sum(axis=1)

    @property
    def counts(self) -> bool:
        """Whether its rate speaks and not its value."""
        kind = self.told.get("type", "")
        return kind in ("counter", "histogram", "summary") or (kind != "gauge" and self.behaves == COUNTS)

    def values(self, *, rates: bool) -> Numbers:
        """What speaks for it by series, block and quantile: increases a second, or levels."""
        seconds = np.where(self.sums[:, :, 4:5] > 0, self.sums[:, :, 4:5], np.nan)
        return self.sums[:, :, 3:4] / seconds if rates else self.levels[:, :, 1:4]

    def taken(self, rows: list[int]) -> Shown:
        """The same of some of its series."""
        labels = [self.labels[row] for row in rows]
        return replace(self, labels=labels, levels=self.levels[rows], sums=self.sums[rows])


def side_of(samples: pd.DataFrame) -> dict[str, Shown]:
    """What samples show, by name: columns metric, labels (JSON), time (UTC), value; type, unit and help if known."""
    frame = samples[np.isfinite(samples["value"].to_numpy(dtype="float64"))]
    if frame.empty:
        return {}
    keys = frame.groupby(["metric", "labels"], observed=True, sort=True)
    code, at = keys.ngroup().to_numpy(), frame["time"].to_numpy(dtype="datetime64[ms]").astype(np.int64)
    order = np.lexsort((at, code))
    first = frame.iloc[order[np.searchsorted(code[order], np.arange(keys.ngroups))]].reset_index(drop=True)
    span = int(at.min()), int(at.max()) + 1
    levels, sums = _by_block(code[order], at[order], frame["value"].to_numpy(dtype="float64")[order], span)
    labels, shown = [json.loads(text) for text in first["labels"]], {}
    for metric, rows in first.groupby("metric", observed=True).indices.items():
        told = first.loc[rows[0]].reindex(["type", "unit", "help"]).replace("", None).dropna().to_dict()
        shown[str(metric)] = Shown(str(metric), [labels[row] for row in rows], told, span, levels[rows], sums[rows])
    return shown


def _by_block(series: Numbers, at: Numbers, value: Numbers, span: tuple[int, int]) -> tuple[Numbers, Numbers]:
    """The `levels` and `sums` of samples that stand in the order of series and time."""
    step, inside = np.diff(value, prepend=value[0]), np.diff(series, prepend=-1) == 0
    resets = (step < 0) & (value <= (value - step) / 2)
    kinds = {"rises": step > 0, "resets": resets, "falls": (step < 0) & ~resets}
    added = {"risen": np.where(step < 0, value, step), "seconds": np.diff(at, prepend=0) / 1000}
    frame = pd.DataFrame({**kinds, **added}).mul(inside, axis=0).assign(samples=1.0)
    keys = [series, (at - span[0]) * BLOCKS // max(span[1] - span[0], BLOCKS)]
    every = pd.MultiIndex.from_product([range(int(series[-1]) + 1), range(BLOCKS)])
    sums = frame.groupby(keys).sum().reindex(every, fill_value=0.0)
    levels = pd.Series(value).groupby(keys).quantile(_QUANTILES, interpolation="nearest").unstack().reindex(every)
    by_level, by_sum = (found.to_numpy().reshape(-1, BLOCKS, len(found.columns)) for found in (levels, sums))
    return by_level, by_sum


class Both(NamedTuple):
    """Groups of series on both sides: levels by group, block and quantile, on a scale that is linear around zero only.

    `lag` is how many blocks lie between the last one before and the first one after, below 0 where sides overlap.
    By quantile `step` is how much the median group moved at the change, less what it drifts, and `noise` its second
    largest move elsewhere (one incident is none of these). A step that is large and stays `changed` the quantile.
    """

    was: Numbers
    now: Numbers
    lag: float
    step: Numbers
    noise: Numbers
    changed: NDArray[np.bool_]

    def factors(self) -> list[tuple[float, float]]:
        """How far the step is from each factor of units in the worst quantile, and the factor, nearest first."""
        return sorted((float(np.abs(self.step - log(one)).max()), one) for one in FACTORS)


def both_of(old: Shown, new: Shown, alignment: Alignment) -> Both | None:
    """The groups of an alignment on both sides; None where too few samples are in any of them."""
    counted = old.samples, new.samples
    groups = [
        (ours, theirs)
        for ours, theirs in alignment.groups
        if min(counted[0][ours].max(), counted[1][theirs].max()) >= LEAST_SAMPLES
    ]
    if not groups:
        return None
    raw = []
    for side, shown in enumerate((old, new)):
        starts = np.cumsum([0, *(len(pair[side]) for pair in groups)])[:-1]
        values = shown.values(rates=old.counts or new.counts)[np.concatenate([pair[side] for pair in groups])]
        known = np.add.reduceat(np.isfinite(values), starts, axis=0)
        total = np.add.reduceat(np.nan_to_num(values), starts, axis=0)
        raw.append(np.where(known > 0, total / (1 if alignment.summed else np.maximum(known, 1)), np.nan))
    sizes = [np.median(np.abs(one)[np.abs(one) > 0]) for one in raw if (np.abs(one) > 0).any()]
    was, now = (np.arcsinh(one / (0.01 * min(sizes, default=1.0))) for one in raw)
    widths = [max((end - start) / BLOCKS, 1.0) for start, end in (old.span, new.span)]
    lag = 1.0 + (new.span[0] - old.span[1]) / max(widths)
    own = median(was, 1)[:, None]
    before, after = median(was - own, 0), median(now - own, 0)
    moves = np.concatenate([np.diff(before, axis=0), np.diff(after, axis=0)])
    step = first_known(after) - first_known(before[::-1]) - lag * median(moves, 0)
    noise = np.sort(np.nan_to_num(np.abs(moves - median(moves, 0))), axis=0)[-2] * max(abs(lag), 1.0)
    upward, downward = after - np.nanmax(before, axis=0), np.nanmin(before, axis=0) - after
    apart = np.nanmin(np.where(step > 0, upward, downward), axis=0)
    return Both(was, now, lag, step, noise, (np.abs(step) >= np.maximum(_LEAST_STEP, _TIMES * noise)) & (apart > 0))


def median(values: Numbers, axis: int) -> Numbers:
    """The median of what is known, NaN where nothing is; numpy's own takes a hundred times as long for small arrays."""
    ordered = np.sort(np.moveaxis(values, axis, 0), axis=0)
    known = np.isfinite(ordered).sum(axis=0)
    low, high = (np.take_along_axis(ordered, rank[None], 0)[0] for rank in (np.maximum(known - 1, 0) // 2, known // 2))
    return np.where(known > 0, (low + np.where(known % 2, low, high)) / 2, np.nan)


def first_known(blocks: Numbers) -> Numbers:
    """The first block that is known, by whatever stands in the columns."""
    return np.take_along_axis(blocks, np.isfinite(blocks).argmax(axis=0)[None], axis=0)[0]
