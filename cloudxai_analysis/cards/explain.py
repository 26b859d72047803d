"""Where a number of `summary.json` comes from, down to the samples; and what a frame, metric or measure feeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from difflib import get_close_matches
from functools import partial
from operator import attrgetter
from typing import Any

import pandas as pd

from cloudxai_analysis.cards.summary import TEMPLATE, alerts, coverage, summarise
from cloudxai_analysis.cards.tiles import TILES
from cloudxai_analysis.checks.finding import FINDERS, ROWS
from cloudxai_analysis.checks.judge import find
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.lake.read import Snapshot
from cloudxai_analysis.study.frame import ANY_METRIC, TOPICS, inputs_of, place_of, roots_of, values
from cloudxai_analysis.study.numbers import NUMBERS
from cloudxai_analysis.study.study import Study

# What stands in summary.json and is no number of the telemetry, or is made of all of them.
_GIVEN = ("bounds", "contract", "environment", "ledger", "platform", "provenance", "schema", "window")
_OF_CHECKS = ("banners", "considerations", "headline", "not_known", "paragraph", "status")
OTHERS = {
    **dict.fromkeys(_GIVEN, "was asked for, set, promised or written down; no telemetry makes it."),
    **dict.fromkeys(_OF_CHECKS, "is made of all checks, in cards/words.py; ask for one of them."),
}
# Every number that telemetry makes, by its name in summary.json, with the function that makes it.
KNOWN: dict[str, Callable[..., Any]] = {
    **{f"checks.{key}": FINDERS[key] for key in ROWS},
    **{f"tiles.{key}": made for key, made in TILES.items()},
    **{f"numbers.{key}": made for key, made in NUMBERS.items()},
    **{f"template.{key}": made for key, (_, _, made) in TEMPLATE.items()},
    "template.alerts": alerts,
    "coverage": coverage,
}


def frames_read(study: Study, name: str) -> list[str]:
    """The frames and values of a study that a number is made of: they are noted while it is made."""
    topic, _, key = name.partition(".")
    made = partial(find, key=key) if topic == "checks" else KNOWN[name]
    found: dict[str, None] = {}
    watched = copy(study)
    watched.made = {}

    def watching(topic: str) -> Any:
        own, kind = getattr(study, topic), TOPICS[topic]

        class Watched(kind):  # type: ignore[misc, valid-type]
            def __getattribute__(self, name: str) -> Any:
                if f"{topic}.{name}" not in values():
                    return super().__getattribute__(name)
                found[f"{topic}.{name}"] = None
                return getattr(own, name)

        return Watched(watched)

    for topic in TOPICS:
        setattr(watched, topic, watching(topic))
    made(watched)
    return list(found)


def found(name: str) -> str:
    """The number that a name or a path into `summary.json` means: 'checks.churn' of 'churn'; '' where there is none."""
    paths = [name.strip().rsplit(".", cut)[0] for cut in range(name.count(".") + 1)]
    known = (one for path in paths for one in KNOWN if path in (one, one.partition(".")[2]))
    return next(known, paths[-1] if paths[-1] in OTHERS else "")


def feeds(study: Study, name: str) -> list[str]:
    """The numbers that a frame, a metric or a measure's function feeds; none where it is none of these."""
    roles = {f"role {role}" for role, metric in study.contract.metrics.items() if name in (role, *metric.series_names)}
    own = {
        frame
        for frame, made in values().items()
        if name in (frame, frame.partition(".")[2], place_of(made.measure).rpartition(" ")[2])
        or roles & set(inputs_of(frame))
    }
    if not own:
        return []
    behind = {key: set(frames_read(study, key)) for key in KNOWN}
    return [key for key, read in behind.items() if own & read.union(*map(roots_of, read))]


def explained(study: Study, name: str) -> Iterator[str]:
    """Lines on a number, or on what a frame, a metric or a function feeds; a UsageError that names near ones."""
    own = found(name)
    if own in OTHERS:
        yield f"{name} {OTHERS[own]}"
    elif own:
        yield from _lines(study, own)
    elif fed := feeds(study, name):
        yield f"{name} feeds {len(fed)} numbers of summary.json:"
        yield from (f"  {one}" for one in fed)
    else:
        near = get_close_matches(name, [*KNOWN, *(one.partition(".")[2] for one in KNOWN), *values()], n=3)
        hint = f"Near are {', '.join(near)}." if near else "`cloudxai explain` without a name lists all."
        raise UsageError(f"summary.json has no number '{name}', and the study no frame or metric of that name. {hint}")


def _lines(study: Study, name: str) -> Iterator[str]:
    read, row = frames_read(study, name), ROWS.get(name.removeprefix("checks."))
    roots = set(read).union(*map(roots_of, read))
    behind = sorted(roots & values().keys() - set(read))
    yield f"{name}: {_said(study, name)}"
    if row:
        yield f"  definition: {row.holds} {row.held_against} (docs/definitions.md)"
    yield f"  made by {place_of(KNOWN[name])}"
    yield f"  of {len(read)} frames, which are made of {len(behind)} more:"
    for frame in (*read, *behind):
        made = attrgetter(frame)(study)
        rows = f"{len(made):,} rows" if isinstance(made, pd.DataFrame) else "a value"
        yield f"    {frame} ({rows}), by {place_of(values()[frame].measure)}"
    if any(root.startswith("ledger") for root in roots):
        written = study.ledger.provenance()
        yield f"  ledger: {written['entries']} entries, head {written['head'][:12]}"
    tiles = study.store.tiles() if isinstance(study.store, Snapshot) else pd.DataFrame(columns=["metric"])
    for role, metric in study.contract.metrics.items():
        if {f"role {role}", f"role {ANY_METRIC}"} & roots:
            own = tiles[tiles["metric"].isin(metric.series_names)]
            held = f"{own['samples'].sum():,} samples in {len(own)} tiles" if len(own) else "no tile in the lake"
            yield f"  metric {metric.name}: {held}"
    source = study.provenance.get("source", {}).get("source", study.environment.source)
    yield f"  lake version {study.provenance.get('lake', {}).get('rollups', '–')}, pulled from {source}"


def _said(study: Study, name: str) -> str:
    """What the summary says of a number now."""
    part, _, key = name.partition(".")
    said: Any = summarise(study)[part]
    if key:
        said = said[key] if isinstance(said, dict) else next(one for one in said if one["key"] == key)
    if isinstance(said, list):
        return f"{len(said)} rows"
    if not isinstance(said, dict):
        return str(said)
    return f"{said['value']} {said.get('unit', '')}. {said.get('finding') or said['text']}"
