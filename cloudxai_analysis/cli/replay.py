"""The command that replays alert rules over past weeks: `cloudxai replay`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudxai_analysis.cli.door import hand_over, say
from cloudxai_analysis.cli.options import in_week
from cloudxai_analysis.ground.errors import UsageError

if TYPE_CHECKING:
    from cloudxai_analysis.study import Asked


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@in_week
@click.option("--weeks", type=click.IntRange(1, 52), default=4, show_default=True, help="How many, up to this one.")
@click.option("--rule", "only", multiple=True, metavar="NAME", help="Only this rule; may be given again.")
@click.option("--proposed", multiple=True, type=click.Path(path_type=Path), metavar="PATH", help="Proposed rules.")
@click.option("--vary/--as-it-is", default=True, show_default=True, help="Vary threshold, for and keep_firing_for.")
@click.option("--format", "form", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True)
def replay(
    asked: Asked,
    paths: tuple[Path, ...],
    weeks: int,
    only: tuple[str, ...],
    proposed: tuple[Path, ...],
    vary: bool,
    form: str,
) -> int:
    """Replay the alert rules of PATH (files or folders; else those that the server has loaded) over past weeks."""
    from cloudxai_analysis.replay.rules import rules_in
    from cloudxai_analysis.replay.session import opened
    from cloudxai_analysis.replay.written import as_data, as_markdown

    suggested, faults = rules_in(proposed)
    given, wrong = rules_in(paths)
    say((f"warning: {one.file}:{one.line}: {one.message}" for one in (*wrong, *faults)), err=True)
    if paths and not given:
        raise UsageError(f"No alerting rule in {', '.join(map(str, paths))}. Give files with rules of Prometheus.")
    with opened(asked.environment, asked.window, asked.now, weeks=weeks, given=given, proposed=suggested) as session:
        found, window = session.compared(only=only, vary=vary), session.history.window
    data = json.dumps(as_data(found, window), indent=1, allow_nan=False) + "\n"
    hand_over(data if form == "json" else as_markdown(found, window))
    return 0
