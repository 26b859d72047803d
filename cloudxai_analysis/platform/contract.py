"""The metric contract: what the platform promises to export, by the role each metric plays."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.platform.tables import checked, tables_of
from cloudxai_analysis.words.phrases import span

DEFAULT_CONTRACT = Path(__file__).with_name("contract.toml")
NEXT_CONTRACT = Path(__file__).with_name("contract-1.0.toml")


class _Promised(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Metric(_Promised):
    """One promised metric: its name, kind, labels, unit and, of a cost, its declared semantics."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    labels: tuple[str, ...]
    optional_labels: tuple[str, ...] = ()
    unit: str
    semantics: Literal["rate", "cumulative", "window_total"] | None = None
    since: str = "0.9"
    scope: Literal["target", "rules"] = "target"
    locked: bool = False
    help: str

    @property
    def series_names(self) -> tuple[str, ...]:
        """The names that the metric's series carry: of a histogram `_bucket`, `_count` and `_sum`."""
        if self.kind == "histogram":
            return tuple(f"{self.name}{suffix}" for suffix in ("_bucket", "_count", "_sum"))
        return (self.name,)


class AlertRule(_Promised):
    """One promised alert rule: the topic it speaks of, the role of the metric it looks at, whether it wakes someone."""

    topic: Literal["readiness", "cardinality", "cost"]
    severity: str
    paging: bool
    for_seconds: int
    help: str
    signal: str = ""


class Contract(_Promised):
    """The platform's metrics by role, its alert rules, the guard's cap and the currency of its costs."""

    version: str
    platform: str
    platform_version: str
    tenant_label: str = "tenant"
    process_labels: tuple[str, ...] = ("job", "instance")
    tenant_cap: int = Field(gt=0)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    jobs: tuple[str, ...]
    evaluation_interval_seconds: int = Field(gt=0)
    metrics: dict[str, Metric]
    renames: dict[str, str] = Field(default_factory=dict, description="name now = name from v1.0 on")
    alerts: dict[str, AlertRule]

    def __getitem__(self, role: str) -> Metric:
        """The metric that plays `role`; raises UsageError where the contract names none."""
        if role not in self.metrics:
            raise UsageError(f"Contract of {self.platform} has no role '{role}'. It has {', '.join(self.metrics)}.")
        return self.metrics[role]

    @property
    def promised(self) -> dict[str, Metric]:
        """The metrics that this version of the platform exports: not those of a later one."""
        own = _version(self.platform_version)
        return {role: metric for role, metric in self.metrics.items() if _version(metric.since) <= own}

    def differences(self, loaded: Iterable[Mapping[Any, Any]]) -> list[str]:
        """How loaded rules (`Study.rules`, row by row) differ from those that the contract promises."""
        rows = list(loaded)
        found, absent = [], []
        for name, rule in self.alerts.items():
            own = [row for row in rows if row["alertname"] == name]
            if not own:
                absent.append(name)
            elif all((row["for_seconds"], row["severity"]) != (rule.for_seconds, rule.severity) for row in own):
                has = f"for {span(own[0]['for_seconds'])}, severity '{own[0]['severity']}'"
                found.append(f"{name} {has} (contract: {span(rule.for_seconds)}, '{rule.severity}')")
        return [*found, *([f"not loaded: {', '.join(absent)}"] if absent else [])]

    def pages(self, severity: str) -> bool | None:
        """Whether a rule of this severity wakes someone, going by the promised rules; None of one that none has."""
        return next((rule.paging for rule in self.alerts.values() if rule.severity == severity), None)

    @field_validator("process_labels")
    @classmethod
    def _jobs_are_told_apart(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if "job" not in labels or len(labels) == 1:
            raise ValueError('\'job\' and what tells the processes of a job apart, as ["job", "instance"]')
        return labels

    def columns(self, metric: Metric) -> dict[str, tuple[str, ...]]:
        """The columns of a metric's frames, and the labels that each is made of: `tenant`, `job`, `instance` always so.

        What tells the processes of a job apart is the column `instance`, whatever the platform
        calls it.
        """
        found: dict[str, tuple[str, ...]] = {}
        for name in metric.labels + metric.optional_labels:
            if name in ("tenant", self.tenant_label):
                found["tenant"] = (self.tenant_label,)
            elif name in ("job", "instance", *self.process_labels):
                found["job"] = ("job",)
                found["instance"] = tuple(label for label in self.process_labels if label != "job")
            else:
                found[name] = (name,)
        return found

    def named(self, labels: Mapping[str, str]) -> dict[str, str]:
        """A label set under the names of `columns`; labels of which those are not made stay as they are."""
        own = {"job", "instance", "tenant", *self.process_labels, self.tenant_label}
        made = {
            "tenant": labels.get(self.tenant_label, ""),
            "job": labels.get("job", ""),
            "instance": joined([labels.get(name, "") for name in self.process_labels if name != "job"]),
        }
        found = {name: value for name, value in labels.items() if name not in own}
        return found | {name: value for name, value in made.items() if value}

    def series_names(self) -> tuple[str, ...]:
        """Every series name that a pull asks for, in the contract's order."""
        return tuple(name for metric in self.metrics.values() for name in metric.series_names)

    def counts(self, series_name: str) -> bool:
        """Whether the series called `series_name` only ever rise, restarts aside: counters, and all of a histogram."""
        return any(series_name in metric.series_names and metric.kind != "gauge" for metric in self.metrics.values())

    def scope_of(self, series_name: str) -> Literal["target", "rules"]:
        """Whether the series called `series_name` are scraped from targets or made by rules."""
        scopes = (metric.scope for metric in self.metrics.values() if series_name in metric.series_names)
        return next(scopes, "target")


def joined(parts: Sequence[str]) -> str:
    """The values of several labels as one name; '' where all are empty."""
    return "/".join(parts) if any(parts) else ""


def _version(text: str) -> tuple[int, ...]:
    """A version to compare: 1.10 is after 1.9."""
    return tuple(int(number) for number in re.findall(r"\d+", text))


@cache
def load_contract(path: Path = DEFAULT_CONTRACT) -> Contract:
    """The contract kept in the TOML file at `path`, or what it changes of the one beside it that it is `based_on`.

    Raises
    ------
    UsageError
        The file cannot be read, is no TOML, or a key of it is unknown, missing or of the wrong type.
    """
    how = {"of": "Contract", "otherwise": "Point `contract` at a TOML file."}
    told = tables_of(path, **how)
    if base := told.pop("based_on", None):
        below = tables_of(path.parent / str(base), **how)
        told = below | told | {"metrics": {**below["metrics"], **told.get("metrics", {})}}
    rows: dict[str, type[BaseModel]] = {"metrics": Metric, "alerts": AlertRule}
    return checked(told, Contract, of=f"Contract {path}", rows=rows)
