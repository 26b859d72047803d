"""The command that exports costs for finance: `cloudxai focus`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudxai_analysis.cli.door import hand_over, say
from cloudxai_analysis.cli.options import of_environment, write_export
from cloudxai_analysis.words.phrases import count, monies

if TYPE_CHECKING:
    import pandas as pd

    from cloudxai_analysis.study.study import Study


@click.command()
@click.argument("window", metavar="WINDOW")
@of_environment
@click.option("--output", default="", metavar="FILE", help="Where the CSV is written; default: standard output.")
def focus(window: str, source: str, environment: str, output: str) -> int:
    """Export the tenants' daily costs of WINDOW (2026-10, 2026-W47, 2026-Q4) as CSV of FOCUS 1.2."""
    from cloudxai_analysis.measures.focus import focus_csv, focus_rows
    from cloudxai_analysis.study.opening import open_study

    study = open_study(window, source=source, environment=environment)
    rows = focus_rows(
        study.within(study.cost.daily_costs, "day"),
        study.telemetry.covered,
        provider=study.contract.platform,
        billing_account=study.environment.name,
        metric=study.contract["cost"].name,
    )
    if output:
        write_export(Path(output), focus_csv(rows))
    else:
        hand_over(focus_csv(rows))
    say([*_told(study, rows), *([f"Export: {output}"] if output else [])], err=True)
    return 0


def _told(study: Study, rows: pd.DataFrame) -> Iterator[str]:
    """What to know beside the file: totals, and days without a row."""
    from cloudxai_analysis.measures.focus import days_without_rows

    totals = rows.groupby("BillingCurrency")["BilledCost"].sum().to_dict()
    yield f"{study.window.name}: {monies(totals)} in {count(len(rows), 'row')}."
    if study.partial:
        yield f"warning: {study.window.name} is under way; the export ends with {study.seen.end:%Y-%m-%d %H:%M} UTC."
    absent = days_without_rows(rows, start=study.seen.start, end=study.seen.end)
    if len(absent):
        yield (
            f"warning: {count(len(absent), 'day')} from {absent[0]:%Y-%m-%d} to {absent[-1]:%Y-%m-%d} without a row: "
            "what they cost is unknown, and not 0."
        )
