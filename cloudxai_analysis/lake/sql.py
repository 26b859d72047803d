"""SQL over one version of the lake, by DuckDB: it reads checked files and reaches nothing else."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyarrow.fs import LocalFileSystem

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lake.read import Snapshot
from cloudxai_analysis.lake.tables import KEYS
from cloudxai_analysis.lake.tiles import SCHEMAS, TIME, TileFile, intact

_CLOSED: dict[str, Any] = {
    "enable_external_access": False,
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "python_enable_replacements": False,
    "temp_directory": "",
}
_NONE: Mapping[str, pd.DataFrame] = {}
_READING = ("SELECT", "EXPLAIN", "MULTI")  # the last is what a PIVOT becomes


def query(snapshot: Snapshot, sql: str, window: Window, frames: Mapping[str, pd.DataFrame] = _NONE) -> pd.DataFrame:
    """The answer to one SQL statement over the tables `samples` and `rollups`, of the window's rows alone.

    Beside them stand `frames`, each called `schema.table`.

    Both have `metric`, `date`, `labels` (JSON text: `labels->>'instance'`) and `tenant`; metric and
    labels are one series. `samples` has `time` and `value`, staleness markers included as NaN.
    `rollups` has `series_id`, `hour` and the fields of `lake.rollups.roll_up`, each hour on its
    own: what reaches over from the hour before is in `Snapshot.hours` only. Times are in UTC. Every
    file of the window's days is held against its SHA-256 first.

    Raises UsageError (DuckDB is not installed; the statement is wrong, or does more than read);
    LakeDamaged (a file is missing or not what was written; it is named).
    """
    try:
        import duckdb
    except ImportError:
        raise UsageError(
            "SQL needs DuckDB, which is not installed. Run `make lab`, or `pip install 'cloudxai-analysis[lab]'`."
        ) from None
    days = {day.name for day in window.days()}
    files = [file for file in snapshot.files if file.date in days]
    try:
        for file in files:
            intact(file.path(snapshot.path))
        statements = duckdb.extract_statements(sql)
        if len(statements) != 1 or statements[0].type.name not in _READING:
            raise UsageError("SQL is not one statement that only reads. The lake is only read: give one SELECT.")
        with duckdb.connect(":memory:", config=_CLOSED) as connection, warnings.catch_warnings():
            # DuckDB makes frames in a way that pandas is about to leave.
            warnings.filterwarnings("ignore", "The inplace keyword", DeprecationWarning)
            # A session is in the zone of the machine otherwise.
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET lock_configuration = true")
            for kind, time in (("samples", "time"), ("rollups", "hour")):
                connection.register(kind, _dataset(snapshot, kind, files, window, pc.field(time)))
            for name, frame in frames.items():
                connection.register(f"frame {name}", frame)
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name.partition('.')[0]}")
                connection.execute(f'CREATE VIEW {name} AS FROM "frame {name}"')
            return connection.execute(statements[0]).df()
    except (duckdb.Error, OSError, pa.ArrowException) as error:
        # A file that went bad since comes as an error of the engine's like any other.
        for file in files:
            intact(file.path(snapshot.path))
        cause = " ".join(str(error).split()).rstrip(".")
        raise UsageError(f"SQL over lake {snapshot.path} failed: {cause}.") from None


def _dataset(snapshot: Snapshot, kind: str, files: list[TileFile], window: Window, time: pc.Expression) -> ds.Dataset:
    options = ds.ParquetFragmentScanOptions(page_checksum_verification=True)
    filled = [file for file in files if file.kind == kind and file.rows]
    whole = ds.FileSystemDataset.from_paths(
        [str(file.path(snapshot.path).absolute()) for file in filled],
        schema=pa.schema([*KEYS, *SCHEMAS[kind]]),
        format=ds.ParquetFileFormat(default_fragment_scan_options=options),
        filesystem=LocalFileSystem(),
        partitions=[(pc.field("metric") == file.metric) & (pc.field("date") == file.date) for file in filled],
    )
    return whole.filter((time >= pa.scalar(window.start, TIME)) & (time < pa.scalar(window.end, TIME)))
