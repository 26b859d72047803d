"""The commands of notebooks: their parameters, a run that is kept, and the lab in which people open them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import click

from cloudxai_analysis.cli.door import say
from cloudxai_analysis.ground.errors import RefusedForSecurity, UsageError
from cloudxai_analysis.ground.files import make_folder

_GIVEN = click.option("-p", "parameters", nargs=2, multiple=True, metavar="NAME VALUE", help="One of its parameters.")
_AS_ROOT = (
    "You are root, as in a container: JupyterLab is let run so. To reach it from outside, publish its port, and add "
    "--ip=0.0.0.0; whoever has the URL with its token may then run code here."
)


@click.command()
@click.argument("notebook")
def params(notebook: str) -> int:
    """Show the typed parameters of NOTEBOOK, a name like weekly_report or a path."""
    from cloudxai_analysis.platform.settings import load_settings
    from cloudxai_analysis.report.parameters import find_notebook, parameter_lines

    say(parameter_lines(find_notebook(load_settings(), notebook)))
    return 0


@click.command()
@click.argument("notebook")
@_GIVEN
@click.option(
    "--output", default="", metavar="FILE", help="Where it is kept; default: outputs/runs/NOTEBOOK-WEEK-TIME.ipynb."
)
def run(notebook: str, parameters: tuple[tuple[str, str], ...], output: str) -> int:
    """Run NOTEBOOK with checked parameters, and keep it executed."""
    say([f"Executed: {_executed(notebook, dict(parameters), output)}"])
    return 0


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[NOTEBOOK] [JUPYTERLAB'S OPTIONS]...")
@_GIVEN
def lab(words: tuple[str, ...], parameters: tuple[tuple[str, str], ...]) -> int:
    """Open NOTEBOOK, a name or a path, in JupyterLab; without one the tour.

    With parameters it is run first, and opened as it was executed. The whole project is served:
    notebooks, docs, reports and executed runs, and cells and terminals find `cloudxai`. What
    JupyterLab itself takes follows: `cloudxai lab 03_cost --no-browser --port=8890`.
    """
    from cloudxai_analysis.platform.settings import load_settings, project_folder
    from cloudxai_analysis.report.parameters import find_notebook

    if find_spec("jupyterlab") is None:
        raise UsageError("JupyterLab is not installed. Run `make lab`, or `pip install 'cloudxai-analysis[lab]'`.")
    named = bool(words) and not words[0].startswith("-")
    notebook, options = (words[0], words[1:]) if named else ("00_tour", words)
    file = _executed(notebook, dict(parameters), "") if parameters else find_notebook(load_settings(), notebook)
    root = project_folder().absolute()
    root = root if file.is_relative_to(root) else file.parent
    command = [
        *(sys.executable, "-m", "jupyterlab", "--log-level=WARN", f"--ServerApp.root_dir={root}"),
        f"--LabApp.default_url=/lab/tree/{quote(file.relative_to(root).as_posix())}",
        # `overrides.json` stands beside this file: what a link to one of the docs opens is to be read.
        f"--LabApp.app_settings_dir={Path(__file__).parent}",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        say([_AS_ROOT], err=True)
        command.append("--allow-root")
    sys.stdout.flush()
    found = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    os.execve(sys.executable, [*command, *options], {**os.environ, "PATH": found})  # noqa: S606 - no shell


def _executed(notebook: str, parameters: Mapping[str, str], output: str) -> Path:
    """Where the notebook is kept, run with these parameters."""
    from cloudxai_analysis.cli.terminal import show_progress
    from cloudxai_analysis.platform.settings import load_settings
    from cloudxai_analysis.report.parameters import checked_parameters, find_notebook, read_parameters
    from cloudxai_analysis.report.run import execute
    from cloudxai_analysis.study import settle

    settings = load_settings()
    found = find_notebook(settings, notebook)
    words = [found.stem]
    given = {name: one.default for name, one in read_parameters(found).items()} | checked_parameters(found, parameters)
    if "week" in given:
        source, environment = (str(given.get(name, "")) for name in ("source", "environment"))
        words.append(settle(str(given["week"]), source=source, environment=environment).window.name)
    words.append(f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    # Absolute, for papermill takes `-` and `s3:` for other than files.
    target = (Path(output) if output else settings.outputs / "runs" / f"{'-'.join(words)}.ipynb").absolute()
    make_folder(target.parent, mode=0o700)
    if target.is_symlink():
        raise RefusedForSecurity(f"Notebook {target} is a link, which is not followed. Remove it, and run again.")
    if target.is_file():
        target.chmod(0o600)
    with show_progress() as steps:
        execute(found, parameters, target, seconds=settings.limits.notebook_seconds, progress=steps.section)
    return target
