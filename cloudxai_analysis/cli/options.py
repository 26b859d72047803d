"""What the commands share: how an environment is named and settled, and exports that appear whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.files import replace_whole

if TYPE_CHECKING:
    from cloudxai_analysis.platform.settings import Environment


def of_environment(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options `--source` and `--environment`."""
    named = click.option("--environment", default="", metavar="NAME", help="Environment of the settings.")(command)
    return click.option("--source", default="", metavar="URL", help="demo:// or a Prometheus URL.")(named)


def settled_environment(source: str, environment: str) -> Environment:
    """The environment that these options name.

    Raises
    ------
    UsageError
        The environment or a setting is wrong.
    """
    from cloudxai_analysis.platform.settings import load_settings, resolve_environment

    return resolve_environment(load_settings(), source=source or None, name=environment or None)


def write_export(file: Path, text: str) -> None:
    """The file as a whole, readable by its owner alone, or the one that was there before.

    Raises
    ------
    UsageError
        It cannot be written there.
    """
    try:
        replace_whole(file, text)
    except OSError as error:
        raise UsageError(f"Export {file} cannot be written: {error.strerror}. Choose another --output.") from None
