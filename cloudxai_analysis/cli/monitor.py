"""The command that observes each day: `cloudxai monitor`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from cloudxai_analysis.cli.door import say
from cloudxai_analysis.cli.options import NOW, currently, one_at_a_time

if TYPE_CHECKING:
    from cloudxai_analysis.study import Asked


@click.command()
@currently
@click.option(
    "--day",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DAY",
    help="This day alone, such as 2026-11-12; default: up to yesterday.",
)
@click.option("--note", "notes", multiple=True, metavar="TEXT", help="To be kept with the day; may be repeated.")
@click.option("--ci-status", default="", metavar="WORD", help="How the day's CI ended, such as passed.")
@click.option("--ci-artifact", "artifacts", multiple=True, metavar="PLACE", help="Where it is; may be repeated.")
@click.option("--by", default="cloudxai monitor", show_default=True, metavar="NAME", help="Who observes.")
@NOW
@one_at_a_time
def monitor(
    asked: Asked, day: datetime | None, notes: tuple[str, ...], ci_status: str, artifacts: tuple[str, ...], by: str
) -> int:
    """Write what was seen of yesterday (UTC) into the ledger, once, however often it runs.

    Days that were missed since the last one are made up for, 31 at most, and marked; a day that was
    seen in part is observed again by the next run. Where the source does not answer, nothing is
    written, and the exit code is 3.
    """
    from cloudxai_analysis.cli.terminal import show_progress
    from cloudxai_analysis.operate.monitor import monitor as observed

    beside = {"notes": notes, "ci_status": ci_status, "ci_artifacts": artifacts}
    with show_progress() as steps:
        for one in observed(asked, day=day and day.date(), by=by, beside=beside, progress=steps.pull):
            say([str(one)])
    return 0
