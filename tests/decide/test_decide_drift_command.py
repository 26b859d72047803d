"""`cloudxai migrate drift` on a real Prometheus that scraped two processes: one before a rollout, one after it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clean_command import cloudxai
from servers import Server, load_openmetrics, prometheus, series

from cloudxai_analysis.sources.series import SeriesBatch

pytestmark = [pytest.mark.server, pytest.mark.needs("prometheus", "promtool")]
START, STEP, POINTS = 1_762_128_000_000, 240_000, 5040  # 2025-11-03, 4 minutes, two weeks
ROLLOUT = 3 * POINTS // 4  # 2025-11-13T12:00Z, in the middle of 2025-W46


def _parts(old: str, new: str, course: Any, **labels: tuple[str, str]) -> Iterator[SeriesBatch]:
    """A metric of the process before and of the one after, under other names and labels."""
    for side, name in enumerate((old, new)):
        rows = slice(0, ROLLOUT) if side == 0 else slice(ROLLOUT, POINTS)
        own = {"job": "app", "instance": ("old:1", "new:1")[side]} | {key: both[side] for key, both in labels.items()}
        times = (START + STEP * np.arange(POINTS))[rows].tolist()
        yield SeriesBatch.of(name, [series({k: v for k, v in own.items() if v}, times, course[rows].tolist())])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder, draw = tmp_path_factory.mktemp("drift"), np.random.default_rng(1)
    after = np.arange(POINTS) >= ROLLOUT
    batches = list(_parts("app_build_info", "app_build_info", np.ones(POINTS), version=("0.9.4", "1.0.0")))
    for level, device in ((4e3, "sda"), (900.0, "sdb")):
        waits = level * np.exp(draw.normal(0, 0.05, POINTS))
        changed = np.where(after, waits / 1000, waits)
        batches += _parts("io_wait_ms", "io_wait_seconds", changed, dev=(device, ""), device=("", device))
        total = np.cumsum(draw.poisson(level, POINTS)).astype(float)
        total[ROLLOUT:] -= total[ROLLOUT]
        batches += _parts("reads_completed", "reads_completed_total", total, device=(device, device))
        batches += _parts("queue_length", "queue_length", waits[::-1].copy(), device=(device, device))
    ready = (draw.random(POINTS) < 0.98) * np.where(after, 100.0, 1.0)
    batches += _parts("readiness_state", "readiness_state", ready)
    load_openmetrics(folder, batches)
    with prometheus(folder) as running:
        yield running


def drifted(server: Server, folder: Path, *words: str) -> tuple[int, str, str]:
    own = ("--source", server.url, "--job", "app", "--now", "2025-11-17T06:00Z")
    done = cloudxai("migrate", "drift", *own, *words, outputs=folder / "outputs")
    return done.returncode, done.stdout, done.stderr


def test_what_a_rollout_changed_is_found_at_the_moment_that_a_build_label_tells(server: Server, tmp_path: Path) -> None:
    code, out, err = drifted(server, tmp_path, "--json", "--write", str(tmp_path / "changes.toml"))
    assert code == 1, err  # readiness is in percent now
    told = json.loads(out)
    assert "from 0.9.4 to 1.0.0" in told["because"]
    assert "label 'version'" in told["because"]
    found = {(row["kind"], row["old"], row["new"]): row for row in told["changes"]}
    assert set(found) == {
        ("renamed", "io_wait_ms", "io_wait_seconds"),
        ("renamed", "reads_completed", "reads_completed_total"),
        ("meaning", "readiness_state", "readiness_state"),
    }
    waits = found["renamed", "io_wait_ms", "io_wait_seconds"]
    assert waits["factor"] == pytest.approx(0.001)
    assert waits["labels"] == {"dev": "device"}
    assert found["meaning", "readiness_state", "readiness_state"]["locked"]
    written = tomllib.loads((tmp_path / "changes.toml").read_text(encoding="utf-8"))["change"]
    assert {row["kind"] for row in written} == {"renamed", "meaning"}


def test_nothing_changes_within_one_build(server: Server, tmp_path: Path) -> None:
    code, out, err = drifted(server, tmp_path, "--at", "2025-11-08T00:00Z", "--hours", "100")
    assert code == 0, err
    assert out.startswith("Nothing changed")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--job", "nobody", "--at", "2025-11-08T00:00Z", "--hours", "0"), 2, "--hours lies above 0"),
        (("--against", "2025-W46", "--week", "2025-W46"), 2, "does not end before"),
        (("--week", "2025-W40"), 4, "no sample of 'app'"),
    ],
)
def test_what_cannot_be_held_against_each_other_ends_in_one_line(
    server: Server, tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    ended, _, err = drifted(server, tmp_path, *words)
    assert (ended, said in err) == (code, True), err
    assert len(err.strip().splitlines()) == 1, err
