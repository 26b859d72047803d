"""What is known of a metric before any sample is seen: from the contract, the corpus's rules, a server, or its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from cloudxai_analysis.lint.intervals import ANY, NOT_NEGATIVE, ONE, TRUTH, Interval
from cloudxai_analysis.lint.rules import Rule
from cloudxai_analysis.platform.contract import Contract, Metric

Kind = Literal["counter", "gauge", ""]
# Labels that scraping and relabelling add to whatever a process exports.
TARGET_LABELS = frozenset(
    {"job", "instance", "cluster", "env", "environment", "namespace", "pod", "container", "service", "endpoint", "node"}
    | {"region", "zone", "availability_zone", "datacenter", "dc", "site", "host", "hostname", "nodename", "machine"}
    | {"prometheus", "prometheus_replica", "replica", "app", "application", "component"}
    | {"stage", "tier", "platform", "shard", "project", "account", "deployment", "version", "release", "monitor"}
    | {"origin_prometheus", "metrics_path", "scheme", "exported_job", "exported_instance", "__name__"}
)

# Names by which exporters everywhere call a gauge; a counter ends in _total, which OpenMetrics demands.
_GAUGE_ENDINGS = tuple(
    {"_ratio", "_percent", "_percentage", "_celsius", "_info", "_timestamp"}
    | {"_timestamp_seconds", "_start_time_seconds", "_capacity"}
    | {"_capacity_bytes", "_available_bytes", "_avail_bytes", "_free_bytes", "_used_bytes", "_size_bytes"}
    | {"_resident_memory_bytes", "_usage_bytes", "_working_set_bytes", "_in_flight", "_in_progress"}
    | {"_open_fds", "_max_fds", "_goroutines", "_threads", "_queue_length", "_depth", "_up", "_ready"}
    | {"_temperature", "_load1", "_load5", "_load15"}
)
_GAUGE_FAMILIES = ("kube_", "node_memory_", "node_filesystem_", "node_load", "node_hwmon_temp", "go_memstats_")
BY_NAME = "as its name says"
_ALL_GAUGES = frozenset({"up", "go_goroutines", "go_threads", "scrape_duration_seconds", "scrape_samples_scraped"})
# Exporters of clouds name a sum or count over a minute like this, which is a gauge.
_CLOUDS = ("aws_", "azure_", "stackdriver_", "gcp_", "cloudwatch_")
_UNITS = ("_seconds", "_bytes", "_duration", "_latency", "_size", "_milliseconds", "_microseconds", "_time")
_GENERAL_ROLES = frozenset({"process_start", "up", "scrape_duration", "scrape_samples", "alerts"})


@dataclass(frozen=True, slots=True)
class KindOf:
    """A metric's kind, and the words that say where it is known from; by its name alone it is no more than assumed."""

    kind: Kind = ""
    because: str = ""


class Metrics:
    """The metrics of a contract, of recording rules and of a server, asked by name.

    `names` are those that a server has, or None where none was asked; `types` are its metadata.
    """

    def __init__(
        self,
        contract: Contract,
        rules: Iterable[Rule] = (),
        *,
        names: Iterable[str] | None = None,
        types: Mapping[str, str] | None = None,
    ) -> None:
        self.contract = contract
        self.recorded: dict[str, list[Rule]] = {}
        alerts = set(contract.alerts)
        for rule in rules:
            if rule.kind == "record":
                self.recorded.setdefault(rule.name, []).append(rule)
            else:
                alerts.add(rule.name)
        self.alerts = frozenset(alerts)
        self.names = None if names is None else frozenset(names)
        self._types = dict(types or {})
        self._promised: dict[str, tuple[str, Metric]] = {
            name: (role, metric) for role, metric in contract.metrics.items() for name in metric.series_names
        }
        own = {role: metric for role, metric in contract.metrics.items() if role not in _GENERAL_ROLES}
        # The first word of the platform's own names: what begins like them is meant to be one of them.
        self._stems = tuple({f"{metric.name.split('_')[0]}_" for metric in own.values()})
        self._own = sorted(name for metric in own.values() for name in metric.series_names)
        self._histograms = {metric.name for metric in contract.metrics.values() if metric.kind == "histogram"}
        self._kinds: dict[str, KindOf] = {}
        self._strange: dict[str, tuple[str, bool]] = {}

    def promised(self, name: str) -> Metric | None:
        """The contract's metric to which the series of that name belong."""
        found = self._promised.get(name)
        return found[1] if found else None

    def is_own(self, name: str) -> bool:
        """Whether the series of that name are the platform's own, not the server's or a client library's."""
        found = self._promised.get(name)
        return found is not None and found[0] not in _GENERAL_ROLES

    def kind(self, name: str) -> KindOf:
        """Whether the series of that name are counters or gauges; of a recorded one, nothing."""
        known = self._kinds.get(name)
        if known is None:
            known = self._kinds[name] = self._kind(name)
        return known

    def _kind(self, name: str) -> KindOf:
        if name in self.recorded:
            return KindOf()
        metric = self.promised(name)
        if metric is not None:
            return KindOf("gauge" if metric.kind == "gauge" else "counter", "says the contract")
        told = self._types.get(name) or next(
            (
                "counter"
                for ending in ("_bucket", "_count", "_sum")
                if name.endswith(ending) and self._types.get(name.removesuffix(ending)) in ("histogram", "summary")
            ),
            "",
        )
        if told in ("counter", "gauge"):
            return KindOf("counter" if told == "counter" else "gauge", "says the server's metadata")
        return KindOf(_kind_by_name(name), BY_NAME)

    def labels(self, name: str) -> tuple[frozenset[str] | None, frozenset[str]]:
        """The labels that the series of that name can have (None: any), and those that they have for sure.

        Targets can carry any label by relabelling, so that only the platform's own metrics are closed.
        """
        metric = self.promised(name)
        if metric is not None and name not in self.recorded:
            own = self._named(metric.labels) | ({"le"} if name.endswith("_bucket") else frozenset())
            return (own | self._named(metric.optional_labels) | TARGET_LABELS if self.is_own(name) else None), own
        if ":" in name or not name or name.startswith("ALERTS"):
            return None, frozenset()
        return None, frozenset({"job", "instance"})

    def _named(self, labels: Iterable[str]) -> frozenset[str]:
        """Labels of a contract's metric as the platform calls them."""
        return frozenset(self.contract.tenant_label if label == "tenant" else label for label in labels)

    def values(self, name: str) -> Interval:
        """The values that a sample of that name can have."""
        role = self._promised.get(name, ("",))[0]
        if role in ("readiness", "tenant_readiness", "up"):
            return TRUTH
        if role == "alerts":
            return ONE
        known = self.kind(name)
        sure = known.kind == "counter" and known.because != BY_NAME
        if sure or name in ("scrape_duration_seconds", "process_start_time_seconds"):
            return NOT_NEGATIVE
        return ANY

    def strange(self, name: str) -> tuple[str, bool]:
        """Why nobody knows a metric of that name, and whether that is no more than assumed; '' where somebody does."""
        if name not in self._strange:
            self._strange[name] = self._strangeness(name)
        return self._strange[name]

    def _strangeness(self, name: str) -> tuple[str, bool]:
        if not name or name in self._promised or name in self.recorded or name == "ALERTS_FOR_STATE":
            return "", False
        if self.names is not None:
            near = get_close_matches(name, [*self._own, *self.recorded, *self.names], n=1, cutoff=0.9)
            lacking = bool(near) and name not in self.names
            return (
                f"neither the contract, a recording rule nor the server has it{_meant(near)}" if lacking else ""
            ), False
        if name in self._histograms:
            return f"it is a histogram, whose series are {name}_bucket, {name}_count and {name}_sum", False
        if ":" in name:
            # Exporters use colons, too, and rules may stand elsewhere.
            near = get_close_matches(name, list(self.recorded), n=1, cutoff=0.94)
            is_slip = bool(near) and abs(len(near[0]) - len(name)) <= 2
            return (f"no rule records it{_meant(near)}" if is_slip else ""), True
        near = get_close_matches(name, self._own, n=1, cutoff=0.84)
        if near or name.startswith(self._stems):
            sure = bool(near)
            near = near or get_close_matches(name, self._own, n=1, cutoff=0.6)
            return f"the contract of {self.contract.platform} does not promise it{_meant(near)}", not sure
        return "", False

    def lacking(self, name: str) -> bool:
        """Whether the server that was asked has no series of that name, though its name is no mistake that we see."""
        return self.names is not None and bool(name) and not ({name} & (self.names | self.recorded.keys()))


def _meant(near: list[str]) -> str:
    return f"; is {near[0]} meant?" if near else ""


def _kind_by_name(name: str) -> Kind:
    if ":" in name or name.startswith(_CLOUDS):
        return ""
    if name.endswith(("_total", "_bucket")):
        return "counter"
    for ending in ("_count", "_sum"):
        if name.endswith(ending):
            return "counter" if name.removesuffix(ending).endswith(_UNITS) else ""
    if name in _ALL_GAUGES or name.startswith(_GAUGE_FAMILIES) or name.endswith(_GAUGE_ENDINGS):
        return "gauge"
    return ""
