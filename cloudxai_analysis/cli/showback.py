"""The command that makes a page for each tenant: `cloudxai showback`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cloudxai_analysis.cli.connect import first_look
from cloudxai_analysis.cli.door import say
from cloudxai_analysis.cli.options import NOW, in_week, one_at_a_time
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.words.phrases import count

if TYPE_CHECKING:
    from cloudxai_analysis.study import Asked


@click.command()
@click.argument("whose", type=click.Choice(["all"]), default="all", metavar="[all]", expose_value=False)
@click.option("--tenant", "named", multiple=True, metavar="T", help="This tenant's page alone; may be repeated.")
@in_week
@NOW
@one_at_a_time
def showback(asked: Asked, named: tuple[str, ...]) -> int:
    """Pull what is missing, and make a page a tenant that can be handed to it: cost, readiness, alerts on it.

    A page holds its own tenant's data alone: nothing of another tenant, or of the platform, can be read from it. They
    lie in outputs/ENVIRONMENT/showback/WINDOW; which file is whose stands in WINDOW.csv beside that folder, which is
    for you alone. Run again, it goes on where it was.
    """
    from cloudxai_analysis.cards.showback import shared, tenants, told
    from cloudxai_analysis.cli.terminal import show_progress
    from cloudxai_analysis.report.showback import page_name, page_of, write_index, write_pages
    from cloudxai_analysis.study.opening import study_at

    say(first_look(asked), err=True)
    folder = asked.environment.folder / "showback" / asked.window.name
    with show_progress() as steps:
        study = study_at(asked, progress=steps.pull)
        names, alike = tenants(study, named), shared(study)
        if not names:
            raise UsageError(f"Window {study.window} has no sample of any tenant. Choose another week.")
        pages = ((own["tenant"], page_of(own, alike)) for own in told(study, names))
        there = write_pages(pages, folder, total=len(names), progress=steps.showback)
    again = f", {len(there):,} of them already there as they are now" if there else ""
    if not named:
        write_index(names, folder.with_name(f"{folder.name}.csv"))
        say([f"Whose is which: {folder}.csv"])
    say(f"Page: {folder / page_name(name)}" for name in names if named)
    say([f"{study.window.name}: {count(len(names), 'page')} in {folder}{again}."])
    return 0
