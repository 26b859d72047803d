"""The table of nightly assertions: its rows, and what each of them asks of one platform's contract."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.operate.probes import PROBES
from cloudxai_analysis.platform.contract import Contract, Metric, load_contract
from cloudxai_analysis.platform.settings import Environment, project_folder
from cloudxai_analysis.platform.tables import Table, read_table
from cloudxai_analysis.sources.promql import quoted, selector
from cloudxai_analysis.words.phrases import near_miss

SHIPPED = Path(__file__).with_name("nightly.toml")
_PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)(,[^{}]*)?\}")
_PLAIN_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_KINDS = {"metric": ("gauge", "counter", "histogram"), "counter": ("counter", "histogram"), "cost": ("gauge",)}
# A counter's histogram is counted by one series a label set, whose labels are told by its buckets.
_SUFFIX = {"metric": "_bucket", "counter": "_count"}
_Comparator = Literal["==", "!=", "<", "<=", ">", ">=", "absent", "present"]


class Row(Table):
    """One assertion as a file has it: a query and what its answer must be, or the name of a probe.

    `each` makes one of it for every metric, counter or cost of the contract, under an id of its
    own. `only_where` is a query without whose answer there is nothing to assert. `left_out` says
    why it is not asked at all.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$")
    title: str = Field("", max_length=200)
    query: str = Field("", max_length=10_000)
    probe: str = ""
    each: Literal["", "metric", "counter", "cost"] = ""
    comparator: _Comparator | None = None
    bound: Annotated[float, Field(allow_inf_nan=False)] | None = None
    only_where: str = Field("", max_length=10_000)
    otherwise: Literal["fail", "warn"] = "fail"
    means: str = Field("", max_length=1_000)
    do: str = Field("", max_length=1_000)
    decides: str = Field("", max_length=100)
    left_out: str = Field("", max_length=200)

    @field_validator("probe")
    @classmethod
    def _is_one(cls, probe: str) -> str:
        if probe and probe not in PROBES:
            raise ValueError(f"there is no probe '{probe}'.{near_miss(probe, list(PROBES))}")
        return probe

    @model_validator(mode="after")
    def _can_be_asked(self) -> Row:
        if self.left_out:
            return self
        if missing := [name for name in ("title", "means", "do", "decides") if not getattr(self, name).strip()]:
            raise ValueError(f"'{missing[0]}' is missing or empty")
        if bool(self.query.strip()) == bool(self.probe):
            raise ValueError("a row has either 'query' or 'probe'")
        if self.query and self.comparator is None:
            raise ValueError("a query needs a 'comparator'")
        if self.probe and (self.comparator or self.each or self.only_where):
            raise ValueError("a probe has no 'comparator', 'each' or 'only_where'")
        if (self.bound is None) == (self.comparator not in (None, "absent", "present")):
            raise ValueError("'bound' stands with every comparator but 'absent' and 'present', and with no other")
        return self


class _Assertions(Table):
    assertion: tuple[Row, ...] = ()

    @field_validator("assertion")
    @classmethod
    def _told_apart(cls, rows: tuple[Row, ...]) -> tuple[Row, ...]:
        if twice := [name for name, times in Counter(row.id for row in rows).items() if times > 1]:
            raise ValueError(f"the id '{twice[0]}' is there twice; give each row its own")
        return rows


def assertions(environment: Environment) -> list[Row]:
    """What is asserted on an environment each night: the shipped rows, and what its own file adds or replaces.

    A row of the own file takes the place of the shipped one of its id, be it of a whole row or of
    one that `each` made. Raises UsageError (a file, a row or a placeholder is wrong; the line names
    the row).
    """
    file = environment.settings.nightly and project_folder() / environment.settings.nightly
    own = read_rows(file) if file else ()
    rows = {row.id: row for row in (*read_rows(SHIPPED), *own) if not row.left_out}
    found = {one.id: (one, row.id) for row in rows.values() for one in _of_contract(row, environment, file)}
    gone = {row.id: row.left_out for row in own if row.left_out}
    if unknown := gone.keys() - rows.keys() - found.keys():
        near = near_miss(min(unknown), sorted(rows.keys() | found.keys()))
        raise UsageError(f"Assertions {file}, row '{min(unknown)}': there is no such assertion to leave out.{near}")
    whys = ((one, gone.get(one.id) or gone.get(of)) for one, of in found.values())
    return [one.model_copy(update={"left_out": why}) if why else one for one, why in whys]


def read_rows(file: Path) -> tuple[Row, ...]:
    """The rows of a file of assertions; raises UsageError, whose line names the row."""
    otherwise = "Correct the file, or `nightly` in the settings."
    return read_table(file, _Assertions, of="Assertions", otherwise=otherwise, rows={"assertion": Row}).assertion


def _of_contract(row: Row, environment: Environment, file: Path | None) -> Iterator[Row]:
    """The row as it is asked of the contract's metrics: once, or once of each that is meant."""
    for role in _roles(row, environment.contract) if row.each else ("",):
        series = _Series(environment, f"Assertions {file}, row '{row.id}'", role, _SUFFIX.get(row.each, ""))
        filled = {name: series.put_in(getattr(row, name)) for name in ("query", "only_where")}
        title = row.title.replace("{metric}", series.metric) if role else row.title
        named = {"id": f"{row.id}.{role}" if role else row.id, "title": title}
        yield row.model_copy(update={**filled, **named, "left_out": series.left_out})


def _roles(row: Row, contract: Contract) -> Iterator[str]:
    """The roles that a row is of: of a metric that rules make, or that needs no label, there is nothing to assert."""
    for role, metric in contract.metrics.items():
        asked = metric.scope == "target" and metric.kind in _KINDS[row.each]
        needed = "{lacking}" not in row.query or _needed(metric, contract)
        if asked and needed and (row.each != "cost" or metric.semantics):
            yield role


class _Series:
    """What the placeholders of one row stand for; `left_out` says why the contract has nothing for one of them."""

    def __init__(self, environment: Environment, where: str, role: str, suffix: str) -> None:
        self._settings, self._contract, self._where = environment.settings, environment.contract, where
        self._role, self.left_out, self.metric = role, "", self._contract[role].name if role else ""
        self._suffix = suffix if role and self._contract[role].kind == "histogram" else ""
        self._parts = _parts(self._contract)
        self._words = {
            "tenant": _label(self._contract.tenant_label),
            "process": ", ".join(map(_label, self._contract.process_labels)),
            "jobs": _jobs(self._contract.jobs),
            "cap": str(self._contract.tenant_cap),
            "currency": quoted(self._contract.currency),
        }

    def put_in(self, text: str) -> str:
        """The text with a selector in the place of each `{role}`, `{role,label="…"}`, and with the contract's words."""
        text = _PLACEHOLDER.sub(lambda found: found[0] if found[2] else self._words.get(found[1], found[0]), text)
        return _PLACEHOLDER.sub(lambda found: self._series(found[1], found[2] or ""), text)

    def _series(self, word: str, matchers: str) -> str:
        if word == "lacking" and self._role:
            own = self._role + self._suffix
            needed = _needed(self._contract[self._role], self._contract)
            lacking = (self._series(own, f',{_label(label)}=""') for label in needed)
            return f"({' or '.join(lacking)})"
        word = self._role + self._suffix if word == "metric" and self._role else word
        if word in self._parts:
            metric, name = self._parts[word]
            if metric not in self._contract.promised.values():
                version = f"v{metric.since} on, and this is v{self._contract.platform_version}"
                self.left_out = self.left_out or f"{metric.name} is promised from {version}"
            return self._selector(metric, name, matchers)
        if word in _parts(load_contract()):
            self.left_out = self.left_out or f"the contract of {self._contract.platform} has no '{word}'"
            return ""
        near = near_miss(word, sorted({*self._parts, *self._words}))
        raise UsageError(f"{self._where}: there is no placeholder '{{{word}}}'.{near}")

    def _selector(self, metric: Metric, name: str, matchers: str) -> str:
        rules = metric.scope == "rules"
        own = selector(name, self._settings.rule_matchers if rules else self._settings.matchers)
        return f"{own[:-1]}{'' if rules else ',' + self._words['jobs']}{matchers}}}"


def _parts(contract: Contract) -> dict[str, tuple[Metric, str]]:
    """What a placeholder may name, with the series that it is: a role, or of a histogram a role and a suffix."""
    return {
        role + name.removeprefix(metric.name): (metric, name)
        for role, metric in contract.metrics.items()
        for name in metric.series_names
    }


def _needed(metric: Metric, contract: Contract) -> list[str]:
    """The labels that each of its series must have, beside `job`, by which they are selected."""
    names = {"tenant": contract.tenant_label}
    found = [names.get(label, label) for label in metric.labels if label != "job"]
    return [*found, *(["le"] if metric.kind == "histogram" else [])]


def _jobs(jobs: tuple[str, ...]) -> str:
    if len(jobs) == 1:
        return f"job={quoted(jobs[0])}"
    return f"job=~{quoted('|'.join(map(re.escape, jobs)))}"


def _label(name: str) -> str:
    """A label's name; one that only newer servers know stands in quotes."""
    return name if _PLAIN_LABEL.fullmatch(name) else quoted(name)
