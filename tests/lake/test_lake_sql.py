"""SQL over the lake: the numbers that the frames give, from checked files only, and a way to nothing else."""

from __future__ import annotations

import shutil
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from clean_command import run
from killed_pull import START, pull_days

from cloudxai_analysis.ground.errors import LakeDamaged, UsageError
from cloudxai_analysis.ground.window import DAY, HOUR, Window
from cloudxai_analysis.lake.read import Snapshot
from cloudxai_analysis.lake.sql import query
from cloudxai_analysis.lake.tables import open_lake
from cloudxai_analysis.lake.tiles import write_tile
from cloudxai_analysis.sources.series import SeriesBatch, canonical_labels

ALL = Window(START, START + 3 * DAY)
TENANTS = [
    "007", "7", "2026-11-01", "true", "null", "NaN", "../x", "", " ", "a\nb", '"', "'; DROP TABLE samples; --",
    "{}", "👩‍👩‍👧‍👦", "e\u0301", "\u202etxt", "\u0000", "x" * 10_240, "ACME", "acme", "%", "_", "$.tenant",
]  # fmt: skip


@pytest.fixture(scope="module")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of three metrics: two tenants, a sample an hour; no `readiness_state` on the 5th and the 7th."""
    path = tmp_path_factory.mktemp("sql") / "lake"
    pull_days(str(path), 3)
    return path


@pytest.fixture(scope="module")
def snapshot(pulled: Path) -> Snapshot:
    return open_lake(pulled).snapshot()


def test_samples_and_rollups_are_those_of_the_frames(snapshot: Snapshot) -> None:
    sql = "SELECT time, value, tenant FROM samples WHERE metric = 'up' ORDER BY tenant, time"
    expected = snapshot.samples("up", ALL, ["tenant"]).astype({"tenant": "str"}).drop(columns="series_id")
    expected = expected.sort_values(["tenant", "time"], ignore_index=True)
    pd.testing.assert_frame_equal(query(snapshot, sql, ALL), expected, check_exact=True)
    columns = ["series_id", "hour", "samples", "first", "last", "min", "max", "sum", "first_ts"]
    listed = ", ".join(f'"{name}"' for name in columns)
    found = query(snapshot, f"SELECT {listed} FROM rollups WHERE metric = 'up' ORDER BY series_id, hour", ALL)  # noqa: S608
    expected = snapshot.hours("up", ALL)[columns]
    # Times inside a rollup are milliseconds, as they are kept.
    expected["first_ts"] = expected["first_ts"].astype("int64") // 1_000
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    # A sample an hour: every step is one from an hour to the next, which only the frames know of.
    assert query(snapshot, "SELECT sum(increase) AS x FROM rollups WHERE metric = 'up'", ALL)["x"].item() == 0
    assert snapshot.hours("up", ALL)["increase"].sum() > 0
    found = query(snapshot, "SELECT metric, date, count(*) AS n FROM samples GROUP BY ALL ORDER BY ALL", ALL)
    assert found.query("metric == 'readiness_state'")[["date", "n"]].to_numpy().tolist() == [["2026-10-06", 48]]


@pytest.mark.parametrize(
    ("start", "end", "rows"),
    [
        (START, START + 3 * DAY, 144),
        (START + 5 * HOUR, START + 30 * HOUR, 50),
        (START + DAY, START + DAY, 0),
        (START - 9 * DAY, START - DAY, 0),
        (START + 2 * DAY + 23 * HOUR, START + 90 * DAY, 2),
    ],
)
def test_only_the_rows_of_the_window_are_there(snapshot: Snapshot, start: datetime, end: datetime, rows: int) -> None:
    for name, column in (("samples", "time"), ("rollups", "hour")):
        sql = f"SELECT count(*) AS n, min({column}) AS low FROM {name} WHERE metric = 'up'"  # noqa: S608
        found = query(snapshot, sql, Window(start, end))
        assert found["n"].item() == rows
        assert not rows or found["low"].item() == start


def test_hostile_tenants_stay_what_they_are(tmp_path: Path) -> None:
    """A day of one sample of each tenant, whose value is the tenant's number; the last is a staleness marker."""
    lake, day = open_lake(tmp_path / "lake"), next(ALL.days())
    at, marker = np.array([day.start_ms]), np.array([0x7FF0000000000002], dtype=np.uint64).view(np.float64)
    parts = [({"tenant": name, "a.b'": "x"}, at, np.ones(1) * n) for n, name in enumerate(TENANTS)]
    batch = SeriesBatch.of("m'\"; --", [*parts, ({"tenant": "stale"}, at, marker)])
    lake.publish(write_tile(lake.path, batch, day, day.end, "tenant").files, {})
    hostile = lake.snapshot()
    sql = "SELECT labels, labels->>'tenant' AS named, tenant, value FROM samples WHERE tenant <> 'stale' ORDER BY value"
    found = query(hostile, sql, ALL)
    assert found["tenant"].tolist() == TENANTS
    assert found["labels"].tolist() == [canonical_labels({"tenant": name, "a.b'": "x"}) for name in TENANTS]
    for number, name in enumerate(TENANTS):
        # A label without a value is no label, and SQL has no character 0 inside a JSON text.
        assert name in ("", "\u0000") or found["named"][number] == name
        if "\u0000" not in name:
            quoted = name.replace("'", "''")
            one = query(hostile, f"SELECT value FROM samples WHERE tenant = '{quoted}'", ALL)  # noqa: S608
            assert one["value"].tolist() == [number]
    for sql, answer in (
        ("""SELECT DISTINCT labels->>'$."a.b''"' FROM samples WHERE tenant <> 'stale'""", "x"),
        ("SELECT typeof(tenant) FROM samples LIMIT 1", "VARCHAR"),
        ("SELECT DISTINCT metric FROM samples UNION SELECT DISTINCT metric FROM rollups", "m'\"; --"),
        ("SELECT isnan(value) FROM samples WHERE tenant = 'stale'", True),
    ):
        assert query(hostile, sql, ALL).iloc[:, 0].tolist() == [answer]


def test_times_are_in_utc_wherever_the_machine_stands(pulled: Path) -> None:
    look = (
        "import sys; from pathlib import Path; from cloudxai_analysis.lake.sql import query;"
        "from cloudxai_analysis.lake.tables import open_lake; from cloudxai_analysis.ground.window import parse_window;"
        "sql = \"SELECT min(time)::VARCHAR AS a, min(date_trunc('day', time))::VARCHAR AS b FROM samples\";"
        "lake = open_lake(Path(sys.argv[1])).snapshot(); print(*query(lake, sql, parse_window('2026-10')).iloc[0])"
    )
    done = run(sys.executable, "-c", look, str(pulled), TZ="America/New_York")
    assert done.stdout == "2026-10-05 00:00:00+00 2026-10-05 00:00:00+00\n", done.stderr


READING = "The lake is only read: give one SELECT"
REFUSED = [
    "COPY (SELECT 1) TO '{}/out.csv'",
    "COPY samples TO '{}/out.parquet'",
    "EXPORT DATABASE '{}/out'",
    "ATTACH '{}/out.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "PRAGMA database_list",
    "CALL pragma_version()",
    "CREATE TABLE t AS SELECT 1",
    "INSERT INTO samples SELECT * FROM samples",
    "DELETE FROM samples",
    "DROP VIEW samples",
    "CREATE SECRET (TYPE s3)",
    "",
    "-- nothing",
    "SELECT 1; SELECT 2",
]
FAILED = r"^SQL over lake .* failed: "
UNREACHABLE = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/*')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM parquet_scan('{}')",
    "SELECT * FROM '/etc/passwd'",
    "FROM '{}'",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM read_csv('http://127.0.0.1:9/x')",
    "SELECT getenv('HOME')",
    "FROM snapshot",
    "FROM files",
    "WITH stolen AS (FROM read_text('/etc/passwd')) SELECT * FROM stolen",
    "EXPLAIN ANALYZE SELECT * FROM read_text('/etc/passwd')",
]
MISTAKES = [
    ("SELCT 1", FAILED + "Parser Error"),
    ("SELECT valu FROM samples", 'Referenced column "valu" not found'),
    ("SELECT 'x'::INT", "Could not convert string 'x'"),
]


@pytest.mark.parametrize(
    ("sql", "said"), [*((sql, READING) for sql in REFUSED), *((sql, FAILED) for sql in UNREACHABLE), *MISTAKES]
)
def test_nothing_else_can_be_done_or_reached(snapshot: Snapshot, tmp_path: Path, sql: str, said: str) -> None:
    place = next(file.path(snapshot.path) for file in snapshot.files if file.rows) if said == FAILED else tmp_path
    with pytest.raises(UsageError, match=said) as caught:
        query(snapshot, sql.replace("{}", str(place)), ALL)
    assert "\n" not in str(caught.value)
    assert "root:" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_reading_in_any_form(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = ["VALUES (1)", "FROM samples LIMIT 1", "SUMMARIZE rollups", "SHOW TABLES", "EXPLAIN SELECT 1"]
    for sql in [*reads, "DESCRIBE samples", "PIVOT (SELECT tenant, date FROM samples) ON date USING count(*)"]:
        assert len(query(snapshot, sql, ALL))
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(UsageError, match=r"make lab.*pip install 'cloudxai-analysis\[lab\]'"):
        query(snapshot, "SELECT 1", ALL)


@pytest.mark.parametrize("kind", ["samples", "rollups"])
def test_a_damaged_file_is_named_before_any_number_comes_back(pulled: Path, tmp_path: Path, kind: str) -> None:
    shutil.copytree(pulled, tmp_path / "lake")
    snapshot = open_lake(tmp_path / "lake").snapshot()
    path = next(f.path(snapshot.path) for f in snapshot.files if f.kind == kind and f.date == "2026-10-06")
    whole = path.read_bytes()
    for content in (whole[:40] + b"\xff" + whole[41:], whole + b"\0", None):
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
        # Even a statement that would not have looked at it.
        for sql in ("SELECT count(*) FROM samples", "SELECT 1"):
            with pytest.raises(LakeDamaged, match=r"the next `cloudxai pull` brings it back") as caught:
                query(snapshot, sql, ALL)
            assert path.name in str(caught.value)
    # Other days stay readable.
    assert query(snapshot, "SELECT count(*) AS n FROM samples", Window(START, START + DAY))["n"].item() == 96
