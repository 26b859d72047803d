"""Generated names: by their looks, by what they do, and by lists of names as people and programs make them."""

from __future__ import annotations

import string
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from by_hand import TIME, at, said, table

from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.measures.identifiers import generated_bursts, generated_names, names_in, unstable_identifiers

MONDAY, TUESDAY, SUNDAY, GONE = at("09"), at("10 09:41"), at("15 23:59"), at("10 11:41")
WEEK = parse_window("2026-W46")


def arrivals(*names, first=TUESDAY, last=GONE, instance="a", started=MONDAY):
    """Arrivals of one process; those that came at once and went soon, unless told otherwise, since names are asked."""
    frame = table("tenant", *((name,) for name in names), instance=instance)
    return frame.assign(seen_at=first, last_seen=last, started_at=started).astype(
        dict.fromkeys(("seen_at", "last_seen", "started_at"), TIME)
    )


def names_of(*parts, refusals=(), gaps=()):
    """What is generated of arrivals, on a process that has one tenant from Monday to Sunday."""
    there = pd.concat([arrivals("a resident", first=MONDAY, last=SUNDAY), *parts], ignore_index=True)
    return generated_names(there, refusals=table("start end", *refusals), gaps=table("start end", *gaps))


def found(*parts, **others):
    return unstable_identifiers(names_of(*parts, **others), WEEK)[["stem", "shape", "count"]].values.tolist()


def hexes(count, digits=8, seed=1, stem=""):
    """Distinct random hex strings, as a platform would draw them."""
    draws = np.random.default_rng(seed).integers(0, 16, size=(count, digits))
    return [stem + "".join(string.hexdigits[digit] for digit in row) for row in draws]


def uuids(count):
    return [str(uuid.UUID(int=7**44 + number)) for number in range(count)]


@pytest.mark.parametrize(
    ("names", "row"),
    [
        # Two generated parts: the stem ends before the first of them, else each label would be a stem of its own.
        ("req-1a2b3c4d-5e6f7a8b req-9f8e7d6c-0a1b2c3d req-7c6d5e4f-1f2e3d4c", ["req-", "hex", 3]),
        # What follows a generated part is no part of the stem.
        ("s_1a2b3c4d_eu s_9f8e7d6c_us s_7c6d5e4f_eu", ["s_", "hex", 3]),
        ("web1a2b3c4d web9f8e7d6c web7c6d5e4f", ["w", "hex", 3]),
        ("1a2b3c4d 9f8e7d6c 7c6d5e4f", ["", "hex", 3]),
        # A tenant of another length is not put beside them.
        ("req-1a2b3c4d req-9f8e7d6c req-0c1d2e3f req-1234567 req-archive", ["req-", "hex", 3]),
        ("log-20261109 log-20261110 log-20261111", ["log-", "timestamp", 3]),
        ("log-2026-11-09T09:40 log-2026-11-10 log-2026-11-11", ["log-", "timestamp", 3]),
        ("log.20261109T0940Z log.20261110T094100 log.20261111T0942", ["log.", "timestamp", 3]),
        ("t1762767660123 t1762767720456 t1762767780789", ["t", "timestamp", 3]),
        (" ".join(uuid.UUID(int=number**30).hex for number in (5, 7, 9)), ["", "uuid", 3]),
        (" ".join(f"A-123E4567-e89b-42d3-a456-42661417400{end}" for end in ("0-x", "1", "2")), ["A-", "uuid", 3]),
        (" ".join(f"org_01ARZ3NDEKTSV4RRFFQ69G5FA{end}" for end in "VWX"), ["org_", "ulid", 3]),
        ("req-1a2b3c4d req-9f8e7d6c", None),  # two are an accident
        ("a-1a2b3c4d b-9f8e7d6c c-7c6d5e4f", None),  # no common stem
        ("store10000001 store10000002 store10000003", None),  # the 'e' of store is a hex digit
        ("node-cafe01 node-bead02 node-face03", None),  # words with a number
        ("acme-2024 acme-2025 acme-2026", None),  # years
        ("c0ffee 4dcafe f00d1e", None),  # wordplay
    ],
)
def test_generated_parts_are_found_wherever_they_stand(names, row):
    assert found(arrivals("acme", *names.split())) == ([row] if row else [])


def test_the_count_is_exact_where_a_random_string_has_digits_or_letters_alone():
    """Of 400 random strings of 8 hex digits some 2 % have no letter: these are counted with the others."""
    names = hexes(400, stem="req-")
    assert sum(name[4:].isdigit() for name in names) > 3
    assert found(arrivals("acme", *names, "req-20261110", "req-deadbeef")) == [["req-", "hex", 402]]
    generated = names_of(arrivals(*names))
    assert names_in(pd.Series(["acme", "req-0a1b2c3d", "req-archive"]), generated) == {"req-0a1b2c3d"}


@pytest.mark.parametrize(
    "name",
    ["a" * 200_000 + "z", "a-" * 50_000, "1a" * 100_000, "9" * 200_000, "\x00\n\u202e", "'; DROP TABLE", "=1+1"],
)
def test_a_hostile_label_is_read_in_time_and_is_none_of_a_kind(name):
    assert found(arrivals(name)) == []


def later(days, hours=0.0):
    return MONDAY + pd.Timedelta(days=days, hours=hours)


def one_by_one(names, every_hours, *, begin=1.0, last=SUNDAY, lives=None, **others):
    """Names that come one after another from Tuesday on, and stay, or live for so many hours."""
    firsts = [later(begin, every_hours * number) for number in range(len(names))]
    lasts = [first + pd.Timedelta(hours=lives) for first in firsts] if lives else last
    return arrivals(*names, first=firsts, last=lasts, **others)


JOBS, OLD, NEW = hexes(16, stem="job-"), {"instance": "b"}, {"instance": "b", "started": later(3, 7)}
# A new name every five hours, each gone with the next restart of the process; customers come back to the next one.
RESTARTED = [
    *(arrivals("b", first=MONDAY, last=later(3, 6), **OLD), arrivals("b", first=later(3, 7), last=SUNDAY, **NEW)),
    *(one_by_one(JOBS[:10], 5, last=later(3, 6), **OLD), one_by_one(JOBS[10:], 5, begin=4, **NEW)),
]
HOUR_AFTER = [(TUESDAY - pd.Timedelta(hours=9), TUESDAY)]
BATCH = [f"batch-{number}" for number in range(12)]
SHOPS = [f"shop-{number:03}" for number in range(1, 61)]
BULK = arrivals(*SHOPS[:20], last=later(4))
# Arrivals, with refusals or gaps, and how many of them are generated.
BEHAVIOUR = {
    "numbered shops that sign up over ten days and stay": ([one_by_one(SHOPS, 4, last=later(12))], {}, 0),
    "three customers named by hex": ([arrivals(*hexes(3), last=SUNDAY)], {}, 0),
    "forty that come one by one and stay": ([one_by_one(hexes(40, stem="req-"), 2)], {}, 0),
    "forty named by UUIDs": ([one_by_one(uuids(40), 2)], {}, 0),
    "a few of many that leave soon": (
        [one_by_one(hexes(30, stem="c-"), 2), one_by_one(hexes(4, seed=2, stem="c-"), 20, lives=12)],
        *({}, 0),
    ),
    "five at once that stay": ([arrivals(*hexes(5, stem="req-"), last=SUNDAY)], {}, 5),
    "four at once": ([arrivals(*hexes(4, stem="req-"), last=SUNDAY)], {}, 0),
    "twelve numbers at once": ([arrivals(*BATCH, last=SUNDAY)], {}, 12),
    "eleven numbers at once": ([arrivals(*BATCH[:11], last=SUNDAY)], {}, 0),
    "five within twelve minutes": ([one_by_one(hexes(5, stem="req-"), 0.05)], {}, 0),
    "gone with the restart, and those like them": (RESTARTED, {}, 16),
    "they come back to the next process": (
        [*RESTARTED, arrivals(*JOBS[:10], first=later(3, 8), last=SUNDAY, **NEW)],
        {},
        0,
    ),
    "twelve minutes apart": ([one_by_one(hexes(6, stem="req-"), 0.2)], {}, 0),
    "and while refusals rise": (
        [one_by_one(hexes(6, stem="req-"), 0.2)],
        {"refusals": [(later(1, 1), later(1, 1))]},
        6,
    ),
    # Where nobody saw when names came they did not come at once.
    "in the first hour": ([arrivals(*uuids(20), first=later(0, 0.5), last=SUNDAY)], {}, 0),
    "after a gap": ([arrivals(*uuids(20), last=SUNDAY)], {"gaps": HOUR_AFTER}, 0),
    "at a process older than what was seen of it": ([arrivals(*uuids(20), last=SUNDAY, instance="b")], {}, 0),
    "at a new one": ([arrivals(*uuids(20), last=SUNDAY, instance="b", started=TUESDAY)], {}, 20),
    "bulk sign-ups": ([BULK], {}, 20),
    "that outlive the process": (
        [BULK, arrivals(*SHOPS[:20], first=later(4, 1), last=SUNDAY, started=later(4))],
        {},
        0,
    ),
}


@pytest.mark.parametrize("case", BEHAVIOUR)
def test_names_that_look_generated_are_so_by_what_they_do(case):
    parts, others, many = BEHAVIOUR[case]
    assert len(names_of(*parts, **others)) == many


def test_two_bursts_of_one_stem_are_two_and_a_week_names_those_of_the_week_before():
    first, second = (hexes(many, seed=many, stem="s-") for many in (6, 8))
    names = names_of(arrivals(*first, last=SUNDAY), arrivals(*second, first=later(5), last=SUNDAY))
    bursts = said(generated_bursts(names), "start end names")
    assert bursts == [["10 09:41", "15 23:59", 6], ["14 00:00", "15 23:59", 8]]
    weekend = Window(later(5).to_pydatetime(), later(7).to_pydatetime())
    assert said(unstable_identifiers(names, weekend), "count new still first_seen") == [[14, 8, 14, "10 09:41"]]


def test_precision_and_recall_over_names_as_people_and_programs_make_them():
    """390 names, made by uuid, hashlib and strftime or thought of by people: 168 generated, 162 of them found alone.

    Each platform of the list is looked at alone; what came this week came at once and went soon.
    """
    labelled = pd.read_csv(
        Path(__file__).with_name("labelled_tenants.csv"), dtype={"tenant": "str"}, keep_default_na=False
    )
    told = []
    for _, names in labelled.groupby("platform"):
        came = names["came_this_week"].astype(bool).to_numpy()
        some = zip((came, ~came), ({}, {"first": MONDAY, "last": SUNDAY}), strict=True)
        generated = names_of(*(arrivals(*names["tenant"][which], **when) for which, when in some))
        told.append(names.assign(found=names["tenant"].isin(generated["tenant"])))
    names = pd.concat(told).astype({"generated": "bool"})
    both = (names["found"] & names["generated"]).sum()
    assert both / names["found"].sum() >= 0.99
    assert both / names["generated"].sum() >= 0.95
    assert set(names.loc[names["generated"] & ~names["found"], "kind"]) == {"base 62"}
