"""Tenant labels that look generated: a stem and a UUID, a ULID, a hex string, a time, a pod's name or a counter."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd

from cloudxai_analysis.measures.frames import TIME, typed

_FOUND = {
    "stem": "str",
    "shape": "str",
    "count": "int64",
    "examples": "object",
    "first_seen": TIME,
    "last_seen": TIME,
}
# Every pattern is of bounded length, or a run of one kind of character: a label of a megabyte costs a megabyte's time.
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_BARE_UUID = re.compile(r"[0-9a-f]{32}", re.IGNORECASE)
_WRITTEN_TIME = re.compile(
    r"20[0-9]{2}-[01][0-9]-[0-3][0-9](?:[T_ -]?[0-2][0-9][:.-]?[0-5][0-9])?"
    r"|20[0-9]{2}[01][0-9][0-3][0-9]T[0-2][0-9][0-5][0-9]"
)
_EPOCH = re.compile(r"1[5-9][0-9]{8}(?:[0-9]{3}){0,3}")  # seconds to nanoseconds, from 2017 to 2033
_DATE = re.compile(r"20[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?:[0-9]{4}(?:[0-9]{2})?)?")
# https://github.com/ulid/spec: 26 characters of Crockford's base 32; the first two say "between 2004 and 2040" here.
_ULID = re.compile(r"\b01[0-9A-HJKMNP-TV-Z]{24}\b", re.IGNORECASE)
# Kubernetes draws the names of pods from letters and digits that make no words: k8s.io/apimachinery/pkg/util/rand.
_POD = re.compile(r"\b[bcdfghjklmnpqrstvwxz2456789]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\b")
_WORD = re.compile(r"[0-9A-Za-z]+")
_HEX = re.compile(r"[0-9a-f]+", re.IGNORECASE)
# In words that happen to be hex, as 'facade01', digits stand at the end; in random strings letters follow them, too.
_MIXED = re.compile(r"[0-9][a-f]", re.IGNORECASE)
_DIGITS, _HEX_DIGITS = "0123456789", "0123456789abcdefABCDEF"
_SHORTEST_WORD, _SHORTEST_TAIL = 6, 8  # hex digits, of a word of their own and at the end of one
_EXAMPLES = 3
# People do number their tenants, so a run of numbers says less than a hex string: it takes more of them.
_LEAST = {"uuid": 2, "ulid": 2, "hex": 3, "timestamp": 3, "pod": 3, "counter": 12}
_LONG_COUNT = 4  # digits from which a number may be a counter with something behind it, as in run-70311-eu
_MIXED_SHARE = 0.5  # of 8 random hex digits 94 % are mixed, of 6 still 86 %
_NEW_SHARE = 0.5
_NEW_AFTER = pd.Timedelta(hours=1)


@dataclass(frozen=True)
class _Shape:
    """What of a label may be generated: the stem before it, its shape, and the generated part."""

    stem: str
    shape: str
    part: str


def unstable_identifiers(tenants: pd.DataFrame) -> pd.DataFrame:
    """Groups of tenant labels that share a stem and the shape of what follows it.

    `tenants` has tenant, first_seen and last_seen (UTC), one row per label. A group needs two UUIDs or ULIDs, three hex
    strings (at least half with a letter after a digit, which words do not have), timestamps or pods' names, or twelve
    counters, of which at least half came over an hour after the first label of all: numbered tenants that stay are
    none. Words of both cases and digits (base 62, base 64) are not told from names.

    Columns: stem, shape ('uuid', 'ulid', 'hex', 'timestamp', 'pod' or 'counter'), count (labels), examples (tuple of at
    most three labels), first_seen, last_seen (UTC); the largest group first.
    """
    if tenants.empty:
        return typed([], _FOUND)
    names = tenants["tenant"].astype("str")
    shapes = _joined([_shape(name) for name in names], list(names))
    frame = tenants.assign(
        tenant=names, stem=[s.stem for s in shapes], shape=[s.shape for s in shapes], part=[s.part for s in shapes]
    )
    frame["new"] = frame["first_seen"] > frame["first_seen"].min() + _NEW_AFTER
    rows = [
        {
            "stem": stem,
            "shape": shape,
            "count": group["tenant"].nunique(),
            "examples": tuple(sorted(group["tenant"].unique())[:_EXAMPLES]),
            "first_seen": group["first_seen"].min(),
            "last_seen": group["last_seen"].max(),
        }
        for (stem, shape), group in frame[frame["shape"] != ""].groupby(["stem", "shape"])
        if group["tenant"].nunique() >= _LEAST[shape] and _looks_generated(shape, group)
    ]
    return typed(rows, _FOUND).sort_values(["count", "stem"], ascending=[False, True], ignore_index=True)


def _looks_generated(shape: str, group: pd.DataFrame) -> bool:
    if shape == "hex":
        return bool(group["part"].str.contains(_MIXED).mean() >= _MIXED_SHARE)
    return shape != "counter" or bool(group["new"].mean() >= _NEW_SHARE)


def _shape(name: str) -> _Shape:
    if match := _UUID.search(name):
        return _Shape(name[: match.start()], "uuid", match[0])
    if match := _ULID.search(name):
        return _Shape(name[: match.start()], "ulid", match[0])
    if match := _POD.search(name):
        return _Shape(name[: match.start()], "pod", match[0])
    if match := _WRITTEN_TIME.search(name):
        return _Shape(name[: match.start()], "timestamp", match[0])
    for word in _WORD.finditer(name):
        digits = word[0][len(word[0].rstrip(_DIGITS)) :]
        if _EPOCH.fullmatch(digits) or _DATE.fullmatch(digits):
            return _Shape(name[: word.end() - len(digits)], "timestamp", digits)
        if found := _hex_of(name, word):
            return found
        if digits and (word.end() == len(name) or (len(digits) >= _LONG_COUNT and digits == word[0])):
            return _Shape(name[: word.end() - len(digits)], "counter", digits)
    return _Shape(name, "", "")


def _hex_of(name: str, word: re.Match[str], *, mixed: bool = True) -> _Shape | None:
    """The hex string that a word is or ends with; only of one with a letter after a digit, unless told otherwise."""
    if _BARE_UUID.fullmatch(word[0]):
        return _Shape(name[: word.start()], "uuid", word[0])
    part = word[0][len(word[0].rstrip(_HEX_DIGITS)) :]
    # Six hex digits behind a separator are a word of their own; elsewhere they may be the end of a name.
    separate = len(part) == len(word[0]) and word.start() > 0
    shortest = _SHORTEST_WORD if separate else _SHORTEST_TAIL
    if len(part) < shortest or (mixed and not _MIXED.search(part)):
        return None
    return _Shape(name[: word.end() - len(part)], "hex", part)


def _joined(shapes: list[_Shape], names: list[str]) -> list[_Shape]:
    """The shapes, with labels that end like their hex siblings, but by chance in digits alone, put beside them."""
    siblings: dict[tuple[str, int], int] = {}
    for shape in shapes:
        if shape.shape == "hex":
            siblings[shape.stem, len(shape.part)] = siblings.get((shape.stem, len(shape.part)), 0) + 1
    if not siblings:
        return shapes
    return [
        shape if shape.shape == "hex" else _sibling(shape, name, siblings)
        for shape, name in zip(shapes, names, strict=True)
    ]


def _sibling(shape: _Shape, name: str, siblings: dict[tuple[str, int], int]) -> _Shape:
    for word in _WORD.finditer(name):
        other = _hex_of(name, word, mixed=False)
        if other and siblings.get((other.stem, len(other.part)), 0) >= _LEAST["hex"]:
            return other
    return shape


def names_in(names: pd.Series, found: pd.DataFrame) -> set[str]:
    """Those of `names` that belong to a group that `unstable_identifiers` found: same stem, same shape."""
    groups = set(zip(found["stem"], found["shape"], strict=True))
    known = list(names.astype("str").unique())
    shapes = _joined([_shape(name) for name in known], known)
    return {name for name, shape in zip(known, shapes, strict=True) if (shape.stem, shape.shape) in groups}
