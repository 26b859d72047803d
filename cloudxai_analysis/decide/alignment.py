"""Which series of two metrics go together, by their labels, and which labels changed on the way."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Sets = Sequence[dict[str, str]]
_MOST_GROUPS = 200  # more series of a metric tell nothing new
_MOST_SPELLED = 50  # values of a label that are held against each other
_SHARED = 0.3  # of the values of two labels that are one under two names


@dataclass(frozen=True)
class Alignment:
    """Groups of series that go together, old and new, and what became of the labels.

    `renamed` gives a label's new name ('' of one that is gone), `added` those that only the new series have; one
    whose values are written in another way is both, if its name is the old one. `share` is how many of the groups
    of the smaller side are in both.
    """

    groups: list[tuple[NDArray[np.int64], NDArray[np.int64]]]
    renamed: dict[str, str]
    added: tuple[str, ...]
    share: float

    @property
    def summed(self) -> bool:
        """Whether a label that is gone or new has made one series of many, or many of one."""
        lost = bool(self.added) or "" in self.renamed.values()
        return lost and any(max(map(len, group)) > 1 for group in self.groups)


def aligned(old: Sets, new: Sets, process_labels: Collection[str] = ()) -> Alignment:
    """How the series of a metric go on as those of another; `process_labels` are never found renamed or respelled."""
    was, now = _values(old), _values(new)
    gone, came = (_usual(sets) - other.keys() for sets, other in ((old, now), (new, was)))
    called, spellings = _called(was, now, gone, came, process_labels)
    groups: dict[tuple[str, ...], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for row, labels in enumerate(old):
        key = (spellings.get(name, {}).get(labels.get(name, ""), labels.get(name, "")) for name in called)
        groups[tuple(key)][0].append(row)
    for row, labels in enumerate(new):
        groups[tuple(labels.get(name, "") for name in called.values())][1].append(row)
    both = [(np.array(first), np.array(second)) for first, second in groups.values() if first and second]
    least = min(sum(bool(pair[side]) for pair in groups.values()) for side in (0, 1))
    respelled = {name for name in spellings if called[name] == name}
    renamed = {name: called.get(name, "") for name in gone} | dict.fromkeys(respelled, "")
    added = (came - set(called.values())) | respelled
    return Alignment(
        both[:_MOST_GROUPS], dict(sorted(renamed.items())), tuple(sorted(added)), len(both) / max(least, 1)
    )


def _values(sets: Sets) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for labels in sets:
        for name, value in labels.items():
            found[name].add(value)
    return dict(found)


def _usual(sets: Sets) -> set[str]:
    """The labels of at least half of the series: others may come and go with these."""
    counted = Counter(name for labels in sets for name in labels)
    return {name for name, count in counted.items() if 2 * count >= len(sets)}


def _called(
    was: dict[str, set[str]], now: dict[str, set[str]], gone: set[str], came: set[str], fixed: Collection[str]
) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """The new name of each label by whose values series can be told apart, and how its values are written now."""
    shares = {
        (name, to): len(was[name] & now[to]) / len(was[name] | now[to])
        for name, to in (*((one, one) for one in was.keys() & now.keys()), *((a, b) for a in gone for b in came))
        if name == to or not {name, to} & {*fixed}
    }
    called: dict[str, str] = {}
    spellings: dict[str, dict[str, str]] = {}
    for (name, to), share in sorted(shares.items(), key=lambda one: (-one[1], one[0])):
        if name in called or to in called.values():
            continue
        if share >= _SHARED or (name == to and share):
            called[name] = to
        elif name not in fixed and (spelling := _spelling(was[name], now[to])):
            called[name], spellings[name] = to, spelling
    return called, spellings


def _spelling(old: set[str], new: set[str]) -> dict[str, str]:
    """How each old value is written now, where most are new ones with something before or behind them; else nothing."""
    if max(len(old), len(new)) > _MOST_SPELLED:
        return {}
    bare = {value: "".join(filter(str.isalnum, value)).casefold() for value in old | new}
    found: dict[str, str] = {}
    for value in sorted(old):
        like = [to for to in new if _affixed(bare[value], bare[to]) or _affixed(bare[to], bare[value])]
        found |= {value: like[0]} if len(like) == 1 else {}
    return found if 2 * len(set(found.values())) > max(len(old), len(new)) else {}


def _affixed(short: str, long: str) -> bool:
    """Whether a value is another one with something before or behind it, as 'cpu0' is '0'; 10.9 is no other 0.9."""
    before, behind = long.removesuffix(short), long.removeprefix(short)
    return bool(short) and (
        (long.endswith(short) and not before[-1:].isdigit()) or (long.startswith(short) and not behind[:1].isdigit())
    )
