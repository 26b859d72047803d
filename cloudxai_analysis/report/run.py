"""Running a notebook through papermill, in a kernel that starts beforehand, and the proof that it ran to its end."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import platform
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager, nullcontext, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cloudxai_analysis.ground import errors
from cloudxai_analysis.ground.errors import CloudxaiError, NotebookFailed
from cloudxai_analysis.report.parameters import checked_parameters

SCHEMA = Path(__file__).parents[1] / "cards" / "summary.schema.json"
Progress = Callable[[int, int, str], None]
LIBRARIES = ("numpy", "pandas", "pyarrow", "deltalake", "numba", "matplotlib", "papermill", "ipykernel")
# Imported by name alone: the notebook's own imports then find them, and none of its names is there before it says so.
_LOADED = ("cloudxai_analysis.cards.weekly", "cloudxai_analysis.study.opening", "matplotlib.backends.backend_svg")


class Kernel:
    """A Python kernel that is being started in the background, in a process group of its own."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._starting: Future[Any] = pool.submit(_started)

    def manager(self) -> Any:
        """The manager of the running kernel, as nbclient takes it; waits for it."""
        return self._starting.result()

    def end(self) -> None:
        """End the kernel's whole process group: a cell's own children outlive the kernel otherwise."""
        # What kept it from starting is told where the notebook runs.
        group = getattr(self.manager(), "group", None) if self._starting.exception() is None else None
        if group and group != os.getpgid(0):
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)


@contextmanager
def kernel_under_way() -> Iterator[Kernel]:
    """A kernel started now, with what every notebook imports; it is gone when the block ends."""
    with ThreadPoolExecutor(1, "kernel") as pool:
        kernel = Kernel(pool)
        try:
            yield kernel
        finally:
            kernel.end()


def _started() -> Any:
    from jupyter_client.manager import AsyncKernelManager

    lines = ", ".join(repr(f"__import__({name!r})") for name in _LOADED)
    arguments = ["--IPKernelApp.log_level=CRITICAL", f"--IPKernelApp.exec_lines=[{lines}]"]
    manager: Any = AsyncKernelManager(kernel_name="python3")
    asyncio.run(manager.start_kernel(extra_arguments=arguments))
    # After its shutdown the provisioner is gone, but a cell's own children may not be.
    manager.group = getattr(manager.provisioner, "pgid", None)
    return manager


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

    Raises a UsageError where a parameter is wrong, before any kernel starts; NotebookFailed where a cell raised or was
    not run, the kernel died, or the time was over; and the CloudxaiError that a cell raised, with its own exit code.
    """
    given = checked_parameters(notebook, parameters)
    # jsonschema compiles, for a second, a grammar of URIs where JupyterLab is installed; no format here is one.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    import nbformat

    place = _Place(nbformat.read(notebook, as_version=4).cells, progress)
    # In a thread of its own, because in the main one nbclient takes Ctrl-C for itself and reports a dead kernel.
    with nullcontext(kernel) if kernel else kernel_under_way() as own, ThreadPoolExecutor(1, "notebook") as pool:
        running = pool.submit(_papermill, notebook, target, given, own, place)
        try:
            wait([running], timeout=seconds)
            expired = not running.done()
        finally:
            # A kernel that nbclient starts anew has another group, so once is not enough.
            while not running.done():
                own.end()
                wait([running], timeout=0.2)
            own.end()
    kept = f"As far as it came, it is kept in {target}"
    if expired:
        raise NotebookFailed(
            f"Notebook {notebook.stem} was ended after {seconds:g} s, at {place}. {kept}; the limit is "
            "`limits.notebook_seconds`."
        )
    if (error := running.exception()) is not None:
        raise _failure(error, f"Notebook {notebook.stem}", str(place), kept) from None
    _prove_cells(notebook, target)
    _stamp(notebook, target)
    return target


class _Place:
    """Where in the notebook the run is; told to `progress` as each cell starts."""

    def __init__(self, cells: list[Any], progress: Progress | None) -> None:
        self.cell, self.progress, heading = 0, progress, ""
        self.headings: list[str] = []
        for cell in cells:
            if cell.cell_type == "markdown" and cell.source.startswith("#"):
                heading = cell.source.splitlines()[0].lstrip("# ")
            self.headings.append(heading)

    def start(self, cell: Any, cell_index: int) -> None:  # noqa: ARG002 - nbclient passes both by name
        self.cell = cell_index + 1
        if self.progress:
            # papermill puts one cell of its own after the parameters.
            at = min(self.cell, len(self.headings))
            self.progress(at, len(self.headings), self.headings[at - 1])

    def __str__(self) -> str:
        return f"cell {self.cell} of the executed notebook" if self.cell else "the kernel's start"


def _papermill(notebook: Path, target: Path, parameters: dict[str, Any], kernel: Kernel, place: _Place) -> None:
    from jupyter_client.manager import AsyncKernelManager
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

    class Adopting(AsyncKernelManager):
        """What nbclient makes its manager of gives the kernel under way, which nbclient then tidies up."""

        def __new__(cls, *_: Any, **__: Any) -> Any:
            return kernel.manager()

    papermill_engines.register("cloudxai", SavingAtTheEnd)
    # Without a handler of its own, its errors would come out on stderr beside our one line.
    logging.getLogger("papermill").addHandler(logging.NullHandler())
    with closing(ensure_event_loop()):
        execute_notebook(
            notebook,
            target,
            parameters,
            progress_bar=False,
            kernel_name="python3",
            engine_name="cloudxai",
            autosave_cell_every=0,
            shutdown_kernel="immediate",
            kernel_manager_class=Adopting,
            on_cell_start=place.start,
        )


def _failure(error: BaseException, notebook: str, place: str, kept: str) -> BaseException:
    from papermill.exceptions import PapermillException

    if isinstance(error, PapermillException):
        name, value = getattr(error, "ename", type(error).__name__), getattr(error, "evalue", str(error))
        known = getattr(errors, name, None)
        if isinstance(known, type) and issubclass(known, CloudxaiError):
            return known(value)
        return NotebookFailed(f"{notebook}, {place}, raised {name}: {_line(value)}. {kept}.")
    # nbclient's dead kernel is a RuntimeError; papermill itself marks the cells of one as completed.
    told = isinstance(error, RuntimeError | OSError | ValueError)
    return NotebookFailed(f"{notebook} ended at {place}: {_line(error)}. {kept}.") if told else error


def _line(text: object) -> str:
    return " ".join(str(text).split())[:300].rstrip(".")


def _prove_cells(notebook: Path, target: Path) -> None:
    """Nothing but a count of its own proves a cell: papermill marks those of a dead kernel as completed."""
    for number, cell in enumerate(json.loads(target.read_text(encoding="utf-8"))["cells"], start=1):
        if cell["cell_type"] != "code" or not "".join(cell["source"]).strip():
            continue
        raised = [f"{it['ename']}: {_line(it['evalue'])}" for it in cell["outputs"] if it["output_type"] == "error"]
        if raised or cell["execution_count"] is None:
            how = f"raised {raised[0]}" if raised else "was never run"
            raise NotebookFailed(
                f"Notebook {notebook.stem}, cell {number} of the executed notebook, {how}. It is kept in {target}."
            )


def _stamp(notebook: Path, executed: Path) -> None:
    """Add to the executed notebook, under `cloudxai`, the hash of the one it was made from and libraries' versions."""
    content: dict[str, Any] = json.loads(executed.read_text(encoding="utf-8"))
    content["metadata"]["cloudxai"] = {
        "notebook": notebook.name,
        "notebook_sha256": hashlib.sha256(notebook.read_bytes()).hexdigest(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }
    executed.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def prove_summary(folder: Path, run: str) -> dict[str, Any]:
    """The summary that the run called `run` left in `folder`; NotebookFailed where it is missing, of another, wrong."""
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
