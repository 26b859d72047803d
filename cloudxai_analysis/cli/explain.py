"""The command that says where a number comes from: `cloudxai explain`."""

from __future__ import annotations

import click

from cloudxai_analysis.cli.options import of_environment
from cloudxai_analysis.words.phrases import plain

# Everything that takes seconds to import is imported inside a command, so that help and mistakes answer at once.


@click.command()
@click.argument("name", default="", metavar="[NAME]")
@of_environment
@click.option("--week", default="last", metavar="WEEK", help="The window of the report, as 2026-W46 or 'last'.")
def explain(name: str, source: str, environment: str, week: str) -> int:
    """Say where NAME of summary.json comes from, or what it feeds; without NAME list all numbers.

    NAME is a number ('churn', 'tiles.headroom', 'numbers.cost.total'), a frame ('readiness.outages'), a metric or a
    measure's function. The lake is read as it is, and no source is asked.
    """
    from cloudxai_analysis.cards.explain import KNOWN, explained

    if not name:
        for one in KNOWN:
            click.echo(one)
        return 0
    from cloudxai_analysis.study.opening import open_study

    study = open_study(week, source=source, environment=environment, pull_missing=False)
    for line in explained(study, name):
        click.echo(plain(line))
    return 0
