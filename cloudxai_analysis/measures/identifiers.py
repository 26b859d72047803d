"""Tenant labels that look generated per request: a stem and a UUID, a hex string, a timestamp or a counter."""

from __future__ import annotations

import re

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
_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)
_SEPARATED_HEX = re.compile(r"(?P<stem>.*[-_.:/|])(?P<tail>[0-9a-f]{6,})", re.IGNORECASE | re.DOTALL)
_OPEN_HEX = re.compile(r"(?P<stem>.*?)(?P<tail>[0-9a-f]{8,})", re.IGNORECASE | re.DOTALL)
TIMESTAMP = re.compile(r"(?P<stem>.*?)(?P<tail>1[5-9]\d{8}(\d{3})?|20\d\d[01]\d[0-3]\d(\d{2,6})?)", re.DOTALL)
_COUNTER = re.compile(r"(?P<stem>.*?)(?P<tail>\d+)", re.DOTALL)
_EXAMPLES = 3
# People do number their tenants, so a run of numbers says less than a hex string: it takes more of them.
_LEAST = {"uuid": 2, "hex": 3, "timestamp": 3, "counter": 12}


def unstable_identifiers(tenants: pd.DataFrame) -> pd.DataFrame:
    """Groups of tenant labels that share a stem and the shape of what follows it.

    `tenants` has tenant, first_seen and last_seen. A group needs two UUIDs, three hex strings (most of them with a
    digit and with a letter) or timestamps, or twelve counters.

    Columns: stem, shape ('uuid', 'hex', 'timestamp' or 'counter'), count, examples (tuple of at most three labels),
    first_seen, last_seen; the largest group first.
    """
    shaped = [(*_shape(name), name) for name in tenants["tenant"].astype("str")]
    frame = pd.DataFrame(shaped, columns=["stem", "shape", "tail", "tenant"])
    frame[["first_seen", "last_seen"]] = tenants[["first_seen", "last_seen"]].to_numpy()
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
        if group["tenant"].nunique() >= _LEAST[shape] and _looks_random(shape, group["tail"])
    ]
    found = typed(rows, _FOUND)
    return found.sort_values(["count", "stem"], ascending=[False, True], ignore_index=True)


def _shape(name: str) -> tuple[str, str, str]:
    if match := _UUID.search(name):
        return name[: match.start()], "uuid", match[0]
    for shape, pattern in (("timestamp", TIMESTAMP), ("hex", _SEPARATED_HEX), ("hex", _OPEN_HEX)):
        if match := pattern.fullmatch(name):
            return match["stem"], shape, match["tail"]
    if match := _COUNTER.fullmatch(name):
        return match["stem"], "counter", match["tail"]
    return name, "", ""


def _looks_random(shape: str, tails: pd.Series) -> bool:
    if shape != "hex":
        return True
    # Words such as 'facade' and 'deadbeef' have no digit; of random strings of six, nearly all have one.
    digits, letters = tails.str.contains(r"\d").mean(), tails.str.contains(r"[a-fA-F]").mean()
    return bool(digits >= 0.8 and letters >= 0.5)
