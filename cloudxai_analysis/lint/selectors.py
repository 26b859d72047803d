"""Metrics, labels and matchers that nobody knows or that find nothing, and ranges that are too short."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from cloudxai_analysis.lint.auditor import Asked
from cloudxai_analysis.lint.codes import Said, rule
from cloudxai_analysis.lint.durations import duration_text
from cloudxai_analysis.lint.expressions import DIFFERENCES, RATES, Term
from cloudxai_analysis.lint.matchers import Matcher, contradiction, unusable

_LOOKS_LIKE_PATTERN = re.compile(r"\.[*+]|\w\|\w|\\[dwsDWS.]|\[[^\]]+\][*+]|^\^|[^$]\$$")
_NEED_TWO = RATES | DIFFERENCES


@rule("promql/unknown-metric", of="selector")
def unknown_metric(term: Term, asked: Asked) -> Iterator[Said]:
    """A name that nobody promises, records or has."""
    why, assumed = asked.metrics.strange(term.name)
    if why:
        yield Said(f"Nobody knows metric {term.name}: {why}.", assumed=assumed)


@rule("promql/not-on-server", of="selector")
def not_on_server(term: Term, asked: Asked) -> Iterator[str]:
    """A metric of which the server has no series today."""
    if asked.metrics.lacking(term.name) and not asked.metrics.strange(term.name)[0]:
        yield f"The server has no series of {term.name} today."


@rule("promql/renamed-metric", of="selector")
def renamed_metric(term: Term, asked: Asked) -> Iterator[str]:
    """A name that ends with v1.0."""
    new_name = asked.metrics.contract.renames.get(term.name, "")
    if new_name and new_name not in asked.root.metrics:
        yield f"Metric {term.name} is called {new_name} from v1.0 on."


@rule("promql/removed-metric", of="selector")
def removed_metric(term: Term, _: Asked) -> Iterator[Said]:
    """A name that its own, widely used exporter has given up."""
    new_name = _GIVEN_UP.get(term.name)
    if new_name:
        yield Said(f"{term.name} is exported no more; its exporter says {new_name}.", assumed=True)


# Source: the changelogs of kube-state-metrics 2.0, Kubernetes 1.14 to 1.17 and node_exporter 0.16.
_GIVEN_UP = {
    "kube_pod_container_resource_requests_cpu_cores": 'kube_pod_container_resource_requests{resource="cpu"}',
    "kube_pod_container_resource_requests_memory_bytes": 'kube_pod_container_resource_requests{resource="memory"}',
    "kube_pod_container_resource_limits_cpu_cores": 'kube_pod_container_resource_limits{resource="cpu"}',
    "kube_pod_container_resource_limits_memory_bytes": 'kube_pod_container_resource_limits{resource="memory"}',
    "kube_node_status_allocatable_cpu_cores": 'kube_node_status_allocatable{resource="cpu"}',
    "kube_node_status_allocatable_memory_bytes": 'kube_node_status_allocatable{resource="memory"}',
    "kube_node_status_allocatable_pods": 'kube_node_status_allocatable{resource="pods"}',
    "kube_node_status_capacity_cpu_cores": 'kube_node_status_capacity{resource="cpu"}',
    "kube_node_status_capacity_memory_bytes": 'kube_node_status_capacity{resource="memory"}',
    "kube_node_status_capacity_pods": 'kube_node_status_capacity{resource="pods"}',
    "apiserver_request_count": "apiserver_request_total",
    "apiserver_request_latencies_bucket": "apiserver_request_duration_seconds_bucket",
    "node_cpu": "node_cpu_seconds_total",
    "node_memory_MemTotal": "node_memory_MemTotal_bytes",
    "node_memory_MemAvailable": "node_memory_MemAvailable_bytes",
    "node_memory_MemFree": "node_memory_MemFree_bytes",
    "node_filesystem_avail": "node_filesystem_avail_bytes",
    "node_filesystem_free": "node_filesystem_free_bytes",
    "node_filesystem_size": "node_filesystem_size_bytes",
    "node_network_receive_bytes": "node_network_receive_bytes_total",
    "node_network_transmit_bytes": "node_network_transmit_bytes_total",
}


@rule("promql/unknown-label", of="selector")
def unknown_label(term: Term, asked: Asked) -> Iterator[str]:
    """A matcher on a label that a metric of the contract does not have."""
    if not asked.metrics.is_own(term.name) or term.name in asked.metrics.recorded:
        return
    known = asked.metrics.labels(term.name)[0] or frozenset()
    for matcher in term.matchers:
        if matcher.name not in known:
            near = get_close_matches(matcher.name, known, n=1, cutoff=0.6)
            meant = f"; is '{near[0]}' meant?" if near else ""
            yield f"{term.name} has no label '{matcher.name}', says the contract{meant}"


@rule("promql/selects-nothing", of="selector")
def selects_nothing(term: Term, asked: Asked) -> Iterator[str]:
    """Matchers that no series can fulfil."""
    excluding = [] if term.alternatives else contradiction(term.matchers)
    if excluding:
        yield f"No series can have all of {', '.join(map(str, excluding))}."
    sure = asked.metrics.labels(term.name)[1] if asked.metrics.is_own(term.name) else frozenset()
    for matcher in term.matchers:
        if why := unusable(matcher.value) if matcher.operator in ("=~", "!~") else "":
            yield f"The regular expression of {matcher} is none of RE2's: {why}."
        elif matcher.name in sure and contradiction([matcher, Matcher(matcher.name, "!=", "")]):
            yield f"{matcher}: every series of {term.name} has that label."
        elif matcher.operator == "=":
            yield from _misspelt_value(term, matcher, asked)


def _misspelt_value(term: Term, matcher: Matcher, asked: Asked) -> Iterator[str]:
    """Values that contract and rules know, nearly."""
    metrics = asked.metrics
    if matcher.name == "job" and matcher.value not in metrics.contract.jobs:
        near = get_close_matches(matcher.value, metrics.contract.jobs, n=1, cutoff=0.8)
        if near:
            yield f"{matcher}: the contract's job is '{near[0]}'."
    elif term.name in ("ALERTS", "ALERTS_FOR_STATE"):
        if matcher.name == "alertname" and matcher.value not in metrics.alerts:
            near = get_close_matches(matcher.value, metrics.alerts, n=1, cutoff=0.7)
            if near:
                yield f"{matcher}: no rule has that name; is '{near[0]}' meant?"
        elif matcher.name == "alertstate" and matcher.value not in ("pending", "firing"):
            yield f"{matcher}: an alert is 'pending' or 'firing'."


@rule("promql/pattern-as-text", of="selector")
def pattern_as_text(term: Term, _: Asked) -> Iterator[str]:
    """A pattern that is compared letter by letter."""
    for matcher in term.matchers:
        if matcher.operator in ("=", "!=") and _LOOKS_LIKE_PATTERN.search(matcher.value):
            yield f"{matcher} compares with the text itself, not with a regular expression."


@rule("promql/short-range", of="call")
def short_range(term: Term, asked: Asked) -> Iterator[Said]:
    """A range in which there are never two samples, or perhaps none."""
    for part in term.parts:
        if part.form != "selector" or part.seconds is None:
            continue
        recorded = part.name in asked.metrics.recorded or ":" in part.name
        seconds = asked.evaluation_seconds if recorded else asked.scrape_seconds
        need = 2 if term.name in _NEED_TWO else 1
        if part.seconds < need * seconds:
            least = f"{need} intervals" if need > 1 else "the interval"
            said = f"{term}: {duration_text(part.seconds)} is shorter than {least} of {duration_text(seconds)}."
            yield Said(said, assumed=asked.scrape_assumed and not recorded)
