"""The command that exports costs for finance: `cloudxai focus`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudxai_analysis.cli.options import of_environment, write_export
from cloudxai_analysis.ground.errors import CloudxaiError
from cloudxai_analysis.words.phrases import count, money, plain

if TYPE_CHECKING:
    import pandas as pd

    from cloudxai_analysis.study.study import Study

# Everything that takes seconds to import is imported inside a command, so that help and mistakes answer at once.

_LOST = 1e-9  # share of a sum by which adding up in another order may change it


@click.command()
@click.argument("window", metavar="WINDOW")
@of_environment
@click.option("--output", default="", metavar="FILE", help="Where the CSV is written; default: standard output.")
def focus(window: str, source: str, environment: str, output: str) -> int:
    """Export the tenants' daily costs of WINDOW (2026-10, 2026-W47, 2026-Q4) as CSV of FOCUS 1.2."""
    from cloudxai_analysis.measures.focus import focus_csv, focus_rows
    from cloudxai_analysis.study.opening import open_study

    study = open_study(window, source=source, environment=environment)
    daily = study.within(study.cost.daily_costs, "day")
    rows = focus_rows(
        daily,
        provider=study.contract.platform,
        billing_account=study.environment.name,
        metric=study.contract["cost"].name,
        covered=study.telemetry.covered,
    )
    told = list(_told(study, rows, daily))
    if output:
        write_export(Path(output), focus_csv(rows))
    else:
        click.echo(focus_csv(rows), nl=False)
    for line in (*told, *([f"Export: {output}"] if output else [])):
        click.echo(plain(line), err=True)
    return 0


def _told(study: Study, rows: pd.DataFrame, daily: pd.DataFrame) -> Iterator[str]:
    """What to know beside the file: totals, held against the report's, unknown costs, and days without a row."""
    from cloudxai_analysis.measures.focus import days_without_rows, focus_totals

    reported = study.cost.costs.groupby("currency")["cost"].sum()
    for total in focus_totals(rows, daily).to_dict("records"):
        currency, exported = total["currency"], total["exported"]
        for said, amount in (("given", total["given"]), ("reported", reported.get(currency, 0.0))):
            if abs(exported - amount) > _LOST * max(abs(amount), 1.0):
                raise CloudxaiError(
                    f"FOCUS export of {study.window}: {exported!r} {currency} exported, {amount!r} {said}. Nothing was "
                    "written; this is a fault of the suite, please report it."
                )
        unknown = f", {count(total['unknown'], 'row')} of unknown cost" if total["unknown"] else ""
        yield f"{study.window.name}: {money(exported, currency)} in {count(total['rows'], 'row')}{unknown}."
    if study.partial:
        yield f"warning: {study.window.name} is under way; the export ends with {study.seen.end:%Y-%m-%d %H:%M} UTC."
    absent = days_without_rows(
        rows,
        start=study.seen.start,
        end=study.seen.end,
        covered=study.telemetry.covered[["day", "coverage", "covered"]],
    )
    if len(absent):
        first, last = absent["day"].min(), absent["day"].max()
        yield (
            f"warning: {count(len(absent), 'day')} from {first:%Y-%m-%d} to {last:%Y-%m-%d} without a row: what they "
            "cost is unknown, and not 0."
        )
