"""A platform that calls its tenants otherwise, through a real Prometheus: the same numbers as under `tenant`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import servers
from small_platform import study_over

from cloudxai_analysis.cards.summary import summarise
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.lake.memory import MemorySnapshot
from cloudxai_analysis.lake.pull import pull
from cloudxai_analysis.lake.tables import open_lake
from cloudxai_analysis.platform.contract import DEFAULT_CONTRACT, Contract, load_contract
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.series import Labels, SeriesBatch

WEEK = parse_window("2026-W46")
SEEN = Window(WEEK.start, WEEK.start + timedelta(days=2))
SAME = ("status", "headline", "tiles", "template", "numbers", "coverage")


def renamed(batch: SeriesBatch) -> SeriesBatch:
    """The tenant under two other names, and `tenant` what the target says of itself."""
    labels = tuple(_renamed(labels) for labels in batch.labels)
    return SeriesBatch(batch.metric, labels, batch.offsets, batch.times, batch.values)


def _renamed(labels: Labels) -> Labels:
    found = {**labels, "tenant": "platform-team"}
    if "tenant" in labels:
        found |= {"customer": labels["tenant"], "exported_tenant": labels["tenant"]}
    return found


def contract(label: str) -> Contract:
    return load_contract().model_copy(update={"tenant_label": label})


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The summary of the same samples under `tenant`."""
    demo = DemoSource()
    cut = MemorySnapshot(Cut(demo))
    return summarise(study_over(cut, tmp_path_factory.mktemp("plain"), WEEK, now=SEEN.end))


class Cut:
    """The demo's first two days of the week."""

    name = "memory://cut"

    def __init__(self, demo: DemoSource) -> None:
        self._demo = demo

    def describe(self) -> dict[str, Any]:
        return self._demo.describe()

    def extent(self) -> Window:
        return SEEN

    def read(self, metric: str, matchers: Labels, window: Window) -> SeriesBatch:
        start, end = max(window.start, SEEN.start), min(window.end, SEEN.end)
        return self._demo.read(metric, matchers, Window(start, max(start, end)))


@pytest.mark.server
@pytest.mark.parametrize("label", ["customer", "exported_tenant"])
def test_a_tenant_by_another_name_gives_the_same_numbers(
    label: str, plain: dict[str, Any], renaming_server: servers.Server, tmp_path: Path
) -> None:
    source = open_source(renaming_server.url, limits=Limits(), settings=EnvironmentSettings())
    lake = open_lake(tmp_path / "lake")
    pull(source, lake, contract(label), SEEN, now=SEEN.end)
    study = study_over(lake.snapshot(), tmp_path, WEEK, now=SEEN.end, contract=contract(label))
    found = summarise(study)
    assert {key: found[key] for key in SAME} == {key: plain[key] for key in SAME}
    assert found["numbers"]["cardinality.active_tenants_most"] > 40


@pytest.fixture(scope="module")
def renaming_server(start_prometheus: Callable[..., servers.Server]) -> servers.Server:
    demo = Cut(DemoSource())
    return start_prometheus(renamed(demo.read(name, {}, SEEN)) for name in load_contract().series_names())


def test_processes_told_apart_by_other_labels_are_processes() -> None:
    """Two labels make one name; a metric's own labels may be written either way."""
    settled = Contract.model_validate(
        {**load_contract().model_dump(), "process_labels": ["zone", "job", "pod"], "tenant_label": "customer"}
    )
    columns = settled.columns(settled["tenant_readiness"])
    assert columns == {"job": ("job",), "instance": ("zone", "pod"), "tenant": ("customer",)}
    labels = {"zone": "a", "job": "j", "pod": "p-0", "instance": "10.0.0.1", "tenant": "team", "customer": "acme"}
    assert settled.named({**labels, "severity": "page"}) == {
        **{"severity": "page", "job": "j", "instance": "a/p-0", "tenant": "acme"}
    }
    assert settled.named({"alertname": "A"}) == {"alertname": "A"}


@pytest.mark.parametrize("labels", [["instance"], ["job"], ["pod", "zone"]])
def test_processes_without_a_job_are_refused(labels: list[str], tmp_path: Path) -> None:
    file = tmp_path / "contract.toml"
    text = DEFAULT_CONTRACT.read_text(encoding="utf-8")
    file.write_text(
        text.replace('process_labels = ["job", "instance"]', f"process_labels = {labels}"), encoding="utf-8"
    )
    with pytest.raises(UsageError, match=r"key 'process_labels'.*what tells the processes of a job apart"):
        load_contract(file)
