"""Running a notebook through papermill, and the proof that it ran to its end."""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import json
import logging
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager, nullcontext, suppress
from errno import EDQUOT, EFBIG, EIO, ENOSPC, EROFS
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import psutil

from cloudxai_analysis.ground import errors
from cloudxai_analysis.ground.errors import CloudxaiError, LakeUnwritable, NotebookFailed
from cloudxai_analysis.report.parameters import checked_parameters

# A disk that is failing, out of room, read-only, or of a size or a quota that is used up, as Python says it.
_DISK = re.compile(rf"\[Errno ({'|'.join(map(str, (EIO, EFBIG, ENOSPC, EROFS, EDQUOT)))})\]")
SCHEMA = Path(__file__).parents[1] / "cards" / "summary.schema.json"
_LINK = re.compile(r"\]\((?![a-z]+:|[#/])")  # to a place told from the notebook's own
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_ROUNDS = 20  # what is ended may have begun something meanwhile
Progress = Callable[[int, int, str], None]
LIBRARIES = ("numpy", "pandas", "pyarrow", "deltalake", "numba", "matplotlib", "papermill", "ipykernel")
# Imported by name alone: the notebook's own imports then find them, and no name is there too early.
_LOADED = ("cloudxai_analysis.cards.notebook", "cloudxai_analysis.study.opening", "matplotlib.backends.backend_svg")


class Kernel:
    """A Python kernel that is being started in the background, and whatever its cells begin."""

    def __init__(self, pool: ThreadPoolExecutor, outputs: Path | None) -> None:
        self._others = set(psutil.Process().children(recursive=True))
        self.starting = pool.submit(_started, outputs)

    def end(self) -> None:
        """End the kernel and what its cells began, in whatever session and with whatever parent."""
        # What kept it from starting is told where the notebook runs.
        self.starting.exception()
        for _ in range(_ROUNDS):
            left = [one for one in psutil.Process().children(recursive=True) if one not in self._others]
            if not left:
                return
            for one in left:
                with suppress(psutil.Error):
                    one.kill()
            psutil.wait_procs(left, timeout=1)


@contextmanager
def kernel_under_way(*, outputs: Path | None = None) -> Iterator[Kernel]:
    """A kernel started now, with what every notebook imports; it is gone when the block ends.

    It works in other `outputs` than those of the settings, where they are given.
    """
    with ThreadPoolExecutor(1, "kernel") as pool, _adopting_orphans():
        kernel = Kernel(pool, outputs)
        try:
            yield kernel
        finally:
            kernel.end()


@contextmanager
def _adopting_orphans() -> Iterator[None]:
    """Have every descendant whose own parent ends become a child of this process, as Linux can."""
    set_by = getattr(ctypes.CDLL(None), "prctl", None)
    if set_by:
        set_by(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        if set_by:
            set_by(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def _started(outputs: Path | None) -> Any:
    from jupyter_client.manager import AsyncKernelManager

    lines = ", ".join(repr(f"__import__({name!r})") for name in _LOADED)
    arguments = ["--IPKernelApp.log_level=CRITICAL", f"--IPKernelApp.exec_lines=[{lines}]"]
    manager: Any = AsyncKernelManager(kernel_name="python3")
    # Nobody looks on at this one, even where a notebook that somebody looks at began it.
    told = {"JPY_SESSION_NAME": "", **({"CLOUDXAI_OUTPUTS": str(outputs)} if outputs else {})}
    asyncio.run(manager.start_kernel(extra_arguments=arguments, env=os.environ | told))
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

    `progress` is called with the cell's number, cells in all, and the heading being worked on.
    At the end, after `seconds`, or when interrupted, the kernel and all that its cells began are
    ended. Of a run that fails, the notebook as far as it came stays at `target`.

    Raises a UsageError where a parameter is wrong, before any kernel starts; NotebookFailed where a
    cell raised or was not run, the kernel died, or the time was over; and the CloudxaiError that a
    cell raised, with its own exit code.
    """
    given = checked_parameters(notebook, parameters)
    at = [0]
    # In a thread of its own: in the main one nbclient takes Ctrl-C, and reports a dead kernel.
    with nullcontext(kernel) if kernel else kernel_under_way() as own, ThreadPoolExecutor(1, "notebook") as pool:
        running = pool.submit(_papermill, notebook, target, given, own, _teller(notebook, at, progress))
        try:
            wait([running], timeout=seconds)
            expired = not running.done()
        finally:
            # nbclient starts a kernel anew that has gone, so once is not enough.
            while not running.done():
                own.end()
                wait([running], timeout=0.2)
            own.end()
    place = f"cell {at[0]} of the executed notebook" if at[0] else "the kernel's start"
    kept = f"As far as it came, it is kept in {target}"
    if expired:
        limit = "the limit is `limits.notebook_seconds`"
        raise NotebookFailed(f"Notebook {notebook.stem} was ended after {seconds:g} s, at {place}. {kept}; {limit}.")
    if (error := running.exception()) is not None:
        raise _failure(error, f"Notebook {notebook.stem}", place, kept) from None
    _prove_and_stamp(notebook, target)
    return target


def _teller(notebook: Path, at: list[int], progress: Progress | None) -> Callable[..., None]:
    """What nbclient tells of each cell's start: it stands in `at`, and `progress` is told."""
    headings = [""]
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        first = next(iter("".join(cell.get("source", "")).splitlines()), "")
        is_heading = cell["cell_type"] == "markdown" and first.startswith("#")
        headings.append(first.lstrip("# ") if is_heading else headings[-1])

    def start(cell: Any, cell_index: int) -> None:  # noqa: ARG001 - nbclient passes both by name
        at[0] = cell_index + 1
        if progress:
            # papermill puts one cell of its own after the parameters.
            number = min(at[0], len(headings) - 1)
            progress(number, len(headings) - 1, headings[number])

    return start


def _papermill(
    notebook: Path, target: Path, parameters: dict[str, Any], kernel: Kernel, start: Callable[..., None]
) -> None:
    # jsonschema compiles, for a second, a grammar of URIs that JupyterLab brings; none is used.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_core.utils import ensure_event_loop
    from papermill import execute_notebook
    from papermill.engines import NBClientEngine, papermill_engines

    class SavingAtTheEnd(NBClientEngine):
        """Papermill writes the whole notebook twice a cell; a file nobody reads yet needs that once."""

        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **how: Any) -> Any:
            path, nb_man.output_path = nb_man.output_path, None
            try:
                return super().execute_managed_notebook(nb_man, kernel_name, **how)
            finally:
                nb_man.output_path = path
                nb_man.save()

    class Adopting(AsyncKernelManager):
        """What nbclient makes its manager of: it gives the kernel under way."""

        def __new__(cls, *_: Any, **__: Any) -> Any:
            return kernel.starting.result()

    papermill_engines.register("cloudxai", SavingAtTheEnd)
    # Without a handler of its own, its errors would come out on stderr beside our one line.
    logging.getLogger("papermill").addHandler(logging.NullHandler())
    how = {"engine_name": "cloudxai", "progress_bar": False, "autosave_cell_every": 0, "shutdown_kernel": "immediate"}
    how |= {"kernel_name": "python3", "kernel_manager_class": Adopting, "on_cell_start": start}
    # It fills in what stands in braces in a path, takes others for URLs, and keeps them: it gets plain names only.
    with closing(ensure_event_loop()), TemporaryDirectory(prefix="cloudxai-") as scratch:
        given, made = Path(scratch, "notebook.ipynb"), Path(scratch, "executed.ipynb")
        given.write_bytes(notebook.read_bytes())
        try:
            literal = [str(path).translate({ord("{"): "{{", ord("}"): "}}"}) for path in (given, made)]
            execute_notebook(*literal, parameters, **how)
        finally:
            if made.exists():
                target.write_bytes(made.read_bytes())


def _failure(error: BaseException, notebook: str, place: str, kept: str) -> BaseException:
    from papermill.exceptions import PapermillException

    value, name = getattr(error, "evalue", str(error)), getattr(error, "ename", type(error).__name__)
    # A class that a cell made up borrows no exit code: ours render as exactly their one line.
    if _DISK.match(value) and (name == "OSError" or isinstance(error, OSError)):
        return LakeUnwritable(f"{notebook}, {place}, could not write: {_line(value)}. Make room, and run again.")
    if isinstance(error, PapermillException):
        shown = getattr(error, "traceback", ())
        for known in (one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, CloudxaiError)):
            if shown == [errors.rendered(known.__name__, value)]:
                return known(value)
        return NotebookFailed(f"{notebook}, {place}, raised {name}: {_line(value)}. {kept}.")
    # nbclient's dead kernel is a RuntimeError.
    told = isinstance(error, RuntimeError | OSError | ValueError)
    return NotebookFailed(f"{notebook} ended at {place}: {_line(error)}. {kept}.") if told else error


def _line(text: object) -> str:
    return " ".join(str(text).split())[:300].rstrip(".")


def _prove_and_stamp(notebook: Path, executed: Path) -> None:
    """Refuse a cell that was not run, and note which notebook it was, and libraries' versions, under `cloudxai`.

    Nothing but a count of its own proves a cell: papermill marks those of a dead kernel as
    completed.
    """
    content: dict[str, Any] = json.loads(executed.read_text(encoding="utf-8"))
    for number, cell in enumerate(content["cells"], start=1):
        if cell["cell_type"] != "code" or not "".join(cell["source"]).strip():
            continue
        raised = [f"{it['ename']}: {_line(it['evalue'])}" for it in cell["outputs"] if it["output_type"] == "error"]
        if raised or cell["execution_count"] is None:
            how = f"raised {raised[0]}" if raised else "was never run"
            place = f"cell {number} of the executed notebook"
            raise NotebookFailed(f"Notebook {notebook.stem}, {place}, {how}. It is kept in {executed}.")
    away = quote(Path(os.path.relpath(notebook.parent, executed.parent)).as_posix())
    for cell in content["cells"]:
        if cell["cell_type"] == "markdown":
            # Its links lead to where they led from the notebook.
            cell["source"] = _LINK.sub(f"]({away}/", "".join(cell["source"]))
    content["metadata"]["cloudxai"] = {
        "notebook": notebook.name,
        "notebook_sha256": hashlib.sha256(notebook.read_bytes()).hexdigest(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }
    executed.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def prove_summary(folder: Path, run: str) -> dict[str, Any]:
    """The summary that `run` left in `folder`; NotebookFailed where it is missing, of another, wrong."""
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
    """Move what a failed run left to `kept`, where no later run looks; where it now is."""
    if not executed.is_file():
        return executed
    kept.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.move(executed, kept))
