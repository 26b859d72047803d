import string
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.identifiers import generated_bursts, generated_names, names_in, unstable_identifiers

COLUMNS = ["stem", "shape", "count", "new", "still", "examples", "first_seen", "last_seen"]
MONDAY = pd.Timestamp("2026-11-09", tz="UTC")
TUESDAY = pd.Timestamp("2026-11-10 09:41", tz="UTC")
SUNDAY = pd.Timestamp("2026-11-15 23:59", tz="UTC")
GONE = TUESDAY + pd.Timedelta(hours=2)
WEEK = Window(MONDAY.to_pydatetime(), (MONDAY + pd.Timedelta(days=7)).to_pydatetime(), "2026-W46")
TIME = "datetime64[us, UTC]"
NONE = pd.DataFrame({"start": pd.Series([], dtype=TIME), "end": pd.Series([], dtype=TIME)})


def tenants_of(*names, first=TUESDAY, last=GONE, instance="a:1", started=MONDAY):
    """Arrivals of one process; those that came at once and went soon, unless told otherwise, since names are asked."""
    frame = pd.DataFrame({"tenant": list(names), "seen_at": first, "last_seen": last})
    frame = frame.assign(job="cloudxai", instance=instance, started_at=started)
    times = dict.fromkeys(("seen_at", "last_seen", "started_at"), TIME)
    return frame.astype({"tenant": "str", **times})


def names_of(frame, *, refusals=NONE, gaps=NONE):
    """What is generated of arrivals, on a process that has one tenant from Monday to Sunday."""
    there = tenants_of("a resident", first=MONDAY, last=SUNDAY)
    return generated_names(pd.concat([there, frame], ignore_index=True), refusals=refusals, gaps=gaps)


def found(frame, **others):
    return unstable_identifiers(names_of(frame, **others), WEEK)[["stem", "shape", "count"]].values.tolist()


def hexes(count, digits=8, seed=1):
    """Distinct random hex strings, as a platform would draw them."""
    draws = np.random.default_rng(seed).integers(0, 16, size=(count, digits))
    return ["".join(string.hexdigits[digit] for digit in row) for row in draws]


def test_no_tenant_is_an_empty_frame_with_its_columns():
    empty = unstable_identifiers(names_of(tenants_of()), WEEK)
    assert list(empty.columns) == COLUMNS
    assert empty.empty
    assert str(empty["first_seen"].dtype) == "datetime64[us, UTC]"


@pytest.mark.parametrize(
    ("names", "row"),
    [
        # Two generated parts: the stem ends before the first of them, else each label would be a stem of its own.
        (["req-1a2b3c4d-5e6f7a8b", "req-9f8e7d6c-0a1b2c3d", "req-7c6d5e4f-1f2e3d4c"], ["req-", "hex", 3]),
        # What follows a generated part is no part of the stem.
        (["s_1a2b3c4d_eu", "s_9f8e7d6c_us", "s_7c6d5e4f_eu"], ["s_", "hex", 3]),
        (["web1a2b3c4d", "web9f8e7d6c", "web7c6d5e4f"], ["w", "hex", 3]),
        (["1a2b3c4d", "9f8e7d6c", "7c6d5e4f"], ["", "hex", 3]),
        (["log-20261109", "log-20261110", "log-20261111"], ["log-", "timestamp", 3]),
        (["log-2026-11-09T09:40", "log-2026-11-10", "log-2026-11-11"], ["log-", "timestamp", 3]),
        (["log.20261109T0940Z", "log.20261110T094100", "log.20261111T0942"], ["log.", "timestamp", 3]),
        (["t1762767660123", "t1762767720456", "t1762767780789"], ["t", "timestamp", 3]),
        ([uuid.UUID(int=number**30).hex for number in (5, 7, 9)], ["", "uuid", 3]),
        ([f"A-123E4567-e89b-42d3-a456-42661417400{end}" for end in ("0-x", "1", "2")], ["A-", "uuid", 3]),
        ([f"org_01ARZ3NDEKTSV4RRFFQ69G5FA{end}" for end in "VWX"], ["org_", "ulid", 3]),
    ],
)
def test_generated_parts_are_found_wherever_they_stand(names, row):
    assert found(tenants_of("acme", *names)) == [row]


@pytest.mark.parametrize(
    "names",
    [
        ["req-1a2b3c4d", "req-9f8e7d6c"],  # two are an accident
        ["a-1a2b3c4d", "b-9f8e7d6c", "c-7c6d5e4f"],  # no common stem
        ["store10000001", "store10000002", "store10000003"],  # the 'e' of store is a hex digit
        ["node-cafe01", "node-bead02", "node-face03"],  # words with a number
        ["acme-2024", "acme-2025", "acme-2026"],  # years
        ["c0ffee", "4dcafe", "f00d1e"],  # wordplay
    ],
)
def test_too_few_or_too_like_words(names):
    assert found(tenants_of(*names)) == []


def test_the_count_is_exact_where_a_random_string_has_digits_or_letters_alone():
    """Of 400 random strings of 8 hex digits some 2 % have no letter: these are counted with the others."""
    names = [f"req-{tail}" for tail in hexes(400)]
    bare = [name for name in names if name[4:].isdigit()]
    assert len(bare) > 3
    assert found(tenants_of("acme", *names, "req-20261110", "req-deadbeef")) == [["req-", "hex", 402]]


def test_a_tenant_of_another_length_is_not_put_beside_the_hex_strings():
    names = [f"req-{tail}" for tail in ("1a2b3c4d", "9f8e7d6c", "0c1d2e3f")]
    assert found(tenants_of(*names, "req-1234567", "req-archive")) == [["req-", "hex", 3]]


def later(days, hours=0):
    return MONDAY + pd.Timedelta(days=days, hours=hours)


def one_by_one(names, every_hours, **others):
    """Names that come one after another from Tuesday on, and stay."""
    parts = [
        tenants_of(name, first=later(1, every_hours * n), **{"last": SUNDAY, **others}) for n, name in enumerate(names)
    ]
    return pd.concat(parts, ignore_index=True)


def test_numbered_shops_that_sign_up_over_weeks_and_stay_are_no_generated_names():
    """Sixty of them, four hours apart, which is ten days; a report of any of these days says the same."""
    assert found(one_by_one([f"shop-{number:03}" for number in range(1, 61)], 4, last=later(12))) == []


def test_customers_named_by_hex_or_uuid_that_stay_are_none():
    assert found(tenants_of(*hexes(3), last=SUNDAY)) == []
    assert found(one_by_one([f"req-{tail}" for tail in hexes(40)], 2)) == []
    assert found(one_by_one([str(uuid.UUID(int=7**44 + n)) for n in range(40)], 2)) == []


def test_a_few_of_many_customers_that_leave_soon_are_none():
    stay = one_by_one([f"c-{tail}" for tail in hexes(30)], 2)
    left = one_by_one([f"c-{tail}" for tail in hexes(4, seed=2)], 20, last=None)
    left["last_seen"] = left["seen_at"] + pd.Timedelta(hours=12)
    assert found(pd.concat([stay, left], ignore_index=True)) == []


def test_many_at_once_are_generated_even_if_they_stay_and_twelve_if_they_are_numbers():
    """Five of one stem within ten minutes; four are a few, and eleven numbers too."""
    for names, enough in (([f"req-{tail}" for tail in hexes(12)], 5), ([f"batch-{n}" for n in range(12)], 12)):
        for number, told in ((enough, enough), (enough - 1, 0)):
            came = tenants_of(*names[:number], last=SUNDAY)
            assert sum(row[2] for row in found(came)) == told
    apart = one_by_one([f"req-{tail}" for tail in hexes(5)], 0.05, last=SUNDAY)  # three minutes: twelve in all
    assert found(apart) == []


def test_short_lives_tell_where_names_come_one_by_one():
    """A new name every five hours, each gone with the next restart of the process, as generated ones are."""
    names = [f"job-{tail}" for tail in hexes(16)]
    old, new = {"instance": "b:1", "last": later(3, 6)}, {"instance": "b:1", "started": later(3, 7)}
    residents = tenants_of("b", first=MONDAY, **old), tenants_of("b", first=later(3, 7), last=SUNDAY, **new)
    before = one_by_one(names[:10], 5, **old)
    after = one_by_one(names[10:], 5, **new).assign(seen_at=[later(4, 5 * n) for n in range(6)])
    arrivals = pd.concat([*residents, before, after], ignore_index=True)
    assert names_of(arrivals)["why"].value_counts().to_dict() == {"short-lived": 10, "like the others": 6}
    # Customers come back to the process that follows.
    back = tenants_of(*names[:10], first=later(3, 8), last=SUNDAY, **new)
    assert found(pd.concat([arrivals, back], ignore_index=True)) == []


def test_names_that_come_while_refusals_rise_are_generated():
    came = one_by_one([f"req-{tail}" for tail in hexes(6)], 0.2)  # twelve minutes apart
    refusals = pd.DataFrame({"start": [later(1, 1)]}).astype(TIME)
    assert found(came) == []
    assert found(came, refusals=refusals) == [["req-", "hex", 6]]


def test_where_nobody_saw_when_names_came_they_did_not_come_at_once():
    """In the first hour, after a gap, and at a process that is older than what was seen of it."""
    names = [str(uuid.UUID(int=7**44 + n)) for n in range(20)]
    assert found(tenants_of(*names, first=MONDAY + pd.Timedelta(minutes=30), last=SUNDAY)) == []
    gap = pd.DataFrame({"start": [TUESDAY - pd.Timedelta(hours=9)], "end": [TUESDAY]}).astype(TIME)
    assert found(tenants_of(*names, last=SUNDAY), gaps=gap) == []
    assert found(tenants_of(*names, last=SUNDAY, instance="b:1", started=MONDAY)) == []
    assert found(tenants_of(*names, last=SUNDAY, instance="b:1", started=TUESDAY)) == [["", "uuid", 20]]


def test_bulk_sign_ups_that_outlive_the_process_are_customers():
    names = [f"shop-{number}" for number in range(20)]
    came = tenants_of(*names, last=later(4))
    back = tenants_of(*names, first=later(4, 1), last=SUNDAY, started=later(4))
    assert found(came) == [["shop-", "counter", 20]]
    assert found(pd.concat([came, back], ignore_index=True)) == []


def test_two_bursts_of_one_stem_are_two_and_a_week_names_those_of_the_week_before():
    first, second = ([f"s-{tail}" for tail in hexes(many, seed=many)] for many in (6, 8))
    frame = pd.concat([tenants_of(*first), tenants_of(*second, first=later(5))]).assign(last_seen=SUNDAY)
    names = names_of(frame)
    assert generated_bursts(names)[["start", "end", "names"]].values.tolist() == [
        [TUESDAY, SUNDAY, 6],
        [later(5), SUNDAY, 8],
    ]
    weekend = Window(later(5).to_pydatetime(), later(7).to_pydatetime())
    row = unstable_identifiers(names, weekend).iloc[0]
    assert (row["count"], row["new"], row["still"], row["first_seen"]) == (14, 8, 14, TUESDAY)


@pytest.mark.parametrize(
    "name",
    ["a" * 200_000 + "z", "a-" * 50_000, "1a" * 100_000, "9" * 200_000, "\x00\n\u202e", "'; DROP TABLE", "=1+1"],
)
def test_a_hostile_label_is_read_in_time_and_is_none_of_a_kind(name):
    assert found(tenants_of(name)) == []


# Of the labels below each says itself whether it was generated; all of them stand side by side on one platform.
SIGNED_UP = [
    name
    for line in (
        "acorn-foods alder-bank amberline apex-robotics argon-labs atlas-freight basalt-mining beacon-media",
        "bytewise copperleaf coralreef-games corvid-news deadbeef-records deltaworks dunmore-council ebbtide",
        "evergreen-2024 evergreen-2025 facade facade-studio flint-and-co gable-homes glacier-data halcyon-hotels",
        "harbor-7 juniper-care ledgerline lighthouse-9 team-7 moss-and-stone northgate-uni onyx-security",
        "peregrine-post sierra-7 studio54 tidewater-power wren-analytics zinc-metals acme2 area51 b2b-shop",
        "blink182 bead01 cafe-decaf club1999 decade effaced-ads acme-prod acme-staging acme/emea 365labs route66",
        "shop-12 shop-13 shop-14 team-1 team-2 team-3 7eleven 4ever abc123 v1 north-42 festival-2025-07-12",
        "k8s-school",
    )
    for name in line.split()
]
GENERATED = {
    ("u-", "uuid"): [f"u-{uuid.UUID(int=7**44 + 11**30 * number)}" for number in range(4)],
    ("req-", "hex"): [f"req-{tail}" for tail in hexes(12)],
    ("sess_", "hex"): [f"sess_{tail}" for tail in hexes(8, digits=10)],
    ("user", "hex"): [f"user{tail}" for tail in hexes(6, seed=2)],
    ("job-", "timestamp"): [f"job-{1762767660 + 61 * number}" for number in range(5)],
    ("export-", "timestamp"): [f"export-2026-11-{day:02}" for day in range(1, 6)],
    ("load.", "timestamp"): [f"load.20261110T09{minute}00" for minute in range(40, 44)],
    ("guest", "counter"): [f"guest{number}" for number in range(100, 114)],
}


def test_of_a_labelled_list_all_that_was_generated_is_found_and_nothing_else():
    """Recall and precision are 1: each group with its stem, shape and count, and no tenant that signed up."""
    names = [name for group in GENERATED.values() for name in group]
    frame = pd.concat([tenants_of(*SIGNED_UP), tenants_of(*names, first=TUESDAY)], ignore_index=True)
    assert len(frame) > 115
    expected = {(*key, len(group)) for key, group in GENERATED.items()}
    assert {tuple(row) for row in found(frame)} == expected


LABELLED = pd.read_csv(Path(__file__).with_name("labelled_tenants.csv"), dtype={"tenant": "str"}, keep_default_na=False)


def labelled_and_found():
    """The labelled list, each platform of it looked at alone; what came this week came at once and went soon."""
    told = []
    for _, names in LABELLED.groupby("platform"):
        first = pd.Series([TUESDAY if came else MONDAY for came in names["came_this_week"]], dtype=TIME)
        last = first.map({MONDAY: SUNDAY, TUESDAY: GONE})
        generated = names_of(tenants_of(*names["tenant"]).assign(seen_at=first, last_seen=last))
        told.append(names.assign(found=names["tenant"].isin(generated["tenant"])))
    return pd.concat(told).astype({"generated": "bool"})


def test_precision_and_recall_over_names_as_people_and_programs_make_them():
    """390 names, made by uuid, hashlib and strftime or thought of by people: 168 generated, 162 of them found alone."""
    names = labelled_and_found()
    both = (names["found"] & names["generated"]).sum()
    assert both / names["found"].sum() >= 0.99
    assert both / names["generated"].sum() >= 0.95
    assert set(names.loc[names["generated"] & ~names["found"], "kind"]) == {"base 62"}


def test_names_that_a_counter_alone_knows_are_told_by_stem_and_shape():
    generated = names_of(tenants_of(*(f"req-{tail}" for tail in hexes(12))))
    refused = pd.Series(["acme", "req-0a1b2c3d", "req-archive"])
    assert names_in(refused, generated) == {"req-0a1b2c3d"}
