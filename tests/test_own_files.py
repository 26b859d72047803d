"""Files of our own that are empty, torn, of another shape or no files: one line and an exit code, always."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudxai_analysis.cli.main import main
from cloudxai_analysis.platform.contract import DEFAULT_CONTRACT

WEEK = "2026-W46"
REPORT = f"demo/reports/{WEEK}"
FILES = {
    "ledger": "demo/ledger/incidents.jsonl",
    "summary": f"{REPORT}/summary.json",
    "evaluation": "demo/evaluation.json",
    "log of rollups": "demo/lake/rollups/_delta_log/00000000000000000001.json",
    "log of samples": "demo/lake/samples/_delta_log/00000000000000000001.json",
    "tile": "demo/lake/rollups/2026-11-10/*",
    "lock": "demo/lake/.lock",
    "settings": "cloudxai.toml",
    "contract": "contract.toml",
    "silences": "silences.yml",
}


def other_values(whole: bytes) -> bytes:
    """A JSON document, or each line of several, with every value replaced by one of another type."""

    def other(value: object) -> object:
        match value:
            case dict():
                return {name: other(item) for name, item in value.items()}
            case list():
                return [other(item) for item in value]
            case str():
                return -1
            case _:
                return "no number"

    try:
        return b"\n".join(json.dumps(other(json.loads(line))).encode() for line in whole.splitlines() if line)
    except ValueError:
        return b"a = 1\n"


DEEP = "[" * 50_000
SHAPES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "torn": lambda whole: whole[: len(whole) * 2 // 3],
    "no text": lambda whole: b"\xff\xfe\x00" + whole[:50],
    "a list": lambda _: b"[]\n",
    "a number": lambda _: b"7\n",
    "other values": other_values,
    "deep JSON": lambda _: b'{"a": ' + DEEP.encode(),
    "deep TOML": lambda _: b"a = " + DEEP.encode(),
}
PLACES: dict[str, Callable[[Path], None]] = {
    "a folder": Path.mkdir,
    "a link that leads nowhere": lambda file: file.symlink_to(file.parent / "absent"),
}
COMMANDS = [
    ["status"],
    ["lake", "status"],
    ["lake", "verify"],
    ["lake", "vacuum", "--dry-run"],
    ["ledger", "list"],
    ["ledger", "verify"],
    ["ledger", "add", '{"kind": "decision", "at": "2026-11-12T14:03Z", "summary": "stay", "by": "on-call"}'],
    ["audit", "rules.yml", "--silences", "silences.yml"],
    ["params", "weekly_report"],
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with settings, a contract, a lake of the demo's week, and what a report of it leaves behind."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "cloudxai.toml").write_text('outputs = "outputs"\ncontract = "contract.toml"\n')
    shutil.copy(DEFAULT_CONTRACT, folder / "contract.toml")
    (folder / "silences.yml").write_text("[]\n")
    (folder / "rules.yml").write_text("groups: []\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOUDXAI_SETTINGS", str(folder / "cloudxai.toml"))
        patch.delenv("CLOUDXAI_OUTPUTS", raising=False)
        with pytest.raises(SystemExit, match="0"):
            main(["pull", "--week", WEEK])
        for name in ("summary", "evaluation"):
            file = folder / "outputs" / FILES[name]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps({"ledger": {"entries": 0, "head": ""}, "headline": "all is well"}))
        yield folder


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_our_own_that_is_not_what_it_should_be_ends_in_one_line(
    project: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = project / "outputs" if "/" in FILES[name] else project
    file = next(iter(sorted(root.glob(FILES[name]))))
    whole = file.read_bytes()
    for shape in (*SHAPES, *PLACES):
        file.unlink()
        if shape in PLACES:
            PLACES[shape](file)
        else:
            file.write_bytes(SHAPES[shape](whole))
        for command in COMMANDS:
            with pytest.raises(SystemExit) as ended:
                main(command)
            told = capsys.readouterr().err.splitlines()
            lines = [line for line in told if line.startswith("cloudxai: ")]
            where = f"{name} as {shape}, {' '.join(command)[:20]}: {told}"
            assert ended.value.code in (0, 2, 4, 5, 8), where
            assert len(lines) == (ended.value.code != 0), where
            assert "Traceback" not in "".join(told), where
        shutil.rmtree(file) if file.is_dir() and not file.is_symlink() else file.unlink(missing_ok=True)
        file.write_bytes(whole)
