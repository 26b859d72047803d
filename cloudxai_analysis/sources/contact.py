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
_MOST_NAMED = 5


@dataclass(frozen=True)
class Contact:
    """A server as it was found: `jobs` has the contract's series names by job, `steps` the seconds between scrapes.

    `oldest` is the first sample within the span that was looked at, to the minute, `newest` the last one of its last
    hour; `scrapes` are the samples of that hour, a batch for each job, `labels` the names of the labels of the
    contract's series; `rules` is None where they are not told.
    """

    name: str
    kind: str
    jobs: dict[str, tuple[str, ...]]
    targets: int
    steps: tuple[float, ...]
    oldest: datetime | None
    newest: datetime | None
    retention: str
    scrapes: tuple[SeriesBatch, ...]
    labels: tuple[str, ...]
    rules: list[AlertingRule] | None


def exporting_jobs(
    source: ServerSource, contract: Contract, window: Window, matchers: Labels
) -> dict[str, tuple[str, ...]]:
    """Which series of the contract each job has in a window; what every target has counts for none.

    Series without a job are those of the job ''. Raises as `words_in`.
    """
    jobs = words_in(source, "label/job/values", _selectors(contract, matchers), window)
    found = {
        job: tuple(words_in(source, "label/__name__/values", _selectors(contract, {**matchers, "job": job}), window))
        for job in jobs or [""]
    }
    return {job: names for job, names in found.items() if names}


def nothing_of(source: ServerSource, contract: Contract, window: Window) -> NoData:
    """The error that says that a server has nothing of the contract, and what it has."""
    jobs = words_in(source, "label/job/values", [], window)
    named = ", ".join(f"'{one_line(job, most=60)}'" for job in jobs[:_MOST_NAMED]) + (", …" * (len(jobs) > _MOST_NAMED))
    return NoData(
        f"Source {source.name} ({kind_of(source)}) has no metric of the {contract.platform} contract in {window}; its "
        f"jobs are {named or 'none'}. Choose another week, correct `matchers`, or point `contract` at the names that "
        "your platform exports."
    )


def kind_of(source: ServerSource) -> str:
    """What a server says it is, as 'Prometheus 2.42.0' or 'VictoriaMetrics'."""
    build = status(source, "buildinfo")
    kind = "VictoriaMetrics" if source.exports else build.get("application", "Prometheus")
    return f"{kind} {build.get('version', '')}".strip()


def look(source: ServerSource, contract: Contract, window: Window, *, matchers: Labels) -> Contact:
    """What a server has in a window, by a handful of small questions; samples are read of its last hour alone.

    Raises
    ------
    NoData
        It has nothing of the contract.
    SourceUnreachable, SourceAnswerError, RefusedForSecurity
        The server did not answer, or answered wrongly.
    """
    jobs = exporting_jobs(source, contract, window, matchers)
    if not jobs:
        raise nothing_of(source, contract, window)
    hour = Window(window.end - HOUR, window.end)
    scrapes: list[SeriesBatch] = []
    seen: list[datetime | None] = []
    steps: set[float] = set()
    for job, names in jobs.items():
        own = {**matchers, "job": job}
        batch = source.read(contract["up"].name, own, hour)
        if not batch.samples:  # where samples are pushed there is no `up`
            batch = source.read(names[0], own, hour)
        scrapes.append(batch)
        seen.append(_oldest(source, batch.metric, own, window))
        seen += [_moment(time) for time in (batch.times.min(), batch.times.max())] if batch.samples else []
        times = np.split(batch.times, batch.offsets[1:-1]) if batch.samples else []
        between = [float(np.median(np.diff(one))) / 1000 for one in times if len(one) > 1]
        steps |= {round(step) or round(step, 2) for step in between}
    newest = [_moment(batch.times.max()) for batch in scrapes if batch.samples]
    return Contact(
        name=source.name,
        kind=kind_of(source),
        jobs=jobs,
        targets=len({tuple(map(labels.get, contract.process_labels)) for batch in scrapes for labels in batch.labels}),
        steps=tuple(sorted(steps)),
        oldest=min((moment for moment in seen if moment), default=None),
        newest=max(newest, default=None),
        retention=status(source, "runtimeinfo").get("storageRetention", ""),
        scrapes=tuple(scrapes),
        labels=tuple(words_in(source, "labels", _selectors(contract, matchers), window)),
        rules=source.rules(),
    )


def _oldest(source: ServerSource, metric: str, matchers: Labels, window: Window) -> datetime | None:
    """The first sample in the window, to the minute; None where the server does not say."""
    chosen = selector(metric, matchers)
    # By the hour first, then by the minute in the hour before the one that was found.
    hour = _first(source, f"{chosen})[{round((window.end - window.start) / HOUR)}h:1h]", window.end)
    return hour and (_first(source, f"{chosen})[1h:1m]", hour) or hour)


def _first(source: ServerSource, over: str, at: datetime) -> datetime | None:
    try:
        found = promql(source, f"min(min_over_time(timestamp({over}))", at)
    except SourceAnswerError:
        return None
    return _moment(1000 * found["value"].iloc[0]) if len(found) else None


def _moment(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(float(milliseconds) / 1000, UTC)


def _selectors(contract: Contract, matchers: Labels) -> list[str]:
    roles = [role for role, metric in contract.metrics.items() if metric.scope == "target" and role not in ANYBODYS]
    return [selector(name, matchers) for role in roles for name in contract[role].series_names]
