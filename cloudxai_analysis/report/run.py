"""Running a notebook through papermill, and the proof that it ran to its end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cloudxai_analysis import errors
from cloudxai_analysis.errors import CloudxaiError, NotebookFailed
from cloudxai_analysis.report.parameters import checked_parameters

SCHEMA = Path(__file__).parent.parent / "summary.schema.json"
Progress = Callable[[int, int, str], None]


def execute(
    notebook: Path,
    parameters: Mapping[str, Any],
    target: Path,
    *,
    seconds: float,
    progress: Progress | None = None,
) -> Path:
    """Run `notebook` with `parameters` and leave it, executed, at `target`.

    `progress` is called with cells done, cells in all, and the heading being worked on. After `seconds` the kernel's
    whole process group is ended. Of a run that fails, the notebook as far as it came stays at `target`.

    Raises
    ------
    UsageError
        A parameter is unknown or of the wrong type; no kernel was started.
    NotebookFailed
        A cell raised or was not run, the kernel died, or the time was over.
    CloudxaiError
        The error that a cell raised, with its own exit code.
    """
    given = checked_parameters(notebook, parameters)
    import nbformat
    from jupyter_client.manager import AsyncKernelManager
    from papermill import execute_notebook
    from papermill.exceptions import PapermillException

    manager = AsyncKernelManager(kernel_name="python3")
    try:
        with _deadline(manager, seconds) as expired:
            execute_notebook(
                notebook,
                target,
                given,
                progress_bar=False,
                kernel_name="python3",
                autosave_cell_every=0,
                km=manager,
                on_cell_start=_headings(nbformat.read(notebook, as_version=4).cells, progress),
            )
    except PapermillException as error:
        raise _raised(error, notebook, target) from None
    except (RuntimeError, OSError, ValueError) as error:
        # nbclient's dead kernel is a RuntimeError; papermill itself marks the cells of one as completed.
        why = f"was ended after {seconds:g} s" if expired.is_set() else f"ended: {error}"
        raise NotebookFailed(
            f"Notebook {notebook.stem} {why}. As far as it came, it is kept in {target}; the limit is "
            "`limits.notebook_seconds`."
        ) from None
    _prove_cells(target, notebook)
    return target


def prove_summary(folder: Path, run: str) -> dict[str, Any]:
    """The summary that the run called `run` left in `folder`.

    Raises
    ------
    NotebookFailed
        It is missing, of another run, or not what the schema asks for.
    """
    from jsonschema import ValidationError, validate

    try:
        of_run = json.loads((folder / "run.json").read_text(encoding="utf-8"))["run"]
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        validate(summary, json.loads(SCHEMA.read_text(encoding="utf-8")))
    except (OSError, KeyError, ValueError) as error:
        raise NotebookFailed(f"The run left no summary in {folder}: {error}. Nothing was published.") from None
    except ValidationError as error:
        where = ".".join(str(part) for part in error.absolute_path)
        raise NotebookFailed(f"summary.json, key '{where}': {error.message[:200]}. Nothing was published.") from None
    if of_run != run:
        raise NotebookFailed(f"summary.json in {folder} is of another run than {run}. Nothing was published.")
    return summary


@contextmanager
def _deadline(manager: Any, seconds: float) -> Iterator[threading.Event]:
    expired, over = threading.Event(), threading.Event()

    def watch() -> None:
        if over.wait(seconds):
            return
        expired.set()
        # The cell's own children belong to the kernel's process group, and end with it.
        while not over.is_set():
            end_kernel(manager)
            time.sleep(0.2)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield expired
    finally:
        over.set()
        thread.join()
        end_kernel(manager)


def end_kernel(manager: Any) -> None:
    """End a kernel and everything in its process group; nothing happens where there is none."""
    group = getattr(manager.provisioner, "pgid", None)
    if group and group != os.getpgid(0):
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            return


def _headings(cells: list[Any], progress: Progress | None) -> Callable[..., None]:
    heading, by_cell = "", []
    for cell in cells:
        if cell.cell_type == "markdown" and cell.source.startswith("#"):
            heading = cell.source.splitlines()[0].lstrip("# ")
        by_cell.append(heading)

    def start(cell: Any, cell_index: int) -> None:
        if progress:
            # papermill puts one cell of its own after the parameters.
            at = min(cell_index, len(by_cell) - 1)
            progress(at + 1, len(by_cell), by_cell[at])

    return start


def _raised(error: Any, notebook: Path, target: Path) -> CloudxaiError:
    name, value = getattr(error, "ename", type(error).__name__), getattr(error, "evalue", str(error))
    known = getattr(errors, name, None)
    if isinstance(known, type) and issubclass(known, CloudxaiError):
        return known(value)
    cell = getattr(error, "exec_count", None)
    line = " ".join(str(value).split())[:300]
    return NotebookFailed(
        f"Notebook {notebook.stem}, cell [{cell}] raised {name}: {line}. As far as it came, it is kept in {target}."
    )


def _prove_cells(target: Path, notebook: Path) -> None:
    import nbformat

    for number, cell in enumerate(nbformat.read(target, as_version=4).cells, start=1):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        if cell.execution_count is None:
            raise NotebookFailed(
                f"Notebook {notebook.stem} ended before cell {number}, which was never run. It is kept in {target}."
            )
        if any(output.output_type == "error" for output in cell.outputs):
            raise NotebookFailed(f"Notebook {notebook.stem}, cell {number} raised. It is kept in {target}.")


def keep_failed(executed: Path, kept: Path) -> Path:
    """Move what a failed run left to `kept`, where a later run does not look; the path that now holds it."""
    if executed.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(executed, kept)
        return kept
    return executed
