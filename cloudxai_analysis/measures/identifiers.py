"""Tenant labels that are generated: they look it (a stem and a UUID, a time, a counter …), and they behave like it."""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.frames import typed, types

_LOOKS = types("tenant stem shape")


class Shape(NamedTuple):
    """A form that programs give to names: how people call it, how many make a group, how many at once are a burst.

    People do number their tenants, so a run of numbers says less than a hex string: it takes more of them.
    """

    words: str
    few: int = 3
    many: int = 5


SHAPES = {
    "uuid": Shape("UUID"),
    "ulid": Shape("ULID"),
    "hex": Shape("hex string"),
    "timestamp": Shape("time stamp"),
    "pod": Shape("pod's random ending"),
    "counter": Shape("running number", few=12, many=12),
}
# Every pattern is of bounded length, or a run of one kind of character: a label of a megabyte costs a megabyte's time.
_ANYWHERE = {
    "uuid": re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE),
    # https://github.com/ulid/spec: 26 characters of Crockford's base 32; the first two mean "2004 to 2040".
    "ulid": re.compile(r"(?<![0-9A-Z])01[0-9A-HJKMNP-TV-Z]{24}(?![0-9A-Z])", re.IGNORECASE),
    # Kubernetes draws the names of pods from letters and digits that make no words: k8s.io/apimachinery/pkg/util/rand.
    "pod": re.compile(r"\b[bcdfghjklmnpqrstvwxz2456789]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\b"),
    "timestamp": re.compile(
        r"20[0-9]{2}-[01][0-9]-[0-3][0-9](?:[T_ -]?[0-2][0-9][:.-]?[0-5][0-9])?"
        r"|20[0-9]{2}[01][0-9][0-3][0-9]T[0-2][0-9][0-5][0-9]"
    ),
}
_BARE_UUID = re.compile(r"[0-9a-f]{32}", re.IGNORECASE)
_EPOCH = re.compile(r"1[5-9][0-9]{8}(?:[0-9]{3}){0,3}")  # seconds to nanoseconds, from 2017 to 2033
_DATE = re.compile(r"20[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?:[0-9]{4}(?:[0-9]{2})?)?")
_WORD = re.compile(r"[0-9A-Za-z]+")
# In words that happen to be hex, as 'facade01', digits stand at the end; in random strings letters follow them, too.
_MIXED = re.compile(r"[0-9][a-f]", re.IGNORECASE)
_DIGITS, _HEX_DIGITS = "0123456789", "0123456789abcdefABCDEF"
_SHORTEST_WORD, _SHORTEST_TAIL = 6, 8  # hex digits, of a word of their own and at the end of one
_EXAMPLES = 3
_LONG_COUNT = 4  # digits from which a number may be a counter with something behind it, as in run-70311-eu
_MIXED_SHARE = 0.5  # of 8 random hex digits 94 % are mixed, of 6 still 86 %
_MINUTES, _HOUR, _DAYS = pd.Timedelta(minutes=10), pd.Timedelta(hours=1), pd.Timedelta(days=2)
_SETTLED = pd.Timedelta(minutes=5)  # a scrape or two
_MOST = 0.5  # share of a group from which on what is true of some names is taken to be true of all that came


class _Part(NamedTuple):
    """What of a label may be generated: the stem before it, its shape ('' none), and the generated part."""

    stem: str
    shape: str
    part: str


def generated_names(arrivals: pd.DataFrame, *, refusals: pd.DataFrame, gaps: pd.DataFrame) -> pd.DataFrame:
    """Tenant labels that look generated and behave like it, over all that was read.

    Labels look generated where three or more (counters: twelve) share a stem and a shape. They behave like it
    where five (counters: twelve) of them were first seen within ten minutes, or within an hour of the start of
    refusals; or where at least half of the stem's names, three or more (twelve), were gone within two days or with
    the process that they came to. If that is so for half of those that came, it is taken to be so for all that came.
    None is a name that was seen by a process that began over two days after it came. When a name came is not known in
    the first hour of all, after a gap, and where its process is older than what was seen of it.

    Columns: tenant, stem, shape, first_seen, last_seen, why; by first_seen.
    """
    looks = _look_generated(arrivals["tenant"])
    if looks.empty:
        return typed([], generated_names)
    names = looks.merge(_lives(arrivals, gaps), on="tenant")
    names["refusing"] = False
    for start in refusals["start"]:
        names["refusing"] |= names["first_seen"].between(start - _HOUR, start + _HOUR)
    names["why"] = ""
    for (_, shape), own in names.groupby(["stem", "shape"]):
        names.loc[own.index, "why"] = _why(own.sort_values("first_seen"), SHAPES[str(shape)])
    found = names[names["why"] != ""].sort_values(["first_seen", "tenant"], ignore_index=True)
    return typed(found, generated_names)


def _lives(arrivals: pd.DataFrame, gaps: pd.DataFrame) -> pd.DataFrame:
    """By tenant: first_seen, last_seen, came (it is known when), outlived (its first process), short (it was gone)."""
    rows = arrivals.assign(began=arrivals["started_at"].fillna(pd.Timestamp(0, tz="UTC")))
    run = rows.groupby(["job", "instance", "began"], observed=True)
    begin, rows["end"] = run["seen_at"].transform("min"), run["last_seen"].transform("max")
    rows["came"] = rows["seen_at"] > rows["seen_at"].min() + _HOUR
    rows["came"] &= (begin - rows["began"] <= _MINUTES) | (rows["seen_at"] > begin + _SETTLED)
    for gap in gaps[gaps["end"] - gaps["start"] >= _MINUTES].itertuples():
        rows["came"] &= ~rows["seen_at"].between(gap.end, gap.end + _SETTLED)
    found = (
        rows.sort_values("seen_at", kind="stable")
        .groupby("tenant")
        .agg(
            first_seen=("seen_at", "min"),
            last_seen=("last_seen", "max"),
            came=("came", "first"),
            end=("end", "first"),
            began=("began", "max"),
        )
    )
    found["outlived"] = found["began"] > found["first_seen"] + _DAYS
    brief = found["came"] & (found["last_seen"] - found["first_seen"] < _DAYS)
    with_process = (found["end"] - found["last_seen"]).abs() <= _SETTLED
    found["short"] = (found["last_seen"] < rows["last_seen"].max() - _HOUR) & (brief | with_process)
    return found.reset_index()


def _why(own: pd.DataFrame, shape: Shape) -> pd.Series:
    """Of the names of one stem and shape, by first_seen, what each does that generated ones do; '' where nothing."""
    free = ~own["outlived"]
    came, short = own["came"] & free, own["short"] & free
    why = pd.Series("", index=own.index)
    if short.sum() >= max(shape.few, _MOST * len(own)):
        why[short] = "short-lived"
    if (came & own["refusing"]).sum() >= shape.many:
        why[came & own["refusing"]] = "while refusing"
    times = own.loc[came, "first_seen"]
    begins = times.shift(1 - shape.many) - times <= _MINUTES
    why[times.index[begins.rolling(shape.many, min_periods=1).max().astype(bool)]] = "at once"
    if (why[came] != "").sum() >= max(shape.few, _MOST * came.sum()):
        why[came] = why[came].replace("", "like the others")
    return why


def unstable_identifiers(names: pd.DataFrame, window: Window) -> pd.DataFrame:
    """The generated names that were seen in a window, by stem and shape; `names` as `generated_names` gives them.

    Columns: stem, shape, count, new, still, examples, first_seen, last_seen; the largest first.
    """
    seen = names[(names["last_seen"] >= window.start) & (names["first_seen"] < window.end)]
    seen = seen.assign(new=seen["first_seen"] >= window.start, still=seen["last_seen"] >= window.end - _HOUR)
    found = seen.groupby(["stem", "shape"], as_index=False).agg(
        count=("tenant", "size"),
        new=("new", "sum"),
        still=("still", "sum"),
        examples=("tenant", lambda own: tuple(sorted(own)[:_EXAMPLES])),
        first_seen=("first_seen", "min"),
        last_seen=("last_seen", "max"),
    )
    return typed(found.sort_values(["count", "stem"], ascending=[False, True], ignore_index=True), unstable_identifiers)


def generated_bursts(names: pd.DataFrame) -> pd.DataFrame:
    """Bursts of generated names of one stem: three or more, each first seen within an hour of the one before.

    Columns: stem, shape, start, end, names; by start.
    """
    own = names.sort_values(["stem", "shape", "first_seen"], ignore_index=True)
    apart = own.groupby(["stem", "shape"])["first_seen"].diff() > _HOUR
    found = own.groupby(["stem", "shape", apart.cumsum().rename("part")], as_index=False).agg(
        start=("first_seen", "min"), end=("last_seen", "max"), names=("tenant", "size")
    )
    return typed(found[found["names"] >= _EXAMPLES].sort_values(["start", "stem"], ignore_index=True), generated_bursts)


def names_in(names: pd.Series, generated: pd.DataFrame) -> set[str]:
    """Those of `names` that are generated, or have stem and shape of some that `generated_names` found."""
    groups = set(zip(generated["stem"], generated["shape"], strict=True))
    known = list(names.astype("str").unique())
    return {name for name, one in zip(known, _parts(known), strict=True) if (one.stem, one.shape) in groups}


def _look_generated(tenants: pd.Series) -> pd.DataFrame:
    """Of labels those that share a stem and the shape of what follows it with enough others: tenant, stem, shape.

    Of hex strings at least half must have a letter after a digit, which words do not have. Words of both cases and
    digits (base 62, base 64) are not told from names.
    """
    names = list(tenants.astype("str").unique())
    frame = pd.DataFrame(_parts(names), columns=list(_Part._fields), dtype="str").assign(tenant=names)
    frame = frame[frame["shape"] != ""]
    group = frame.assign(mixed=frame["part"].str.contains(_MIXED).astype(float)).groupby(["stem", "shape"])
    few = frame["shape"].map({key: one.few for key, one in SHAPES.items()}).astype(float)
    enough = group["tenant"].transform("size").astype(float) >= few
    mixed = (frame["shape"] != "hex") | (group["mixed"].transform("mean") >= _MIXED_SHARE)
    return typed(frame[enough & mixed], _LOOKS)


def _parts(names: list[str]) -> list[_Part]:
    """What each name consists of; one that ends like its hex siblings, but by chance in digits alone, is like them."""
    parts = [_part(name) for name in names]
    siblings = Counter((one.stem, len(one.part)) for one in parts if one.shape == "hex")
    for place, (name, own) in enumerate(zip(names, parts, strict=True)):
        if own.shape != "hex" and siblings:
            others = (_hex_of(name, word, mixed=False) for word in _WORD.finditer(name))
            like = (one for one in others if one and siblings[one.stem, len(one.part)] >= SHAPES["hex"].few)
            parts[place] = next(like, own)
    return parts


def _part(name: str) -> _Part:
    for shape, pattern in _ANYWHERE.items():
        if match := pattern.search(name):
            return _Part(name[: match.start()], shape, match[0])
    for word in _WORD.finditer(name):
        digits = word[0][len(word[0].rstrip(_DIGITS)) :]
        stem = name[: word.end() - len(digits)]
        if _EPOCH.fullmatch(digits) or _DATE.fullmatch(digits):
            return _Part(stem, "timestamp", digits)
        if found := _hex_of(name, word):
            return found
        if digits and (word.end() == len(name) or (len(digits) >= _LONG_COUNT and digits == word[0])):
            return _Part(stem, "counter", digits)
    return _Part(name, "", "")


def _hex_of(name: str, word: re.Match[str], *, mixed: bool = True) -> _Part | None:
    """The hex string that a word is or ends with; only of one with a letter after a digit, unless told otherwise."""
    if _BARE_UUID.fullmatch(word[0]):
        return _Part(name[: word.start()], "uuid", word[0])
    part = word[0][len(word[0].rstrip(_HEX_DIGITS)) :]
    # Six hex digits behind a separator are a word of their own; elsewhere they may be the end of a name.
    separate = len(part) == len(word[0]) and word.start() > 0
    if len(part) < (_SHORTEST_WORD if separate else _SHORTEST_TAIL) or (mixed and not _MIXED.search(part)):
        return None
    return _Part(name[: word.end() - len(part)], "hex", part)
