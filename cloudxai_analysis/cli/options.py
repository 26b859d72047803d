"""What the commands share: the environment and the week that they are about, lines, and exports that appear whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.files import replace_whole
from cloudxai_analysis.words.phrases import plain

if TYPE_CHECKING:
    from cloudxai_analysis.platform.settings import Environment

Command = Callable[..., Any]
WEEK = click.option(
    "--week", default="last", metavar="WEEK", help="2026-W47, 2026-11, 2026-Q4, 'last' (whole ISO week) or 'current'."
)


def of_environment(command: Command) -> Command:
    """The options `--source` and `--environment`."""
    named = click.option("--environment", default="", metavar="NAME", help="Environment of the settings.")(command)
    return click.option("--source", default="", metavar="URL", help="demo:// or a Prometheus URL.")(named)


def in_environment(command: Command) -> Command:
    """The same, of a command whose first argument is the `Environment` that they name."""

    @wraps(command)
    def settled(source: str, environment: str, **given: Any) -> Any:
        return command(settled_environment(source, environment), **given)

    return of_environment(settled)


def in_week(command: Command) -> Command:
    """The same with `--week`, of a command whose first argument is what was `Asked`."""

    @wraps(command)
    def settled(week: str, source: str, environment: str, **given: Any) -> Any:
        from cloudxai_analysis.study import settle

        return command(settle(week, source=source, environment=environment), **given)

    return WEEK(of_environment(settled))


def settled_environment(source: str, environment: str) -> Environment:
    """The environment that these options name.

    Raises UsageError (the environment or a setting is wrong).
    """
    from cloudxai_analysis.platform.settings import load_settings, resolve_environment

    return resolve_environment(load_settings(), source=source or None, name=environment or None)


def say(lines: Iterable[str], *, err: bool = False) -> None:
    """Lines for the terminal, which none of their words can steer."""
    for line in lines:
        click.echo(plain(line), err=err)


def write_export(file: Path, text: str) -> None:
    """The file as a whole, readable by its owner alone, or the one that was there before.

    Raises UsageError (it cannot be written there).
    """
    try:
        replace_whole(file, text)
    except OSError as error:
        raise UsageError(f"Export {file} cannot be written: {error.strerror}. Choose another --output.") from None
