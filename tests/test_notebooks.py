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


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> Path:
    """A folder whose lake holds the demo."""
    outputs = tmp_path_factory.mktemp("outputs")
    subprocess.run(
        [sys.executable, "-m", "cloudxai_analysis.cli", "pull"],
        env={**os.environ, "CLOUDXAI_OUTPUTS": str(outputs)},
        cwd=PROJECT,
        check=True,
        capture_output=True,
    )
    return outputs


@pytest.mark.notebook
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_papermill_runs_it_to_its_end(notebook, outputs, tmp_path):
    written = tmp_path / "written"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "papermill", str(notebook), str(tmp_path / "out.ipynb")),
            *("-p", "week", "2026-W46", "-p", "source", "demo://", "-p", "output", str(written)),
        ],
        env={**os.environ, "CLOUDXAI_OUTPUTS": str(outputs)},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    cells = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
    assert all(cell.execution_count for cell in cells if cell.cell_type == "code" and cell.source.strip())
    streams = [output for cell in cells for output in cell.get("outputs", []) if output.output_type == "stream"]
    assert not [stream.text for stream in streams if stream.name == "stderr"]
    if notebook.stem != "00_tour":
        assert (written / "summary.json").is_file()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_rhythm(notebook):
    """Starts with a question, ends with what to do; text before code; cells short, without loops or helpers.

    The one function that a notebook may hold is a card of the analyst's own.
    """
    cells = nbformat.read(notebook, as_version=4).cells
    assert cells[0].source.startswith("# ")
    assert "What to do next" in "".join(cell.source for cell in cells if cell.cell_type == "markdown")
    for before, cell in pairwise(cells):
        if cell.cell_type != "code":
            continue
        lines = cell.source.splitlines()
        assert len(lines) <= LONGEST_CELL
        own = "@cx.card" in lines
        assert not [line for line in lines if line.startswith(("for ", "while ", "class ", *([] if own else ["def "])))]
        parameters = "parameters" in cell.metadata.get("tags", [])
        assert before.cell_type == "markdown" or parameters or len(lines) == 1


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_parameters_are_typed_and_commented(notebook):
    parameters = read_parameters(notebook)
    assert {"week", "source", "environment", "lake_version"} <= set(parameters)
    assert all(parameter.kind in ("str", "int", "bool", "float") for parameter in parameters.values())
    assert all(parameter.comment for parameter in parameters.values())


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_committed_with_its_outputs(notebook):
    """Each code cell that shows something was run, in order, and none left an error."""
    cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]
