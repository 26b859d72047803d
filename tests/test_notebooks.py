"""Each notebook by papermill alone, as cron runs it: nbval was seen to pass a cell whose magic does not exist."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

from cloudxai_analysis.report.parameters import read_parameters

PROJECT = Path(__file__).parent.parent
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
LONGEST_CELL = 15


def ran(outputs: Path, *command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        env={**os.environ, "CLOUDXAI_OUTPUTS": str(outputs)},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> Path:
    """A folder whose lake holds the demo."""
    outputs = tmp_path_factory.mktemp("outputs")
    ran(outputs, "cloudxai_analysis.cli", "pull")
    return outputs


@pytest.mark.notebook
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_papermill_runs_it_to_its_end(notebook, outputs, tmp_path):
    written, executed = tmp_path / "written", tmp_path / "out.ipynb"
    given = {"week": "2026-W46", "source": "demo://", "output": str(written)}
    words = [word for name, value in given.items() for word in ("-p", name, value)]
    ran(outputs, "papermill", str(notebook), str(executed), *words)
    cells = nbformat.read(executed, as_version=4).cells
    assert all(cell.execution_count for cell in cells if cell.cell_type == "code" and cell.source.strip())
    streams = [output for cell in cells for output in cell.get("outputs", []) if output.output_type == "stream"]
    assert not [stream.text for stream in streams if stream.name == "stderr"]
    assert notebook.stem == "00_tour" or (written / "summary.json").is_file()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_rhythm_its_parameters_and_its_outputs(notebook):
    """Starts with a question, ends with what to do; text before code; cells short, without loops or helpers.

    The one function that a notebook may hold is a card of the analyst's own. Each cell was run, in order, without an
    error, and each parameter is typed and has a comment.
    """
    cells = nbformat.read(notebook, as_version=4).cells
    assert cells[0].source.startswith("# ")
    assert "What to do next" in "".join(cell.source for cell in cells if cell.cell_type == "markdown")
    code = [(before, cell) for before, cell in pairwise(cells) if cell.cell_type == "code"]
    for before, cell in code:
        lines = cell.source.splitlines()
        assert len(lines) <= LONGEST_CELL
        own = "@cx.card" in lines
        assert not [line for line in lines if line.startswith(("for ", "while ", "class ", *([] if own else ["def "])))]
        parameters = "parameters" in cell.metadata.get("tags", [])
        assert before.cell_type == "markdown" or parameters or len(lines) == 1
    assert [cell.execution_count for _, cell in code] == list(range(1, len(code) + 1))
    assert not [output for _, cell in code for output in cell.outputs if output.output_type == "error"]
    declared = read_parameters(notebook)
    assert {"week", "source", "environment", "lake_version"} <= set(declared)
    assert all(one.kind in ("str", "int", "bool", "float") and one.comment for one in declared.values())
