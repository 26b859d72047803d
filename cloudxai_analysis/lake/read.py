"""One published version of the lake, and the frames that are read of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from cloudxai_analysis.ground.window import DAY, Window
from cloudxai_analysis.lake.frames import (
    ROLLUP_COLUMNS,
    SAMPLE_COLUMNS,
    SERIES_COLUMNS,
    empty_table,
    hours_frame,
    samples_frame,
    series_frame,
)
from cloudxai_analysis.lake.tiles import KINDS, TileFile, TileKey, read_table

Stated = Mapping[str, Any]


class Snapshot:
    """One published pair of tables, read only; `version` is that of `rollups`, `provenance` what the pull stated.

    What reads raises `LakeDamaged` where a file is missing or not what was written, and names it.
    """

    def __init__(self, path: Path, version: int, samples_version: int, stated: Stated, files: list[TileFile]) -> None:
        self.path = path
        self.version = version
        self.samples_version = samples_version
        self.provenance = dict(stated)
        self.files = sorted(files, key=lambda file: (file.date, file.metric, file.kind))
        self.by_tile = {kind: {file.tile: file for file in files if file.kind == kind} for kind in KINDS}

    @property
    def rules(self) -> list[dict[str, Any]] | None:
        """The alerting rules that the source had loaded at the pull, as `sources.rules.rule_rows` gives them."""
        return self.provenance.get("rules")

    @property
    def shrunk(self) -> dict[TileKey, tuple[int, int]]:
        """The tiles of which samples were lost: how many there are, and how many there were."""
        return {(metric, date): (now, before) for metric, date, now, before in self.provenance.get("shrunk", [])}

    def warnings(self, window: Window) -> list[str]:
        """What is to be known of the tiles of a window's days: what the source left out, and samples that were lost."""
        days = {day.name for day in window.days()}
        left_out = [note["text"] for note in self.provenance.get("notes", []) if days & set(note["dates"])]
        lost = losses({key: counts for key, counts in self.shrunk.items() if key[1] in days})
        return list(dict.fromkeys([*left_out, *lost]))

    def lost(self) -> set[TileKey]:
        """The metric and date of the tiles of which a file is gone."""
        return {file.tile for file in self.files if not file.path(self.path).is_file()}

    def tiles(self) -> pd.DataFrame:
        """One row per tile: `metric`, `date` (str), `asked` (when), `until` (up to where), `samples` (int)."""
        rows = [
            (file.metric, file.date, at, min(at, pd.Timestamp(file.date, tz="UTC") + DAY), file.rows)
            for file in self.by_tile["samples"].values()
            for at in [pd.Timestamp(file.asked)]
        ]
        return pd.DataFrame(rows, columns=["metric", "date", "asked", "until", "samples"])

    def extent(self) -> Window | None:
        """From the first day with a sample to the end of what was asked for, or None."""
        held = self.tiles().query("samples > 0")
        if held.empty:
            return None
        start = datetime.strptime(held["date"].min(), "%Y-%m-%d").replace(tzinfo=UTC)
        return Window(start, held["until"].max().to_pydatetime())

    def samples(
        self, metric: str, window: Window, labels: Sequence[str] = (), *, markers: bool = False
    ) -> pd.DataFrame:
        """Raw samples of a metric in a window, sorted by series and time; `markers` keeps NaN, staleness markers too.

        Columns: series_id (int64), time (UTC), value (float64), and a categorical for each of
        `labels`, "" where a series has no such label.
        """
        files = self._of("samples", metric, window)
        return samples_frame(self._table(files, SAMPLE_COLUMNS), window, labels, markers=markers)

    def hours(self, metric: str, window: Window, labels: Sequence[str] = ()) -> pd.DataFrame:
        """Hourly rollups of a metric in a window, what reaches over from the hour before included.

        The anchor is looked for in the window's days and the whole day before it. Columns:
        series_id (int64), hour (UTC, its start), a categorical for each label, the fields of
        `lake.rollups.roll_up`, with first_ts, last_ts as UTC times, and anchored (a value stands
        before).
        """
        files = self._of("rollups", metric, Window(window.start - DAY, window.end))
        until_ms = max((int(file.asked.timestamp()) * 1_000 for file in files), default=None)
        return hours_frame(self._table(files, ROLLUP_COLUMNS), window, labels, until_ms=until_ms)

    def series(self, metric: str, window: Window) -> pd.DataFrame:
        """The series of a metric that have a sample in the hours that begin in a window.

        Columns: series_id (int64), labels (all of them, canonical JSON text), first_seen, last_seen
        (UTC, of those hours), samples (number).
        """
        return series_frame(self._table(self._of("rollups", metric, window), SERIES_COLUMNS), window)

    def _of(self, kind: str, metric: str, window: Window) -> list[TileFile]:
        found = (self.by_tile[kind].get((metric, day.name)) for day in window.days())
        return [file for file in found if file and file.rows]

    def _table(self, files: list[TileFile], columns: Sequence[str]) -> pa.Table:
        if not files:
            return empty_table(columns)
        return pa.concat_tables([read_table(file.path(self.path), columns) for file in files]).unify_dictionaries()


def losses(shrunk: Mapping[TileKey, tuple[int, int]]) -> list[str]:
    """A line on each tile of which samples were lost: how many there are, of how many."""
    return [
        f"{metric} on {date}: {now:,} of {before:,} samples; the others were lost, and the source no longer has them"
        for (metric, date), (now, before) in sorted(shrunk.items())
    ]
