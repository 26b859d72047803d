"""The command that loads a platform of our own and holds the suite against it: `cloudxai harness`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudxai_analysis.cli.door import say
from cloudxai_analysis.cli.options import fail_on, in_environment

if TYPE_CHECKING:
    from cloudxai_analysis.platform.settings import Environment


@click.command()
@in_environment
@click.option("--minutes", type=click.FloatRange(0.1, 1440), default=10, show_default=True, help="Of the script.")
@click.option("--tenants", type=click.IntRange(1, 1_000_000), default=10_000, show_default=True, help="At most.")
@click.option("--cap", type=click.IntRange(1), default=None, help="Of each guard; default: that of the contract.")
@click.option("--script", default=None, metavar="FILE", type=click.Path(path_type=Path), help="What the tenants do.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same operations.")
@click.option("--broken-guard", type=click.Choice(["leaky", "early", "uncounted"]), help="See that it is found.")
@fail_on("fail", "unknown")
def harness(
    settled: Environment,
    minutes: float,
    tenants: int,
    cap: int | None,
    script: Path | None,
    seed: int,
    broken_guard: str | None,
    failing: tuple[str, ...],
) -> int:
    """Load a platform of our own under a real Prometheus, and say whether the guard's promises hold.

    Processes are started on this machine and end with the run; nothing that is watched is loaded.
    The verdicts: (I1) never more tenants at a scrape than the cap, (I2) refusals only while the cap
    is reached, (I3) rejections equal attempts over the cap, exactly. Then the load grows to
    --tenants, with the guard and without. The result is kept beside the environment's reports, and
    its verdicts in the ledger. With --fail-on it exits with 1 where a verdict, or a number that the
    harness knows better, is so.
    """
    from cloudxai_analysis.cli.terminal import show_progress
    from cloudxai_analysis.operate.harness.run import run_kept
    from cloudxai_analysis.operate.harness.tenants import DEFAULT_SCRIPT, read_script
    from cloudxai_analysis.platform.settings import load_settings

    planned = read_script(script or DEFAULT_SCRIPT)
    if broken_guard:
        planned = planned.model_copy(update={"fault": broken_guard})
    with show_progress() as steps:
        result = run_kept(
            settled,
            planned,
            minutes=minutes,
            cap=cap or settled.contract.tenant_cap,
            tenants=tenants,
            seed=seed,
            hosts=load_settings().load_hosts,
            progress=steps.load,
        )
    from cloudxai_analysis.operate.harness.result import lines, worst

    say(lines(result))
    say([f"Kept: {settled.harness}"])
    return int(worst(result) in failing)
