import string
import uuid
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudxai_analysis.measures.identifiers import names_in, unstable_identifiers

COLUMNS = ["stem", "shape", "count", "examples", "first_seen", "last_seen"]
MONDAY = pd.Timestamp("2026-11-09", tz="UTC")
TUESDAY = pd.Timestamp("2026-11-10 09:41", tz="UTC")
SUNDAY = pd.Timestamp("2026-11-15 23:59", tz="UTC")
PLAUSIBLE = [
    *("studio54", "team-7", "acme2", "facade", "deadbeef-labs", "365labs", "4ever", "b2b-shop", "7eleven", "abc123"),
    *("decade", "cafe-decaf", "bead01", "shop-facade", "acme-2026", "v1", "münchen-3", "東京", "x", "", "acme/emea"),
]


def tenants_of(*names, first=MONDAY, last=SUNDAY):
    frame = pd.DataFrame({"tenant": list(names), "first_seen": first, "last_seen": last})
    return frame.astype({"tenant": "str", "first_seen": "datetime64[us, UTC]", "last_seen": "datetime64[us, UTC]"})


def found(frame):
    return unstable_identifiers(frame)[["stem", "shape", "count"]].values.tolist()


def hexes(count, digits=8, seed=1):
    """Distinct random hex strings, as a platform would draw them."""
    draws = np.random.default_rng(seed).integers(0, 16, size=(count, digits))
    return ["".join(string.hexdigits[digit] for digit in row) for row in draws]


def test_no_tenant_is_an_empty_frame_with_its_columns():
    empty = unstable_identifiers(tenants_of())
    assert list(empty.columns) == COLUMNS
    assert empty.empty
    assert str(empty["first_seen"].dtype) == "datetime64[us, UTC]"


def test_plausible_names_are_none_whatever_their_company():
    assert found(tenants_of(*PLAUSIBLE)) == []


def test_each_shape_is_told_with_its_stem():
    frame = pd.concat(
        [
            tenants_of("acme", "globex"),
            tenants_of(*(f"req-{tail}" for tail in ("1a2b3c4d", "9f8e7d6c", "0c1d2e3f")), first=TUESDAY),
            tenants_of(*(f"run-{moment}" for moment in (1762767660, 1762767720, 1762767780, 1762767841))),
            tenants_of("u-123e4567-e89b-42d3-a456-426614174000", "u-00112233-4455-4677-8899-aabbccddeeff"),
            tenants_of(*(f"job{number}" for number in range(100, 112)), first=TUESDAY),
        ],
        ignore_index=True,
    )
    assert found(frame) == [
        ["job", "counter", 12],
        ["run-", "timestamp", 4],
        ["req-", "hex", 3],
        ["u-", "uuid", 2],
    ]
    hex_row = unstable_identifiers(frame).iloc[2]
    assert hex_row["examples"] == ("req-0c1d2e3f", "req-1a2b3c4d", "req-9f8e7d6c")
    assert (hex_row["first_seen"], hex_row["last_seen"]) == (TUESDAY, SUNDAY)


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
        ([uuid.UUID(int=9**30).hex, uuid.UUID(int=7**35).hex], ["", "uuid", 2]),
        (["A-123E4567-E89B-42D3-A456-426614174000-x", "A-123e4567-e89b-42d3-a456-426614174001"], ["A-", "uuid", 2]),
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


def test_numbered_tenants_that_stay_are_no_counter():
    """Sixty were there on Monday and six came on Tuesday: 6 of 66 are fewer than half."""
    there = tenants_of(*(f"tenant-{number:03}" for number in range(60)))
    came = tenants_of(*(f"tenant-{number:03}" for number in range(60, 66)), first=TUESDAY)
    assert found(pd.concat([there, came], ignore_index=True)) == []


def test_a_run_of_numbers_that_came_within_the_window_is_a_counter():
    came = tenants_of(*(f"batch-{number}" for number in range(12)), first=TUESDAY)
    assert found(pd.concat([tenants_of("acme"), came], ignore_index=True)) == [["batch-", "counter", 12]]
    assert found(pd.concat([tenants_of("acme"), came.iloc[:11]], ignore_index=True)) == []


def test_one_label_seen_twice_is_one_label():
    names = ["req-1a2b3c4d", "req-1a2b3c4d", "req-9f8e7d6c"]
    assert found(tenants_of(*names)) == []


def test_a_categorical_frame_gives_the_same():
    frame = tenants_of("acme", *(f"req-{tail}" for tail in hexes(5)))
    assert found(frame.astype({"tenant": "category"})) == found(frame)


@pytest.mark.parametrize(
    "name",
    ["a" * 200_000 + "z", "a-" * 50_000, "1a" * 100_000, "9" * 200_000, "\x00\n\u202e", "'; DROP TABLE", "=1+1"],
)
def test_a_hostile_label_is_read_in_time_and_is_none_of_a_kind(name):
    assert found(tenants_of(name)) == []


@settings(max_examples=40)
@given(st.lists(st.text(alphabet=string.ascii_lowercase, max_size=12), unique=True, max_size=30))
def test_names_without_a_digit_are_never_generated(names):
    assert found(tenants_of(*names)) == []


@settings(max_examples=40)
@given(
    stem=st.text(alphabet="ghijklmnopqrstuvwxyz", min_size=1, max_size=8),
    separator=st.sampled_from("-_.:/|@ "),
    tails=st.lists(st.uuids(version=4), min_size=6, max_size=30, unique=True),
    digits=st.integers(8, 16),
)
def test_random_hex_on_any_stem_is_counted_exactly(stem, separator, tails, digits):
    # Of six random strings three without a letter after a digit are less likely than one in ten thousand.
    names = {f"{stem}{separator}{tail.hex[-digits:]}" for tail in tails}
    mixed = sum(any(a.isdigit() and b.isalpha() for a, b in pairwise(n)) for n in names)
    if mixed < max(3, len(names) / 2):
        return
    assert found(tenants_of("acme", *names)) == [[f"{stem}{separator}", "hex", len(names)]]


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


@pytest.mark.parametrize("key", list(GENERATED))
def test_a_group_is_found_alone_and_one_fewer_than_enough_is_not(key):
    enough = {"uuid": 2, "hex": 3, "timestamp": 3, "counter": 12}[key[1]]
    group = GENERATED[key]

    def beside(names):
        return found(pd.concat([tenants_of(*SIGNED_UP), tenants_of(*names, first=TUESDAY)], ignore_index=True))

    assert beside(group[:enough]) == [[*key, enough]]
    assert beside(group[: enough - 1]) == []


LABELLED = pd.read_csv(Path(__file__).with_name("labelled_tenants.csv"), dtype={"tenant": "str"}, keep_default_na=False)


def labelled_and_found():
    """The labelled list, each platform of it looked at alone, with what the measure says of each name."""
    told = []
    for _, names in LABELLED.groupby("platform"):
        first = pd.Series([TUESDAY if came else MONDAY for came in names["came_this_week"]])
        frame = tenants_of(*names["tenant"]).assign(first_seen=first.astype("datetime64[us, UTC]"))
        told.append(names.assign(found=names["tenant"].isin(names_in(names["tenant"], unstable_identifiers(frame)))))
    return pd.concat(told).astype({"generated": "bool"})


def test_precision_and_recall_over_names_as_people_and_programs_make_them():
    """390 names, made by uuid, hashlib and strftime or thought of by people: 168 generated, 162 of them found alone."""
    names = labelled_and_found()
    both = (names["found"] & names["generated"]).sum()
    assert both / names["found"].sum() >= 0.99
    assert both / names["generated"].sum() >= 0.95
    assert set(names.loc[names["generated"] & ~names["found"], "kind"]) == {"base 62"}


@pytest.mark.parametrize("key", [("", "ulid"), ("worker-", "pod"), ("run/", "counter")])
def test_more_shapes_that_programs_make(key):
    kind = {"ulid": "ULID", "pod": "pod name", "counter": "counter"}[key[1]]
    names = LABELLED[(LABELLED["kind"] == kind) & (LABELLED["platform"] == "hosting")]["tenant"]
    frame = pd.concat([tenants_of(*SIGNED_UP), tenants_of(*names, first=TUESDAY)], ignore_index=True)
    assert found(frame) == [[*key, len(names)]]
