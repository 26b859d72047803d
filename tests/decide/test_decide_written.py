"""What a migration writes: copies that go back to the byte, bridges that a server takes, a schema; all or nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from cloudxai_analysis.cli.migrate import migrate
from cloudxai_analysis.decide.changes import Change, written_changes
from cloudxai_analysis.decide.migration import migrated
from cloudxai_analysis.decide.rewriting import Plan
from cloudxai_analysis.decide.written import bridge, schema, write
from cloudxai_analysis.ground.errors import LakeUnwritable, RefusedForSecurity, UsageError
from cloudxai_analysis.lint.tools import _run
from cloudxai_analysis.platform.contract import NEXT_CONTRACT, load_contract

REFERENCE = Path(__file__).parents[2] / "reference"
CONTRACTS = {"old": load_contract(), "new": load_contract(NEXT_CONTRACT)}
CHECK = "readiness_check_duration_seconds"
PLAN = Plan(
    [
        Change(kind="renamed", old="readiness_state", new="platform_ready"),
        Change(kind="renamed", old="tenant_readiness_state", new="tenant_ready"),
        Change(kind="renamed", old="tenant_readiness_transitions_total", new="tenant_ready_changes_total"),
        *(
            Change(kind="renamed", old=f"{CHECK}_{one}", new=f"ready_check_seconds_{one}")
            for one in ("bucket", "count")
        ),
        Change(kind="renamed", old="tenant_cost_estimate", new="tenant_cost_cents", factor=100),
    ]
)
OTHERS = [
    Change(kind="renamed", old="a", new="b", factor=0.001, labels={"host": "node"}),
    Change(kind="renamed", old="lost", new="kept", labels={"zone": ""}),
    Change(kind="unit", old="same", new="same", factor=60),
    Change(kind="vanished", old="gone", note='two\nlines "and" \x1b[31m'),
    Change(kind="renamed", old="dotted.name", new="plain_name"),
]


def asked(*words: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(migrate, [str(word) for word in words], standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.return_value, done.output


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_reference_files_there_and_back_are_equal_to_the_byte(tmp_path: Path) -> None:
    changes = tmp_path / "changes.toml"
    changes.write_text(written_changes(PLAN.changes), encoding="utf-8")
    there, back = tmp_path / "there", tmp_path / "back"
    code, told = asked("write", REFERENCE, "--changes", changes, "--output", there)
    assert code == 1  # series of tests have values, which no factor is put to
    assert "left to be done by hand: 8 errors." in told
    assert asked("write", there / "patched" / "reference", "--changes", changes, "--back", "--output", back)[0] == 0
    again, originals = files_in(back / "patched" / "reference"), files_in(REFERENCE)
    assert set(again) >= {"rules/cloudxai.rules.yml", "rules/tenant-cost.rules.yml", "dashboards/cloudxai.json"}
    assert {name: originals[name] for name in again} == again
    assert b"tenant_cost_cents" in (there / "patched/reference/dashboards/cloudxai.json").read_bytes()


@pytest.mark.needs("promtool")
def test_bridges_are_what_they_must_be_and_promtool_takes_them(tmp_path: Path) -> None:
    plan = Plan(OTHERS)
    there, back = bridge(plan, when="x"), bridge(plan.back(), when="x")
    recorded = {rule["record"]: rule["expr"] for rule in yaml.safe_load(there)["groups"][0]["rules"]}
    assert recorded == {
        "a": 'label_replace(label_replace((b * 1000), "host", "$1", "node", "(.*)"), "node", "", "", "")'
    }
    recorded = {rule["record"]: rule["expr"] for rule in yaml.safe_load(back)["groups"][0]["rules"]}
    assert recorded == {
        "b": 'label_replace(label_replace((a / 1000), "node", "$1", "host", "(.*)"), "host", "", "", "")'
    }
    left = [line.partition(".")[0] for line in there.splitlines() if line.startswith("# Not bridged: ")]
    assert left == [f"# Not bridged: {name}" for name in ("lost", "same", "gone", "dotted")]
    assert "\x1b" not in there
    for text in (there, back, bridge(Plan([]), when="x")):
        (tmp_path / "a.yml").write_text(text, encoding="utf-8")
        assert "SUCCESS" in _run("promtool", "check", "rules", str(tmp_path / "a.yml"))


def test_the_schema_file_says_what_its_format_can_say() -> None:
    """By hand, after the specification of the format."""
    said: dict[str, Any] = yaml.safe_load(schema(Plan([*PLAN.changes, *OTHERS[:2]]), **CONTRACTS))
    assert (said["file_format"], said["schema_url"].rpartition("/")[2]) == ("1.1.0", "1.0.0")
    assert set(said["versions"]) == {"0.9.0", "1.0.0"}
    renames, *labels = said["versions"]["1.0.0"]["metrics"]["changes"]
    assert renames["rename_metrics"] == {
        "readiness_state": "platform_ready",
        "tenant_readiness_state": "tenant_ready",
        "tenant_readiness_transitions_total": "tenant_ready_changes_total",
        CHECK: "ready_check_seconds",
        "tenant_cost_estimate": "tenant_cost_cents",
        "a": "b",
        "lost": "kept",
    }
    assert labels == [{"rename_attributes": {"attribute_map": {"host": "node"}, "apply_to_metrics": ["b"]}}]
    assert yaml.safe_load(schema(Plan([]), **CONTRACTS))["versions"] == {"0.9.0": None, "1.0.0": None}


def test_all_is_written_or_nothing(tmp_path: Path) -> None:
    def tried(folder: Path, *paths: Path) -> list[str]:
        return write(migrated(paths, PLAN), paths, PLAN, folder, **CONTRACTS)

    rules = REFERENCE / "rules"
    (tmp_path / "there").mkdir()
    with pytest.raises(UsageError, match="is there already, and nothing is overwritten"):
        tried(tmp_path / "there", rules)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RefusedForSecurity, match="is a link"):
        tried(tmp_path / "link", rules)
    with pytest.raises(LakeUnwritable, match="cannot be written"):
        tried(Path("/proc/none/there"), rules)
    twice = tmp_path / "rules"
    twice.mkdir()
    (twice / "cloudxai.rules.yml").write_bytes((rules / "cloudxai.rules.yml").read_bytes())
    with pytest.raises(UsageError, match=r"Two files would be written as patched/rules/cloudxai\.rules\.yml"):
        tried(tmp_path / "new", rules, twice)
    assert sorted(os.listdir(tmp_path)) == ["link", "rules", "there"]
    assert "patched/rules/cloudxai.rules.yml" in tried(tmp_path / "new", rules)


def test_a_file_that_is_named_from_a_folder_above_stays_below_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "a.yml").write_bytes((REFERENCE / "rules" / "cloudxai.rules.yml").read_bytes())
    monkeypatch.chdir(tmp_path / "work")
    for path, name in ((Path("../a.yml"), "a.yml"), (Path(".."), f"{tmp_path.name}/a.yml")):
        folder = tmp_path / f"out-{len(name)}"
        assert f"patched/{name}" in write(migrated([path], PLAN), [path], PLAN, folder, **CONTRACTS)
        assert (folder / "patched" / name).is_file()
