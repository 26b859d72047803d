"""The first look at a server that nobody has described: what it is, and what of the contract it has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from cloudxai_analysis.ground.errors import NoData, SourceAnswerError
from cloudxai_analysis.ground.window import HOUR, Window
from cloudxai_analysis.platform.contract import Contract
from cloudxai_analysis.sources.answers import one_line
from cloudxai_analysis.sources.catalogue import status, words_in
from cloudxai_analysis.sources.promql import promql, selector
from cloudxai_analysis.sources.rules import AlertingRule
from cloudxai_analysis.sources.series import Labels, SeriesBatch
from cloudxai_analysis.sources.server import ServerSource

# What every target has, whoever made it: it tells nothing of the platform.
ANYBODYS = frozenset({"up", "scrape_duration", "scrape_samples", "process_start"})


@dataclass(frozen=True)
class Contact:
    """A server as it was found: `jobs` has the contract's series names by job, `steps` the seconds between scrapes.

    `oldest` is the first moment with a sample within the span that was looked at, `newest` the last sample of its last
    hour; `scrapes` are the samples of that hour, a batch for each job, `labels` the names of the labels of the
    contract's series; `rules` is None where they are not told.
    """

    name: str
    kind: str
    jobs: dict[str, list[str]]
    targets: int
    steps: list[float]
    oldest: datetime | None
    newest: datetime | None
    retention: str
    scrapes: list[SeriesBatch]
    labels: list[str]
    rules: list[AlertingRule] | None


def exporting_jobs(source: ServerSource, contract: Contract, window: Window, matchers: Labels) -> dict[str, list[str]]:
    """Which series of the contract each job has in a window; what every target has counts for none.

    Series without a job are those of the job ''. Raises as `words_in`.
    """
    jobs = words_in(source, "label/job/values", _selectors(contract, matchers), window)
    found = {
        job: words_in(source, "label/__name__/values", _selectors(contract, {**matchers, "job": job}), window)
        for job in jobs or [""]
    }
    return {job: names for job, names in found.items() if names}


def nothing_of(source: ServerSource, contract: Contract, window: Window) -> NoData:
    """The error that says that a server has nothing of the contract, and what it has."""
    jobs = words_in(source, "label/job/values", [], window)
    named = one_line(", ".join(map(repr, jobs))) or "none"
    return NoData(
        f"Source {source.name} ({_kind(source)}) has no metric of the {contract.platform} contract in {window}; its "
        f"jobs are {named}. Choose another week, correct `matchers`, or point `contract` at your platform's names."
    )


def look(source: ServerSource, contract: Contract, window: Window, *, matchers: Labels) -> Contact:
    """What a server has in a window, by a handful of small questions; samples are read of its last hour alone.

    Raises NoData where it has nothing of the contract, and what the server's silence or wrong answer raises.
    """
    jobs = exporting_jobs(source, contract, window, matchers)
    if not jobs:
        raise nothing_of(source, contract, window)
    hour = Window(window.end - HOUR, window.end)
    scrapes, oldest = [], []
    for job, names in jobs.items():
        own = {**matchers, "job": job}
        batch = source.read(contract["up"].name, own, hour)
        if not batch.samples:  # where samples are pushed there is no `up`
            batch = source.read(names[0], own, hour)
        scrapes.append(batch)
        oldest.append(_oldest(source, selector(batch.metric, own), window))
    series = [times for batch in scrapes for times in np.split(batch.times, batch.offsets[1:-1])]
    steps = {round(float(np.median(np.diff(times))) / 1000, 2) for times in series if len(times) > 1}
    times = np.concatenate([batch.times for batch in scrapes])
    seen = [_moment(time) for time in (times.min(), times.max())] if len(times) else []
    return Contact(
        name=source.name,
        kind=_kind(source),
        jobs=jobs,
        targets=len({tuple(map(labels.get, contract.process_labels)) for batch in scrapes for labels in batch.labels}),
        steps=sorted({round(step) or step for step in steps}),
        oldest=min([moment for moment in oldest if moment] + seen[:1], default=None),
        newest=max(seen, default=None),
        retention=status(source, "runtimeinfo").get("storageRetention", ""),
        scrapes=scrapes,
        labels=words_in(source, "labels", _selectors(contract, matchers), window),
        rules=source.rules(),
    )


def _kind(source: ServerSource) -> str:
    """What a server says it is, as 'Prometheus 2.42.0' or 'VictoriaMetrics'."""
    build = status(source, "buildinfo")
    kind = "VictoriaMetrics" if source.exports else build.get("application", "Prometheus")
    return f"{kind} {build.get('version', '')}".strip()


def _oldest(source: ServerSource, chosen: str, window: Window) -> datetime | None:
    """The first sample in the window; None where the server does not say."""
    span = f"{round((window.end - window.start) / HOUR)}h:1h"
    try:
        found = promql(source, f"min(min_over_time(timestamp({chosen})[{span}]))", window.end)
    except SourceAnswerError:
        return None
    return _moment(1000 * found["value"].iloc[0]) if len(found) else None


def _moment(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(float(milliseconds) / 1000, UTC)


def _selectors(contract: Contract, matchers: Labels) -> list[str]:
    roles = [role for role, metric in contract.metrics.items() if metric.scope == "target" and role not in ANYBODYS]
    return [selector(name, matchers) for role in roles for name in contract[role].series_names]
