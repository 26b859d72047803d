"""How fast raw samples come from a server into memory and into the lake, beside the usual client and the bytes alone.

One Prometheus is started on the loopback with a week of 15-second samples of 100 series, twice: `easy` floats (counts,
as most series are) and `random` ones. The same samples are then read in turn by prometheus-api-client (in its best of
three chunk sizes), by plain requests with orjson, by this suite, and as bytes of a remote read that nobody decodes. All
but the last end with labels, int64 milliseconds and float64 values, which must be equal by bits; times are the smallest
of several runs, and the suite's every check is on.

Then the scale: 1,000 tenants x 7 days x 15 s x 3 metrics, streamed as real chunks (those of the Prometheus above, under
other labels) by a loopback server of a process of its own, pulled, rolled up and committed. The floor is the bytes
alone plus pyarrow writing the same arrays alone.

JSON keys: memory_x_client, lake_x_client, wire_share (each the smaller of easy and random), scale_seconds,
scale_x_floor, scale_peak_mib (and of two days: scale_two_days_peak_mib), growth_exponent (100 to 1,000 tenants).
"""

from __future__ import annotations

import argparse
import json
import math
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import requests

PROJECT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT / "tests"), str(PROJECT / "benchmarks")]

import chunk_server  # noqa: E402
import servers  # noqa: E402

from cloudxai_analysis.ground.window import Window  # noqa: E402
from cloudxai_analysis.lake import tiles  # noqa: E402
from cloudxai_analysis.lake.pull import pull  # noqa: E402
from cloudxai_analysis.lake.tables import open_lake  # noqa: E402
from cloudxai_analysis.platform.contract import Metric, load_contract  # noqa: E402
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits  # noqa: E402
from cloudxai_analysis.sources.open import open_source  # noqa: E402
from cloudxai_analysis.sources.series import SeriesBatch, canonical_labels  # noqa: E402

START = datetime(2026, 11, 2, tzinfo=UTC)
DAYS = 7
WEEK = Window(START, START + timedelta(days=DAYS))
STEP_MS = 15_000
SERIES = 100
KINDS = ("easy", "random")
CHUNK_SIZES = (timedelta(hours=6), timedelta(days=1), timedelta(days=7))
ROUNDS = 20

Series = dict[str, tuple[np.ndarray, np.ndarray]]


def samples(kind: str) -> SeriesBatch:
    """A week of 100 series; easy ones are counters of rare events, random ones have 53 random bits."""
    draw = np.random.default_rng(20261102)
    times = WEEK.start_ms + np.arange(DAYS * 86_400_000 // STEP_MS, dtype=np.int64) * STEP_MS
    made = []
    for number in range(SERIES):
        easy = np.cumsum(draw.poisson(0.3, len(times))).astype(np.float64)
        values = easy if kind == "easy" else draw.random(len(times))
        labels = {"instance": f"host-{number % 4}:8080", "job": "cloudxai", "tenant": f"t{number:03d}"}
        made.append((labels, times, values))
    return SeriesBatch.of(kind, made)


def by_labels(batch: SeriesBatch) -> Series:
    """Times and values of each series."""
    edges = zip(batch.offsets, batch.offsets[1:], strict=False)
    spans = zip(batch.labels, edges, strict=True)
    return {canonical_labels(labels): (batch.times[a:b], batch.values[a:b]) for labels, (a, b) in spans}


def collected(answers: list[dict[str, Any]]) -> Series:
    """Series from the `result` of instant queries with ranges, doubles at the chunks' edges taken out."""
    pieces: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for item in answers:
        labels = {name: value for name, value in item["metric"].items() if name != "__name__"}
        pairs = item["values"]
        times = np.rint(np.fromiter((pair[0] for pair in pairs), np.float64, len(pairs)) * 1000).astype(np.int64)
        values = np.fromiter((float(pair[1]) for pair in pairs), np.float64, len(pairs))
        pieces.setdefault(canonical_labels(labels), []).append((times, values))
    found = {}
    for key, parts in pieces.items():
        times, first = np.unique(np.concatenate([times for times, _ in parts]), return_index=True)
        values = np.concatenate([values for _, values in parts])[first]
        inside = (times >= WEEK.start_ms) & (times < WEEK.end_ms)
        found[key] = times[inside], values[inside]
    return found


def by_client(url: str, kind: str, chunk: timedelta) -> Series:
    """prometheus-api-client's own bulk fetch."""
    from prometheus_api_client import PrometheusConnect

    client = PrometheusConnect(url=url)
    return collected(client.get_metric_range_data(kind, start_time=WEEK.start, end_time=WEEK.end, chunk_size=chunk))


def by_orjson(url: str, kind: str) -> Series:
    """The same question a day at a time, with plain requests, and orjson to read the answer."""
    answers = []
    with requests.Session() as session:
        for day in WEEK.days():
            fields = {"query": f"{kind}[1d]", "time": str(day.end_ms / 1000)}
            answers += orjson.loads(session.post(f"{url}/api/v1/query", data=fields).content)["data"]["result"]
    return collected(answers)


def bytes_only(url: str, kind: str, window: Window = WEEK) -> int:
    """The bytes of a remote read, received and dropped."""
    from cloudxai_analysis.sources.remote_read import HEADERS, request

    body = request(kind, {}, window.start_ms, window.end_ms)
    headers = {**HEADERS, "Accept-Encoding": "identity"}
    size = 0
    with requests.post(f"{url}/api/v1/read", data=body, headers=headers, stream=True, timeout=600) as answer:
        while piece := answer.raw.read1(1 << 16):
            size += len(piece)
    return size


def seconds_of(run: Callable[[], Any]) -> tuple[float, Any]:
    """The wall time of one run, and what it gave."""
    started = time.perf_counter()
    result = run()
    return time.perf_counter() - started, result


def fastest(run: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    """The smallest wall time of several runs, and what the last of them gave."""
    taken = [seconds_of(run) for _ in range(rounds)]
    return min(seconds for seconds, _ in taken), taken[-1][1]


def contract_of(*names: str) -> Any:
    """The contract cut down to gauges of these names."""
    metrics = {
        name: Metric(name=name, kind="gauge", labels=("job", "instance", "tenant"), unit="1", help="") for name in names
    }
    return load_contract().model_copy(update={"metrics": metrics})


def into_lake(url: str, folder: Path, window: Window, *names: str) -> int:
    """Pull metrics into a fresh lake; the number of samples."""
    source = open_source(url, limits=Limits(), settings=EnvironmentSettings())
    now = window.end + timedelta(days=1)
    return pull(source, open_lake(folder), contract_of(*names), window, now=now).samples_pulled


def compare(url: str, scratch: Path, kind: str) -> dict[str, float]:
    """Seconds of each way for one kind of floats, after a look that all give the same."""
    source = open_source(url, limits=Limits(), settings=EnvironmentSettings())
    into_lake(url, scratch / f"warm-{kind}", WEEK, kind)
    # In turns, so that both meet the same minutes of the machine.
    taken = {"bytes": math.inf, "memory": math.inf}
    for _ in range(ROUNDS):
        taken["bytes"] = min(taken["bytes"], seconds_of(lambda: bytes_only(url, kind))[0])
        seconds, ours = seconds_of(lambda: source.read(kind, {}, WEEK))
        taken["memory"] = min(taken["memory"], seconds)
    truth, folders = by_labels(samples(kind)), iter(range(1_000))
    taken["lake"], pulled = fastest(lambda: into_lake(url, scratch / f"{kind}-{next(folders)}", WEEK, kind), 3)
    taken["orjson"], plain = seconds_of(lambda: by_orjson(url, kind))
    runs = [seconds_of(lambda size=size: by_client(url, kind, size)) for size in CHUNK_SIZES]
    taken["client"] = min(seconds for seconds, _ in runs)
    for found in (by_labels(ours), plain, *(found for _, found in runs)):
        equal(found, truth)
    frame = open_lake(scratch / f"{kind}-0").snapshot().samples(kind, WEEK, ["tenant"])
    assert pulled == ours.samples == len(frame)
    assert np.array_equal(np.sort(frame["value"]), np.sort(np.concatenate([values for _, values in truth.values()])))
    return taken


def equal(found: Series, truth: Series) -> None:
    """Labels, times and every bit of every value are the same."""
    assert found.keys() == truth.keys()
    for key, (times, values) in truth.items():
        assert np.array_equal(found[key][0], times)
        assert np.array_equal(found[key][1].view(np.int64), values.view(np.int64))


def scale(url: str, scratch: Path) -> dict[str, float]:
    """The pull of 1,000 tenants, in processes of their own, beside its floor."""
    with chunk_server.replaying(url, WEEK, KINDS, scratch) as replay:
        pulls = {}
        for tenants, days in ((1_000, 7), (1_000, 2), (100, 7), (1_000, 7)):
            folder = tempfile.mkdtemp(dir=scratch)
            command = [sys.executable, __file__, "--scale-pull", replay(tenants), str(days), folder]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found = json.loads(done.stdout)
            known = pulls.setdefault((tenants, days), found)
            known["seconds"] = min(known["seconds"], found["seconds"])
        names = chunk_server.METRICS
        wire = sum(seconds_of(lambda n=name: bytes_only(replay(1_000), n))[0] for name in names)
        written = arrow_alone(replay(1_000), names)
    whole, small = pulls[1_000, 7], pulls[100, 7]
    return {
        "samples": whole["samples"],
        "seconds": whole["seconds"],
        "wire": wire,
        "arrow": written,
        "peak": whole["peak_mib"],
        "two_days_peak": pulls[1_000, 2]["peak_mib"],
        "exponent": math.log10(whole["seconds"] / small["seconds"]),
    }


def arrow_alone(url: str, names: tuple[str, ...]) -> float:
    """Seconds that pyarrow takes to write the same arrays with the lake's settings, with nothing else around it."""
    source = open_source(url, limits=Limits(), settings=EnvironmentSettings())
    seconds = 0.0
    for name in names:
        for day in WEEK.days():
            batch = source.read(name, {}, day)
            texts = pa.array([canonical_labels(labels) for labels in batch.labels], type=pa.string())
            seconds += fastest(lambda batch=batch, texts=texts: packed(batch, texts), 1)[0]
    return seconds


def packed(batch: SeriesBatch, texts: pa.Array) -> object:
    """A batch's samples as the lake packs them."""
    return tiles._packed(tiles._sample_tables(batch, np.arange(len(batch)), {"labels": texts, "tenant": texts}))


def scale_pull(url: str, days: str, folder: str) -> None:
    """One pull in a process of its own: samples, seconds, and the most memory that it held."""
    window = Window(WEEK.start, WEEK.start + timedelta(days=int(days)))
    minute = Window(WEEK.start, WEEK.start + timedelta(minutes=1))
    into_lake(url, Path(folder) / "warm", minute, chunk_server.METRICS[0])
    started = time.perf_counter()
    found = into_lake(url, Path(folder) / "lake", window, *chunk_server.METRICS)
    seconds = time.perf_counter() - started
    # Not of getrusage, which takes over what the parent held when it started this process.
    peak = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024
    print(json.dumps({"samples": found, "seconds": seconds, "peak_mib": peak}))


def main() -> None:
    """Run everything, print the tables, and with --json the figures as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--no-scale", action="store_true", help="leave out the 121 million samples")
    parser.add_argument("--scale-pull", nargs=3, metavar=("URL", "DAYS", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.scale_pull:
        scale_pull(*given.scale_pull)
        return
    result: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        batches = [samples(kind) for kind in KINDS]
        servers.load_openmetrics(scratch, batches)
        count = batches[0].samples
        with servers.prometheus(scratch) as server:
            taken = {kind: compare(server.url, scratch, kind) for kind in KINDS}
            result["memory_x_client"] = min(round(one["client"] / one["memory"]) for one in taken.values())
            result["lake_x_client"] = min(round(one["client"] / one["lake"]) for one in taken.values())
            result["wire_share"] = min(round(one["bytes"] / one["memory"], 2) for one in taken.values())
            print_comparison(taken, count)
            if not given.no_scale:
                found = scale(server.url, scratch)
                print_scale(found)
                result |= {
                    "scale_seconds": round(found["seconds"], 1),
                    "scale_x_floor": round(found["seconds"] / (found["wire"] + found["arrow"]), 2),
                    "scale_peak_mib": round(found["peak"]),
                    "scale_two_days_peak_mib": round(found["two_days_peak"]),
                    "growth_exponent": round(found["exponent"], 2),
                }
    if given.json:
        print(json.dumps(result))


def print_comparison(taken: dict[str, dict[str, float]], count: int) -> None:
    """A row for each way: million samples a second, and how many times the client."""
    rows = {
        "client": "prometheus-api-client, best of three chunk sizes",
        "orjson": "plain requests and orjson",
        "lake": "this suite, into the committed lake with rollups",
        "memory": "this suite, into memory",
        "bytes": "bytes of the remote read alone",
    }
    print(f"{count:,} samples of {SERIES} series, million samples a second (times the client):\n")
    print("| way | easy floats | random floats |\n| --- | ---: | ---: |")
    for way, name in rows.items():
        cells = [f"{count / one[way] / 1e6:.2f} ({one['client'] / one[way]:,.0f}x)" for one in taken.values()]
        print(f"| {name} | {' | '.join(cells)} |")


def print_scale(found: dict[str, float]) -> None:
    """The pull of 1,000 tenants, its floor and its memory."""
    floor = found["wire"] + found["arrow"]
    print(f"\n{found['samples']:,.0f} samples of 1,000 tenants over a week, into the committed lake:\n")
    print("| part | seconds |\n| --- | ---: |")
    print(f"| pulled, rolled up and committed | {found['seconds']:.1f} ({found['seconds'] / floor:.2f}x the floor) |")
    print(f"| the server's bytes alone | {found['wire']:.1f} |")
    print(f"| pyarrow writing the same arrays alone | {found['arrow']:.1f} |")
    print(f"\nPeak memory {found['peak']:.0f} MiB, of two days {found['two_days_peak']:.0f} MiB; growth exponent")
    print(f"from 100 to 1,000 tenants {found['exponent']:.2f}.")


if __name__ == "__main__":
    main()
