"""Known events planted into copies of telemetry in memory, to count what would have been found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from typing import Any, cast

import numpy as np
from _memory import MemorySnapshot
from numpy.typing import NDArray

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lake.read import Frames
from cloudxai_analysis.platform.contract import Contract
from cloudxai_analysis.sources.series import Labels, SeriesBatch, Source

Times = NDArray[np.int64]
Values = NDArray[np.float64]
# By kind of event: the check that is meant to find it, five sizes, and what they count.
KINDS: dict[str, tuple[str, tuple[float, ...], str]] = {
    "readiness_incident": ("outages", (1, 2, 5, 15, 45), "minutes"),
    "restart": ("restarts", (1, 2, 4, 8, 16), "minutes without an answer"),
    "scrape_gap": ("gaps", (2, 4, 8, 16, 32), "minutes"),
    "generated_names": ("identifiers", (2, 5, 10, 20, 40), "names within ten minutes"),
    "rejections": ("rejections", (1, 4, 16, 64, 256), "requests"),
    "flapping_tenant": ("flapping", (8, 16, 32, 64, 128), "transitions within 20 minutes"),
    "alert_storm": ("storms", (5, 10, 20, 40, 80), "alerts within eight minutes"),
    "cost_spike": ("anomalies", (0.25, 0.5, 1, 3, 7), "of its own cost on top, for six hours"),
    "semantics_break": ("semantics", (0.0001, 0.001, 0.01, 0.1, 1), "of growth, steadily, to the week's end"),
}
SIZES = 5
_MINUTE, _HOUR, _MONTH = 60_000, 3_600_000, 28 * 86_400_000
_TRIES = 200
_MOST_NAMES = 1_000


class Copy(MemorySnapshot):
    """A copy of what was read of `window`, in whose `week` events can be planted; nothing goes back.

    Each method called as a kind plants one at a time in milliseconds; it gives its place.
    """

    def __init__(self, store: Frames, window: Window, contract: Contract, week: Window, seed: list[int]) -> None:
        super().__init__(cast(Source, self))
        self._store, self._window, self._contract, self.week = store, window, contract, week
        self.random = np.random.default_rng(seed)
        self._held: dict[str, list[tuple[dict[str, str], Times, Values]]] = {}
        self.touched: list[dict[str, str]] = []

    @property
    def rules(self) -> list[dict[str, Any]] | None:
        """The rules of what was read."""
        return self._store.rules

    def extent(self) -> Window:
        """What was copied."""
        return self._window

    def read(self, metric: str, matchers: Labels, window: Window) -> SeriesBatch:
        """The copy's samples of a metric in a window."""
        del matchers  # it holds only what they let through
        parts = []
        for labels, times, values in self.held(metric):
            low, high = np.searchsorted(times, (window.start_ms, window.end_ms))
            parts.append((labels, times[low:high], values[low:high]))
        return SeriesBatch.of(metric, parts)

    def held(self, metric: str) -> list[tuple[dict[str, str], Times, Values]]:
        """Every series of a metric: labels, times in milliseconds, values."""
        if metric not in self._held:
            labels = self._store.series(metric, self._window).set_index("series_id")["labels"]
            samples = self._store.samples(metric, self._window, markers=True)
            times = samples["time"].dt.tz_localize(None).to_numpy(dtype="datetime64[ms]").astype("int64")
            ids, values = samples["series_id"].to_numpy(), samples["value"].to_numpy()
            edges = [*np.flatnonzero(np.diff(ids, prepend=ids[:1] - 1)).tolist(), len(ids)]
            self._held[metric] = [
                (json.loads(labels[ids[low]]), times[low:high], values[low:high])
                for low, high in pairwise(edges)
                if ids[low] in labels.index
            ]
        return self._held[metric]

    def change(self, metric: str, where: Labels, edit: Callable[[Times, Values], tuple[Times, Values]]) -> None:
        """Put what `edit(times, values)` gives in the place of each series with these labels.

        Staleness markers and other NaN stay as they are.
        """
        held = self.held(metric)
        for place, (labels, times, values) in enumerate(held):
            if where.items() <= labels.items():
                blank = np.isnan(values)
                at, given = edit(times[~blank], values[~blank])
                order = np.argsort(every := np.concatenate([at, times[blank]]), kind="stable")
                held[place] = labels, every[order], np.concatenate([given, values[blank]])[order]

    def add(self, metric: str, labels: dict[str, str], times: Times, values: Values) -> None:
        """Put one more series beside a metric's own."""
        self.touched.append(labels)
        self.held(metric).append((labels, times, values))

    def readiness_incident(self, at: int, minutes: int) -> str:
        """The platform is not ready for so many minutes."""
        end = at + minutes * _MINUTE
        if not self._chosen("readiness", at, end):
            return ""
        self.change(self._name("readiness"), {}, lambda t, v: (t, np.where((t >= at) & (t < end), 0, v)))
        self._count("readiness_transitions", {}, at, lambda t: 1 + (t >= end))
        return "global"

    def restart(self, at: int, minutes: int) -> str:
        """A process is gone for so many minutes, and its counters begin anew."""
        end, up, start = at + minutes * _MINUTE, self._name("up"), self._name("process_start")

        def edit(metric: str, t: Times, v: Values) -> tuple[Times, Values]:
            out = (t >= at) & (t < end)
            if metric == up:
                return t, np.where(out, 0, v)
            if metric == start:
                v = np.where(t >= end, np.fmax(v, end / 1000 - 10), v)
            elif self._contract.counts(metric) and _seen(t, 0, end):
                v = np.where(_of_process(t, v, end), v - v[np.searchsorted(t, end) - 1], v)
            return t[~out], v[~out]

        return self._all(self._process("process_start", at, end), edit)

    def scrape_gap(self, at: int, minutes: int) -> str:
        """A process is not scraped for so many minutes."""
        end = at + minutes * _MINUTE
        out = lambda t: (t >= at) & (t < end)  # noqa: E731
        return self._all(self._process("up", at, end), lambda _, t, v: (t[~out(t)], v[~out(t)]))

    def generated_names(self, at: int, names: int) -> str:
        """So many tenants with generated names come to a process."""
        process = self._process("tenant_readiness", at, at + _HOUR)
        return self._arrive(process, at, names) if process and self._free(process, at) >= names else ""

    def rejections(self, at: int, requests: int) -> str:
        """A process that has no label left refuses so many requests."""
        process = self._process("rejections", at, at + _HOUR)
        if not process or self._free(process, at) > _MOST_NAMES:
            return ""
        self._arrive(process, at, self._free(process, at))
        self._count("rejections", process, at, lambda t: _ramp(t, at + 10 * _MINUTE, 10, requests))
        return self._contract.named(process)["instance"]

    def flapping_tenant(self, at: int, transitions: int) -> str:
        """A tenant wavers so many times within 20 minutes."""
        tenant = self._chosen("tenant_transitions", at, at + _HOUR)
        if tenant:
            self._count("tenant_transitions", tenant, at, lambda t: _ramp(t, at, 20, transitions))
        return tenant.get(self._contract.tenant_label, "")

    def alert_storm(self, at: int, alerts: int) -> str:
        """So many paging alerts begin within 8 minutes."""
        paging = [(name, rule.severity) for name, rule in self._contract.alerts.items() if rule.paging]
        if not paging or not self._chosen("up", at, at + _HOUR):
            return ""
        name, severity = paging[0]
        step = int(self._contract.evaluation_interval_seconds * 1000)
        for number in range(alerts):
            first = at + int(8 * _MINUTE * number / alerts) // step * step
            times = np.arange(first, first + 6 * _MINUTE, step, dtype=np.int64)
            labels = {"alertname": name, "alertstate": "firing", "severity": severity}
            labels[self._contract.tenant_label] = f"planted-{number}"
            self.add(self._name("alerts"), labels, times, np.ones(len(times)))
        return name

    def cost_spike(self, at: int, share: float) -> str:
        """A tenant costs this share more for six hours."""
        return self._costing(at, at + 6 * _HOUR, lambda _, v: v * (1 + share))

    def semantics_break(self, at: int, growth: float) -> str:
        """A tenant's cost grows with time, as no rate does."""
        end = self.week.end_ms
        if end - at < 4 * 24 * _HOUR:
            return ""
        return self._costing(at, end, lambda t, v: v[:1] * (1 + growth * (t - at) / (end - at)))

    def _costing(self, at: int, end: int, course: Callable[[Times, Values], Values]) -> str:
        tenant = self._chosen("cost", at, end - _MINUTE)
        if not tenant or self._contract["cost"].semantics != "rate":
            return ""

        def edit(t: Times, v: Values) -> tuple[Times, Values]:
            during, changed = (t >= at) & (t < end), v.copy()
            changed[during] = course(t[during], v[during])
            return t, changed

        self.change(self._name("cost"), tenant, edit)
        self.touched.append(tenant)
        return tenant[self._contract.tenant_label]

    def _name(self, role: str) -> str:
        return self._contract[role].name

    def _chosen(self, role: str, at: int, end: int) -> dict[str, str]:
        """The labels of a series that was there before and after; {} where none was.

        Of costs one from the middle, of a tenant with four weeks of history, if any has.
        """
        near = 10 * _MINUTE
        there = [
            (float(values[np.searchsorted(times, at) - 1]), number, labels)
            for number, (labels, times, values) in enumerate(self.held(self._name(role)))
            if labels.get("job") in self._contract.jobs
            and labels not in self.touched
            and _seen(times, at - near, at)
            and _seen(times, end, end + near)
        ]
        if role == "cost":
            # What is anomalous cannot be said of the new; at another instance a tenant is no other.
            name = self._contract.tenant_label
            known = {labels.get(name) for labels, t, _ in self.held(self._name(role)) if _seen(t, 0, at - _MONTH)}
            there = sorted([one for one in there if one[2].get(name) in known] or there)
            there = there[len(there) // 3 : -(-2 * len(there) // 3)]
        return there[self.random.integers(len(there))][2] if there else {}

    def _process(self, role: str, at: int, end: int) -> dict[str, str]:
        found = self._chosen(role, at, end)
        return {name: found[name] for name in self._contract.process_labels if name in found}

    def _all(self, process: dict[str, str], edit: Callable[[str, Times, Values], tuple[Times, Values]]) -> str:
        """Edit every series that is scraped from a process."""
        for metric in self._contract.series_names() if process else ():
            if self._contract.scope_of(metric) == "target":
                self.change(metric, process, partial(edit, metric))
        return self._contract.named(process).get("instance", "")

    def _count(self, role: str, where: Labels, at: int, steps: Callable[[Times], NDArray[Any]]) -> None:
        """Add to a counter from a time on, until its process ends."""
        edit = lambda t, v: (t, np.where(_of_process(t, v, at), v + steps(t), v))  # noqa: E731
        self.change(self._name(role), where, edit)

    def _starts(self, process: Labels) -> list[tuple[Times, Values]]:
        """What a process said of its start, and when."""
        held = self.held(self._name("process_start"))
        return [(t[~np.isnan(v)], v[~np.isnan(v)] * 1000) for labels, t, v in held if process.items() <= labels.items()]

    def _tenants(self, process: Labels, at: int) -> list[tuple[dict[str, str], Times]]:
        """Those whom the process has exported, with the times at which it did, since it began."""
        starts = self._starts(process)
        began = max((int(v[np.searchsorted(t, at) - 1]) for t, v in starts if _seen(t, 0, at)), default=0)
        held = self.held(self._name("tenant_readiness"))
        return [(labels, t) for labels, t, _ in held if process.items() <= labels.items() and _seen(t, began, at)]

    def _free(self, process: Labels, at: int) -> int:
        """How many labels the guard of a process can still admit."""
        names = {labels[self._contract.tenant_label] for labels, _ in self._tenants(process, at)}
        return max(0, self._contract.tenant_cap - len(names))

    def _arrive(self, process: Labels, at: int, names: int) -> str:
        """So many names of one stem within ten minutes, which the process exports until it ends."""
        _, times = max(self._tenants(process, at), key=lambda one: one[1][-1], default=({}, np.empty(0, np.int64)))
        for scraped, starts in self._starts(process):
            times = times[times < min(scraped[starts > at], default=self.extent().end_ms)]
        stem = "".join(map(chr, self.random.integers(ord("a"), ord("z") + 1, 6).tolist())) + "-"
        for number, hexed in enumerate(self.random.integers(2**28, 2**32, names).tolist()):
            own = times[times >= at + 10 * _MINUTE * number // names]
            labels = {**process, self._contract.tenant_label: f"{stem}{hexed:08x}"}
            self.add(self._name("tenant_readiness"), labels, own, np.ones(len(own)))
            self.add(self._name("tenant_transitions"), labels, own, np.zeros(len(own)))
        return stem


def plant(copy: Copy, *, size: int, times: int = 1, apart_hours: float = 3) -> Iterator[dict[str, Any]]:
    """Plant `times` events of each kind at random times of the copy's week, of its `size`-th size (0 to 4).

    Yields kind, place, start, size, unit of each for which there are series and room.
    """
    taken, week, minutes = [0], copy.week, int(copy.week.duration.total_seconds()) // 60
    for kind, (_, sizes, unit) in [one for one in KINDS.items() for _ in range(times)]:
        for at in (week.start_ms + copy.random.integers(0, minutes, _TRIES) * _MINUTE).tolist():
            near = min(abs(at - other) for other in taken) < apart_hours * _HOUR
            place = None if near else getattr(copy, kind)(at, sizes[size])
            if place:
                taken.append(at)
                start = datetime.fromtimestamp(at / 1000, UTC)
                yield {"kind": kind, "place": place, "start": start, "size": sizes[size], "unit": unit}
                break


def _seen(times: Times, low: int, high: int) -> bool:
    return bool(np.searchsorted(times, high) > np.searchsorted(times, low))


def _ramp(times: Times, at: int, minutes: int, total: int) -> NDArray[Any]:
    return np.clip((times - at) * total // (minutes * _MINUTE), 0, total)


def _of_process(times: Times, values: Values, at: int) -> NDArray[np.bool_]:
    """From a time on, up to the first fall after it, with which another process counts."""
    after = times >= at
    return after & (np.cumsum(after & (np.diff(values, prepend=values[:1]) < 0)) == 0)
