"""The command that says what stands between the beta and v1.0: `cloudxai signoff`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudxai_analysis.cli.door import say
from cloudxai_analysis.cli.options import NOW, fail_on, in_week
from cloudxai_analysis.words.phrases import count

if TYPE_CHECKING:
    from cloudxai_analysis.study import Asked


@click.command()
@in_week
@NOW
@fail_on("not-met", "not-known")
@click.option("--bundle", default="", metavar="FOLDER", help="Write the evidence there, for others' tools to check.")
def signoff(asked: Asked, failing: tuple[str, ...], bundle: str) -> int:
    """Say of each of the six criteria for v1.0 whether it is met, not met or not known, and what is missing.

    Telemetry is that of the week; days, nights, runs of the harness and attestations come from the
    ledger. Evidence goes stale by the clock, and is not known then. People attest and sign; this
    only gathers. Exits with 1 where a criterion is what --fail-on names, or worse.
    """
    from cloudxai_analysis.cli.terminal import show_progress
    from cloudxai_analysis.decide.bundle import write_bundle
    from cloudxai_analysis.decide.signoff import Signoff
    from cloudxai_analysis.ledger.ledger import Ledger, published_heads
    from cloudxai_analysis.study.opening import study_at

    Ledger.of(asked.environment).verify(published_heads(asked.environment.reports)[0])
    with show_progress() as steps:
        study = study_at(asked, progress=steps.pull)
    found = Signoff(study, at=asked.now)
    say(found.lines())
    if bundle:
        write_bundle(found, Path(bundle).absolute(), bagged_on=asked.now.date())
        say([f"Bundle: {bundle}, {count(len(found.evidence), 'piece')} of evidence; unsigned"])
    return int(found.criteria["status"].isin(failing).any())
