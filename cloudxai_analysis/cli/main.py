"""The command line: `cloudxai` and its words; every error is one line with its exit code."""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from cloudxai_analysis.cli.audit import audit
from cloudxai_analysis.cli.canary import canary
from cloudxai_analysis.cli.compare import compare
from cloudxai_analysis.cli.connect import connect
from cloudxai_analysis.cli.digest import digest
from cloudxai_analysis.cli.door import say, streams
from cloudxai_analysis.cli.drill import drill
from cloudxai_analysis.cli.focus import focus
from cloudxai_analysis.cli.harness import harness
from cloudxai_analysis.cli.lake import lake
from cloudxai_analysis.cli.ledger import ledger
from cloudxai_analysis.cli.migrate import migrate
from cloudxai_analysis.cli.monitor import monitor
from cloudxai_analysis.cli.nightly import nightly
from cloudxai_analysis.cli.notebook import lab, params, run
from cloudxai_analysis.cli.replay import replay
from cloudxai_analysis.cli.report import explain, pull, report, status
from cloudxai_analysis.cli.showback import showback
from cloudxai_analysis.cli.signoff import signoff
from cloudxai_analysis.cli.weekly_log import weekly_log
from cloudxai_analysis.ground.errors import CloudxaiError
from cloudxai_analysis.ground.files import make_folder, private
from cloudxai_analysis.ground.secrets import hidden


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="cloudxai-analysis")
def main_group() -> None:
    """Is the beta stable enough for v1.0? Answers from Prometheus telemetry; only ever observes.

    Exit codes: 0 done, 1 the verdict is what --fail-on names, 2 usage or settings, 3 source
    unreachable, 4 source answered wrongly or the window holds no data, 5 lake damaged, 6 notebook
    failed, 7 lake locked, 8 refused for security, 130 interrupted.
    """


for command in (
    *(report, pull, status, params, run, lab, audit, connect, compare, explain),
    *(replay, lake, focus, showback, ledger, monitor, nightly, harness, migrate, signoff),
    *(drill, canary, digest, weekly_log),
):
    main_group.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; every error is one line on stderr and a documented exit code."""
    logging.getLogger("papermill").setLevel(logging.ERROR)
    with _interruptible(), streams(), private():
        code = _exit_code(sys.argv[1:] if arguments is None else arguments)
    sys.exit(code)


@contextmanager
def _interruptible() -> Iterator[None]:
    """A scheduler that ends the run, or a terminal that closes, gets the line and the tidying up that Ctrl-C gets."""
    endings = (signal.SIGTERM, signal.SIGHUP)
    before = {one: signal.getsignal(one) or signal.SIG_DFL for one in endings}
    ours = [one for one in endings if before[one] is not signal.SIG_IGN]  # as `nohup` has it
    for one in ours:
        signal.signal(one, signal.default_int_handler)
    try:
        yield
    finally:
        # Whoever called goes on, and what is sent to it then is not for a command that is over.
        for one in ours:
            signal.signal(one, before[one])


def _exit_code(arguments: list[str]) -> int:
    try:
        # Not by click's own `main`, which ends with 1 where nobody reads on.
        with main_group.make_context("cloudxai", list(arguments)) as context:
            return int(main_group.invoke(context) or 0)
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
    except SystemExit:
        raise
    # The last door: a traceback belongs in the log, never on a user's terminal. A panic of Rust's is no `Exception`.
    except BaseException as error:
        return _ended(f"unexpected {type(error).__name__}: {error}. {_log_traceback()}", 1)


def _ended(message: str, code: int) -> int:
    say([f"cloudxai: {' '.join(message.split())}"], err=True)
    return code


def _log_traceback() -> str:
    """Keep the traceback, and say where; whatever is wrong with the place, the line that says it comes out."""
    from cloudxai_analysis.platform.settings import load_settings, project_folder

    told, file = traceback.format_exc(), Path("outputs") / "cloudxai.log"
    try:
        try:
            file = load_settings().outputs / file.name
        except CloudxaiError:
            file = project_folder() / file
        make_folder(file.parent)
        # A FIFO in its place would wait for a reader for ever.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
        with os.fdopen(os.open(file, flags, 0o600), "w", encoding="utf-8", errors="backslashreplace") as log:
            os.fchmod(log.fileno(), 0o600)
            log.write(f"{datetime.now(UTC).isoformat()} {hidden(told)}\n")
    except Exception as error:  # one more failure must not take the place of the line
        return f"The traceback could not be kept in {file}: {getattr(error, 'strerror', None) or error}."
    return f"The traceback is in {file}."
