"""Running notebooks for real: what counts as complete, and how each kind of failure ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from executed import summary

from cloudxai_analysis.ground.errors import NoData, NotebookFailed, UsageError
from cloudxai_analysis.report.run import execute, keep_failed, kernel_under_way, prove_summary

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


def test_an_error_of_ours_keeps_its_line_and_its_exit_code(tmp_path: Path) -> None:
    cell = "from cloudxai_analysis.ground.errors import NoData\nraise NoData('Window 2026-W46 is empty.')"
    with pytest.raises(NoData, match=r"^Window 2026-W46 is empty\.$"):
        execute(written(tmp_path, cell), {}, tmp_path / "out.ipynb", seconds=60)


def test_after_the_deadline_the_kernel_and_its_children_are_gone(tmp_path: Path) -> None:
    cell = (
        "import subprocess, time, pathlib\nchild = subprocess.Popen(['sleep', '300'])\n"
        "pathlib.Path(folder, 'child').write_text(str(child.pid))\ntime.sleep(300)"
    )
    notebook, target = written(tmp_path, cell), tmp_path / "out.ipynb"
    said = r" at cell 4 of .* `limits\.notebook_seconds`\.$"
    with kernel_under_way() as kernel:
        kernel.starting.result()
        with pytest.raises(NotebookFailed, match=f"was ended after 15 s,{said}"):
            execute(notebook, {"folder": str(tmp_path)}, target, seconds=15, kernel=kernel)
    assert not alive(int((tmp_path / "child").read_text()))


def test_interrupted_it_ends_the_kernel_and_says_so(tmp_path: Path) -> None:
    cell = "import os, time, pathlib\npathlib.Path(folder, 'kernel').write_text(str(os.getpid()))\ntime.sleep(300)"
    script = (
        "import sys\nfrom pathlib import Path\nfrom cloudxai_analysis.report.run import execute\n"
        "notebook = Path(sys.argv[1])\n"
        "try: execute(notebook, {'folder': sys.argv[2]}, notebook.with_name('out.ipynb'), seconds=60)\n"
        "except KeyboardInterrupt: sys.exit(130)\n"
    )
    notebook, told = written(tmp_path, cell), tmp_path / "kernel"
    with subprocess.Popen([sys.executable, "-c", script, notebook, tmp_path]) as run:
        while not (told.is_file() and told.read_text()):
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        assert run.wait(30) == 130
    assert not alive(int(told.read_text()))


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
