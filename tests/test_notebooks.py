"""The notebooks: as they are committed, and one by papermill alone, as cron runs it; nbval runs all of them."""

from __future__ import annotations

import re
import sys
from itertools import pairwise

import nbformat
import pytest
from clean_command import PROJECT, run

from cloudxai_analysis.report.parameters import read_parameters

NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
LONGEST_CELL, MOST_CELLS = 15, 30


@pytest.mark.notebook
def test_papermill_runs_one_to_its_end(tmp_path):
    given = {"week": "2026-W46", "source": "demo://", "output": str(tmp_path / "written")}
    words = [word for name, value in given.items() for word in ("-p", name, value)]
    notebook, executed = PROJECT / "notebooks" / "01_telemetry.ipynb", tmp_path / "out.ipynb"
    command = [sys.executable, "-m", "papermill", str(notebook), str(executed), *words]
    done = run(*command, CLOUDXAI_OUTPUTS=str(tmp_path / "outputs"))
    assert done.returncode == 0, done.stderr[-2000:]
    cells = nbformat.read(executed, as_version=4).cells
    assert all(cell.execution_count for cell in cells if cell.cell_type == "code" and cell.source.strip())
    assert (tmp_path / "written" / "summary.json").is_file()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_rhythm_its_parameters_and_its_outputs(notebook):
    """Starts with a question, ends with what to do; text before code; cells few and short, without loops or helpers.

    The one function that a notebook may hold is a card of the analyst's own. Each cell was run, in order, without an
    error or a warning: nbval was seen to pass a cell whose magic does not exist. Each parameter is typed and has a
    comment, and each link leads to a file.
    """
    cells = nbformat.read(notebook, as_version=4).cells
    assert len(cells) <= MOST_CELLS
    assert cells[0].source.startswith("# ")
    text = "".join(cell.source for cell in cells if cell.cell_type == "markdown")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if not link.startswith("http")]
    assert [link for link in links if not (notebook.parent / link).is_file()] == []
    assert "What to do next" in "".join(cell.source for cell in cells if cell.cell_type == "markdown")
    code = [(before, cell) for before, cell in pairwise(cells) if cell.cell_type == "code"]
    for before, cell in code:
        lines = cell.source.splitlines()
        assert len(lines) <= LONGEST_CELL
        assert not [line for line in lines if line.startswith(("for ", "while ", "class ", "def "))]
        parameters = "parameters" in cell.metadata.get("tags", [])
        assert before.cell_type == "markdown" or parameters or len(lines) == 1
    assert [cell.execution_count for _, cell in code] == list(range(1, len(code) + 1))
    outputs = [output for _, cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    declared = read_parameters(notebook)
    assert {"week", "source", "environment", "lake_version"} <= set(declared)
    assert all(one.kind in ("str", "int", "bool", "float") and one.comment for one in declared.values())
