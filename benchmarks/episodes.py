"""A year of alert episodes: a million firing samples of ALERTS, in passes over the column.

The year is made of 200 alerts of 20 rules that fire again and again, mostly for ten minutes, at one evaluation a
minute. One pass is the column of values added up by alert, by pandas; each measure is timed in passes. `episodes` is
measured three times: on samples in the order of the lake, with one interval; as a study asks for it, with an interval
for each rule, the identities of the alerts and the server's gaps; and with as many samples of ALERTS_FOR_STATE beside
it, in passes over both columns.

JSON keys: episodes_x_pass (the slowest of the three), samples, episodes.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.window import DAY, Window, parse_window
from cloudxai_analysis.measures import alerts, noise

END = parse_window("2026-W46").end
YEAR = Window(END - 365 * DAY, END)
ALERTS, RULES, SAMPLES = 200, 20, 1_000_000
LONG = 10  # evaluations of most firings
ROUNDS = 7
TIME = "datetime64[us, UTC]"


def year() -> pd.DataFrame:
    """Firing samples by series and time, as the lake gives them."""
    draw = np.random.default_rng(1)
    minutes = round(YEAR.duration.total_seconds() / 60)
    firings = SAMPLES // ALERTS // LONG
    parts = []
    for number in range(ALERTS):
        begun = np.sort(draw.choice(minutes // (2 * LONG), firings, replace=False)) * 2 * LONG
        lengths = draw.integers(LONG - 2, LONG + 3, firings)
        at = np.repeat(begun, lengths) + np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        parts.append((np.full(len(at), number), at, np.repeat(begun, lengths)))
    series, at, begun = (np.concatenate(column) for column in zip(*parts, strict=True))
    start = np.datetime64(YEAR.start.replace(tzinfo=None), "us")
    times = pd.Series(start + at * np.timedelta64(60_000_000, "us")).dt.tz_localize("UTC")
    frame = pd.DataFrame({"series_id": series.astype(np.int64), "time": times, "value": 1.0})
    tenants = pd.Index([f"tenant-{number:03d}" for number in range(ALERTS)], dtype="str")
    rules = pd.Index([f"Rule{number:02d}" for number in range(RULES)], dtype="str")
    return frame.assign(
        alertname=pd.Categorical.from_codes(series % RULES, rules),
        alertstate=pd.Categorical.from_codes(np.zeros(len(at), dtype=np.int8), ["firing"]),
        severity=pd.Categorical.from_codes(np.zeros(len(at), dtype=np.int8), ["page"]),
        tenant=pd.Categorical.from_codes(series, tenants),
        job=pd.Categorical.from_codes(np.zeros(len(at), dtype=np.int8), ["cloudxai"]),
        instance=pd.Categorical.from_codes(np.zeros(len(at), dtype=np.int8), ["cloudxai-0:8080"]),
        active=YEAR.start.timestamp() + 60.0 * begun,
    )


def seconds_of(run: Callable[[], Any]) -> float:
    """The smallest wall time of some runs."""
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        run()
        taken.append(time.perf_counter() - started)
    return min(taken)


def one_pass_over(frame: pd.DataFrame) -> pd.Series:
    """The column of values added up by alert."""
    return frame.groupby("tenant", observed=True)["value"].sum()


def main() -> None:
    """Measure, print the table, and with --json the figures as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    given = parser.parse_args()
    frame = year()
    frame = frame.assign(alert=frame["series_id"])
    for_state = frame.assign(value=frame["active"])
    up = pd.DataFrame({"time": pd.date_range(YEAR.start, YEAR.end, freq="min", inclusive="left", unit="us")})
    hole = up["time"].between(YEAR.start + 100 * DAY, YEAR.start + 100 * DAY + pd.Timedelta(minutes=20))
    gaps = pd.DataFrame({"start": [up["time"][hole].iloc[0]], "end": [up["time"][hole].iloc[-1]]}).astype(TIME)
    intervals = {"": 60.0, **{f"Rule{number:02d}": 60.0 for number in range(RULES)}}
    episodes = alerts.episodes(frame, interval_seconds=60, window=YEAR)
    one_pass = seconds_of(lambda: one_pass_over(frame))
    runs: dict[str, Callable[[], Any]] = {
        "alerts.episodes": lambda: alerts.episodes(frame, interval_seconds=60, window=YEAR),
        "alerts.episodes, as a study": lambda: alerts.episodes(
            frame, interval_seconds=intervals, window=YEAR, gaps=gaps
        ),
        "alerts.episodes, with ALERTS_FOR_STATE": lambda: alerts.episodes(
            frame, interval_seconds=intervals, window=YEAR, gaps=gaps, for_state=for_state
        ),
        "alerts.pendings": lambda: alerts.pendings(frame, interval_seconds=60),
        "alerts.evaluation_intervals": lambda: alerts.evaluation_intervals(frame, default_seconds=60),
        "alerts.evaluation_gaps": lambda: alerts.evaluation_gaps(frame, up, interval_seconds=60),
        "noise.storms": lambda: noise.storms(episodes, hours=YEAR.duration.total_seconds() / 3600),
        "noise.flapping": lambda: noise.flapping(episodes),
    }
    print(
        f"{len(frame):,} firing samples, {len(episodes):,} episodes; one pass takes {one_pass * 1e3:.1f} ms.\n\n"
        "| measure | ms | passes |\n| --- | ---: | ---: |"
    )
    passes = {}
    for name, run in runs.items():
        taken = seconds_of(run)
        passes[name] = taken / one_pass / (2 if name.endswith("ALERTS_FOR_STATE") else 1)
        print(f"| `{name}` | {taken * 1e3:.1f} | {passes[name]:.1f} |")
    if given.json:
        slowest = max(taken for name, taken in passes.items() if name.startswith("alerts.episodes"))
        found = {"episodes_x_pass": round(slowest, 1), "samples": len(frame), "episodes": len(episodes)}
        print(json.dumps(found))


if __name__ == "__main__":
    main()
