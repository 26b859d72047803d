"""The demo's frames without a lake are those of the lake, to the last bit."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest

from cloudxai_analysis.ground.window import HOUR, Window, parse_window
from cloudxai_analysis.lake.memory import MemorySnapshot
from cloudxai_analysis.lake.pull import pull
from cloudxai_analysis.lake.read import Snapshot
from cloudxai_analysis.lake.tables import open_lake
from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.scenario import EXTENT

ROLES = ["tenant_readiness", "rejections", "cost_billing", "process_start", "up", "alerts", "readiness_check"]
CONTRACT = load_contract().model_copy(
    update={"metrics": {role: metric for role, metric in load_contract().metrics.items() if role in ROLES}}
)
W46 = parse_window("2026-W46")
METRICS = [(name, CONTRACT[role].labels) for role in ROLES for name in CONTRACT[role].series_names]
NAMES = [name for name, _ in METRICS]
WINDOWS = {
    "week": W46,
    "inside days": Window(W46.start + 30 * HOUR, W46.start + 77 * HOUR),
    "minutes": Window(W46.start + timedelta(minutes=90), W46.start + timedelta(minutes=150)),
    "beyond the end": Window(EXTENT.end - 2 * HOUR, EXTENT.end + 30 * HOUR),
}


@pytest.fixture(scope="module")
def demo() -> DemoSource:
    return DemoSource()


@pytest.fixture(scope="module")
def lake(demo: DemoSource, tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    lake = open_lake(tmp_path_factory.mktemp("memory") / "lake")
    pull(demo, lake, CONTRACT, Window(W46.start - 48 * HOUR, W46.end), now=EXTENT.end)
    return lake.snapshot()


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
@pytest.mark.parametrize(("metric", "labels"), METRICS, ids=NAMES)
def test_memory_gives_the_frames_of_the_lake(
    demo: DemoSource, lake: Snapshot, metric: str, labels: tuple[str, ...], window: Window
) -> None:
    memory = MemorySnapshot(demo)
    for of_lake, of_memory in (
        (lake.samples(metric, window, labels), memory.samples(metric, window, labels)),
        (lake.series(metric, window), memory.series(metric, window)),
        (lake.hours(metric, window, labels), memory.hours(metric, window, labels)),
    ):
        pd.testing.assert_frame_equal(of_memory, of_lake, check_exact=True)
    if window is W46:
        assert len(of_lake)


def test_memory_reads_the_series_that_its_matchers_name(demo: DemoSource) -> None:
    memory = MemorySnapshot(demo, {"instance": "cloudxai-1:8080"})
    assert memory.hours("up", W46, ["instance"])["instance"].unique().tolist() == ["cloudxai-1:8080"]
    assert len(memory.hours("up", W46)) == 7 * 24
