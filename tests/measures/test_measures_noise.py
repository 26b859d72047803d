"""Storms, flapping and noise, by hand and against chance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from by_hand import TIME, at, episodes

from cloudxai_analysis.measures import noise
from cloudxai_analysis.measures.counters import counter_steps

MONTH = 28 * 24


def burst(first: str, count: int, *, name: str = "Breach", apart: str = "30s", hours: int = 1) -> pd.DataFrame:
    """Episodes of five minutes of as many tenants, so far apart from each other; the same again in each hour."""
    of_one = pd.date_range(at(first), periods=count, freq=apart, unit="us")
    begun = of_one.append([of_one + pd.Timedelta(hours=hour) for hour in range(1, hours)])
    frame = episodes((name, first, 5)).drop(columns=["fired_at", "tenant"])
    frame = frame.loc[[0] * len(begun)].reset_index(drop=True)
    return frame.assign(
        fired_at=begun, resolved_at=begun + pd.Timedelta(minutes=5), tenant=[f"t{n}" for n in range(count)] * hours
    )


def storms(*bursts: pd.DataFrame, hours: float = MONTH) -> list[list]:
    return noise.storms(pd.concat(bursts), hours=hours).values.tolist()


EVEN = burst("2026-10-19 00:00", MONTH * 12, apart="5min")
MIXED = [burst("10:00", 4, name="B"), burst("10:01", 7, name="A"), burst("15:00", 12, name="C")]
ORDINARY = [burst(f"2026-11-{day:02d} 03:00", 1) for day in range(4, 8)]
DAYS = [burst(f"2026-11-{day:02d} 09:00", 26) for day in range(9, 14)]
HOURLY = [burst("2026-11-02 00:00", 12, hours=7 * 24)]


@pytest.mark.parametrize(
    ("bursts", "hours", "found"),
    [
        ([burst("10:00", 9)], MONTH, []),
        ([burst("10:00", 10)], MONTH, [["10:00", "10:10", 10, "Breach"]]),
        # The tenth begins over ten minutes after the first.
        ([burst("10:00", 10, apart="4000s")], MONTH, []),
        # On a quiet platform the first of two once made the second's ordinary, and of five alike one was found.
        (DAYS, MONTH, [[f"2026-11-{day:02d} 09:00", f"2026-11-{day:02d} 09:18", 26, "Breach"] for day in range(9, 14)]),
        # Called after its most frequent alert; two are two.
        ([*MIXED, *ORDINARY], MONTH, [["10:00", "10:10:30", 11, "A"], ["15:00", "15:11", 12, "C"]]),
        # Twelve episodes an hour, evenly: a mean of 2 within ten minutes. By Alm's formula a Poisson process brings 11
        # within some ten minutes (1 - 2/11) * 2 * 52,560 * P(10; 2) = 3.3 times a year, and 12 of them 0.6 times.
        ([EVEN], MONTH, []),
        # Ten make twelve from 9:55 on as well as from 10:01: all from 9:55 to 10:10 are the storm.
        ([EVEN, burst("10:01", 10, apart="20s")], MONTH, [["09:55", "10:11", 14, "Breach"]]),
        # Twelve at every full hour are ordinary.
        (HOURLY, 7 * 24, []),
        # What was firing when the window began did not begin then.
        ([burst("10:00", 20, apart="1us").assign(cut_start=True)], MONTH, []),
    ],
)
def test_storms_by_hand(bursts: list[pd.DataFrame], hours: float, found: list) -> None:
    assert storms(*bursts, hours=hours) == [[at(start), at(end), *rest] for start, end, *rest in found]


def poisson(draws: np.random.Generator, *, a_minute: float, sizes=None) -> pd.DataFrame:
    """Four weeks in which alerts, or bursts of `sizes`, come by chance."""
    number = draws.poisson(a_minute * 28 * 1440)
    begun = draws.uniform(0, 28 * 86_400e6, number)
    if sizes is not None:
        begun = np.repeat(begun, sizes(number))
    begun = np.sort(begun + draws.uniform(0, 60e6, len(begun))).astype("int64")
    times = pd.Timestamp("2026-10-19", tz="UTC") + pd.to_timedelta(begun, unit="us")
    return burst("10:00", len(begun)).assign(fired_at=times.as_unit("us"))


def test_the_ordinary_bursts_of_a_busy_platform_are_no_storms() -> None:
    draws = np.random.default_rng(10)
    # Ten years of platforms with three alerts in ten minutes, and with twelve: about one storm a year of each.
    assert sum(len(storms(poisson(draws, a_minute=0.3))) for _ in range(13)) <= 3
    assert sum(len(storms(poisson(draws, a_minute=1.2))) for _ in range(13)) <= 4
    # Bursts of four on the average, twice an hour; a storm of sixty among them is one.
    bursts = poisson(draws, a_minute=1 / 30, sizes=lambda number: draws.geometric(0.25, number))
    assert len(storms(bursts)) <= 1
    assert 60 <= max(row[2] for row in storms(bursts, burst("10:00", 60, apart="9s"))) <= 90


@pytest.mark.parametrize(
    ("clocks", "found"),
    [
        (["10:00", "10:30", "11:01"], []),
        (["10:00", "10:30", "11:00", "11:30", "14:00"], [(4, "10:00", "11:35")]),
        (["10:00", "10:30", "10:40 b"], []),
        (
            ["10:00", "10:10", "10:20", "15:00", "15:10", "15:20", "15:30"],
            [(3, "10:00", "10:25"), (4, "15:00", "15:35")],
        ),
        ([], []),
    ],
)
def test_three_episodes_of_one_label_set_within_an_hour_flap(clocks: list[str], found: list) -> None:
    rows = [("Breach", clock.split()[0], 5, "", [*clock.split(), "acme"][1]) for clock in clocks]
    expected = [["Breach", "acme", number, at(start), at(end)] for number, start, end in found]
    assert noise.flapping(episodes(*rows)).values.tolist() == expected


def test_noise_counts_brief_ones_and_those_at_night_in_the_zone() -> None:
    clocks = {"21:59": 299 / 60, "22:00": 5, "07:59": 1, "08:00": 60}
    frame = episodes(*(("Breach", clock, minutes) for clock, minutes in clocks.items()))
    assert noise.weekly_noise(frame, zone="UTC").values.tolist() == [["Breach", "page", 4, 2, 2, 4259.0]]
    # Berlin is one hour ahead in November: 22:59, 23:00, 08:59 and 09:00.
    assert noise.weekly_noise(frame, zone="Europe/Berlin")["at_night"].tolist() == [2]
    assert noise.weekly_noise(frame.assign(cut_end=True), zone="UTC")["short_lived"].tolist() == [0]
    assert noise.weekly_noise(frame[:0], zone="UTC").empty


NO_SCRAPES = pd.DataFrame({"job": [], "instance": [], "time": pd.Series([], dtype=TIME)})
NO_STARTS = NO_SCRAPES.assign(seen_at=NO_SCRAPES["time"], started_at=NO_SCRAPES["time"], processes=1)


def counter(values: object, *, tenant: str = "acme", series: int = 1, minutes: object = None) -> pd.DataFrame:
    frame = pd.DataFrame({"value": np.asarray(values, dtype="float64")})
    minutes = np.arange(len(frame)) if minutes is None else np.asarray(minutes)
    frame["time"] = (at("10:00") + pd.to_timedelta(minutes, unit="min")).astype(TIME)
    frame["series_id"] = series
    for name, value in {"job": "cloudxai", "instance": "a:80", "tenant": tenant}.items():
        frame[name] = pd.Categorical([value] * len(frame))
    return frame


LOW, HIGH = -(2**62), 2**62


@pytest.mark.parametrize(
    ("counters", "found"),
    [
        # 4 a minute over 5 minutes: 20 in all, the state may look ready at each scrape.
        ([counter([0, 0, 4, 8, 12, 16, 20, 20, 20])], [["acme", "10:01", "10:06", 20]]),
        # Ten in ten minutes are not more than ten; nor one a minute for two hours.
        ([counter(np.arange(11))], []),
        ([counter([0, 11])], [["acme", "10:00", "10:01", 11]]),
        (
            [counter([*range(0, 40, 4), *[36] * 60, *range(40, 80, 4)])],
            [["acme", "10:00", "10:09", 36], ["acme", "11:09", "11:19", 40]],
        ),
        ([counter([0, 1, 1, 1, 2, 2])], []),  # an incident flips twice
        ([counter([100, 103, 9])], [["acme", "10:00", "10:02", 12]]),  # a reset counts the value after it: 3 + 9
        # A rise over a gap shows no flapping, a high first value is no rise.
        ([counter([0, 40, 40], minutes=[0, 50, 51])], []),
        ([counter([0, 40, 40], minutes=[0, 9, 10])], [["acme", "10:00", "10:09", 40]]),
        # Series are kept apart whatever their ids.
        ([counter([0, 6, 6], series=LOW), counter([0, 6, 6], tenant="b", series=HIGH)], []),
        ([counter([])], []),
        ([counter([0, np.nan, 20])], [["acme", "10:00", "10:02", 20]]),
    ],
)
def test_more_than_ten_transitions_within_ten_minutes_flap(counters: list[pd.DataFrame], found: list) -> None:
    ours = noise.tenant_flapping(counter_steps(pd.concat(counters, ignore_index=True), NO_SCRAPES, NO_STARTS))
    assert ours.values.tolist() == [[tenant, at(start), at(end), number] for tenant, start, end, number in found]
    assert ours.dtypes.astype(str).tolist()[1:] == [TIME, TIME, "int64"]
