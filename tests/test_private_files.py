"""What the command leaves on disk: whose it is under any umask, and that no link or name leads it elsewhere."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import nbformat
import pytest

from cloudxai_analysis.cli.main import main
from cloudxai_analysis.ground.errors import RefusedForSecurity
from cloudxai_analysis.ground.files import private
from cloudxai_analysis.report.publish import building, mark_stale, publish

ENTRY = '{"kind": "decision", "at": "2026-11-12T14:03Z", "summary": "stay", "by": "on-call"}'


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the command writes, its own umask put back."""
    before = os.umask(0o022)
    monkeypatch.setenv("CLOUDXAI_OUTPUTS", str(tmp_path / "outputs"))
    yield tmp_path / "outputs"
    os.umask(before)


def ended(*words: str) -> object:
    with pytest.raises(SystemExit) as code:
        main(list(words))
    return code.value.code


def modes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): stat.S_IMODE(path.lstat().st_mode) for path in folder.rglob("*")}


def a_report(target: Path) -> None:
    """What a kernel under the command's umask leaves, published, and a note beside it."""
    with private():
        with building(target) as folder:
            (folder / "data").mkdir()
            (folder / "data" / "table.csv").write_text("a\n")
            (folder / "weekly_report.html").write_text("page")
            publish(folder, target)
        mark_stale(target, "why")


@pytest.mark.parametrize(
    ("umask", "file", "folder"),
    [(0o000, 0o644, 0o755), (0o022, 0o644, 0o755), (0o027, 0o640, 0o750), (0o077, 0o600, 0o700)],
)
def test_under_any_umask_only_reports_are_open_and_only_as_it_says(
    outputs: Path, umask: int, file: int, folder: int
) -> None:
    os.umask(umask)
    assert ended("ledger", "add", ENTRY) == 0
    (outputs / "runs").write_text("")
    assert ended("run", "weekly_report") == 1  # a traceback is kept
    a_report(outputs / "demo" / "reports" / "2026-W46")
    (outputs / "runs").unlink()
    found = modes(outputs)
    reports = {name: mode for name, mode in found.items() if name.startswith("demo/reports/")}
    assert sum(name.endswith((".html", ".csv", ".stale")) for name in reports) == 3
    for name, mode in reports.items():
        path = outputs / name
        # Who may not write into the folder has no use of a lock.
        assert path.is_symlink() or mode == (folder if path.is_dir() else file), name
    assert (found["demo"], found["demo/reports"]) == (folder, folder)
    rest = {name: mode for name, mode in found.items() if "reports" not in name and name != "demo"}
    assert {name: mode for name, mode in rest.items() if mode & 0o077} == {}
    assert {"cloudxai.log", "demo/ledger", "demo/ledger/incidents.jsonl"} <= rest.keys()
    assert os.umask(umask) == umask, "the caller's umask is as it was"


@pytest.mark.notebook
@pytest.mark.parametrize(
    "name", ["{week}{", "%41 #?&", "two\nlines", "{tenant}", "-", b"no\xff\xfeutf8".decode(errors="surrogateescape")]
)
def test_a_run_is_private_and_lies_where_it_was_asked_for(outputs: Path, tmp_path: Path, name: str) -> None:
    os.umask(0)
    place = tmp_path / name
    place.mkdir()
    cells = [
        nbformat.v4.new_code_cell("tenant: str = ''", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("1"),
    ]
    content = nbformat.v4.new_notebook(cells=cells)
    content.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(content, place / "small.ipynb")
    before = set(modes(tmp_path))
    target = place / "runs" / f"{name}.ipynb"
    assert ended("run", str(place / "small.ipynb"), "-p", "tenant", "../../evil", "--output", str(target)) == 0
    made = {path: mode for path, mode in modes(tmp_path).items() if path not in before}
    assert made == {str(target.parent.relative_to(tmp_path)): 0o700, str(target.relative_to(tmp_path)): 0o600}
    assert json.loads(target.read_text())["cells"]


LINKS: dict[str, tuple[str, list[str]]] = {
    "its environment": ("demo", ["pull"]),
    "its lake": ("demo/lake", ["pull"]),
    "the lake's lock": ("demo/lake/.lock", ["pull"]),
    "its ledger's folder": ("demo/ledger", ["ledger", "add", ENTRY]),
    "the ledger's lock": ("demo/ledger/incidents.jsonl.lock", ["ledger", "add", ENTRY]),
    "runs": ("runs", ["run", "weekly_report"]),
    "a run": ("runs/weekly_report.ipynb", ["run", "weekly_report", "--output", "{}/runs/weekly_report.ipynb"]),
    "a dangling run": ("runs/weekly_report.ipynb", ["run", "weekly_report", "--output", "{}/runs/weekly_report.ipynb"]),
}


@pytest.mark.parametrize("what", LINKS)
def test_a_link_is_not_followed(outputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str) -> None:
    place, command = LINKS[what]
    elsewhere = tmp_path / "elsewhere"
    if "dangling" not in what:
        elsewhere.write_text("kept") if place.endswith((".lock", ".ipynb")) else elsewhere.mkdir()
    (outputs / place).parent.mkdir(parents=True)
    (outputs / place).symlink_to(elsewhere)
    assert ended(*(word.replace("{}", str(outputs)) for word in command)) == 8
    assert "is a link, which is not followed" in capsys.readouterr().err
    assert elsewhere.exists() == ("dangling" not in what)
    assert elsewhere.read_text() == "kept" if elsewhere.is_file() else not list(elsewhere.glob("*"))


@pytest.mark.parametrize("name", ["", "/.published", "/2026-W46.stale", "/.building-x.lock"])
def test_no_report_is_published_through_a_link(outputs: Path, tmp_path: Path, name: str) -> None:
    elsewhere, target = tmp_path / "elsewhere", outputs / "demo" / "reports" / "2026-W46"
    elsewhere.write_text("kept") if name.endswith((".stale", ".lock")) else elsewhere.mkdir()
    place = Path(f"{target.parent}{name}")
    place.parent.mkdir(parents=True)
    place.symlink_to(elsewhere)
    with nullcontext() if elsewhere.is_file() else pytest.raises(RefusedForSecurity, match="is a link, which"):
        a_report(target)
    assert elsewhere.read_text() == "kept" if elsewhere.is_file() else not list(elsewhere.rglob("*"))
