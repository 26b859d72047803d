"""The command line: `cloudxai` and its words; every error is one line with its exit code."""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from cloudxai_analysis.cli.audit import audit
from cloudxai_analysis.cli.connect import connect
from cloudxai_analysis.cli.focus import focus
from cloudxai_analysis.cli.lake import lake
from cloudxai_analysis.cli.ledger import ledger
from cloudxai_analysis.cli.options import say
from cloudxai_analysis.cli.replay import replay
from cloudxai_analysis.cli.report import evaluate, explain, params, pull, report, run, status
from cloudxai_analysis.ground.errors import CloudxaiError
from cloudxai_analysis.ground.files import make_folder


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="cloudxai-analysis")
def main_group() -> None:
    """Is the beta stable enough for v1.0? Answers from Prometheus telemetry; only ever observes.

    Exit codes: 0 done, 1 the verdict is what --fail-on names, 2 usage or settings, 3 source
    unreachable, 4 source answered wrongly or the window holds no data, 5 lake damaged, 6 notebook
    failed, 7 lake locked, 8 refused for security, 130 interrupted.
    """


for command in (report, pull, status, params, run, evaluate, audit, connect, explain, replay, lake, focus, ledger):
    main_group.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; every error is one line on stderr and a documented exit code."""
    logging.getLogger("papermill").setLevel(logging.ERROR)
    # A scheduler that ends a run gets the line and the tidying up that Ctrl-C gets.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(_exit_code(lambda: main_group.main(arguments, "cloudxai", standalone_mode=False)))


def _exit_code(run: Callable[[], Any]) -> int:
    try:
        return int(run() or 0)
    except CloudxaiError as error:
        return _ended(str(error), error.exit_code)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        return _ended(error.format_message(), 2)
    except (KeyboardInterrupt, click.exceptions.Abort):
        return _ended("interrupted; what was committed stays, and the same command goes on from there.", 130)
    except BrokenPipeError:
        return 0
    except Exception as error:  # the last door: a traceback belongs in the log, never on a user's terminal
        return _ended(f"unexpected {type(error).__name__}: {error}. {_log_traceback()}", 1)


def _ended(message: str, code: int) -> int:
    say([f"cloudxai: {' '.join(message.split())}"], err=True)
    return code


def _log_traceback() -> str:
    """Keep the traceback, and say where; whatever is wrong with the place, the line that says it comes out."""
    from cloudxai_analysis.platform.settings import load_settings, project_folder

    try:
        folder = load_settings().outputs
    except CloudxaiError:
        folder = project_folder() / "outputs"
    file = folder / "cloudxai.log"
    try:
        make_folder(folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        with os.fdopen(os.open(file, flags, 0o600), "w", encoding="utf-8", errors="backslashreplace") as log:
            os.fchmod(log.fileno(), 0o600)
            log.write(f"{datetime.now(UTC).isoformat()} {traceback.format_exc()}\n")
    except (OSError, CloudxaiError) as error:
        return f"The traceback could not be kept in {file}: {getattr(error, 'strerror', None) or error}."
    return f"The traceback is in {file}."
