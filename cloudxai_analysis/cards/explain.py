"""Where a number of `summary.json` comes from, down to the samples; and what a metric or a frame feeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

import pandas as pd

from cloudxai_analysis.cards import numbers, tiles
from cloudxai_analysis.cards.lineage import all_behind, frames_read
from cloudxai_analysis.cards.summary import coverage, summarise
from cloudxai_analysis.checks.catalogue import ROWS
from cloudxai_analysis.checks.judge import FINDERS
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.lake.read import Snapshot
from cloudxai_analysis.study.catalogue import inputs_of, place_of, roots_of, values
from cloudxai_analysis.study.study import Study

# What stands in summary.json and is no number of the telemetry: what was asked, set, or written down.
GIVEN = {
    "bounds": "a bound of the settings, with its reason in `cloudxai.toml.example`",
    "contract": "the contract that says what the platform exports",
    "environment": "the environment of the settings",
    "ledger": "the ledger as it was when the report was made",
    "platform": "the contract that says what the platform exports",
    "provenance": "the pull that the report was made from",
    "schema": "the form of summary.json",
    "window": "the window that was asked for",
}
# What is made of all checks together.
OF_CHECKS = ("banners", "considerations", "headline", "paragraph", "status")


@dataclass(frozen=True)
class Number:
    """One number: its name, the function that makes it, the frames that this reads, its definition."""

    name: str
    made_by: Callable[..., Any]
    frames: tuple[str, ...]
    definition: str = ""

    @property
    def behind(self) -> list[str]:
        """Every frame that it is made of, at any remove."""
        return all_behind(list(self.frames))


@cache
def known() -> dict[str, Number]:
    """Every number of `summary.json` that telemetry makes, by its name there."""
    found = [_of_check(key) for key in ROWS]
    found += [_number(f"tiles.{key}", tile) for key, tile in tiles.TILES.items()]
    found += [_number(f"numbers.{key}", value) for key, value in numbers.NUMBERS.items()]
    found += [_number(f"template.{key}", value) for key, (_, _, value) in numbers.TEMPLATE.items()]
    found += [_number("template.alerts", numbers.template), _number("coverage", coverage)]
    return {one.name: one for one in found}


def named(name: str) -> str:
    """The number that a name or a path into `summary.json` means: 'checks.churn' of 'churn' or 'checks.churn.value'.

    Raises
    ------
    UsageError
        There is none; near ones are named.
    """
    if own := found(name):
        return own
    near = get_close_matches(name, [*known(), *(one.partition(".")[2] for one in known()), *values()], n=3)
    hint = f"Near are {', '.join(near)}." if near else "`cloudxai explain` without a name lists all."
    raise UsageError(f"summary.json has no number '{name}', and the study no frame or metric of that name. {hint}")


def found(name: str) -> str:
    """As `named`; '' where there is none."""
    words = name.strip().split(".")
    for length in range(len(words), 0, -1):
        path = ".".join(words[:length])
        for one in known():
            if path in (one, one.partition(".")[2]):
                return one
    return words[0] if words[0] in GIVEN or words[0] in OF_CHECKS else ""


def feeds(study: Study, name: str) -> list[str]:
    """The numbers that a frame, a metric or a measure's function feeds; none where it is none of these."""
    metrics = study.contract.metrics.items()
    roles = {f"role {role}" for role, metric in metrics if name in (role, *metric.series_names)}
    frames = {
        frame
        for frame, one in values().items()
        if name in (frame, frame.partition(".")[2], one.measured_by) or roles & set(inputs_of(frame))
    }
    return [number.name for number in known().values() if frames & set(number.behind)]


def explained(study: Study, name: str) -> Iterator[str]:
    """Lines on a number, or on what a frame, a metric or a function feeds.

    Raises
    ------
    UsageError
        There is nothing of that name.
    """
    fed = [] if found(name) else feeds(study, name)
    if fed:
        yield f"{name} feeds {len(fed)} numbers of summary.json:"
        yield from (f"  {one}" for one in fed)
        return
    own = named(name)
    if own in GIVEN:
        yield f"{name} is {GIVEN[own]}; no telemetry makes it."
        return
    if own in OF_CHECKS:
        yield f"{own} is made of all {len(ROWS)} checks, in cards/words.py; ask for one of them: {', '.join(ROWS)}."
        return
    yield from _lines(study, known()[own])


def _lines(study: Study, number: Number) -> Iterator[str]:
    yield f"{number.name}: {_said(study, number.name)}"
    if number.definition:
        yield f"  definition: {number.definition} (docs/definitions.md)"
    yield f"  made by {place_of(number.made_by)} {number.made_by.__name__.replace('<lambda>', '')}".rstrip()
    behind = number.behind
    yield f"  of {len(number.frames)} frames, which are made of {len(behind) - len(number.frames)} more:"
    for name in behind:
        one = study.frames.entry(name)
        rows = f"{len(one.frame):,} rows" if isinstance(one.frame, pd.DataFrame) else "a value"
        yield f"    {name} ({rows}), by {one.measure}"
    if any(root.startswith("ledger") for name in number.frames for root in roots_of(name)):
        written = study.ledger.provenance()
        yield f"  ledger: {written['entries']} entries, head {written['head'][:12]}"
    yield from _stored(study, {metric for name in number.frames for metric in study.frames.entry(name).metrics})


def _stored(study: Study, metrics: set[str]) -> Iterator[str]:
    tiles_of = study.store.tiles() if isinstance(study.store, Snapshot) else pd.DataFrame(columns=["metric"])
    for metric in sorted(metrics):
        own = tiles_of[tiles_of["metric"].isin(_series_names(study, metric))]
        held = f"{own['samples'].sum():,} samples in {len(own)} tiles" if len(own) else "no tile in the lake"
        days = f", {own['date'].min()} to {own['date'].max()}" if len(own) else ""
        yield f"  metric {metric}: {held}{days}"
    lake = study.provenance.get("lake", {})
    source = study.provenance.get("source", {}).get("source", study.environment.source)
    yield f"  lake version {lake.get('rollups', '–')}, pulled from {source}"


def _series_names(study: Study, metric: str) -> tuple[str, ...]:
    return next(one.series_names for one in study.contract.metrics.values() if one.name == metric)


def _said(study: Study, name: str) -> str:
    """What the summary says of a number now."""
    part, _, key = name.partition(".")
    found: Any = summarise(study)[part]
    if isinstance(found, list):
        found = next(one for one in found if one["key"] == key)
    elif key:
        found = found[key]
    if not isinstance(found, dict):
        return "no data" if found is None else f"{len(found)} rows" if isinstance(found, list) else str(found)
    value = "unknown" if found.get("value") is None else f"{found['value']} {found.get('unit', '')}".strip()
    status = f" ({found['status']})" if "status" in found else ""
    return f"{value}{status}. {found.get('finding') or found.get('text') or ''}".strip()


def _of_check(key: str) -> Number:
    row = ROWS[key]
    read = dict.fromkeys([*([row.frame] if row.frame else []), *frames_read(FINDERS[key])])
    return Number(f"checks.{key}", FINDERS[key], tuple(read), f"{row.holds} {row.held_against}")


def _number(name: str, made_by: Callable[..., Any]) -> Number:
    return Number(name, made_by, tuple(frames_read(made_by)))
