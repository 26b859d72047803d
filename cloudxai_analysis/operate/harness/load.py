"""Growth with the number of tenants, guarded and not, on this machine; first what two equal arms differ by on it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.operate.harness.processes import SCRAPE_SECONDS, Platform, Server, platform_words, scraping
from cloudxai_analysis.platform.contract import Contract
from cloudxai_analysis.words.phrases import percent

ARMS = ("guarded", "unguarded")
_BATCH = 2000  # operations in one request
_SCRAPES = 5  # after the last new tenant, of which the median counts
PAIRS = 40  # scrapes of two equal arms
_PATIENCE = 60.0  # seconds for one size
_GROWS = 3  # from one size to the next
_TELLING = 3000  # further series under which the server's memory moves more by itself
_MEMORY_SHARE = 0.5  # of what the machine has left, for the server


def loaded(folder: Path, contract: Contract, *, cap: int, most: int, pairs: int = PAIRS) -> dict[str, Any]:
    """What more tenants cost, up to `most`, with the guard and without it: the noise floor, steps, knees, a bill.

    An arm ends at its knee, where a scrape takes longer than its interval or fails, or at the
    machine's memory.
    """
    with scraping(folder, contract) as server, ExitStack() as ended:
        arms = {}
        for arm, most_held in zip(ARMS, (cap, None), strict=True):
            arms[arm] = Platform.started(platform_words(contract, cap=most_held))
            ended.callback(arms[arm].kill)
        noise = _noise(server, contract, min(cap, most), ended, pairs)
        server.scrape(one.instance for one in arms.values())
        steps, stopped = _steps(server, arms, _sizes(min(cap, most), most))
    own = {arm: [step for step in steps if step["arm"] == arm] for arm in ARMS}
    knees = {arm: next((step["tenants"] for step in own[arm] if step["knee"]), None) for arm in ARMS}
    tried = {arm: max(step["tenants"] for step in own[arm]) for arm in ARMS}
    return {
        "noise": noise,
        "steps": steps,
        "knees": knees,
        "most_tried": tried,
        "stopped": stopped,
        "per_series": _per_series(own["unguarded"]),
    }


def lines(growth: Mapping[str, Any], refused_names: int) -> Iterator[str]:
    """What `loaded` gives, as sentences."""
    noise, unit = growth["noise"], growth["per_series"]
    if noise["scrapes"]:
        floor = percent(noise["floor"])
        yield f"Two equal arms differ by {percent(noise['differ'])}, so differences under {floor} are not told."
    for arm in ARMS:
        knee, tried = growth["knees"][arm], growth["most_tried"][arm]
        at = f"at {knee:,} tenants scrapes no longer fit their second" if knee else f"no knee up to {tried:,} tenants"
        own = [step for step in growth["steps"] if step["arm"] == arm]
        yield f"{arm.capitalize()}: {at}; {_change(own, noise['floor'])}."
    yield from growth["stopped"]
    if not unit["bytes_of_memory"]:
        yield "The memory of a series is not told: too few were added."
    elif refused_names:
        series = refused_names * unit["series_of_a_tenant"]
        size = series * unit["bytes_of_memory"] / 1e6
        yield (
            f"Without a guard the {refused_names:,} refused names of this run were {series:,} further series, "
            f"some {size:,.1f} MB of the server's memory at {unit['bytes_of_memory']:,} bytes a series."
        )


def _change(steps: Sequence[Mapping[str, Any]], floor: float) -> str:
    first, last = steps[0], steps[-1]
    grown = last["seconds"] / first["seconds"] if first["seconds"] else float("nan")
    said = f"a scrape takes {1000 * last['seconds']:,.1f} ms for {last['tenants']:,}"
    # One that is cheaper than a smaller one is the machine's doing.
    if not grown > 1 + floor:
        return f"{said}, no dearer than for {first['tenants']:,}"
    return f"{said}, {grown:,.1f} times that of {first['tenants']:,}"


def _sizes(first: int, most: int) -> list[int]:
    sizes = [first]
    while sizes[-1] < most:
        sizes.append(min(most, _GROWS * sizes[-1]))
    return sizes


def _noise(server: Server, contract: Contract, tenants: int, ended: ExitStack, pairs: int) -> dict[str, Any]:
    """Two arms that are alike in everything, scraped side by side: how far apart are their scrapes?"""
    twins = []
    for _ in range(2):
        twins.append(Platform.started(platform_words(contract, cap=None)))
        ended.callback(twins[-1].kill)
        _fill(twins[-1], 0, tenants)
    server.scrape(twin.instance for twin in twins)
    until = time.monotonic() + pairs * 2 * SCRAPE_SECONDS + 10
    while time.monotonic() < until and min(len(_durations(server, twin)) for twin in twins) < pairs:
        time.sleep(SCRAPE_SECONDS / 2)
    # The first scrape of a target makes its series.
    first, second = (np.array(_durations(server, twin)[1:]) for twin in twins)
    for twin in twins:
        twin.kill()
    several = min(len(first), len(second)) // _SCRAPES
    if not several:
        return {"scrapes": 0, "differ": 0.0, "floor": 1.0}
    whole = several * _SCRAPES
    blocks = [np.median(twin[:whole].reshape(several, _SCRAPES), axis=1) for twin in (first, second)]
    differ = abs(np.median(first) / np.median(second) - 1)
    # What two medians of as many scrapes as a step has were seen to differ by, at most.
    ratios = blocks[0] / blocks[1]
    floor = max(differ, *(np.maximum(ratios, 1 / ratios) - 1))
    return {"scrapes": whole, "differ": round(float(differ), 4), "floor": round(float(floor), 4)}


def _fill(platform: Platform, first: int, last: int) -> None:
    for begin in range(first, last, _BATCH):
        platform.load([["try", f"load-{number:07d}", 1.0, 1] for number in range(begin, min(last, begin + _BATCH))])


def _steps(
    server: Server, arms: Mapping[str, Platform], sizes: Sequence[int]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Both arms at one size after the other, in turns so that what the machine does beside meets both alike."""
    steps: list[dict[str, Any]] = []
    stopped: list[str] = []
    left, filled, most = dict(arms), dict.fromkeys(arms, 0), _MEMORY_SHARE * psutil.virtual_memory().available
    for size in sizes:
        for arm, platform in list(left.items()):
            _fill(platform, filled[arm], size)
            filled[arm] = size
            steps.append({"arm": arm, "tenants": size, **_step(server, platform)})
            over = steps[-1]["server_bytes"] > most
            if over and not steps[-1]["knee"]:
                stopped.append(f"{arm.capitalize()}: ended at {size:,} tenants, at half of the machine's free memory.")
            if over or steps[-1]["knee"]:
                del left[arm]
                server.scrape(one.instance for one in left.values())
    return steps, stopped


def _step(server: Server, platform: Platform) -> dict[str, Any]:
    """A platform as it is, over some scrapes from now on."""
    begun, until = datetime.now(UTC), time.monotonic() + _PATIENCE
    while len(ups := _since(server, "up", platform, begun)) <= _SCRAPES and time.monotonic() < until:
        time.sleep(SCRAPE_SECONDS / 2)
    durations = _since(server, "scrape_duration_seconds", platform, begun)[1:]
    failed = sum(value != 1 for value in ups)
    seconds = float(np.median(durations)) if durations else _PATIENCE
    return {
        "seconds": round(seconds, 6),
        "failed_scrapes": failed,
        "knee": bool(failed or not durations or seconds >= SCRAPE_SECONDS),
        "samples": int(max(_since(server, "scrape_samples_scraped", platform, begun), default=0)),
        "scrape_bytes": platform.exposed_bytes(),
        "platform_bytes": platform.memory_bytes,
        "server_bytes": int(server.memory_bytes()),
        "server_series": int(server.series()),
    }


def _durations(server: Server, platform: Platform) -> list[float]:
    return _since(server, "scrape_duration_seconds", platform, platform.began)


def _since(server: Server, metric: str, platform: Platform, begun: datetime) -> list[float]:
    """A target's samples since a moment."""
    window = Window(begun, datetime.now(UTC))
    batch = server.source.read(metric, {"instance": platform.instance}, window)
    return [value for value in batch.values.tolist() if not math.isnan(value)]


def _per_series(steps: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """What one more series cost, from the first size of an arm to its last; 0 where it grew too little."""
    first, last = steps[0], steps[-1]
    tenants, series = last["tenants"] - first["tenants"], last["server_series"] - first["server_series"]
    if tenants <= 0 or series < _TELLING:
        return {"series_of_a_tenant": 0, "bytes_of_memory": 0, "scrape_bytes_of_a_tenant": 0}
    return {
        "series_of_a_tenant": round((last["samples"] - first["samples"]) / tenants),
        "bytes_of_memory": max(round((last["server_bytes"] - first["server_bytes"]) / series), 0),
        "scrape_bytes_of_a_tenant": round((last["scrape_bytes"] - first["scrape_bytes"]) / tenants),
    }
