"""What differs between two versions of a platform's metrics: the rows that a migration is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from cloudxai_analysis.platform.contract import Contract, Metric
from cloudxai_analysis.platform.tables import Table, read_table
from cloudxai_analysis.sources.promql import quoted

Kind = Literal["renamed", "appeared", "vanished", "type", "unit", "label", "meaning"]
# How many of the first unit of its kind one of them is. Another unit is another kind, and of it no factor is known.
_UNITS = {
    **{"seconds": ("time", 1.0), "milliseconds": ("time", 1e-3), "microseconds": ("time", 1e-6)},
    **{"nanoseconds": ("time", 1e-9), "minutes": ("time", 60.0), "hours": ("time", 3600.0), "days": ("time", 86400.0)},
    **{"bytes": ("data", 1.0), "kilobytes": ("data", 1e3), "megabytes": ("data", 1e6), "gigabytes": ("data", 1e9)},
    **{"kibibytes": ("data", 2.0**10), "mebibytes": ("data", 2.0**20), "gibibytes": ("data", 2.0**30)},
    **{"bits": ("data", 0.125), "ratio": ("share", 1.0), "1": ("share", 1.0), "percent": ("share", 0.01)},
}


class Change(Table):
    """One metric that is not what it was; `old` and `new` are names of series, '' where there is none.

    `factor` is the new value over the old one, `labels` gives the new name of each label that has
    another one ('' of one that is gone), `added` are labels that only the new series have. Of a
    `unit` with the factor 1 no factor is known. A `locked` change breaks a meaning that was
    promised never to change.
    """

    kind: Kind
    old: str = ""
    new: str = ""
    factor: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    labels: dict[str, str] = Field(default_factory=dict)
    added: tuple[str, ...] = ()
    locked: bool = False
    note: str = ""

    @model_validator(mode="after")
    def _names_fit(self) -> Change:
        if bool(self.old) == (self.kind == "appeared") or bool(self.new) == (self.kind == "vanished"):
            raise ValueError(f"{self.kind}: 'appeared' has `new` alone, 'vanished' `old` alone, all others have both")
        if self.old and self.new and (self.old == self.new) == (self.kind == "renamed"):
            raise ValueError(f"{self.kind}: only what is 'renamed' has another name, and it must have")
        return self


class _Changes(Table):
    change: tuple[Change, ...] = ()


def read_changes(path: Path) -> tuple[Change, ...]:
    """The changes kept in the TOML file at `path`; raises UsageError, which names the row and the key."""
    otherwise = "Give the file that drift wrote."
    return read_table(path, _Changes, of="Changes", otherwise=otherwise, rows={"change": Change}).change


def written_changes(rows: Iterable[Change]) -> str:
    """The same as TOML, row by row, without what a row leaves at its default."""
    return "\n".join("\n".join(_lines(row)) + "\n" for row in rows)


def _lines(row: Change) -> Iterator[str]:
    yield "[[change]]"
    for name, value in row.model_dump(exclude_defaults=True).items():
        match value:
            case dict():
                said = "{" + ", ".join(f"{quoted(old)} = {quoted(new)}" for old, new in value.items()) + "}"
            case tuple():
                said = f"[{', '.join(map(quoted, value))}]"
            case bool():
                said = str(value).lower()
            case str():
                said = quoted(value)
            case _:
                said = repr(value)
        yield f"{name} = {said}"


def between(old: Contract, new: Contract) -> list[Change]:
    """What differs between two contracts' metrics, role by role, in the order of the old one, what appeared last.

    Labels are renamed where the contracts say how they call the same thing (`tenant_label`,
    `process_labels`). `renames` of the old contract are taken in, too.
    """
    was, now = old.promised, new.promised
    rows: list[Change] = []
    for role, metric in was.items():
        if role in now:
            rows += _role_changes(metric, now[role], *_labels(metric, now[role], old, new))
        else:
            note = f"{new.platform} {new.platform_version} promises it no more"
            rows += [Change(kind="vanished", old=name, note=note) for name in metric.series_names]
    told = {row.old for row in rows}
    for name, called in old.renames.items():
        rows += [Change(kind="renamed", old=name, new=called)] if name not in told and name != called else []
    for role, metric in now.items():
        rows += [Change(kind="appeared", new=name) for name in metric.series_names if role not in was]
    return rows


def _labels(was: Metric, now: Metric, old: Contract, new: Contract) -> tuple[dict[str, str], tuple[str, ...]]:
    """The new name of each label that has another one, and those that only the new metric has."""
    called = {old.tenant_label: new.tenant_label}
    if len(old.process_labels) == len(new.process_labels):
        called |= dict(zip(old.process_labels, new.process_labels, strict=True))
    before = {old.tenant_label if name == "tenant" else name for name in was.labels}
    after, may = (
        {new.tenant_label if name == "tenant" else name for name in own} for own in (now.labels, now.optional_labels)
    )
    names = {name: called.get(name, name) for name in sorted(before)}
    there = {name: to if to in after | may else "" for name, to in names.items()}
    labels = {name: to for name, to in there.items() if to != name}
    return labels, tuple(sorted(after - set(names.values()) - set(was.optional_labels)))


def _role_changes(was: Metric, now: Metric, labels: dict[str, str], added: tuple[str, ...]) -> Iterator[Change]:
    factor = _factor(was.unit, now.unit)
    alike = (was.kind == "histogram") == (now.kind == "histogram")
    parts = None if alike else 1
    for name, to in zip(was.series_names[:parts], now.series_names[:parts], strict=True):
        valued = not (was.kind == "histogram" and name.endswith("_count"))
        bounds = {"le": ""} if name.endswith("_bucket") and alike and was.kind == "histogram" and factor != 1 else {}
        own = 1.0 if bounds or not valued else factor or 1.0
        kind: Kind = "renamed" if name != to else "unit" if own != 1 else "label"
        note = f"unit: {was.unit} → {now.unit}" if factor != 1 and valued else ""
        if name != to or own != 1 or labels or added or bounds:
            yield Change(kind=kind, old=name, new=to, factor=own, note=note, labels=labels | bounds, added=added)
        if factor is None and valued:
            yield Change(kind="unit", old=to, new=to, note=f"{note}, of which no factor is known", locked=was.locked)
    if was.kind != now.kind:
        to = now.series_names[0]
        yield Change(kind="type", old=to, new=to, note=f"{was.kind} → {now.kind}", locked=was.locked)
    if was.semantics != now.semantics or (was.locked and (was.help, was.unit) != (now.help, now.unit)):
        to = now.series_names[0]
        note = f"{was.semantics} → {now.semantics}" if was.semantics != now.semantics else f"{was.help} → {now.help}"
        yield Change(kind="meaning", old=to, new=to, note=note, locked=was.locked)


def _factor(old: str, new: str) -> float | None:
    """The new value over the old one of two units; None where nobody can say."""
    if old == new:
        return 1.0
    (kind, was), (other, now) = (_UNITS.get(unit, (unit, 1.0)) for unit in (old, new))
    return was / now if kind == other else None
