"""Tainted numbers by hand: a process that refused from 09:00 stays short until it starts anew."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cloudxai_analysis.measures.taint import tainted_stretches

TIME = "datetime64[us, UTC]"
DAY = pd.Timestamp("2026-11-10", tz="UTC")
END = DAY + pd.Timedelta(days=1)
AFTER = END + pd.Timedelta(minutes=1)
NO_SAMPLES = pd.DataFrame({"time": pd.Series([], dtype=TIME), "job": [], "instance": [], "tenant": [], "step": []})


def at(clock: str) -> pd.Timestamp:
    return pd.Timestamp(f"2026-11-10 {clock}", tz="UTC")


def refusals(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["instance", "start", "end", "rejections"]).assign(job="cloudxai")
    return frame.assign(
        **{name: pd.Series([at(text) for text in frame[name]], dtype=TIME) for name in ("start", "end")}
    )


def starts(*rows: tuple[str, str], until: pd.Timestamp = AFTER) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["instance", "started_at"]).assign(job="cloudxai", restarted=True, processes=1)
    begun = pd.Series([at(text) for text in frame["started_at"]], dtype=TIME)
    return frame.assign(started_at=begun, seen_at=begun, until=pd.Series([until] * len(begun), dtype=TIME))


def fleet(*rows: tuple[str, str]) -> pd.DataFrame:
    """Tenants with the clock at which they were first seen; all stay to the end."""
    frame = pd.DataFrame(rows, columns=["tenant", "first_seen"])
    return frame.assign(first_seen=pd.Series([at(text) for text in frame["first_seen"]], dtype=TIME), last_seen=END)


MANY = fleet(*((f"t{number}", "01:00") for number in range(60)))
NONE = pd.DataFrame({"stem": [], "shape": []})


def stretches(
    refused: pd.DataFrame,
    started: pd.DataFrame,
    samples: pd.DataFrame = NO_SAMPLES,
    tenants: pd.DataFrame = MANY,
    generated: pd.DataFrame = NONE,
) -> list[list[object]]:
    found = tainted_stretches(refused, started, samples, tenants, generated, end=END)
    times = ["start", "last_refusal", "until"]
    said = found.assign(**{name: found[name].dt.strftime("%H:%M") for name in times})
    return said[["instance", *times, "over", "rejections", "missing_most"]].to_numpy().tolist()


def test_two_stretches_of_one_process_are_one_taint_until_it_starts_anew() -> None:
    """Whom 09:00 refused is still missing at 12:00, though nobody asked in between."""
    refused = refusals(("a", "09:00", "09:30", 5), ("a", "12:00", "12:10", 2))
    assert stretches(refused, starts(("a", "08:00"), ("a", "15:00"))) == [
        ["a", "09:00", "12:10", "15:00", True, 7.0, 7.0]
    ]


def test_a_start_between_them_parts_two() -> None:
    refused = refusals(("a", "09:00", "09:30", 5), ("a", "12:00", "12:10", 2))
    assert stretches(refused, starts(("a", "10:00"), ("b", "11:00"))) == [
        ["a", "09:00", "09:30", "10:00", True, 5.0, 5.0],
        ["a", "12:00", "12:10", "00:00", False, 2.0, 2.0],
    ]


def test_a_counter_that_names_the_refused_says_how_many_there_are() -> None:
    rows = [("a", "09:00", "x"), ("a", "09:10", "x"), ("a", "09:10", "y"), ("a", "13:00", "z"), ("b", "09:00", "w")]
    samples = pd.DataFrame(rows, columns=["instance", "time", "tenant"]).assign(job="cloudxai", step=1.0)
    samples["time"] = pd.Series([at(text) for text in samples["time"]], dtype=TIME)
    assert stretches(refusals(("a", "09:00", "09:30", 50)), starts(), samples)[0][-2:] == [50.0, 2.0]


def test_nobody_refused_taints_nothing() -> None:
    found = tainted_stretches(refusals(), starts(("a", "08:00")), NO_SAMPLES, MANY, NONE, end=END)
    assert found.empty
    assert {"job", "instance", "start", "last_refusal", "until", "over", "missing_least", "missing_most"} < set(found)
    assert str(found["start"].dtype) == TIME


def missing(refused: pd.DataFrame, tenants: pd.DataFrame, started: pd.DataFrame) -> list[float]:
    found = tainted_stretches(refused, started, NO_SAMPLES, tenants, NONE, end=END)
    return found[["missing_least", "missing_most"]].iloc[0].tolist()


def test_of_a_process_that_ended_nobody_is_missing_any_longer() -> None:
    """A rollout gave its successor another name."""
    refused = refusals(("a", "09:00", "09:30", 5))
    found = stretches(refused, starts(("a", "08:00"), until=at("10:00")))
    assert found == [["a", "09:00", "09:30", "10:00", True, 5.0, 5.0]]


def test_at_least_those_are_missing_who_come_within_ten_minutes_after_the_guard_let_go() -> None:
    """One came a minute after the restart, one after eleven minutes, one long before."""
    tenants = fleet(("harbor-lane", "15:01"), ("late", "15:11"), ("early", "08:00"))
    refused = refusals(("a", "09:00", "14:00", 2))
    assert missing(refused, tenants, starts(("a", "15:00"))) == [1.0, 2.0]
    # A guard that has not let go shows nobody.
    assert missing(refused, tenants, starts()) == [0.0, 2.0]


def test_more_requests_than_there_are_tenants_say_nothing_of_how_many_were_refused() -> None:
    """Of 384 requests of a fleet of three the upper bound is no bound."""
    tenants = fleet(("harbor-lane", "15:01"), ("acme", "08:00"), ("globex", "08:00"))
    least, most = missing(refusals(("a", "09:00", "14:00", 384)), tenants, starts(("a", "15:00")))
    assert (least, np.isnan(most)) == (1.0, True)


def test_generated_names_that_were_refused_are_no_missing_tenants() -> None:
    rows = [("a", "09:00", "harbor-lane"), ("a", "09:10", "req-0a1b2c3d"), ("a", "09:10", "req-9f8e7d6c")]
    samples = pd.DataFrame(rows, columns=["instance", "time", "tenant"]).assign(job="cloudxai", step=1.0)
    samples["time"] = pd.Series([at(text) for text in samples["time"]], dtype=TIME)
    generated = pd.DataFrame({"stem": ["req-"], "shape": ["hex"]})
    assert stretches(refusals(("a", "09:00", "09:30", 50)), starts(), samples, generated=generated)[0][-1] == 1.0
