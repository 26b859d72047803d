"""The demo's samples in a VictoriaMetrics, and vmalert's own replay of rules over them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from urllib.request import Request, urlopen

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.sources.demo import DemoSource


def load(url: str, demo: DemoSource, metrics: Iterable[str], window: Window) -> int:
    """Put the demo's samples of these metrics in the window into a VictoriaMetrics; how many there were."""
    samples = 0
    for metric in metrics:
        batch = demo.read(metric, {}, window)
        samples += batch.samples
        lines = [
            json.dumps(
                {
                    "metric": {"__name__": metric, **labels},
                    "values": batch.values[low:high].tolist(),
                    "timestamps": batch.times[low:high].tolist(),
                }
            )
            for labels, low, high in zip(batch.labels, batch.offsets[:-1], batch.offsets[1:], strict=True)
            if high > low
        ]
        with urlopen(Request(f"{url}/api/v1/import", data="\n".join(lines).encode()), timeout=120) as answer:
            assert answer.status == 204
    flush(url)
    return samples


def flush(url: str) -> None:
    """Make what was written readable."""
    with urlopen(f"{url}/internal/force_flush", timeout=120) as answer:
        assert answer.status == 200


def replayed(url: str, rules: Path, window: Window, *, points: int = 20_000) -> None:
    """Replay the rules by vmalert over the window, asking for so many points at once, into the same server."""
    command = [
        "vmalert",
        f"-rule={rules}",
        f"-datasource.url={url}",
        f"-remoteWrite.url={url}",
        f"-replay.timeFrom={window.start:%Y-%m-%dT%H:%M:%SZ}",
        f"-replay.timeTo={window.end:%Y-%m-%dT%H:%M:%SZ}",
        "-datasource.queryStep=1m",
        "-replay.rulesDelay=0",
        f"-replay.maxDatapointsPerQuery={points}",
        "-replay.disableProgressBar",
        "-disableAlertgroupLabel",
        "-remoteWrite.maxQueueSize=1000000",
        "-loggerLevel=ERROR",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    flush(url)
