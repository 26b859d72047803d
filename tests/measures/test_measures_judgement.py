"""Episodes held against the ledger, by hand: true, false, already firing, missed, and how soon."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from by_hand import at, complete, episodes, incidents, labels, pendings, said, table

from cloudxai_analysis.measures import judgement

ONE = incidents(("I", "10:00"))
NAME = 'a"b\n=c'
NONE = complete().iloc[:0]
DONE = complete()


def judged(found: pd.DataFrame, truth: pd.DataFrame = ONE, said: pd.DataFrame | None = None, declared=NONE):
    return judgement.judged(found, truth, labels() if said is None else said, declared)


def fired(*rows: Any, **more: Any) -> pd.DataFrame:
    """Episodes of (fired_at, minutes, alertname, tenant), the last of them as usual where they are left out."""
    rows = [(*row, *(5, "Breach", "acme")[len(row) - 1 :]) for row in rows]
    return episodes(*((name, clock, minutes, "", tenant) for clock, minutes, name, tenant in rows), **more)


def at_clocks(clocks: str, **more: Any) -> pd.DataFrame:
    return fired(*((clock,) for clock in clocks.split()), **more)


CUT = {"cut_start": True}
NOISE = labels(("10:00", "noise"))
SCOPES = incidents(("named", "10:00", None, "", ("Other",)), ("theirs", "10:00", None, "b", ()))
ALL = fired(("10:00",), ("10:00", 5, "Other"), ("10:00", 5, "Breach", "b"), ("10:00", 5, "Breach", ""))
LAST = labels(("10:00", "noise"), ("10:01", "actionable"))
NEAREST = labels(("10:00:30", "noise"), ("10:00:01", "actionable"))
BEFORE = fired(("09:30", 90), ("08:59", 120), ("09:40", 10), ("09:40", 11))
HOSTILE = fired(("10:00", 5, "Breach", NAME), ("12:00", 5, "Breach", NAME))
THEIRS = incidents(("I", "10:00", "10:20", NAME)), labels(("12:00", "noise", "Breach", NAME))
NOBODY = incidents()
LEDGER, INCIDENT, LABEL = "false ledger", "true incident", "false label"
# Episodes; incidents, labels and for when the ledger is complete; then the judgement of each and by what.
VERDICTS: dict[str, tuple[pd.DataFrame, tuple[pd.DataFrame, ...], list[str]]] = {
    "widened by 10 and 30 minutes, half open": (
        at_clocks("09:44 09:50 10:49 10:50"),
        *((ONE, labels(), DONE), [LEDGER, INCIDENT, INCIDENT, LEDGER]),
    ),
    "nobody declared it": (at_clocks("10:00 14:00"), (ONE,), [INCIDENT, "unjudged "]),
    # The second began over an hour before, the third had ended when the widened incident began.
    "already firing": (BEFORE, (ONE, labels(), DONE), ["standing incident", LEDGER, LEDGER, "standing incident"]),
    "it goes on": (at_clocks("23:59"), (incidents(("I", "10:00", None)),), [INCIDENT]),
    "scope": (ALL, (SCOPES,), ["unjudged ", INCIDENT, INCIDENT, "unjudged "]),
    "a label beats an incident": (at_clocks("10:00"), (ONE, NOISE), [LABEL]),
    "the last label counts": (at_clocks("10:00"), (ONE, LAST), ["true label"]),
    "a label of nobody's": (at_clocks("10:00"), (ONE, labels(("10:00", "unknown")), DONE), ["unjudged label"]),
    "a label within a minute": (at_clocks("10:00"), (ONE, labels(("10:02", "noise"))), [INCIDENT]),
    "the nearest of two": (fired(("10:00", 0.1), ("10:00:30", 0.1)), (NOBODY, NEAREST), ["true label", LABEL]),
    "two instances at one moment": (at_clocks("10:00 10:00"), (NOBODY, NOISE), [LABEL, LABEL]),
    "declared half open": (
        at_clocks("12:00 13:00"),
        *((NOBODY, labels(), complete("12:00", "13:00")), [LEDGER, "unjudged "]),
    ),
    "cut off by the window's start": (at_clocks("10:00", **CUT), (ONE, labels(), DONE), ["unjudged "]),
    "cut off and labelled": (at_clocks("10:00", **CUT), (NOBODY, NOISE), [LABEL]),
    "hostile names": (HOSTILE, THEIRS, [INCIDENT, LABEL]),
    "nothing": (fired(), (ONE, NOISE, DONE), []),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_an_episode_is_judged(case: str) -> None:
    found, ledger, expected = VERDICTS[case]
    table = judged(found, *ledger)
    assert (table["judgement"] + " " + table["by"]).tolist() == expected
    assert set(table.loc[table["by"] == "incident", "incident"]) <= {*ledger[0]["id"]}
    assert set(table.loc[table["by"].isin(["ledger", ""]), "incident"]) <= {""}


def test_what_it_caught_comes_before_what_it_was_already_firing_in_and_the_nearest_first() -> None:
    truth = incidents(("far", "10:00", "11:00"), ("near", "10:20", "11:00"), ("next", "10:50", "11:00"))
    found = judgement.matches(fired(("10:30", 90)), truth, already_firing_minutes=60)
    assert found[["id", "caught"]].values.tolist() == [["near", True], ["far", True], ["next", False]]


def test_recall_and_times_by_hand() -> None:
    truth = incidents(
        ("one", "10:00", "10:20", "", ("Breach", "Ready")),
        ("two", "12:00", "12:20", "", ("Breach",)),
        ("unnamed", "15:00", "15:20"),
    ).assign(acknowledged_at=[at("10:08"), at("12:03"), pd.NaT])
    found = fired(("10:02", 23), ("10:06", 24), ("12:04", 15, "Breach", "b"), ("15:01",))
    frame = judgement.recall(judged(found, truth), truth).set_index("alertname")
    # Breach: after 2 and 4 min, median 3. The one's last alert was resolved 10 min after its end, not its first; the
    # other's a minute before, median 4.5. The one was acknowledged after 6 min, the other before the rule fired.
    assert frame.loc["Breach"].tolist()[:5] == [2, 2, 1.0, 180.0, 270.0]
    assert frame.loc["Breach", ["acknowledged", "acknowledge_seconds"]].tolist() == [1, 360.0]
    # Wilson, 2 of 2: 0.342 to 1.
    assert frame.loc["Breach", ["low", "high"]].tolist() == pytest.approx([0.3424, 1.0], abs=5e-5)
    assert frame.loc["Ready", ["incidents", "caught", "recall"]].tolist() == [1, 0, 0.0]
    assert frame.loc["Ready", ["detection_seconds", "reset_seconds"]].isna().all()
    bare = judgement.recall(judged(found, truth), truth.drop(columns="acknowledged_at")).set_index("alertname")
    assert np.isnan(bare.loc["Breach", "acknowledge_seconds"])
    assert judgement.recall(judged(fired(), truth), incidents()).empty


def test_the_reset_is_that_of_the_last_alert_and_unknown_while_it_fires() -> None:
    truth = incidents(("long", "10:00", "19:00", "", ("Breach",)))
    # The last of three was resolved four minutes after the end; one that a gap cut off was over when those fired.
    for cut_end, reset in (((0, 0, 0), 240.0), ((0, 0, 1), np.nan), ((1, 0, 0), 240.0)):
        found = fired(("10:02", 27), ("14:00", 10), ("18:50", 14)).assign(cut_end=np.array(cut_end, dtype=bool))
        row = judgement.recall(judged(found, truth), truth).iloc[0]
        assert (row["caught"], row["reset_seconds"]) == pytest.approx((1, reset), nan_ok=True)


WAITING = pendings(
    *(("Second", "12:06", "12:07", "b"), ("First", "12:05", "12:06", "b"), ("Breach", "10:01", "10:02", "")),
    *(("Early", "11:00", "12:00", "b"), ("Other", "12:01", "12:03", "a")),
    *(("Near", "10:05", "10:06", ""), ("Near", "10:10", "10:14", "")),
)


def test_missed_incidents_and_near_misses() -> None:
    truth = incidents(
        ("late", "14:00", None, "z"), ("caught", "10:00"), ("b", "12:00", "12:20", "b"), ("went", "16:30")
    )
    # What was already firing catches nothing.
    found = judged(fired(("10:02",), ("16:00", 60)), truth)
    missed = judgement.missed_incidents(found, truth, WAITING)
    assert missed[["id", "tenant", "near_miss"]].values.tolist() == [
        ["b", "b", "First"],
        ["late", "z", ""],
        ["went", "", ""],
    ]
    assert missed["end"].isna().tolist() == [False, True, False]
    # Breach caught the second; Near was pending twice in it, 4 minutes at most.
    assert judgement.near_misses(found, truth, WAITING).values.tolist() == [
        ["b", "First", "b", at("12:05"), 60.0],
        ["b", "Second", "b", at("12:06"), 60.0],
        ["caught", "Near", "", at("10:05"), 240.0],
    ]
    for measure in (judgement.missed_incidents, judgement.near_misses):
        assert measure(found, truth[:0], WAITING).empty


FLAPS = [(f"10:{minute:02d}", f"10:{minute + 1:02d}", 1, "acme") for minute in range(0, 40, 2)]
LATER = [("11:09", "11:12", 3, "acme"), ("12:00", "12:05", 5, "acme"), ("10:05", "10:09", 4, "b")]
OPEN = [("10:00", None, 5, "a"), ("18:00", "18:10", 10, "a"), ("18:00", "18:10", 10, "b")]
GLOBAL = [("10:00", "10:20", 20)]


def proposed(everybody: list, single: list) -> pd.DataFrame:
    """Of outages as (start, end, minutes, tenant)."""
    outages, tenants = (table("start end minutes tenant", *rows, usual=("",)) for rows in (everybody, single))
    return judgement.proposed_incidents(outages.astype({"minutes": float}), tenants.astype({"minutes": float}))


@pytest.mark.parametrize(
    ("everybody", "single", "expected"),
    [
        # Dips of one tenant within half an hour are one proposal.
        ([], [*FLAPS, *LATER], ["acme 10:00 11:12 21 23", "b 10:05 10:09 1 4", "acme 12:00 12:05 1 5"]),
        # A single failed scrape is none, and a tenant's dip in a global one neither.
        ([("10:00", "10:01", 1)], [("14:00", "14:02", 2, "acme")], []),
        (GLOBAL, [(*GLOBAL[0], "a"), ("10:10", "10:40", 30, "<b>")], [" 10:00 10:20 1 20", "<b> 10:10 10:40 1 30"]),
        # What goes on has no end and takes in what follows.
        ([], OPEN, ["a 10:00 None 2 15", "b 18:00 18:10 1 10"]),
        ([], [], []),
    ],
)
def test_dips_are_proposed(everybody: list, single: list, expected: list[str]) -> None:
    rows = [line.split(" ") for line in expected]
    evidence = [f"{many} period{'s' * (many != '1')}, {minutes} min" for *_, many, minutes in rows]
    told = said(proposed(everybody, single), "tenant start end evidence")
    clocks = [[who, *(end if end == "None" else f"11 {end}" for end in ends)] for who, *ends, _, _ in rows]
    assert [[str(cell) for cell in row] for row in told] == [
        [*row, why] for row, why in zip(clocks, evidence, strict=True)
    ]


@pytest.mark.parametrize(
    ("known", "states", "left"),
    [
        ([("I", "10:04", None, "a")], [], ["b", "c"]),
        ([("I", "10:05", "10:09", "a")], [], ["a", "b", "c"]),
        ([("I", "09:00", "15:00", "")], [], ["c"]),
        ([("I", "09:00", "23:00", "other")], [], ["a", "b", "c"]),
        ([], ["open", "confirmed", "rejected"], ["a"]),
    ],
)
def test_what_the_ledger_knows_is_not_proposed_again(known: list, states: list, left: list) -> None:
    found = proposed([], [("10:00", "10:05", 5, "a"), ("14:00", "14:05", 5, "b"), ("18:00", "18:05", 5, "c")])
    decided = pd.DataFrame({"id": found["id"].tolist()[: len(states)], "state": states}).astype("str")
    assert judgement.not_known(found, incidents(*known), decided)["tenant"].tolist() == left
    assert found["id"].iloc[0] == "proposed-20261111T100000Z-a"
