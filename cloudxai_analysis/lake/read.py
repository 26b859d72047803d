"""Reading one published version: every file is held against its hash, each time, before a number leaves it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cloudxai_analysis.ground.errors import LakeDamaged
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


class Snapshot:
    """One published pair of tables, read only; `version` is that of `rollups`."""

    def __init__(
        self,
        path: Path,
        *,
        version: int,
        samples_version: int,
        provenance: dict[str, Any],
        rollup_files: list[dict[str, Any]],
        sample_files: list[dict[str, Any]],
    ) -> None:
        self.path = path
        self.version = version
        self.samples_version = samples_version
        self.provenance = provenance
        self.files = {"rollups": rollup_files, "samples": sample_files}
        self._files = {"rollups": _by_tile(rollup_files), "samples": _by_tile(sample_files)}

    @property
    def rules(self) -> list[dict[str, Any]] | None:
        """The alerting rules that the source had loaded at the pull, as `sources.rules.rule_rows` gives them."""
        return self.provenance.get("rules")

    def tiles(self) -> pd.DataFrame:
        """One row per tile: `metric`, `date` (str), `asked` (when), `until` (up to where), `samples` (int)."""
        rows = [
            {
                "metric": metric,
                "date": date,
                "asked": tile_asked(file["path"]),
                "until": min(tile_asked(file["path"]), pd.Timestamp(date, tz="UTC") + pd.Timedelta(days=1)),
                "samples": file["num_records"],
            }
            for (metric, date), file in self._files["samples"].items()
        ]
        return pd.DataFrame(rows, columns=["metric", "date", "asked", "until", "samples"])

    def lost(self) -> set[tuple[str, str]]:
        """The metric and date of the tiles of which a file is gone."""
        return {
            tile
            for kind, files in self._files.items()
            for tile, file in files.items()
            if not (self.path / kind / file["path"]).is_file()
        }

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
            `series_id` (int64), `time` (UTC), `value` (float64), and a categorical column for each label.

        Raises
        ------
        LakeDamaged
            A file is missing or not what was written; it is named.
        """
        paths = self._paths("samples", metric, window)
        return samples_frame(_table(paths, SAMPLE_COLUMNS), window, labels, markers=markers)

    def hours(self, metric: str, window: Window, labels: Sequence[str] = ()) -> pd.DataFrame:
        """Hourly rollups of a metric in a window, what reaches over from the hour before included.

        The anchor is looked for in the window's days and the whole day before it.

        Returns
        -------
        DataFrame
            `series_id` (int64), `hour` (UTC, its start), a categorical column for each label, and the fields of
            `lake.rollups.roll_up`, with `first_ts`, `last_ts` as UTC times, and `anchored` (a value stands before).

        Raises
        ------
        LakeDamaged
            A file is missing or not what was written; it is named.
        """
        paths = self._paths("rollups", metric, Window(window.start - DAY, window.end))
        until_ms = max((_asked_seconds(path.name) * 1_000 for path in paths), default=None)
        return hours_frame(_table(paths, ROLLUP_COLUMNS), window, labels, until_ms=until_ms)

    def series(self, metric: str, window: Window) -> pd.DataFrame:
        """The series of a metric that have a sample in the hours that begin in a window, with all of their labels.

        Returns
        -------
        DataFrame
            `series_id` (int64), `labels` (canonical JSON text, the name left out), `first_seen`, `last_seen` (UTC, of
            those hours), `samples` (number).

        Raises
        ------
        LakeDamaged
            A file is missing or not what was written; it is named.
        """
        paths = self._paths("rollups", metric, window)
        return series_frame(_table(paths, SERIES_COLUMNS), window)

    def extent(self) -> Window | None:
        """From the first day with a sample to the end of what was asked for, or None."""
        tiles = self.tiles()
        held = tiles[tiles["samples"] > 0]
        if held.empty:
            return None
        start = datetime.strptime(held["date"].min(), "%Y-%m-%d").replace(tzinfo=UTC)
        return Window(start, held["until"].max().to_pydatetime())

    def _paths(self, kind: str, metric: str, window: Window) -> list[Path]:
        files = self._files[kind]
        days = [day.name for day in window.days() if (metric, day.name) in files]
        return [self.path / kind / files[metric, day]["path"] for day in days if files[metric, day]["num_records"]]


def tile_asked(path: str) -> pd.Timestamp:
    """The moment at which a tile was asked for, from its file's name."""
    return pd.Timestamp(_asked_seconds(Path(path).name), unit="s", tz="UTC")


def _asked_seconds(name: str) -> int:
    return int(name.split("-", maxsplit=1)[0])


def _by_tile(files: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(file["partition.metric"], file["partition.date"]): file for file in files}


def _table(paths: list[Path], columns: Sequence[str]) -> pa.Table:
    if not paths:
        return empty_table(columns)
    return pa.concat_tables([_read(path, columns) for path in paths]).unify_dictionaries()


def _read(path: Path, columns: Sequence[str]) -> pa.Table:
    try:
        file = pq.ParquetFile(pa.BufferReader(_verified(path)), read_dictionary=["labels"])
        return file.read(list(columns), use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, (str(error).splitlines() or [""])[0]) from None


def _verified(path: Path) -> bytes:
    """The file's bytes, held against the hash in its name: the very bytes that are then decoded."""
    data = path.read_bytes()
    named = path.stem.split("-")[-1]
    found = hashlib.sha256(data).hexdigest()[: len(named)]
    if found != named:
        raise _damaged(path, f"its SHA-256 begins with {found}, its name says {named}")
    return data


def _damaged(path: Path, cause: str) -> LakeDamaged:
    return LakeDamaged(
        f"Lake file {path} is damaged: {cause}. Nothing was read from it. Delete it and `cloudxai pull` the day again."
    )
