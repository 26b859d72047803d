"""The command of the night: `cloudxai nightly`."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudxai_analysis.cli.door import hand_over, say
from cloudxai_analysis.cli.options import NOW, fail_on, in_environment, one_at_a_time, write_export
from cloudxai_analysis.ground.errors import SourceAnswerError, SourceUnreachable

if TYPE_CHECKING:
    from cloudxai_analysis.ledger.jobs import Night
    from cloudxai_analysis.platform.settings import Environment


@click.command()
@in_environment
@click.option("--again", is_flag=True, help="Run, although this night's result is in the ledger; both are kept.")
@fail_on("fail", "warn", default="fail")
@click.option("--junit", default="", metavar="FILE", help="Write JUnit XML there.")
@click.option("--markdown", default="", metavar="FILE", help="Write a summary in Markdown there.")
@click.option("--annotations", is_flag=True, help="Print GitHub annotations; in its workflows they always are.")
@click.option("--list", "only_list", is_flag=True, help="List what is asserted, and ask nothing.")
@NOW
@one_at_a_time
def nightly(
    settled: Environment,
    again: bool,
    failing: tuple[str, ...],
    junit: str,
    markdown: str,
    annotations: bool,
    only_list: bool,
    now: datetime | None,
) -> int:
    """Hold the metric contract, targets and rules against a live server, and keep the night's result in the ledger.

    Once a night (UTC): run again, it tells the result that is there. Exit codes beside the usual
    ones: 0 nothing failed; 1 an assertion failed; 4 none failed, and some are unknown; 3 the source
    was away, which is kept as an unknown night.
    """
    from cloudxai_analysis.operate import night_files
    from cloudxai_analysis.operate.assertions import assertions
    from cloudxai_analysis.operate.nightly import nightly as run

    asked = assertions(settled)
    if only_list:
        say(f"{one.id}: {f'left out, {one.left_out}' if one.left_out else one.title}" for one in asked)
        return 0
    night, fresh = run(settled, now=now or datetime.now(UTC), live=not now, again=again)
    say([*([] if fresh else ["This night's result was there already; --again runs it again."])], err=True)
    say([night_files.summary_line(night, settled.name), *(f"  {line}" for line in night_files.lines(night))])
    if annotations or os.environ.get("GITHUB_ACTIONS") == "true":
        hand_over("".join(f"{line}\n" for line in night_files.github_lines(night)))
    rows = {one.id: one for one in asked}
    for file, text in (
        (junit, night_files.as_junit(night, settled.name).decode() if junit else ""),
        (markdown, night_files.as_markdown(night, settled.name, rows)),
    ):
        if file:
            write_export(Path(file), text)
    return _ended(night, failing)


def _ended(night: Night, failing: tuple[str, ...]) -> int:
    found = {check.status for check in night.checks}
    if night.away:
        raise SourceUnreachable(f"{night.away} The night is kept as unknown, and is no green one.")
    if found & {*failing}:
        return 1
    return SourceAnswerError.exit_code if "unknown" in found and failing else 0
