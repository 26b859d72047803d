"""Whether a store holds what was scraped: source A, which scraped, and B, to which it was sent, sample by sample.

Both are read by metric in stretches of some million samples: memory does not grow with the window.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.errors import NoData, SourceAnswerError
from cloudxai_analysis.ground.window import DAY, HOUR, WEEK, Window
from cloudxai_analysis.operate.differences import KINDS, Likeness, Pairs, added_labels, differences
from cloudxai_analysis.sources.series import Labels, SeriesBatch, Source
from cloudxai_analysis.sources.series_parts import DOUBLES_LEFT_OUT
from cloudxai_analysis.words.phrases import several, span

VERDICTS = ("same", "storage's own loss", "cannot tell", "samples lost", "wrong samples")
SAME, OWN, UNKNOWN, LOST, WRONG = VERDICTS
LEADS_TO = dict(zip(KINDS, [WRONG] * 4 + [LOST] * 2 + [UNKNOWN] + [OWN] * 2, strict=True))
LATE = timedelta(seconds=1)
# A queue waits 5 s for more (Prometheus docs, `batch_send_deadline`), and a store shows what came after some seconds.
UNSETTLED = timedelta(seconds=15)
# What could not be sent for so long is lost (Prometheus docs, 'Remote write tuning').
UNSENT = timedelta(hours=2)
SAMPLES_AT_ONCE = 2_000_000
MOST_ROWS = 1_000  # of each kind, by series
_MINUTES_APART = 5  # of two stretches
_HOUR_MS, _MINUTE_MS = 3_600_000, 60_000


@dataclass(frozen=True)
class Side:
    """A or B: its source as it describes itself, and the matchers of each metric there."""

    name: str
    source: Source
    matchers: Mapping[str, Labels]
    described: Mapping[str, Any]

    def read(self, metric: str, window: Window) -> SeriesBatch:
        """As `Source.read`."""
        return self.source.read(metric, self.matchers[metric], window)

    def edge(self, parts: Iterator[Window], pick: Callable[..., Any]) -> datetime | None:
        """The time that `pick` takes of all samples in the first of the parts that has any."""
        for part in parts:
            batches = (self.read(metric, part) for metric in self.matchers)
            if times := [pick(batch.times) for batch in batches if batch.samples]:
                return datetime.fromtimestamp(int(pick(times)) / 1000, UTC)
        return None

    def edges(self, window: Window) -> Window:
        """From its first sample in a window to its last; NoData where it has none."""
        first, last = self.edge(_parts(window), np.min), self.edge(_parts(window, backwards=True), np.max)
        if first is None or last is None:
            raise NoData(
                f"{self.name}, {self.source.name}, has no sample of {several(self.matchers)} in {window}: nothing can "
                "be compared. Check its URL, tenant and matchers, how long it keeps samples, and what is sent to it."
            )
        return Window(first, last)


@dataclass
class _Tally:
    """What was counted so far: `minutes` with a difference, by kind; `found`, frames as `by_series` gives them."""

    samples: int = 0
    largest: dict[int, float] = field(default_factory=dict)  # by series of A
    metrics: set[str] = field(default_factory=set)
    hours: set[int] = field(default_factory=set)
    minutes: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    found: list[pd.DataFrame] = field(default_factory=list)

    def add(self, ours: SeriesBatch, theirs: SeriesBatch, tile: Window, likeness: Likeness) -> None:
        """Count what the batches of a metric have in a part of the stretch."""
        metric, hour = ours.metric, tile.start_ms // _HOUR_MS
        self.metrics |= {metric} if ours.samples or theirs.samples else set()
        times = ours.times[(ours.times >= tile.start_ms) & (ours.times < tile.end_ms)]
        self.samples += len(times)
        sizes = np.nan_to_num(np.abs(ours.values), nan=0, posinf=0)
        for labels, size in zip(ours.labels, np.maximum.reduceat(sizes, ours.offsets[:-1]).tolist(), strict=True):
            series = _hashed(metric, labels)
            self.largest[series] = max(size, self.largest.get(series, 0))
        self.hours.update((np.flatnonzero(np.bincount(times // _HOUR_MS - hour)) + hour).tolist())
        rows = differences(ours, theirs, tile, likeness)
        if not len(rows):
            return
        for kind, own in rows.groupby("kind", observed=True)["time"]:
            self.minutes[str(kind)].update((own // _MINUTE_MS).unique().tolist())
        summed = {"samples": ("time", "size"), "start": ("time", "min"), "end": ("time", "max")}
        grouped = rows.groupby(["kind", "series"], observed=True).agg(**summed, needed=("needed", "max"))
        self.found.append(grouped.reset_index().astype({"series": "str"}).assign(metric=metric))
        if len(self.found) > 200:
            self.found = [self.by_series()]

    def by_series(self) -> pd.DataFrame:
        """Columns: kind (worst first), metric, series, samples (most first), start, end (milliseconds), needed."""
        if not self.found:
            return pd.DataFrame(columns=["kind", "metric", "series", "samples", "start", "end", "needed"])
        how = {"samples": "sum", "start": "min", "end": "max", "needed": "max"}
        rows = pd.concat(self.found).groupby(["kind", "metric", "series"], observed=True, as_index=False).agg(how)
        return rows.sort_values(["kind", "samples"], ascending=[True, False], kind="stable")

    def explain(self) -> None:
        """What of one series is different by no more than its largest value makes decimals round is rounded."""
        rows = self.by_series()
        owners = zip(rows["metric"], rows["series"], strict=True)
        largest = [self.largest.get(_hashed(metric, json.loads(series)), 0) for metric, series in owners]
        rounded = (rows["kind"] == "different") & (rows["needed"] <= largest)
        rows.loc[rounded, ["kind", "needed"]] = ["rounded", np.nan]
        self.minutes["rounded"] |= self.minutes["different"] if rounded.any() else set()
        self.found = [rows]

    def by_kind(self) -> Iterator[dict[str, Any]]:
        """The same over all series, with the stretches of time in which there is such a sample."""
        for kind, rows in self.by_series().groupby("kind", observed=True):
            minutes = np.array(sorted(self.minutes[str(kind)]))
            parts = np.split(minutes, np.flatnonzero(np.diff(minutes) > _MINUTES_APART) + 1)
            yield {
                "kind": str(kind),
                "samples": int(rows["samples"].sum()),
                "series": len(rows),
                "metrics": rows.groupby("metric")["samples"].sum().sort_values(ascending=False).to_dict(),
                **_from_to(rows["start"].min(), rows["end"].max()),
                "stretches": [_from_to(part[0] * _MINUTE_MS, (part[-1] + 1) * _MINUTE_MS) for part in parts],
            }


def compare(
    a: Side,
    b: Side,
    window: Window,
    now: datetime,
    *,
    ignored: Sequence[str] = (),
    at_once: int = SAMPLES_AT_ONCE,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """What B has of A's samples in a window, as JSON can hold it: `verdict`, `since`, `kinds`, `series` and more.

    What one of them keeps no more, and what may still be under way, is not compared. The verdict is
    never `same` where something could not be read, or is read by a way that hides markers. Raises
    NoData where one has no sample, or both have no time in common, and what `read` does where the
    ends of the window, or all of it, cannot be read.
    """
    sides = (a, b)
    edges = [side.edges(Window(window.start, min(window.end, now))) for side in sides]
    stretch, notes = _stretch(sides, edges, window, now)
    hidden = (bool(a.described["hides_markers"]), bool(b.described["hides_markers"]))
    decimals = any("precision" in side.described for side in sides)
    likeness = Likeness(LATE // timedelta(milliseconds=1), _added(sides, stretch), frozenset(ignored), decimals, hidden)
    bare = [f"{side.name} (by {side.described['way']})" for side in sides if side.described["hides_markers"]]
    unseen = "without staleness markers, so that nobody can say whether series end at the same time"
    tally, doubts = _Tally(), [f"{' and '.join(bare)} can be read only {unseen}"] if bare else []
    with ThreadPoolExecutor(2) as pool:
        for number, metric in enumerate(a.matchers, start=1):
            for tile, ours, theirs in _tiles(pool, sides, metric, stretch, at_once, doubts):
                tally.add(ours, theirs, tile, likeness)
            if progress:
                progress(number, len(a.matchers))
    if not tally.metrics:
        raise NoData(" ".join([f"Nothing settled was there to be compared in {stretch}.", *notes, *doubts[-1:]]))
    tally.explain()
    # Ends are read twice, so that the readers' own counts are not those of the stretch.
    warned = [f"{side.name}, {line}" for side in sides for line in side.described.get("warnings", ())]
    left_out = [re.sub(": [0-9,]+ ", ": ", line) for line in warned]
    twice = any(line.startswith(b.name) and line.endswith(DOUBLES_LEFT_OUT) for line in left_out)
    return {
        **_found(tally, [*doubts, *left_out], WRONG if twice else SAME),
        "window": _from_to(window.start_ms, window.end_ms),
        "compared": {
            **_from_to(stretch.start_ms, stretch.end_ms),
            "samples": tally.samples,
            "series": len(tally.largest),
            "metrics": len(tally.metrics),
            "hours": len(tally.hours),
        },
        "sources": [
            {
                **{key: side.described[key] for key in ("source", "kind", "version", "way", "hides_markers")},
                **_from_to(edge.start_ms, edge.end_ms),
                "adds": dict(sorted(added)),
            }
            for side, edge, added in zip(sides, edges, likeness.added, strict=True)
        ],
        "absent": [metric for metric in a.matchers if metric not in tally.metrics],
        "notes": notes,
    }


def _found(tally: _Tally, doubts: list[str], least: str) -> dict[str, Any]:
    """The verdict, since when, and the rows that it rests on."""
    every, kinds = tally.by_series(), list(tally.by_kind())
    rows = every.groupby("kind", observed=True).head(MOST_ROWS)
    reached = [least, *(LEADS_TO[row["kind"]] for row in kinds), *([UNKNOWN] if doubts else [])]
    verdict = max(reached, key=VERDICTS.index)
    return {
        "verdict": verdict,
        "since": min((row["start"] for row in kinds if LEADS_TO[row["kind"]] == verdict), default=None),
        "kinds": kinds,
        "series": [
            {**row, "series": json.loads(row["series"]), **_from_to(row["start"], row["end"])}
            for row in rows.drop(columns="needed").to_dict("records")
        ],
        "series_left_out": len(every) - len(rows),
        "doubts": doubts,
    }


def _parts(window: Window, *, backwards: bool = False) -> Iterator[Window]:
    """The window in parts: an hour, then days, so that an edge is found without reading much."""
    at, width = timedelta(0), HOUR
    while at < window.duration:
        to = min(at + width, window.duration)
        yield Window(window.end - to, window.end - at) if backwards else Window(window.start + at, window.start + to)
        at, width = to, DAY


def _stretch(sides: Sequence[Side], edges: Sequence[Window], window: Window, now: datetime) -> tuple[Window, list[str]]:
    """What both keep and nothing is under way to, and what is to be said of the rest."""
    start, notes = window.start, []
    younger, older = sorted((0, 1), key=lambda number: edges[number].start, reverse=True)
    before, young = Window(start - WEEK, start), edges[younger].start
    if young > edges[older].start and sides[younger].edge(_parts(before, backwards=True), np.max) is None:
        notes.append(
            f"{sides[younger].name} keeps nothing older than {young:%Y-%m-%d %H:%M} UTC: "
            f"{span((young - start).total_seconds())} of the window are not compared."
        )
        start = young
    newest = min(edge.end for edge in edges)
    end = min(window.end, max(newest - UNSETTLED, now - UNSENT))
    behind = edges[0].end - edges[1].end
    if end < window.end and behind > UNSETTLED:
        lost = f"what is over {span(UNSENT.total_seconds())} old counts as lost"
        held = "it may still come" if end < newest else lost
        notes.append(
            f"B is {span(behind.total_seconds())} behind: its newest sample is of {edges[1].end:%Y-%m-%d %H:%M:%S} "
            f"UTC. What A has after {end:%H:%M:%S} is not compared; {held}."
        )
    if end <= start:
        raise NoData(f"A and B have no settled time in common in {window}. {' '.join(notes)} Choose another window.")
    return Window(start, end), notes


def _added(sides: Sequence[Side], stretch: Window) -> tuple[Pairs, Pairs]:
    """The labels that each side adds to all of its series, by an hour of each metric that both have."""
    found: tuple[list[Labels], list[Labels]] = ([], [])
    for metric in sides[0].matchers:
        for share in (0.5, 0.0, 0.25, 0.75, 1.0):
            start = stretch.start + share * max(stretch.duration - HOUR, timedelta(0))
            hour = Window(start, min(start + HOUR, stretch.end))
            ours = sides[0].read(metric, hour).labels
            if ours and (theirs := sides[1].read(metric, hour).labels):
                found[0].extend(ours)
                found[1].extend(theirs)
                break
    # Where series of A have such a label themselves, only its settings tell.
    external = frozenset(sides[0].described.get("external_labels_left_out", {}).items())
    return added_labels(found[1], found[0]), added_labels(found[0], found[1]) | external


def _tiles(
    pool: Executor, sides: Sequence[Side], metric: str, stretch: Window, at_once: int, doubts: list[str]
) -> Iterator[tuple[Window, SeriesBatch, SeriesBatch]]:
    """Both batches of one part of the stretch after the other; what cannot be read is one of the `doubts`."""
    start, width = stretch.start, HOUR
    while start < stretch.end:
        tile = Window(start, min(start + width, stretch.end))
        wider, start = Window(tile.start - LATE, tile.end + LATE), tile.end
        try:
            ours, theirs = pool.map(lambda side, asked=wider: side.read(metric, asked), sides)
        except SourceAnswerError as error:
            doubts.append(str(error))
            continue
        seconds = tile.duration.total_seconds() * at_once / max(1, ours.samples, theirs.samples)
        width = timedelta(seconds=int(min(max(seconds, 60), DAY.total_seconds())))
        yield tile, ours, theirs


def _hashed(metric: str, labels: Labels) -> int:
    return hash((metric, *sorted(labels.items())))


def _from_to(start: Any, end: Any) -> dict[str, str]:
    """Milliseconds as JSON can hold them."""
    start, end = (datetime.fromtimestamp(int(edge) / 1000, UTC) for edge in (start, end))
    return {"start": start.isoformat(timespec="milliseconds"), "end": end.isoformat(timespec="milliseconds")}
