"""What a server tells of itself and of its series: build, names, labels, types, and what of the contract it has.

Each raises SourceUnreachable, SourceAnswerError or RefusedForSecurity where the server does not
answer, or wrongly. Source: Prometheus docs, HTTP API, 'Getting label names', 'Querying label
values', 'Querying metric metadata'.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from cloudxai_analysis.ground.errors import NoData, SourceAnswerError, UsageError
from cloudxai_analysis.ground.window import HOUR, Window
from cloudxai_analysis.platform.contract import Contract
from cloudxai_analysis.sources.answers import one_line
from cloudxai_analysis.sources.promql import LABEL_NAME, WHOLE_ANSWERS, Asked, promql, seconds_text, selector
from cloudxai_analysis.sources.series import Labels

if TYPE_CHECKING:
    from cloudxai_analysis.sources.server import ServerSource

# What every target has, whoever made it: it tells nothing of the platform.
ANYBODYS = frozenset({"up", "scrape_duration", "scrape_samples", "process_start"})


def metric_names(source: Asked) -> list[str]:
    """The names of all metrics that the server has samples of."""
    return source.session.ask("Asked for the names of its metrics", "label/__name__/values", read=_words)


def metric_types(source: Asked) -> dict[str, str]:
    """The type of each metric that a target of the server tells it, as 'counter'; of what it tells twice, nothing."""
    return {name: told["type"] for name, told in metric_metadata(source).items() if "type" in told}


def metric_metadata(source: Asked) -> dict[str, dict[str, str]]:
    """The `type`, `unit` and `help` of each metric, as its targets tell them; nothing of what differs."""

    def read(data: Any) -> dict[str, dict[str, set[str]]]:
        return {
            name: {
                key: {one[key] for one in told} for key in ("type", "unit", "help") if all(key in one for one in told)
            }
            for name, told in data.items()
        }

    found = source.session.ask("Asked for the types of its metrics", "metadata", read=read)
    return {name: {key: ones.pop() for key, ones in told.items() if len(ones) == 1} for name, told in found.items()}


def words_in(source: Asked, endpoint: str, selectors: list[str], window: Window) -> list[str]:
    """What 'labels' or 'label/NAME/values' gives for series in a window, sorted."""
    edges = {"start": seconds_text(window.start_ms), "end": seconds_text(window.end_ms - 1)}
    fields = {"match[]": selectors, **edges, **WHOLE_ANSWERS}
    return sorted(source.session.ask(f"Asked for {endpoint} in {window}", endpoint, fields, read=_words))


def status(source: Asked, about: str) -> dict[str, str]:
    """What a server says of its 'buildinfo' or 'runtimeinfo', fit to show; nothing where it does not say."""

    def read(data: Any) -> dict[str, str]:
        return {str(name): one_line(value) for name, value in data.items()}

    try:
        return source.session.ask(f"Asked for its {about}", f"status/{about}", read=read)
    except SourceAnswerError:
        return {}


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
        f"Source {source.name} ({kind_of(source)}) has no metric of the {contract.platform} contract in {window}; its "
        f"jobs are {named}. Choose another week, correct `matchers`, or point `contract` at your platform's names."
    )


def kind_of(source: ServerSource) -> str:
    """What a server says it is, as 'Prometheus 2.42.0' or 'VictoriaMetrics'."""
    build = status(source, "buildinfo")
    kind = "VictoriaMetrics" if source.exports else build.get("application", "Prometheus")
    return f"{kind} {build.get('version', '')}".strip()


def oldest(source: ServerSource, chosen: str, window: Window) -> datetime | None:
    """The first moment in the window, by the hour, at which a selector chooses a sample; None where nothing says so."""
    span = f"{round((window.end - window.start) / HOUR)}h:1h"
    try:
        found = promql(source, f"min(min_over_time(timestamp({chosen})[{span}]))", window.end)
    except (SourceAnswerError, UsageError):
        return None
    seconds = found["value"].iloc[0] if len(found) else np.nan
    inside = window.start.timestamp() <= seconds < window.end.timestamp()
    return datetime.fromtimestamp(seconds, UTC) if inside else None


def labels_of(source: ServerSource, contract: Contract, window: Window, matchers: Labels) -> list[str]:
    """The names of the labels of the contract's series in a window."""
    return words_in(source, "labels", _selectors(contract, matchers), window)


def told_apart_by(source: ServerSource, contract: Contract, end: datetime, matchers: Labels) -> list[str]:
    """The labels outside of the contract in which series that are otherwise alike differ, as the server has them now.

    Two replicas of one Prometheus, or several processes behind one address, look so.
    """
    named = (label for metric in contract.metrics.values() for label in metric.labels + metric.optional_labels)
    known = {"__name__", "le", contract.tenant_label, *contract.process_labels, *named}
    found = []
    for label in sorted(set(labels_of(source, contract, Window(end - HOUR, end), matchers)) - known):
        alike = " or ".join(f"count without ({label}) ({one})" for one in _selectors(contract, matchers))
        if LABEL_NAME.fullmatch(label) and promql(source, f"max({alike})", end)["value"].gt(1).any():
            found.append(label)
    return found


def _selectors(contract: Contract, matchers: Labels) -> list[str]:
    roles = [role for role, metric in contract.metrics.items() if metric.scope == "target" and role not in ANYBODYS]
    return [selector(name, matchers) for role in roles for name in contract[role].series_names]


def _words(data: Any) -> list[str]:
    if data is not None and not (isinstance(data, list) and all(isinstance(word, str) for word in data)):
        raise ValueError
    return data or []
