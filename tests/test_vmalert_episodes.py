"""Episodes of vmalert's own replay of the beta's rules over the demo's samples, against those of the demo's ALERTS."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import servers
import vmalert

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lake.memory import MemorySnapshot
from cloudxai_analysis.measures import alerts, evaluations
from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.series import Source

pytestmark = pytest.mark.needs("victoria-metrics", "vmalert")

# A burst fills a process, a tenant flaps, three pages are false, and the platform is not ready once.
DAYS = Window(datetime(2026, 11, 10, tzinfo=UTC), datetime(2026, 11, 13, tzinfo=UTC))
METRICS = ("tenant_readiness", "tenant_transitions", "readiness", "readiness_transitions", "rejections")
# As the demo evaluates them, which has no alert of what was not scraped that minute; VictoriaMetrics' `increase` looks
# back to the sample before, and extrapolates nothing.
RULES = """\
groups:
  - name: beta
    interval: 1m
    rules:
      - {alert: TenantReadinessBreach, expr: tenant_readiness_state == 0, for: 2m, labels: {severity: page}}
      - alert: TenantFlapping
        expr: increase(tenant_readiness_transitions_total[10m]) > 10 and tenant_readiness_transitions_total
        labels: {severity: ticket}
      - alert: TenantLabelCardinalityExceeded
        expr: increase(tenant_label_rejections_total[5m]) > 0 and tenant_label_rejections_total
        labels: {severity: security}
      - {alert: ServiceNotReady, expr: min(readiness_state) by (job) == 0, for: 5m, labels: {severity: critical}}
      - alert: ReadinessFlapping
        expr: increase(readiness_transitions_total[1h]) > 10 and readiness_transitions_total
        labels: {severity: ticket}
"""


def episodes_of(source: Source) -> pd.DataFrame:
    metric, frames = load_contract()["alerts"], MemorySnapshot(source)
    samples = frames.samples("ALERTS", DAYS, metric.labels + metric.optional_labels, markers=True)
    samples = evaluations.identified(samples, frames.series("ALERTS", DAYS))
    found = alerts.episodes(samples, interval_seconds=60, window=DAYS)
    return found[found["alertname"] != "ReadinessLatencyHigh"].reset_index(drop=True)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Episodes of the demo's own ALERTS, and of what vmalert wrote back."""
    folder: Path = tmp_path_factory.mktemp("vmalert")
    demo = DemoSource()
    rules = folder / "beta.rules.yml"
    rules.write_text(RULES, encoding="utf-8")
    # Without this, VictoriaMetrics shows a tenant that has left for some minutes more.
    with servers.victoria_metrics(folder, options=("-search.maxStalenessInterval=1m",)) as server:
        vmalert.load(server.url, demo, [load_contract()[role].name for role in METRICS], DAYS)
        vmalert.replayed(server.url, rules, DAYS)
        source: Any = open_source(server.url, limits=Limits(), settings=EnvironmentSettings())
        yield episodes_of(demo), episodes_of(source)


def test_every_episode_is_the_same_to_the_evaluation(both: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    ours, theirs = both
    columns = ["alertname", "severity", "tenant", "instance", "pending_at", "fired_at", "resolved_at"]
    pd.testing.assert_frame_equal(ours[columns], theirs[columns])
    assert ours["alertname"].value_counts().to_dict() == {
        "TenantReadinessBreach": 2,
        "TenantLabelCardinalityExceeded": 2,
        "TenantFlapping": 1,
        "ServiceNotReady": 1,
    }
