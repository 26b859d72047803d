"""What two batches of one metric do not share, sample by sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.sources.series import STALENESS_MARKER_BITS, Labels, SeriesBatch, canonical_labels
from cloudxai_analysis.sources.victoria_metrics import needed_neighbour

# What a sample can be, the worst first, and how it is said.
KINDS = {
    "different": "another value in B",
    "extra": "in B alone",
    "doubled": "in B once more",
    "late": "another time in B",
    "missing": "not in B",
    "staleness": "staleness markers that are not in B, where the series seem to go on",
    "hidden": "staleness markers, which the other one's way of reading hides",
    "rounded": "rounded, for VictoriaMetrics stores decimals",
    "no number": "NaN, which VictoriaMetrics drops",
}

Bits = NDArray[np.int64]  # of values, and keys: a series' number times a width, plus the time
Mask = NDArray[np.bool_]
Pairs = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Likeness:
    """When series and samples of A and B count as the same.

    `added` are the labels, with their values, that each adds to all of its series; `ignored` names
    labels that do not count; `decimals` says that one stores decimals, `hidden` which of them hides
    markers; `late_ms` by how much a sample's time may have moved.
    """

    late_ms: int
    added: tuple[Pairs, Pairs] = (frozenset(), frozenset())
    ignored: frozenset[str] = frozenset()
    decimals: bool = False
    hidden: tuple[bool, bool] = (False, False)


def added_labels(ours: Sequence[Labels], theirs: Sequence[Labels]) -> Pairs:
    """The labels, with their values, that each label set of `theirs` has, and whose names none of `ours` has."""
    if not ours or not theirs:
        return frozenset()
    common = frozenset.intersection(*(frozenset(labels.items()) for labels in theirs))
    return frozenset((name, value) for name, value in common if value and not any(name in labels for labels in ours))


def differences(ours: SeriesBatch, theirs: SeriesBatch, window: Window, likeness: Likeness) -> pd.DataFrame:
    """The samples of a window that A's and B's batch do not share, a row each; all others are the same.

    Both batches should reach `late_ms` over either end of the window. Columns: series (canonical
    labels, those that count), kind (of `KINDS`), time (int64 milliseconds; A's, where it has one),
    needed (of a different one: how large a value must be among those that are stored with it for
    decimals to have rounded it; else missing).
    """
    known: dict[Pairs, int] = {}
    base, late = window.start_ms - likeness.late_ms, likeness.late_ms
    width = window.end_ms - base + 2 * late + 1  # keeps the times of two series apart, however late
    ids = [_numbers(batch, known, likeness, side) for side, batch in enumerate((ours, theirs))]
    a_keys, a, a_twice = _placed(ours, ids[0], base, width)
    b_keys, b, b_twice = _placed(theirs, ids[1], base, width)
    at, found = _found(a_keys, b_keys)
    left = np.ones(len(b), dtype=bool)
    left[at[found]] = False
    both = np.flatnonzero(found)
    both = both[a[both] != b[at[both]]]
    needed = _unlike(a[both], b[at[both]], likeness)
    wrong, rounded = both[needed > 0], both[needed == 0]
    lone, more = np.flatnonzero(~found), np.flatnonzero(left)
    second = _under_second_labels(known, len(np.unique(ids[0])), (a_keys, a), (b_keys[more], b[more]), width)
    more, twice = more[~second], more[second]
    moved, mover = _moved(a_keys[lone], a[lone], b_keys[more], b[more], late)
    rows = [
        ("different", a_keys[wrong]),
        ("rounded", a_keys[rounded]),
        ("doubled", np.concatenate([b_twice[~np.isin(b_twice, a_twice)], b_keys[twice]])),
        ("late", a_keys[lone[moved]]),
    ]
    for kind, keys, bits, alone, other in (
        ("missing", a_keys, a, np.delete(lone, moved), 1),
        ("extra", b_keys, b, np.delete(more, mover), 0),
    ):
        rows += _by_kind(kind, keys[alone], bits[alone], likeness, hidden=likeness.hidden[other])
    return _frame(rows, list(known), window, base, width, needed[needed > 0])


def _numbers(batch: SeriesBatch, known: dict[Pairs, int], likeness: Likeness, side: int) -> Bits:
    """A number for each series, by the labels that count; what a side adds counts where A's series has it itself."""
    numbers = []
    for labels in batch.labels:
        whole = frozenset((name, value) for name, value in labels.items() if value and name not in likeness.ignored)
        own = whole if side and whole in known else whole - likeness.added[side]
        numbers.append(known.setdefault(own, len(known)))
    return np.array(numbers, dtype=np.int64)


def _placed(batch: SeriesBatch, ids: Bits, base: int, width: int) -> tuple[Bits, Bits, Bits]:
    """The keys in order, the values' bits, and keys that came once more, of which the first value is kept."""
    lengths = np.diff(batch.offsets)
    keys, bits = np.repeat(ids * width - base, lengths) + batch.times, batch.values.view(np.int64)
    if np.any(np.diff(ids) <= 0):
        # Whole series are moved first: a sort of runs costs much less than one of samples.
        order = np.argsort(ids, kind="stable")
        before = np.cumsum(lengths[order]) - lengths[order]
        index = np.arange(len(keys)) + np.repeat(batch.offsets[:-1][order] - before, lengths[order])
        keys, bits = keys[index], bits[index]
    if np.any(np.diff(keys) < 0):
        order = np.argsort(keys, kind="stable")
        keys, bits = keys[order], bits[order]
    first = np.diff(keys, prepend=-1) != 0
    return (keys, bits, keys[:0]) if first.all() else (keys[first], bits[first], keys[~first])


def _found(keys: Bits, among: Bits) -> tuple[Bits, Mask]:
    """Where each key stands among others, and whether it does."""
    if np.array_equal(keys, among):
        return np.arange(len(keys)), np.ones(len(keys), dtype=bool)
    at = np.searchsorted(among, keys)
    found = np.append(among, -2)[at] == keys
    return np.where(found, at, 0), found


def _unlike(a: Bits, theirs: Bits, likeness: Likeness) -> NDArray[np.float64]:
    """How large a value beside each of A's must be for decimals to make B's of it; -1 where both are NaN."""
    ours, values = a.view(float), theirs.view(float)
    # JSON has one NaN only, whatever its bits were.
    nan = np.isnan(ours) & np.isnan(values) & (a != STALENESS_MARKER_BITS) & (theirs != STALENESS_MARKER_BITS)
    needed = needed_neighbour(ours, values) if likeness.decimals else np.full(len(ours), np.inf)
    return np.where(nan, -1, needed)


def _under_second_labels(
    known: dict[Pairs, int], ours: int, a: tuple[Bits, Bits], lone: tuple[Bits, Bits], width: int
) -> Mask:
    """Which of B's lone samples are those of a series of A that has all of their labels but one."""
    parents = np.full(len(known), -1, dtype=np.int64)
    for labels, number in list(known.items())[ours:]:
        above = (known.get(labels - {pair}, ours) for pair in labels)
        parents[number] = next((parent for parent in above if parent < ours), -1)
    keys, bits = lone
    parent = parents[keys // width]
    at, found = _found(np.where(parent < 0, -1, parent * width + keys % width), a[0])
    found[found] = a[1][at[found]] == bits[found]
    return found


def _moved(a_keys: Bits, a: Bits, b_keys: Bits, b: Bits, late: int) -> tuple[Bits, Bits]:
    """Which of A's lone samples have their value within `late` of their time in B, and where; each of B's once."""
    if not len(a_keys) or not len(b_keys):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    after = np.minimum(np.searchsorted(b_keys, a_keys), len(b_keys) - 1)
    sides = np.stack([np.maximum(after - 1, 0), after])
    apart = np.where(b[sides] == a, np.abs(b_keys[sides] - a_keys), late + 1)
    nearest = np.where(apart[0] <= apart[1], sides[0], sides[1])
    moved = np.flatnonzero(apart.min(axis=0) <= late)
    mover, first = np.unique(nearest[moved], return_index=True)
    return moved[first], mover


def _by_kind(kind: str, keys: Bits, bits: Bits, likeness: Likeness, *, hidden: bool) -> Iterator[tuple[str, Bits]]:
    """The keys of samples that one side has alone, by what they are."""
    markers = bits == STALENESS_MARKER_BITS
    dropped = np.isnan(bits.view(float)) & ~markers & likeness.decimals
    yield "hidden" if hidden else "staleness" if kind == "missing" else kind, keys[markers]
    yield "no number", keys[dropped]
    yield kind, keys[~markers & ~dropped]


def _frame(
    rows: Iterable[tuple[str, Bits]],
    names: list[Pairs],
    window: Window,
    base: int,
    width: int,
    needed: NDArray[np.float64],
) -> pd.DataFrame:
    kept = [(list(KINDS).index(kind), keys) for kind, keys in rows]
    keys = np.concatenate([keys for _, keys in kept])
    kinds = np.repeat([kind for kind, _ in kept], [len(keys) for _, keys in kept]).astype(np.int8)
    inside = (keys % width + base >= window.start_ms) & (keys % width + base < window.end_ms)
    # The different ones come first.
    needed = np.append(needed, np.full(len(keys) - len(needed), np.nan))[inside]
    keys, kinds = keys[inside], kinds[inside]
    codes, used = pd.factorize(keys // width)
    labels = [canonical_labels(dict(names[number])) for number in used]
    kind, series = pd.Categorical.from_codes(kinds, list(KINDS)), pd.Categorical.from_codes(codes, labels)
    return pd.DataFrame({"series": series, "kind": kind, "time": keys % width + base, "needed": needed})
