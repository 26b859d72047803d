"""The command line: `cloudxai` and its words, each of which calls one thing."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cloudxai_analysis.cli.audit import audit
from cloudxai_analysis.cli.connect import connect, first_look
from cloudxai_analysis.cli.explain import explain
from cloudxai_analysis.cli.focus import focus
from cloudxai_analysis.cli.lake import lake
from cloudxai_analysis.cli.ledger import ledger
from cloudxai_analysis.cli.options import of_environment
from cloudxai_analysis.cli.replay import replay
from cloudxai_analysis.ground.errors import CloudxaiError
from cloudxai_analysis.words.phrases import plain

# Everything that takes seconds to import is imported inside a command, so that help and mistakes answer at once.

_WEEK = click.option(
    "--week", default="last", metavar="WEEK", help="2026-W47, 2026-11, 2026-Q4, 'last' (whole ISO week) or 'current'."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="cloudxai-analysis")
def main_group() -> None:
    """Is the beta stable enough for v1.0? Answers from Prometheus telemetry; only ever observes.

    Exit codes: 0 done, 1 the verdict is what --fail-on names, 2 usage or settings, 3 source unreachable, 4 source
    answered wrongly or the window holds no data, 5 lake damaged, 6 notebook failed, 7 lake locked, 8 refused for
    security, 130 interrupted.
    """


@main_group.command()
@_WEEK
@of_environment
@click.option("--fail-on", type=click.Choice(["never", "fail", "warn"]), default="never", show_default=True)
def report(week: str, source: str, environment: str, fail_on: str) -> int:
    """Pull what is missing, run the weekly notebook, and publish the report."""
    from cloudxai_analysis.report.run import kernel_under_way
    from cloudxai_analysis.study.asked import settle

    asked = settle(week, source=source, environment=environment)
    with kernel_under_way() as kernel:
        from cloudxai_analysis.cli.publication import weekly_report
        from cloudxai_analysis.cli.terminal import show_progress

        for line in first_look(asked):
            click.echo(plain(line), err=True)
        with show_progress() as steps:
            published = weekly_report(asked, steps=steps, kernel=kernel)
    for line in published.lines:
        click.echo(plain(line))
    click.echo(f"Report: {published.page}")
    failing = {"never": (), "fail": ("fail",), "warn": ("fail", "warn")}[fail_on]
    return 1 if published.status in failing else 0


@main_group.command(name="pull")
@_WEEK
@of_environment
@click.option("--dry-run", is_flag=True, help="Say what it would bring and take, and pull nothing.")
def pull_command(week: str, source: str, environment: str, dry_run: bool) -> int:
    """Pull what the lake lacks of a window and the weeks before it."""
    from cloudxai_analysis.study.asked import settle

    asked = settle(week, source=source, environment=environment)
    from cloudxai_analysis.cli.terminal import plan_line, show_progress
    from cloudxai_analysis.study.opening import preview, refresh

    for line in first_look(asked):
        click.echo(plain(line), err=True)
    if dry_run:
        click.echo(f"{asked.environment.name}: {plan_line(preview(asked))}")
        return 0
    with show_progress() as steps:
        pulled, _ = refresh(asked, progress=steps.pull)
    resumed = f" ({pulled.tiles_resumed} from an interrupted pull)" if pulled.tiles_resumed else ""
    click.echo(
        f"{asked.environment.name}: {pulled.samples_pulled:,} samples in {pulled.tiles_pulled} of {pulled.tiles} "
        f"tiles{resumed}, {pulled.seconds:.1f} s; the lake is at version {pulled.version}."
    )
    for warning in pulled.warnings:
        click.echo(f"warning: {warning}", err=True)
    return 0


@main_group.command()
@of_environment
def status(source: str, environment: str) -> int:
    """Say what the lake holds and which reports are published."""
    from cloudxai_analysis.cli.status import status_lines

    for line in status_lines(source=source, environment=environment):
        click.echo(plain(line))
    return 0


@main_group.command()
@click.argument("notebook")
def params(notebook: str) -> int:
    """Show the typed parameters of NOTEBOOK, a name like weekly_report or a path."""
    from cloudxai_analysis.platform.settings import find_notebook, load_settings
    from cloudxai_analysis.report.parameters import parameter_lines

    for line in parameter_lines(find_notebook(load_settings(), notebook)):
        click.echo(line)
    return 0


@main_group.command()
@click.argument("notebook")
@click.option("-p", "parameters", nargs=2, multiple=True, metavar="NAME VALUE", help="A parameter of the notebook.")
@click.option("--output", default="", metavar="FILE", help="Where it is kept; default: outputs/runs/NOTEBOOK.ipynb.")
def run(notebook: str, parameters: tuple[tuple[str, str], ...], output: str) -> int:
    """Run NOTEBOOK with checked parameters, and keep it executed."""
    from cloudxai_analysis.cli.terminal import show_progress
    from cloudxai_analysis.platform.settings import find_notebook, load_settings
    from cloudxai_analysis.report.run import execute

    settings = load_settings()
    found = find_notebook(settings, notebook)
    target = Path(output) if output else settings.outputs / "runs" / found.name
    target.parent.mkdir(parents=True, exist_ok=True)
    with show_progress() as steps:
        execute(found, dict(parameters), target, seconds=settings.limits.notebook_seconds, progress=steps.section)
    click.echo(f"Executed: {target}")
    return 0


@main_group.command()
@_WEEK
@of_environment
@click.option("--weeks", type=click.IntRange(1), default=3, show_default=True, help="So many, ending with WEEK.")
@click.option("--copies", type=click.IntRange(1), default=2, show_default=True, help="Of each week, for each size.")
def evaluate(week: str, source: str, environment: str, weeks: int, copies: int) -> int:
    """Plant known events into copies of your own last weeks, and say which would have been found.

    Only the copies, in memory, are changed. The result is kept beside the environment's reports, and the next report's
    method section says it.
    """
    from cloudxai_analysis.study.asked import settle

    asked = settle(week, source=source, environment=environment)
    from cloudxai_analysis.cli.terminal import show_progress
    from cloudxai_analysis.operate.evaluate import lines, own_weeks, pull_weeks, write_result

    with show_progress() as steps:
        pull_weeks(asked, weeks=weeks, progress=steps.pull)
        result = own_weeks(asked, copies=copies, weeks=weeks, progress=steps.seed)
    for line in lines(result):
        click.echo(plain(line))
    write_result(result, asked.environment.evaluation)
    click.echo(f"Kept: {asked.environment.evaluation}")
    return 0


main_group.add_command(audit)
main_group.add_command(connect)
main_group.add_command(explain)
main_group.add_command(replay)
main_group.add_command(lake)
main_group.add_command(focus)
main_group.add_command(ledger)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; every error is one line on stderr and a documented exit code."""
    logging.getLogger("papermill").setLevel(logging.ERROR)
    sys.exit(_exit_code(lambda: main_group.main(arguments, "cloudxai", standalone_mode=False)))


def _exit_code(run: Callable[[], Any]) -> int:
    try:
        return int(run() or 0)
    except CloudxaiError as error:
        _say(str(error))
        return error.exit_code
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        _say(error.format_message())
        return 2
    except (KeyboardInterrupt, click.exceptions.Abort):
        _say("interrupted; what was committed stays, and the same command goes on from there.")
        return 130
    except BrokenPipeError:
        return 0
    except Exception as error:  # the last door: a traceback belongs in the log, never on a user's terminal
        _say(f"unexpected {type(error).__name__}: {error}. The traceback is in {_log_traceback()}.")
        return 1


def _say(message: str) -> None:
    click.echo(plain(f"cloudxai: {' '.join(message.split())}"), err=True)


def _log_traceback() -> Path:
    from cloudxai_analysis.platform.settings import load_settings, project_folder

    try:
        folder = load_settings().outputs
    except CloudxaiError:
        folder = project_folder() / "outputs"
    file = folder / "cloudxai.log"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as log:
        log.write(f"{datetime.now(UTC).isoformat()} {traceback.format_exc()}\n")
    file.chmod(0o600)
    return file
