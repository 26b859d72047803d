"""Running a notebook through papermill, and the proof that it ran to its end."""

from __future__ import annotations

import importlib
import json
import logging
import shutil
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudxai_analysis.ground import errors
from cloudxai_analysis.ground.errors import CloudxaiError, NotebookFailed
from cloudxai_analysis.report.kernel import Kernel, kernel_under_way
from cloudxai_analysis.report.parameters import checked_parameters
from cloudxai_analysis.report.stamp import stamp

SCHEMA = Path(__file__).parents[1] / "cards" / "summary.schema.json"
Progress = Callable[[int, int, str], None]


def execute(
    notebook: Path,
    parameters: Mapping[str, Any],
    target: Path,
    *,
    seconds: float,
    progress: Progress | None = None,
    kernel: Kernel | None = None,
) -> Path:
    """Run `notebook` with `parameters` and leave it, executed, at `target`, in `kernel` where one is under way.

    `progress` is called with the cell's number, cells in all, and the heading being worked on. After `seconds`, or when
    interrupted, the kernel's whole process group is ended. Of a run that fails, the notebook as far as it came stays at
    `target`.

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
    _import_jsonschema()
    import nbformat

    place = _Place.of(nbformat.read(notebook, as_version=4).cells, progress)
    # In a thread of its own, because in the main one nbclient takes Ctrl-C for itself and reports a dead kernel.
    with nullcontext(kernel) if kernel else kernel_under_way() as own, ThreadPoolExecutor(1, "notebook") as pool:
        running = pool.submit(
            _papermill,
            notebook,
            target,
            given,
            progress_bar=False,
            kernel_name="python3",
            engine_name="cloudxai",
            autosave_cell_every=0,
            shutdown_kernel="immediate",
            kernel_manager_class=_adopting(own),
            on_cell_start=place.start,
        )
        expired = _wait(running, own, seconds)
    error = running.exception()
    if expired:
        raise NotebookFailed(
            f"Notebook {notebook.stem} was ended after {seconds:g} s, at {place}. As far as it came, it is kept in "
            f"{target}; the limit is `limits.notebook_seconds`."
        )
    if error is not None:
        raise _failure(error, notebook, target, place) from None
    _prove_cells(notebook, target)
    stamp(target, notebook)
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
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise NotebookFailed(f"The run left no summary in {folder}: {error}. Nothing was published.") from None
    except ValidationError as error:
        where = ".".join(str(part) for part in error.absolute_path)
        raise NotebookFailed(f"summary.json, key '{where}': {error.message[:200]}. Nothing was published.") from None
    if of_run != run:
        raise NotebookFailed(f"summary.json in {folder} is of another run than {run}. Nothing was published.")
    return summary


def keep_failed(executed: Path, kept: Path) -> Path:
    """Move what a failed run left to `kept`, where a later run does not look; the path that now holds it."""
    if executed.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(executed, kept)
        return kept
    return executed


def _papermill(*args: Any, **kwargs: Any) -> None:
    from jupyter_core.utils import ensure_event_loop
    from papermill import execute_notebook
    from papermill.engines import NBClientEngine, papermill_engines

    class SavingAtTheEnd(NBClientEngine):
        """Papermill writes the whole notebook before and after each cell; a file nobody reads yet needs that once."""

        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **how: Any) -> Any:
            path, nb_man.output_path = nb_man.output_path, None
            try:
                return super().execute_managed_notebook(nb_man, kernel_name, **how)
            finally:
                nb_man.output_path = path
                nb_man.save()

    papermill_engines.register("cloudxai", SavingAtTheEnd)
    # Without a handler of its own, its errors would come out on stderr beside our one line.
    logging.getLogger("papermill").addHandler(logging.NullHandler())
    with closing(ensure_event_loop()):
        execute_notebook(*args, **kwargs)


def _import_jsonschema() -> None:
    """Load jsonschema without the grammar of URIs that it compiles, for a second, where JupyterLab is installed.

    It serves formats that neither a notebook's schema nor the summary's has.
    """
    if "jsonschema" not in sys.modules:
        sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # None is what makes an import fail
        try:
            importlib.import_module("jsonschema")
        finally:
            del sys.modules["rfc3987_syntax"]


def _adopting(kernel: Kernel) -> type:
    """The class that nbclient makes its manager of: it gives the kernel under way, which nbclient then tidies up."""
    from jupyter_client.manager import AsyncKernelManager

    class Adopting(AsyncKernelManager):
        def __new__(cls, *_: Any, **__: Any) -> Any:
            return kernel.manager()

    return Adopting


def _wait(running: Future[Any], kernel: Kernel, seconds: float) -> bool:
    """Whether the time was over before the run was; whatever happens, no process of the kernel's group lives on."""
    try:
        wait([running], timeout=seconds)
        return not running.done()
    finally:
        # A kernel that nbclient starts anew has another group, so once is not enough.
        while not running.done():
            kernel.end()
            wait([running], timeout=0.2)
        kernel.end()


@dataclass
class _Place:
    """Where in the notebook the run is."""

    headings: list[str]
    progress: Progress | None
    cell: int = field(default=0)

    @classmethod
    def of(cls, cells: list[Any], progress: Progress | None) -> _Place:
        heading, headings = "", []
        for cell in cells:
            if cell.cell_type == "markdown" and cell.source.startswith("#"):
                heading = cell.source.splitlines()[0].lstrip("# ")
            headings.append(heading)
        return cls(headings, progress)

    def start(self, cell: Any, cell_index: int) -> None:
        """nbclient's hook, which passes both by name."""
        del cell
        self.cell = cell_index + 1
        if self.progress:
            # papermill puts one cell of its own after the parameters.
            at = min(self.cell, len(self.headings))
            self.progress(at, len(self.headings), self.headings[at - 1])

    def __str__(self) -> str:
        return f"cell {self.cell} of the executed notebook" if self.cell else "the kernel's start"


def _failure(error: BaseException, notebook: Path, target: Path, place: _Place) -> BaseException:
    from papermill.exceptions import PapermillException

    if isinstance(error, PapermillException):
        return _raised(error, notebook, target, place)
    if isinstance(error, RuntimeError | OSError | ValueError):
        # nbclient's dead kernel is a RuntimeError; papermill itself marks the cells of one as completed.
        return NotebookFailed(
            f"Notebook {notebook.stem} ended at {place}: {_line(error)}. As far as it came, it is kept in {target}."
        )
    return error


def _raised(error: Any, notebook: Path, target: Path, place: _Place) -> CloudxaiError:
    name, value = getattr(error, "ename", type(error).__name__), getattr(error, "evalue", str(error))
    known = getattr(errors, name, None)
    if isinstance(known, type) and issubclass(known, CloudxaiError):
        return known(value)
    return NotebookFailed(
        f"Notebook {notebook.stem}, {place}, raised {name}: {_line(value)}. As far as it came, it is kept in {target}."
    )


def _line(text: object) -> str:
    return " ".join(str(text).split())[:300].rstrip(".")


def _prove_cells(notebook: Path, target: Path) -> None:
    import nbformat

    for number, cell in enumerate(nbformat.read(target, as_version=4).cells, start=1):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        ended = next((output for output in cell.outputs if output.output_type == "error"), None)
        if ended is not None:
            raise NotebookFailed(
                f"Notebook {notebook.stem}, cell {number} of the executed notebook, raised {ended.ename}: "
                f"{_line(ended.evalue)}. It is kept in {target}."
            )
        if cell.execution_count is None:
            raise NotebookFailed(
                f"Notebook {notebook.stem} ended before cell {number} of the executed notebook, which was never run. "
                f"It is kept in {target}."
            )
