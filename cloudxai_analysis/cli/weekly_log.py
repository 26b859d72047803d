"""The command that writes the platform's own log of a week: `cloudxai weekly-log`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudxai_analysis.cli.door import say
from cloudxai_analysis.cli.options import NOW, in_week
from cloudxai_analysis.ground.errors import UsageError

if TYPE_CHECKING:
    from cloudxai_analysis.study import Asked


@click.command()
@in_week
@NOW
@click.option("--by", default="cloudxai weekly-log", show_default=True, metavar="NAME", help="The author.")
@click.option("--ci-status", default="", metavar="WORD", help="How CI ended; default: as the days of the ledger say.")
@click.option("--ci-file", type=click.Path(path_type=Path), metavar="FILE", help="The same, from CI's JUnit XML.")
def weekly_log(asked: Asked, by: str, ci_status: str, ci_file: Path | None) -> int:
    """Write a week's log in Markdown, from its published report and the ledger; no source is asked.

    One file a week, in the folder `weekly_log` of the environment. A file is never written over:
    where the week says something else by now, a correction is written beside it.
    """
    from cloudxai_analysis.report.weekly_log import ci_of, write_weekly_log

    if ci_status and ci_file:
        raise UsageError("--ci-status and --ci-file exclude each other; keep one of them.")
    ci = ci_of(ci_file) if ci_file else ci_status
    file, new = write_weekly_log(asked.environment, asked.window, by=by, ci=ci)
    say([f"{'Written' if new else 'There already, and it says the same'}: {file}"])
    return 0
