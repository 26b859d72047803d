"""Files of our own that are empty, torn, of another shape or no files: one line and an exit code, always."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clean_command import cloudxai

from cloudxai_analysis.cards.notebook import earlier_summary, own_evaluation
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
    "torn": lambda whole: whole[: len(whole) * 2 // 3].rstrip()[:-1],  # never between two lines
    "cut between two lines": lambda whole: whole[: whole.rstrip().rfind(b"\n") + 1],
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
BYTES, TOML_TEXT = ("empty", "torn", "no text"), ("a number", "other values", "deep TOML")
DOCUMENT = ("cut between two lines", "a list", "a number", "other values", "deep JSON")
# What its reader may meet: nobody takes the lock for a document, nor TOML for JSON.
READ_AS = {"tile": (), "lock": (), "settings": TOML_TEXT, "contract": TOML_TEXT}


def shapes_of(name: str) -> tuple[str, ...]:
    return (*BYTES, *READ_AS.get(name, DOCUMENT), *PLACES)


def spoil(file: Path, shape: str) -> None:
    """Put something else in the place of a file."""
    whole = file.read_bytes()
    file.unlink()
    if shape in PLACES:
        PLACES[shape](file)
    else:
        file.write_bytes(SHAPES[shape](whole))


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
    own = (
        'outputs = "outputs"\ncontract = "contract.toml"\n[environments.demo]\nsource = "demo://"\nhistory_weeks = 1\n'
    )
    (folder / "cloudxai.toml").write_text(own)
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
    for shape in shapes_of(name):
        spoil(file, shape)
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


@pytest.mark.parametrize("name", FILES)
def test_a_pull_over_such_a_file_ends_in_one_line_or_makes_it_good(
    project: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each in a copy, for a pull may mend what it finds."""
    for number, shape in enumerate(shapes_of(name)):
        copy = tmp_path / str(number)
        shutil.copytree(project, copy, copy_function=os.link)
        monkeypatch.setenv("CLOUDXAI_SETTINGS", str(copy / "cloudxai.toml"))
        file = next(iter(sorted((copy / "outputs" if "/" in FILES[name] else copy).glob(FILES[name]))))
        spoil(file, shape)
        with pytest.raises(SystemExit) as ended:
            main(["pull", "--week", WEEK])
        told = capsys.readouterr().err.splitlines()
        where = f"{name} as {shape}: {told}"
        assert ended.value.code in (0, 2, 5, 8), where
        assert sum(line.startswith("cloudxai: ") for line in told) == (ended.value.code != 0), where
        assert not any("Traceback" in line or line.startswith("cloudxai: unexpected") for line in told), where
        shutil.rmtree(copy)


@pytest.fixture(scope="module")
def reported(project: Path) -> Path:
    """The project with a good report of its week."""
    done = cloudxai("report", "--week", WEEK, settings=project / "cloudxai.toml")
    assert done.returncode == 0, done.stderr
    return project


@pytest.mark.notebook
@pytest.mark.parametrize(
    ("name", "shape", "code"),
    [
        ("ledger", "torn", 5),
        ("ledger", "cut between two lines", 5),
        ("ledger", "a folder", 5),
        ("summary", "other values", 0),
        ("evaluation", "deep JSON", 0),
        ("log of rollups", "empty", 5),
        ("tile", "torn", 5),
        ("lock", "a folder", 5),
        ("settings", "deep TOML", 2),
        ("contract", "a list", 2),
    ],
)
def test_a_report_over_such_a_file_is_made_or_leaves_the_last_good_one(
    reported: Path, name: str, shape: str, code: int, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(reported, copy, symlinks=True)
    file = next(iter(sorted((copy / "outputs" if "/" in FILES[name] else copy).glob(FILES[name]))))
    page = copy / "outputs" / REPORT / "weekly_report.html"
    good = page.read_bytes()
    spoil(file, shape)
    done = cloudxai("report", "--week", WEEK, settings=copy / "cloudxai.toml")
    told = done.stderr.splitlines()
    assert done.returncode == code, told
    assert sum(line.startswith("cloudxai: ") for line in told) == (code != 0), told
    assert not any("Traceback" in line or line.startswith("cloudxai: unexpected") for line in told), told
    assert b"2026-W46" in page.read_bytes() if code == 0 else page.read_bytes() == good


def test_an_evaluation_that_the_page_cannot_show_is_none(tmp_path: Path) -> None:
    """A report is made without it."""
    size = {"size": 2.0, "runs": 4, "found": 3}
    curve = {"kind": "cost_spike", "check": "cost", "unit": "x", "smallest": None, "sizes": [size]}
    whole = {"weeks": [{"week": WEEK, "findings": []}], "curves": [curve], "copies": 2}
    file = tmp_path / "evaluation.json"
    assert own_evaluation(file) is None
    file.write_text(json.dumps(whole))
    assert own_evaluation(file) == whole
    others = [{**whole, "weeks": {}}, {**whole, "curves": [{**curve, "sizes": [1]}]}, {"curves": []}, {}, [], 7, None]
    for text in (*map(json.dumps, others), *(shape(file.read_bytes()) for shape in SHAPES.values())):
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        assert own_evaluation(file) is None, text[:80]


def test_an_earlier_summary_that_is_none_ends_the_comparison(tmp_path: Path) -> None:
    file, check = tmp_path / "summary.json", {"key": "churn", "status": "pass", "finding": "fine"}
    whole = {"window": {"name": WEEK}, "checks": [check], "headline": "all is well"}
    file.write_text(json.dumps(whole))
    assert earlier_summary(file) == whole
    others = [{**whole, "window": WEEK}, {**whole, "checks": [{**check, "status": "fine"}]}, {"checks": [1]}, {}, [], 7]
    for text in (*map(json.dumps, others), *(shape(file.read_bytes()) for shape in SHAPES.values())):
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        assert earlier_summary(file) is None, text[:80]
