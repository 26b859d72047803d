"""A platform that calls its tenants otherwise, through a real Prometheus: the same numbers as under `tenant`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import servers
from small_platform import pulled, study_of

from cloudxai_analysis.cards.summary import summarise
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.platform.contract import DEFAULT_CONTRACT, Contract, load_contract
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.series import Labels, SeriesBatch

WEEK = parse_window("2026-W46")
SEEN = Window(WEEK.start, WEEK.start + timedelta(days=2))
SAME = ("status", "headline", "tiles", "template", "numbers", "coverage")


@pytest.fixture(scope="module")
def batches() -> list[SeriesBatch]:
    """The demo's first two days of the week."""
    demo = DemoSource()
    return [demo.read(name, {}, SEEN) for name in load_contract().series_names()]


@pytest.fixture(scope="module")
def plain(batches: list[SeriesBatch], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The summary of the samples under `tenant`."""
    series = {
        one.metric: [
            (labels, one.times[start:end], one.values[start:end])
            for labels, (start, end) in zip(one.labels, pairwise(one.offsets), strict=True)
        ]
        for one in batches
    }
    return summarise(study_of(series, tmp_path_factory.mktemp("plain"), WEEK, now=SEEN.end))


@pytest.fixture(scope="module")
def renaming_server(batches: list[SeriesBatch], start_prometheus: Callable[..., servers.Server]) -> servers.Server:
    """Of the same samples the tenant under two other names, and `tenant` what the target says of itself."""
    return start_prometheus(
        SeriesBatch(one.metric, tuple(map(_renamed, one.labels)), one.offsets, one.times, one.values) for one in batches
    )


def _renamed(labels: Labels) -> Labels:
    own = {"customer": labels["tenant"], "exported_tenant": labels["tenant"]} if "tenant" in labels else {}
    return {**labels, "tenant": "platform-team", **own}


@pytest.mark.server
@pytest.mark.parametrize("label", ["customer", "exported_tenant"])
def test_a_tenant_by_another_name_gives_the_same_numbers(
    label: str, plain: dict[str, Any], renaming_server: servers.Server, tmp_path: Path
) -> None:
    contract = load_contract().model_copy(update={"tenant_label": label})
    found = summarise(pulled(renaming_server.url, tmp_path, WEEK, now=SEEN.end, contract=contract))
    assert {key: found[key] for key in SAME} == {key: plain[key] for key in SAME}
    assert found["numbers"]["cardinality.active_tenants_most"] > 40


def test_processes_told_apart_by_other_labels_are_processes() -> None:
    """Two labels make one name; a metric's own labels may be written either way."""
    settled = Contract.model_validate(
        {**load_contract().model_dump(), "process_labels": ["zone", "job", "pod"], "tenant_label": "customer"}
    )
    columns = settled.columns(settled["tenant_readiness"])
    assert columns == {"job": ("job",), "instance": ("zone", "pod"), "tenant": ("customer",)}
    labels = {"zone": "a", "job": "j", "pod": "p-0", "instance": "10.0.0.1", "tenant": "team", "customer": "acme"}
    named = {"severity": "page", "job": "j", "instance": "a/p-0", "tenant": "acme"}
    assert settled.named({**labels, "severity": "page"}) == named
    assert settled.named({"alertname": "A"}) == {"alertname": "A"}


@pytest.mark.parametrize("labels", [["instance"], ["job"], ["pod", "zone"]])
def test_processes_without_a_job_are_refused(labels: list[str], tmp_path: Path) -> None:
    text = DEFAULT_CONTRACT.read_text(encoding="utf-8")
    text = text.replace('process_labels = ["job", "instance"]', f"process_labels = {labels}")
    (tmp_path / "contract.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"key 'process_labels'.*what tells the processes of a job apart"):
        load_contract(tmp_path / "contract.toml")
