"""Small platforms that are not the demo, as the samples that a Prometheus would hold of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from cloudxai_analysis.sources.series import Labels, SeriesBatch

Spans = tuple[tuple[datetime, datetime], ...]


@dataclass(frozen=True)
class Pod:
    """One scraped process: when it was a target, how often it was scraped, and when it was down or not ready.

    `steps` are the scrape intervals in seconds, each from its moment on; `costs` the tenants that it exports with what
    each costs an hour.
    """

    instance: str
    start: datetime
    end: datetime
    steps: tuple[tuple[datetime, int], ...]
    down: Spans = ()
    not_ready: Spans = ()
    costs: Mapping[str, float] = field(default_factory=dict)
    labels: Labels = field(default_factory=dict)

    def times(self) -> np.ndarray:
        """Its scrapes, in milliseconds."""
        ends = [at for at, _ in self.steps[1:]] + [self.end]
        parts = [
            np.arange(_ms(max(at, self.start)), _ms(min(until, self.end)), step * 1000)
            for (at, step), until in zip(self.steps, ends, strict=True)
        ]
        return np.concatenate(parts)


def batches(job: str, pods: Iterable[Pod]) -> Iterator[SeriesBatch]:
    """The samples of one job's pods, a batch a metric."""
    rows: dict[str, list[tuple[Labels, np.ndarray, np.ndarray]]] = defaultdict(list)
    for pod in pods:
        times = pod.times()
        up = ~_inside(times, pod.down)
        target = {"job": job, "instance": pod.instance}
        own, seen = {**target, **pod.labels}, times[up]
        ready = ~_inside(seen, pod.not_ready)
        rows["up"].append((target, times, up.astype(float)))
        rows["readiness_state"].append((own, seen, ready.astype(float)))
        rows["process_start_time_seconds"].append((own, seen, np.full(len(seen), _ms(pod.start) / 1000)))
        for tenant, cost in pod.costs.items():
            labels = {**own, "tenant": tenant}
            rows["tenant_readiness_state"].append((labels, seen, np.ones(len(seen))))
            rows["tenant_cost_estimate"].append((labels, seen, np.full(len(seen), cost)))
    return (SeriesBatch.of(metric, series) for metric, series in rows.items())


def _inside(times: np.ndarray, spans: Spans) -> np.ndarray:
    found = np.zeros(len(times), dtype=bool)
    for start, end in spans:
        found |= (times >= _ms(start)) & (times < _ms(end))
    return found


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
