"""What the commands share: the environment and the week that they are about, and exports that appear whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.files import replace_whole

if TYPE_CHECKING:
    from cloudxai_analysis.platform.settings import Environment

Command = Callable[..., Any]
WEEK = click.option(
    "--week", default="last", metavar="WEEK", help="2026-W47, 2026-11, 2026-Q4, 'last' (whole ISO week) or 'current'."
)


def moment(text: str, option: str) -> datetime:
    """A time as `option` has it, such as '2026-11-12T06:00Z'; raises UsageError."""
    try:
        given = datetime.fromisoformat(text)
        if given.tzinfo is not None:
            return given.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise UsageError(f"Invalid {option} '{text}'. Give a time with its zone, like 2026-11-12T06:00Z.")


def _clock(_context: click.Context, _option: click.Parameter, text: str) -> datetime | None:
    return moment(text, "--now").replace(second=0, microsecond=0) if text else None


NOW = click.option(
    "--now", default="", metavar="TIME", callback=_clock, help="A set clock, for rehearsals: 2026-11-13T06:00Z."
)


def _made(_context: click.Context, _option: click.Parameter, file: str) -> Any:
    from cloudxai_analysis.report.again import read_made

    return read_made(Path(file)) if file else None


EXECUTOR = click.option(
    "--executor",
    default="threads",
    show_default=True,
    metavar="WHERE",
    help="Where tiles are pulled: threads, dask (processes here), dask://HOST:PORT (a cluster).",
)


FROM = click.option(
    "--from", "made", default="", metavar="FILE", callback=_made, help="The same report again, by its summary.json."
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
    """The same with `--week`, the last whole one by default."""
    return WEEK(currently(command))


def currently(command: Command) -> Command:
    """The same, of a command that is given what was `Asked` of the week under way, by `NOW` where it has that."""

    @wraps(command)
    def settled(
        *first: Any, source: str, environment: str, week: str = "current", now: datetime | None = None, **given: Any
    ) -> Any:
        from cloudxai_analysis.study import settle

        if made := given.get("made"):
            if week != "last" or source or environment or now:
                raise UsageError("--from names its own week, source and environment. Leave the others out.")
            week, source, now = made.window.name, made.source, made.window.end
            environment = made.summary["environment"]
        return command(*first, settle(week, source=source, environment=environment, now=now), **given)

    return of_environment(settled)


def fail_on(*levels: str, default: str = "never") -> Callable[[Command], Command]:
    """The option `--fail-on`, of levels from the worst on; the command gets `failing`, those that are as bad."""

    def reached(_context: click.Context, _option: click.Parameter, level: str) -> tuple[str, ...]:
        return tuple(one.replace("-", " ") for one in levels[: ("never", *levels).index(level)])

    choice = click.Choice(["never", *levels])
    return click.option("--fail-on", "failing", type=choice, default=default, show_default=True, callback=reached)


def one_at_a_time(command: Command) -> Command:
    """The same, of a command that a scheduler starts: its runs are noted, and two in an environment never run at once.

    It stands next to the function, below the options of the environment.
    """

    @wraps(command)
    def noted(asked: Any, **given: Any) -> int:
        from cloudxai_analysis.operate.runs import run_of

        if given.get("only_list") or given.get("made"):  # which is no run
            return command(asked, **given)
        settled = getattr(asked, "environment", asked)
        with run_of(command.__name__, settled.folder, lock_seconds=settled.limits.lock_seconds) as outcome:
            outcome.code = command(asked, **given)
        return outcome.code

    return noted


def settled_environment(source: str, environment: str) -> Environment:
    """The environment that these options name.

    Raises UsageError (the environment or a setting is wrong).
    """
    from cloudxai_analysis.platform.settings import load_settings, resolve_environment

    return resolve_environment(load_settings(), source=source or None, name=environment or None)


def write_export(file: Path, text: str) -> None:
    """The file as a whole, readable by its owner alone, or the one that was there before.

    Raises UsageError (it cannot be written there).
    """
    try:
        replace_whole(file, text)
    except OSError as error:
        raise UsageError(f"Export {file} cannot be written: {error.strerror}. Choose another --output.") from None
