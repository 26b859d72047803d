"""Tenant labels that are generated: they look it (a stem and a UUID, a time …), and behave so."""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.frames import ordered, typed


class Shape(NamedTuple):
    """A form of made-up names: how people call it, how many make a group, how many a burst."""

    words: str
    few: int = 3
    many: int = 5


SHAPES = {
    "uuid": Shape("UUID"),
    "ulid": Shape("ULID"),
    "pod": Shape("pod's random ending"),
    "timestamp": Shape("time stamp"),
    "hex": Shape("hex string"),
    "counter": Shape("running number", few=12, many=12),
}
# At the end of a word, or a word of its own. A run is tried at its begin alone: a megabyte costs a megabyte's time.
_HEX = r"(?<![0-9a-f])(?:(?<=[^0-9a-z])[0-9a-f]{6,}|[0-9a-f]{8,})(?![0-9a-z])"
_LOOKS = re.VERBOSE | re.IGNORECASE | re.ASCII
_ANY_HEX = re.compile(_HEX, _LOOKS)
# ULID: 26 characters of Crockford's base 32 (github.com/ulid/spec), the first two "2004 to 2040". Pods: Kubernetes
# draws names from characters that make no words (k8s.io/apimachinery/pkg/util/rand). Timestamps: dates, and seconds to
# nanoseconds from 2017 to 2033. Of hex strings a letter follows a digit, which words as 'facade01' do not have.
_PART = re.compile(
    rf"""
    (?P<uuid> [0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}} | (?<![0-9a-z])[0-9a-f]{{32}}(?![0-9a-z]))
    | (?P<ulid> (?<![0-9a-z])01[0-9a-hjkmnp-tv-z]{{24}}(?![0-9a-z]))
    | (?P<pod> \b[bcdfghjklmnpqrstvwxz2456789]{{8,10}}-[bcdfghjklmnpqrstvwxz2456789]{{5}}\b)
    | (?P<timestamp> 20\d\d-[01]\d-[0-3]\d(?:[T_\ -]?[0-2]\d[:.-]?[0-5]\d)?
      | 20\d\d[01]\d[0-3]\dT[0-2]\d[0-5]\d
      | (?<!\d)(?: 1[5-9]\d{{8}}(?:\d{{3}}){{0,3}}
        | 20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{{4}}(?:\d\d)?)?)(?![0-9a-z]))
    | (?P<hex> (?<![0-9a-f])(?=[0-9a-f]*[0-9][a-f]){_HEX})
    | (?P<counter> (?<!\d)\d+\Z | (?<![0-9a-z])\d{{4,}}(?![0-9a-z]))
    """,
    _LOOKS,
)
_EXAMPLES = 3
_MINUTES, _HOUR, _DAYS = pd.Timedelta(minutes=10), pd.Timedelta(hours=1), pd.Timedelta(days=2)
_SETTLED = pd.Timedelta(minutes=5)  # a scrape or two
_MOST = 0.5  # share of a group from which on what is true of some names is taken to be true of all that came


def generated_names(arrivals: pd.DataFrame, *, refusals: pd.DataFrame, gaps: pd.DataFrame) -> pd.DataFrame:
    """Tenant labels that look generated and behave like it, over all that was read.

    Columns: tenant, stem, shape, first_seen, last_seen, why; by first_seen.
    """
    looks = _parts(list(arrivals["tenant"].unique()))
    looks = looks[looks["shape"] != ""]
    few = looks["shape"].map({shape: one.few for shape, one in SHAPES.items()}).astype(float)
    looks = looks[looks.groupby(["stem", "shape"])["tenant"].transform("size").astype(float) >= few]
    if looks.empty:
        return typed([], generated_names)
    names = ordered(looks.merge(_lives(arrivals, gaps), on="tenant"), "first_seen tenant")
    names["refusing"] = False
    for start in refusals["start"]:
        names["refusing"] |= names["first_seen"].between(start - _HOUR, start + _HOUR)
    names["why"] = ""
    for (_, shape), own in names.groupby(["stem", "shape"]):
        names.loc[own.index, "why"] = _why(own, SHAPES[str(shape)])
    return typed(names[names["why"] != ""].reset_index(drop=True), generated_names)


def _lives(arrivals: pd.DataFrame, gaps: pd.DataFrame) -> pd.DataFrame:
    """By tenant: first_seen, last_seen, came (known when), outlived (its first process), short (gone)."""
    rows = arrivals.assign(began=arrivals["started_at"].fillna(pd.Timestamp(0, tz="UTC")))
    run = rows.groupby(["job", "instance", "began"], observed=True)
    begin, rows["end"] = run["seen_at"].transform("min"), run["last_seen"].transform("max")
    rows["came"] = rows["seen_at"] > rows["seen_at"].min() + _HOUR
    rows["came"] &= (begin - rows["began"] <= _MINUTES) | (rows["seen_at"] > begin + _SETTLED)
    for gap in gaps[gaps["end"] - gaps["start"] >= _MINUTES].itertuples():
        rows["came"] &= ~rows["seen_at"].between(gap.end, gap.end + _SETTLED)
    by_tenant = rows.sort_values("seen_at", kind="stable").groupby("tenant")
    found = by_tenant.agg({"seen_at": "first", "last_seen": "max", "came": "first", "end": "first", "began": "max"})
    found = found.rename(columns={"seen_at": "first_seen"})
    found["outlived"] = found["began"] > found["first_seen"] + _DAYS
    brief = found["came"] & (found["last_seen"] - found["first_seen"] < _DAYS)
    with_process = (found["end"] - found["last_seen"]).abs() <= _SETTLED
    found["short"] = (found["last_seen"] < rows["last_seen"].max() - _HOUR) & (brief | with_process)
    return found.reset_index()


def _why(own: pd.DataFrame, shape: Shape) -> pd.Series:
    """What each name of one stem and shape, by first_seen, does that generated ones do; '' nothing."""
    came, short = own["came"] & ~own["outlived"], own["short"] & ~own["outlived"]
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
    """Generated names seen in a window, by stem and shape; `names` as of `generated_names`.

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
    return typed(found, unstable_identifiers, by="-count stem")


def generated_bursts(names: pd.DataFrame) -> pd.DataFrame:
    """Bursts of generated names of one stem: three or more, an hour apart at most.

    Columns: stem, shape, start, end, names; by start.
    """
    own = ordered(names, "stem shape first_seen")
    apart = own.groupby(["stem", "shape"])["first_seen"].diff() > _HOUR
    found = own.groupby(["stem", "shape", apart.cumsum().rename("part")], as_index=False).agg(
        start=("first_seen", "min"), end=("last_seen", "max"), names=("tenant", "size")
    )
    return typed(found[found["names"] >= _EXAMPLES], generated_bursts, by="start stem")


def names_in(names: pd.Series, generated: pd.DataFrame) -> set[str]:
    """Those of `names` with the stem and shape of some that `generated_names` found."""
    groups = set(zip(generated["stem"], generated["shape"], strict=True))
    known = _parts(list(names.astype("str").unique()))
    return {row.tenant for row in known.itertuples() if (row.stem, row.shape) in groups}


def _parts(names: list[str]) -> pd.DataFrame:
    """Tenant, stem and shape ('' none) of each label, by what stands first in it that looks generated.

    One that ends like three hex strings, but by chance in digits alone, is like them. Words of both
    cases and digits (base 62, base 64) are not told from names.
    """
    found = [_part(name) for name in names]
    siblings = Counter((stem, size) for stem, shape, size in found if shape == "hex")
    rows = []
    for name, (stem, shape, _) in zip(names, found, strict=True):
        ends = ((name[: part.start()], len(part[0])) for part in _ANY_HEX.finditer(name))
        like = [one for one, size in ends if siblings[one, size] >= SHAPES["hex"].few and shape != "hex"]
        rows.append((name, like[0], "hex") if like else (name, stem, shape))
    return pd.DataFrame(rows, columns=["tenant", "stem", "shape"], dtype="str")


def _part(name: str) -> tuple[str, str, int]:
    match = _PART.search(name)
    return (name[: match.start()], str(match.lastgroup), len(match[0])) if match else (name, "", 0)
