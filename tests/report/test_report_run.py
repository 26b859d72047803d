"""Running notebooks for real: what counts as complete, and how each kind of failure ends."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import nullcontext
from pathlib import Path

import nbformat
import pytest
from executed import summary

from cloudxai_analysis.ground.errors import NoData, NotebookFailed, UsageError
from cloudxai_analysis.report.run import execute, keep_failed, prove_summary

pytestmark = pytest.mark.notebook
PARAMETERS = "rows: int = 1  # how many\nfolder: str = ''"


def written(folder: Path, *cells: str) -> Path:
    """A notebook with a heading, two parameters and these code cells: they are cells 4 and on once executed."""
    first = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    code = [nbformat.v4.new_code_cell(cell) for cell in cells]
    content = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A question"), first, *code])
    content.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python 3"}
    file = folder / "small.ipynb"
    nbformat.write(content, file)
    return file


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False


def test_a_run_to_the_end_tells_of_its_progress_and_how_it_was_made(tmp_path: Path) -> None:
    notebook = written(tmp_path, "print(rows + 1)")
    steps: list[tuple[int, int, str]] = []
    executed = execute(
        notebook, {"rows": "41"}, tmp_path / "out.ipynb", seconds=60, progress=lambda *step: steps.append(step)
    )
    content = json.loads(executed.read_text(encoding="utf-8"))
    assert "".join(content["cells"][-1]["outputs"][0]["text"]) == "42\n"
    assert {total for _, total, _ in steps} == {3}
    assert {heading for _, _, heading in steps} == {"A question"}
    stamp = content["metadata"]["cloudxai"]
    told = subprocess.run(["sha256sum", notebook], capture_output=True, text=True, check=True).stdout.split()[0]
    assert (stamp["notebook"], stamp["notebook_sha256"]) == ("small.ipynb", told)
    assert {"pandas", "papermill"} <= set(stamp["libraries"])


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("1 / 0", r"cell 4 of the executed notebook, raised ZeroDivisionError: division by zero\."),
        ("import sys; sys.exit(0)", r"cell 4 of the executed notebook, raised SystemExit: 0\."),
        ("import os; os.kill(os.getpid(), 9)", r"ended at cell 4 of the executed notebook: Kernel died\."),
    ],
)
def test_a_cell_that_fails_or_ends_the_run_is_named_and_the_notebook_kept(tmp_path: Path, cell: str, told: str) -> None:
    notebook, target = written(tmp_path, cell, "print('never')"), tmp_path / "out.ipynb"
    with pytest.raises(NotebookFailed, match=f"^Notebook small.*{told}.* kept in {target}") as raised:
        execute(notebook, {"rows": 1}, target, seconds=60)
    assert "\n" not in str(raised.value)
    kept = keep_failed(target, tmp_path / "reports" / "2026-W46.failed.ipynb")
    assert "never" in kept.read_text(encoding="utf-8")
    assert keep_failed(target, kept) == target, "nothing more to keep"


def test_braces_in_a_path_stay_braces_and_a_cells_own_class_borrows_no_exit_code(tmp_path: Path) -> None:
    folder = tmp_path / "{folder}%41"
    folder.mkdir()
    notebook, target = written(folder, "class NoData(Exception): ...", "raise NoData('mine')"), folder / "{week}.ipynb"
    with pytest.raises(NotebookFailed, match=r"cell 5 of the executed notebook, raised NoData: mine\."):
        execute(notebook, {"folder": "../../evil"}, target, seconds=60)
    assert {path.name for path in folder.iterdir()} == {"small.ipynb", "{week}.ipynb"}


@pytest.mark.parametrize(
    "cell",
    [
        "class NoData(Exception):\n    def _render_traceback_(self): return [f'NoData: {self}']\nraise NoData('mine')",
        "from cloudxai_analysis.ground import errors\nclass NoData(errors.NoData): ...\nraise NoData('mine')",
        "class Full(Exception): ...\nraise Full('[Errno 28] mine')",
    ],
)
def test_what_a_cell_makes_up_borrows_no_exit_code_however_it_looks(tmp_path: Path, cell: str) -> None:
    with pytest.raises(NotebookFailed, match=r"raised (NoData|Full): .*mine\."):
        execute(written(tmp_path, cell), {}, tmp_path / "out.ipynb", seconds=60)


def test_an_error_of_ours_keeps_its_line_and_its_exit_code(tmp_path: Path) -> None:
    cell = "from cloudxai_analysis.ground.errors import NoData\nraise NoData('Window 2026-W46 is empty.')"
    with pytest.raises(NoData, match=r"^Window 2026-W46 is empty\.$"):
        execute(written(tmp_path, cell), {}, tmp_path / "out.ipynb", seconds=60)


BEGUN = """
import subprocess, sys, pathlib
forked = "import os, time, sys\\nif os.fork(): os._exit(0)\\nos.setsid()\\nif os.fork(): os._exit(0)\\n"
forked += "open(sys.argv[1], 'w').write(str(os.getpid()))\\ntime.sleep(300)"
own = subprocess.Popen(["sleep", "300"], start_new_session=True)
subprocess.run([sys.executable, "-c", forked, folder + "/orphan"], env={}, close_fds=True)
pathlib.Path(folder, "own").write_text(str(own.pid))
"""


@pytest.mark.parametrize("end", ["", "import time; time.sleep(300)", "import os; os.kill(os.getpid(), 9)"])
def test_what_a_cell_began_in_a_session_of_its_own_does_not_outlive_the_run(tmp_path: Path, end: str) -> None:
    """Nor an orphan without a word of the run in its environment; what the caller began itself goes on."""
    notebook = written(tmp_path, f"{BEGUN}\nwhile not pathlib.Path(folder, 'orphan').exists(): ...\n{end}")
    with subprocess.Popen(["sleep", "300"], start_new_session=True) as ours:
        with nullcontext() if not end else pytest.raises(NotebookFailed):
            execute(notebook, {"folder": str(tmp_path)}, tmp_path / "out.ipynb", seconds=10 if "sleep" in end else 60)
        left = [name for name in ("own", "orphan") if alive(int((tmp_path / name).read_text()))]
        ended = ours.poll()
        ours.kill()
    assert (left, ended) == ([], None)


def test_a_wrong_parameter_starts_no_kernel(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no parameter 'row'\. Did you mean 'rows'\?"):
        execute(written(tmp_path, "1"), {"row": 3}, tmp_path / "out.ipynb", seconds=60)
    assert os.listdir(tmp_path) == ["small.ipynb"]


def left_by(folder: Path, run: str) -> Path:
    (folder / "run.json").write_text(json.dumps({"run": run}), encoding="utf-8")
    (folder / "summary.json").write_text(json.dumps(summary()), encoding="utf-8")
    return folder


@pytest.mark.parametrize("file", ["run.json", "summary.json"])
def test_half_a_file_proves_nothing(tmp_path: Path, file: str) -> None:
    for content in (None, "", "[]", "{", "null", '{"run": "r1"', '{"other": 1}'):
        left = left_by(tmp_path, "r1") / file
        left.write_text(content or "")
        if content is None:
            left.unlink()
        with pytest.raises(NotebookFailed, match=r"Nothing was published\.$"):
            prove_summary(tmp_path, "r1")


def test_a_summary_of_another_run_or_another_shape_proves_nothing(tmp_path: Path) -> None:
    assert prove_summary(left_by(tmp_path, "r1"), "r1") == summary()
    with pytest.raises(NotebookFailed, match=r"is of another run than r2\. Nothing was published\.$"):
        prove_summary(left_by(tmp_path, "r1"), "r2")
    (tmp_path / "summary.json").write_text(json.dumps({**summary(), "status": "fine"}))
    with pytest.raises(NotebookFailed, match=r"^summary\.json, key 'status': 'fine' is not one of"):
        prove_summary(tmp_path, "r1")
