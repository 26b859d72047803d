"""Old rules on old names and migrated ones on new names say the same of the same past, or each difference is listed."""

from __future__ import annotations

from pathlib import Path

import pytest
from clean_command import cloudxai
from servers import load_openmetrics, prometheus, series
from test_decide_written import PLAN, REFERENCE

from cloudxai_analysis.decide.changes import Change, written_changes
from cloudxai_analysis.sources.series import SeriesBatch

pytestmark = [pytest.mark.server, pytest.mark.needs("prometheus", "promtool")]
RULES = REFERENCE / "rules"
# As planted in the demo's six weeks up to 2026-W46, and replayed to the episode from the server's own alerts elsewhere.
FIRED = {"TenantReadinessBreach": 30, "TenantFlapping": 1, "ServiceNotReady": 1, "TenantLabelCardinalityExceeded": 2}


def proven(*words: str | Path, outputs: Path) -> tuple[int, list[str]]:
    done = cloudxai("migrate", "prove", *map(str, words), outputs=outputs)
    return done.returncode, [*done.stdout.splitlines(), *(line for line in done.stderr.splitlines() if line)]


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference files migrated, with the changes beside them."""
    folder = tmp_path_factory.mktemp("migrated")
    (folder / "changes.toml").write_text(written_changes(PLAN.changes), encoding="utf-8")
    done = cloudxai(
        *(
            "migrate",
            "write",
            str(REFERENCE),
            "--changes",
            str(folder / "changes.toml"),
            "--output",
            str(folder / "new"),
        ),
        outputs=folder / "outputs",
    )
    assert done.returncode in (0, 1), done.stderr
    return folder


@pytest.mark.parametrize("back", [False, True])
def test_reference_rules_there_and_back_fire_the_same_over_the_demos_six_weeks(there: Path, back: bool) -> None:
    new, more = there / "new" / "patched" / "reference" / "rules", ["--changes", there / "changes.toml"]
    if back:
        code = cloudxai(
            *("migrate", "write", str(new), "--back", "--changes", str(there / "changes.toml")),
            *("--output", str(there / "back")),
            outputs=there / "outputs",
        ).returncode
        assert code == 0
        # The originals again, so that the names are the old ones on both sides.
        new, more = there / "back" / "patched" / "rules", []
    code, told = proven(RULES, new, *more, "--source", "demo://", "--week", "2026-W46", outputs=there / "outputs")
    assert code == 0, told
    same = {line.split()[1].rstrip(":"): line for line in told if line.startswith("same ")}
    assert set(same) >= set(FIRED)
    for name, number in FIRED.items():
        assert same[name].endswith(f": {number} episode{'s' * (number != 1)} before, {number} after"), same[name]
    # What never fired proves nothing, and is not called the same.
    assert any(line.startswith("unknown  ReadinessUnknown: 0 episodes") for line in told)


def test_what_a_server_holds_of_both_is_compared_and_each_difference_listed(tmp_path: Path) -> None:
    """Waits over 100 ms at minutes 10 to 19 and 40 to 44 of two hosts; the new rule waits for longer than that."""
    minutes = range(0, 3600_000, 60_000)
    start = 1_762_740_000_000  # 2025-11-10T02:00:00Z, in the week 2025-W46
    waits = [0.2 if 10 <= n < 20 or 40 <= n < 45 else 0.05 for n in range(60)]
    times = [start + one for one in minutes]
    batches = [
        SeriesBatch.of(name, [series({label: host}, times, [value * by for value in waits]) for host in ("x", "y")])
        for name, label, by in (("wait_ms", "host", 1000), ("wait_seconds", "node", 1), ("kept", "host", 1))
    ]
    changes = [
        Change(kind="renamed", old="wait_ms", new="wait_seconds", factor=0.001, labels={"host": "node"}),
        Change(kind="unit", old="kept", new="kept", factor=60),
    ]
    (tmp_path / "changes.toml").write_text(written_changes(changes), encoding="utf-8")
    rule = "- {{alert: {}, expr: '{}', for: {}m}}\n"
    for name, expression, waiting in (("old", "wait_ms > 100", 2), ("new", "wait_seconds * 1000 > 100", 7)):
        kept = "kept > 100" if name == "old" else "kept / 60 > 100"
        rows = [("Same", expression, 2), ("Later", expression, waiting), ("Kept", kept, 0)]
        rows += [("Gone", "wait_ms > 100", 2)] if name == "old" else []
        text = "".join("      " + rule.format(*row) for row in rows)
        (tmp_path / f"{name}.yml").write_text(f"groups:\n  - name: g\n    rules:\n{text}", encoding="utf-8")
    load_openmetrics(tmp_path, batches)
    with prometheus(tmp_path) as server:
        words = [tmp_path / "old.yml", tmp_path / "new.yml", "--changes", tmp_path / "changes.toml", "--weeks", "1"]
        code, told = proven(*words, "--week", "2025-W46", "--source", server.url, outputs=tmp_path / "outputs")
    assert code == 1, told
    assert told[:4] == [
        "same     Same: 4 episodes before, 4 after",
        # A wait of 5 minutes fires for 2 minutes and not for 7; one of 10 minutes fires 5 minutes later.
        "differs  Later: 4 episodes before, 2 after; 6 episodes of one side alone",
        "unknown  Kept: 0 episodes before, 0 after; kept keeps its name: one server does not hold both what it was and "
        "what it is",
        "differs  Gone: 0 episodes before, 0 after; only the old files have this rule",
    ]
    listed = [line for line in told if line.startswith("  only ")]
    assert sum("only old: Later" in line for line in listed) == 4
    assert sum("only new: Later" in line for line in listed) == 2
    assert any(line.startswith("4 alerts over 1 week, 0.9 → 1.0: 1 same, 2 differs, 1 unknown.") for line in told)


@pytest.mark.parametrize(
    ("text", "said"), [("groups: []\n", "no alerting rule"), ("a: [", "cannot be read|broken|no alerting")]
)
def test_files_without_rules_end_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "old.yml").write_text(text, encoding="utf-8")
    code, told = proven(tmp_path / "old.yml", RULES, "--source", "demo://", outputs=tmp_path / "outputs")
    assert code == 2
    assert any(part in told[-1] for part in said.split("|")), told
