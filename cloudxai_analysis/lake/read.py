"""Reading one published version: every file is held against its hash, each time, before a number leaves it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cloudxai_analysis.ground.window import DAY, Window
from cloudxai_analysis.lake.files import KINDS, TileFile, TileKey, checked, damaged
from cloudxai_analysis.lake.frames import (
    ROLLUP_COLUMNS,
    SAMPLE_COLUMNS,
    SERIES_COLUMNS,
    empty_table,
    hours_frame,
    samples_frame,
    series_frame,
)


class Snapshot:
    """One published pair of tables, read only; `version` is that of `rollups`.

    What reads raises `LakeDamaged` where a file is missing or not what was written, and names it.
    """

    def __init__(
        self, path: Path, version: int, samples_version: int, provenance: dict[str, Any], files: list[TileFile]
    ) -> None:
        self.path = path
        self.version = version
        self.samples_version = samples_version
        self.provenance = provenance
        self.files = sorted(files, key=lambda file: (file.date, file.metric, file.kind))
        self.by_tile = {kind: {file.tile: file for file in files if file.kind == kind} for kind in KINDS}

    @property
    def rules(self) -> list[dict[str, Any]] | None:
        """The alerting rules that the source had loaded at the pull, as `sources.rules.rule_rows` gives them."""
        return self.provenance.get("rules")

    def tiles(self) -> pd.DataFrame:
        """One row per tile: `metric`, `date` (str), `asked` (when), `until` (up to where), `samples` (int)."""
        rows = [
            {
                "metric": file.metric,
                "date": file.date,
                "asked": pd.Timestamp(file.asked),
                "until": min(pd.Timestamp(file.asked), pd.Timestamp(file.date, tz="UTC") + DAY),
                "samples": file.rows,
            }
            for file in self.by_tile["samples"].values()
        ]
        return pd.DataFrame(rows, columns=["metric", "date", "asked", "until", "samples"])

    def lost(self) -> set[TileKey]:
        """The metric and date of the tiles of which a file is gone."""
        return {file.tile for file in self.files if not file.path(self.path).is_file()}

    @property
    def shrunk(self) -> dict[TileKey, tuple[int, int]]:
        """The tiles of which samples were lost: how many there are, and how many there were."""
        return {(metric, date): (now, before) for metric, date, now, before in self.provenance.get("shrunk", [])}

    def samples(
        self, metric: str, window: Window, labels: Sequence[str] = (), *, markers: bool = False
    ) -> pd.DataFrame:
        """Raw samples of a metric in a window, sorted by series and time.

        Parameters
        ----------
        labels : sequence of str
            Label names that become columns; "" where a series has no such label.
        markers : bool
            Keep staleness markers and other NaN as NaN.

        Returns
        -------
        DataFrame
            `series_id` (int64), `time` (UTC), `value` (float64), and a categorical column for each
            label.
        """
        files = self._of("samples", metric, window)
        return samples_frame(self._table(files, SAMPLE_COLUMNS), window, labels, markers=markers)

    def hours(self, metric: str, window: Window, labels: Sequence[str] = ()) -> pd.DataFrame:
        """Hourly rollups of a metric in a window, what reaches over from the hour before included.

        The anchor is looked for in the window's days and the whole day before it.

        Returns
        -------
        DataFrame
            `series_id` (int64), `hour` (UTC, its start), a categorical column for each label, and
            the fields of `lake.rollups.roll_up`, with `first_ts`, `last_ts` as UTC times, and
            `anchored` (a value stands before).
        """
        files = self._of("rollups", metric, Window(window.start - DAY, window.end))
        until_ms = max((int(file.asked.timestamp()) * 1_000 for file in files), default=None)
        return hours_frame(self._table(files, ROLLUP_COLUMNS), window, labels, until_ms=until_ms)

    def series(self, metric: str, window: Window) -> pd.DataFrame:
        """The series of a metric that have a sample in the hours that begin in a window, with all of their labels.

        Returns
        -------
        DataFrame
            `series_id` (int64), `labels` (canonical JSON text, the name left out), `first_seen`,
            `last_seen` (UTC, of those hours), `samples` (number).
        """
        files = self._of("rollups", metric, window)
        return series_frame(self._table(files, SERIES_COLUMNS), window)

    def extent(self) -> Window | None:
        """From the first day with a sample to the end of what was asked for, or None."""
        tiles = self.tiles()
        held = tiles[tiles["samples"] > 0]
        if held.empty:
            return None
        start = datetime.strptime(held["date"].min(), "%Y-%m-%d").replace(tzinfo=UTC)
        return Window(start, held["until"].max().to_pydatetime())

    def _of(self, kind: str, metric: str, window: Window) -> list[TileFile]:
        found = (self.by_tile[kind].get((metric, day.name)) for day in window.days())
        return [file for file in found if file and file.rows]

    def _table(self, files: list[TileFile], columns: Sequence[str]) -> pa.Table:
        if not files:
            return empty_table(columns)
        return pa.concat_tables([read_table(file.path(self.path), columns) for file in files]).unify_dictionaries()


def read_table(path: Path, columns: Sequence[str]) -> pa.Table:
    """Columns of a tile's file, of which the very bytes that were held against the hash in its name are decoded.

    Raises
    ------
    LakeDamaged
        The file is missing or not what was written.
    """
    content, fault = checked(path)
    if fault:
        raise damaged(path, fault)
    try:
        file = pq.ParquetFile(pa.BufferReader(content), read_dictionary=["labels"])
        return file.read(list(columns), use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise damaged(path, f"unreadable: {(str(error).splitlines() or [''])[0]}") from None
