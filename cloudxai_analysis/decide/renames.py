"""Which of the metrics that vanished go on under another name: the best one-to-one explanation of all of them.

Evidence is the natural logarithm of a likelihood ratio: how much better what is seen fits 'the same series under
another name' than 'two metrics that have nothing to do with each other'. It adds up.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, log
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cloudxai_analysis.decide.alignment import Alignment, aligned
from cloudxai_analysis.decide.levels import (
    COUNTS,
    FACTORS,
    FLOOR,
    MOVES,
    RESTS,
    Both,
    Numbers,
    Shown,
    both_of,
    first_known,
    median,
)

_ENOUGH, _SURE, _NAMED = 6.0, 10.0, 3.5  # of all evidence: to tell it, to be sure of it, to say that it may be so
_VALUES_ENOUGH, _MARGIN, _SURE_MARGIN = 1.8, 1.0, 2.0
_CANDIDATES, _ROUGHLY = 8, 6.0  # of each metric that vanished; as far as one may stand back at first sight
_MOST_PARTS = 8  # values of a label that is gone of which each may have become a metric
_SPREAD = 3.0  # how far apart unrelated metrics' levels are, in natural logarithms
_ANOTHER_UNIT = 2.0  # the price of one of so many factors
_MOST = 12.0
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
# They say nothing of what is measured.
_PLAIN = {"total", "count", "sum", "bucket", "info", "current", "ms", "seconds", "bytes", "kb", "percent", "ratio"}
Side = Mapping[str, Shown]
_Bases = tuple[str, str]


class Pair(NamedTuple):
    """A metric that vanished and one that appeared: the evidence of their values and of all, and what changed beside.

    `part` is the label and value of the one that became a metric of its own, or the other way round.
    """

    old: Shown
    new: Shown
    values: float
    total: float
    factor: float
    alignment: Alignment
    part: tuple[str, str] | None = None


@dataclass(frozen=True)
class Rename:
    """The pairs of a metric, or of the parts of a histogram, which move together.

    `margin` is how far the next best explanation, with `rival`, stands back.
    """

    pairs: tuple[Pair, ...]
    margin: float = inf
    rival: str = ""

    @property
    def total(self) -> float:
        """All evidence."""
        return sum(pair.total for pair in self.pairs)

    @property
    def told(self) -> bool:
        """Whether names are not all that speaks for it."""
        return self.total >= _ENOUGH and sum(pair.values for pair in self.pairs) >= _VALUES_ENOUGH

    @property
    def sure(self) -> str:
        """'sure', 'likely' or 'not known'."""
        known = "sure" if self.total >= _SURE and self.margin >= _SURE_MARGIN else "likely"
        return known if self.told and self.margin >= _MARGIN else "not known"


def renames(was: Side, now: Side, process_labels: Collection[str]) -> list[Rename]:
    """What goes on under another name, each with how sure it is; more than one where a metric became several."""
    families: dict[_Bases, list[Pair]] = defaultdict(list)
    for pair in _pairs(was, now, process_labels):
        families[_family(pair.old.name, was)[0], _family(pair.new.name, now)[0]].append(pair)
    found = {bases: Rename(tuple(pairs)) for bases, pairs in families.items()}
    return [one for block in _blocks({at: one for at, one in found.items() if one.total > _NAMED}) for one in block]


def _pairs(was: Side, now: Side, process_labels: Collection[str]) -> Iterator[Pair]:
    """Each metric that vanished with those that appeared and might be it."""
    gone, came = ([one[name] for name in sorted(one.keys() - other.keys())] for one, other in ((was, now), (now, was)))
    levels, parts = np.array([_level(one) for one in came]), np.array([_family(one.name, now)[1] for one in came])
    for old, named in zip(gone, _of_names(gone, came) if gone and came else (), strict=False):
        rough = named - np.minimum(np.abs(levels - _level(old)), 3.0)
        rough = np.where(parts == _family(old.name, was)[1], rough, -inf)
        for column in np.argsort(-rough, kind="stable")[:_CANDIDATES].tolist():
            if rough[column] >= max(rough.max() - _ROUGHLY, -_MOST):
                best = max(_with_parts(old, came[column], process_labels), key=lambda one: one.total)
                yield best._replace(total=best.total + float(named[column]))


def _with_parts(old: Shown, new: Shown, process_labels: Collection[str]) -> Iterator[Pair]:
    """The pair, and the pairs of each part of a metric of which a label is gone or new."""
    whole = _pair(old, new, process_labels)
    yield whole
    gone = [(old, name) for name, to in whole.alignment.renamed.items() if not to]
    for shown, label in (*gone, *((new, name) for name in whole.alignment.added)):
        values = sorted({one[label] for one in shown.labels if label in one})
        for value in values if 1 < len(values) <= _MOST_PARTS else ():
            part = shown.taken([row for row, one in enumerate(shown.labels) if one.get(label) == value])
            pair = _pair(*((part, new) if shown is old else (old, part)), process_labels)
            yield pair._replace(part=(label, value), total=pair.total - log(len(values)))


def _pair(old: Shown, new: Shown, process_labels: Collection[str]) -> Pair:
    alignment = aligned(old.labels, new.labels, process_labels)
    both = both_of(old, new, alignment)
    values, factor = _of_values(both, old, new) if both else (0.0, 1.0)
    labels = 2 * min(alignment.share, 1.0) - (1.5 if alignment.summed else 0.0)
    behave = {old.behaves, new.behaves}
    kinds = -6.0 if behave == {COUNTS, MOVES} else -3.0 if RESTS in behave and len(behave) > 1 else 0.0
    return Pair(old, new, values, values + labels + kinds, factor, alignment)


def _of_values(both: Both, old: Shown, new: Shown) -> tuple[float, float]:
    """What values say, and the factor that fits them best."""
    middle = both.was.shape[2] // 2
    was, now = both.was[:, :, middle].T, both.now[:, :, middle].T
    apart = first_known(now) - first_known(was[::-1])
    moves = np.abs(np.concatenate([np.diff(was, axis=0), np.diff(now, axis=0)]))
    width = 1.5 * median(moves, 0) * max(abs(both.lag), 1.0) ** 0.5 + FLOOR
    known = np.isfinite(apart) & np.isfinite(width)
    if not known.any():
        return 0.0, 1.0
    size = float(np.median(apart[known]))
    fits = _fits(size - np.log(FACTORS), float(np.median(width[known]))) - _ANOTHER_UNIT * (np.array(FACTORS) != 1)
    factor, best = FACTORS[int(fits.argmax())], float(fits.max())
    if old.behaves == new.behaves == RESTS:
        # 0 and small numbers are everywhere; a large one that is there again is not.
        telling = int((np.abs(np.unique(old.levels[np.isfinite(old.levels)])) > 100).sum())
        return min(best, 1.0 + telling if telling else 0.0), factor
    return best + _of_pattern(median(was, 0)[known], median(now, 0)[known], (apart - size)[known], width[known]), factor


def _fits(apart: Any, width: Any, spread: float = _SPREAD) -> Any:
    """A normal distribution of this width against one of unrelated metrics; what is far off is never certain."""
    misses, tells = apart**2 / (2 * width**2), apart**2 / (2 * spread**2)
    return np.log(np.maximum(spread / width, 1.0)) - np.minimum(misses, _MOST) + np.minimum(tells, _MOST / 4)


def _of_pattern(was: Numbers, now: Numbers, apart: Numbers, width: Numbers) -> float:
    """What the levels of several series say against each other."""
    spread = float(np.hypot(np.nanstd(was), np.nanstd(now)))
    if len(apart) < 2 or spread < 1.5 * float(np.median(width)):
        return 0.0
    return float(np.clip(np.mean(_fits(apart, width, spread)) * min(len(apart) - 1, 4), -_MOST, 8.0))


def _of_names(old: Sequence[Shown], new: Sequence[Shown]) -> Numbers:
    """What names and help texts say, one row an old metric: rare words that both have count most."""
    texts = [f"{one.name} {one.told.get('help', '')}" for one in (*old, *new)]
    said = [{word.lower() for word in _WORDS.findall(text)} for text in texts]
    words = pd.Series([sorted(one - _PLAIN or one) for one in said]).explode()
    table = pd.crosstab(words.index, words).reindex(range(len(said)), fill_value=0)
    weights = (table * np.log(1 + len(said) / table.sum())).to_numpy()
    weights = weights / np.maximum(np.linalg.norm(weights, axis=1), FLOOR)[:, None]
    return 4.5 * (weights[: len(old)] @ weights[len(old) :].T) - 0.6


def _blocks(found: Mapping[_Bases, Rename]) -> Iterator[Iterator[Rename]]:
    """The candidates explained in blocks that have no metric in common, so that no matrix is larger than it must be."""
    if not found:
        return
    names = (sorted(set(side)) for side in zip(*found, strict=True))
    rows, columns = ({name: number for number, name in enumerate(side)} for side in names)
    edges = np.array([(rows[old], len(rows) + columns[new]) for old, new in found])
    size = len(rows) + len(columns)
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(size, size))
    blocks: dict[int, dict[_Bases, Rename]] = defaultdict(dict)
    number = connected_components(graph, directed=False)[1][edges[:, 0]].tolist()
    for at, (bases, one) in zip(number, found.items(), strict=True):
        blocks[at][bases] = one
    yield from map(_explained, blocks.values())


def _explained(block: Mapping[_Bases, Rename]) -> Iterator[Rename]:
    """The best assignment of a block, how far the next best stands back, and what else goes on from the same metric."""
    olds, news = (sorted(set(side)) for side in zip(*block, strict=True))
    rows, columns = ({name: number for number, name in enumerate(side)} for side in (olds, news))
    # As many rows and columns more as may stay alone.
    scores = np.zeros((len(olds) + len(news),) * 2)
    for (old, new), one in block.items():
        scores[rows[old], columns[new]] = one.total - _NAMED
    to = linear_sum_assignment(scores, maximize=True)[1]
    own = scores[np.arange(len(to)), to]
    chosen = [(olds[row], news[to[row]]) for row in range(len(olds)) if own[row] > 0]
    for bases, one in block.items():
        of = [block[at] for at in chosen if (at[0] == bases[0]) != (at[1] == bases[1])]
        if len(of) == 1 and one.told and _is_another(one, of[0]):
            scores[rows[bases[0]], columns[bases[1]]] = 0.0
            yield one
    swapped = scores[:, to]
    lost = np.where((swapped > 0) | (swapped.T > 0), own[:, None] + own - swapped - swapped.T, inf)
    np.fill_diagonal(lost, inf)
    for old, new in chosen:
        row = rows[old]
        other = int(lost[row].argmin())
        rival = news[to[other]] if swapped[row, other] > 0 else olds[other] if other < len(olds) else ""
        yield replace(block[old, new], margin=float(lost[row, other]), rival=rival)


def _is_another(one: Rename, chosen: Rename) -> bool:
    """Whether a metric beside the one that was chosen goes on from the same one, too: another part, or a copy."""
    ours, theirs = one.pairs[0], chosen.pairs[0]
    if ours.part or theirs.part:
        return ours.part != theirs.part
    levels = ours.new.levels, theirs.new.levels  # the same but for what one of them lacks
    return ours.old is theirs.old and levels[0].shape == levels[1].shape and np.mean(levels[0] == levels[1]) >= 0.5


def _family(name: str, side: Side) -> tuple[str, str]:
    """What the parts of a histogram or a summary have in common, and which part it is."""
    for part in ("_bucket", "_count", "_sum"):
        if name.endswith(part) and {f"{name.removesuffix(part)}{one}" for one in ("_count", "_sum")} <= side.keys():
            return name.removesuffix(part), part
    return name, ""


def _level(shown: Shown) -> float:
    """The usual size of what it shows, as a natural logarithm."""
    values = shown.values(rates=shown.counts)
    values = np.abs(values[:, :, values.shape[2] // 2])
    return float(np.log(np.median(values[values > 0]))) if (values > 0).any() else -30.0
