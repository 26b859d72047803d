"""The command that says a report in under 120 words, and sends it where asked: `cloudxai digest`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cloudxai_analysis.cli.door import hand_over, say
from cloudxai_analysis.cli.options import NOW, in_week
from cloudxai_analysis.ground.errors import CloudxaiError, UsageError

if TYPE_CHECKING:
    from cloudxai_analysis.study import Asked


@click.command()
@in_week
@NOW
@click.option("--format", "form", type=click.Choice(["text", "markdown", "html"]), default="text", show_default=True)
@click.option("--send", "sending", is_flag=True, help="Send it to the environment's recipients, each at most once.")
@click.option("--again", multiple=True, metavar="NAME", help="With --send: send to NAME whatever was sent before.")
def digest(asked: Asked, form: str, sending: bool, again: tuple[str, ...]) -> int:
    """Print the published report of a week in under 120 words, or send it; no source is asked.

    Without --send nothing leaves this machine. What was sent, and what was begun, stands in the
    ledger. Exits with 3 where the digest did not reach somebody or that is not known, and with 6
    where the report is stale; whoever is named under [errors] is told.
    """
    from cloudxai_analysis.report.digest import digest_of

    environment, week = asked.environment, asked.window.name
    if again and not sending:
        raise UsageError("--again goes with --send.")
    if not sending:
        hand_over(getattr(digest_of(environment, week), form)())
        return 0
    from cloudxai_analysis.report.send import Post

    post = Post(environment, week, at=asked.now if asked.set_clock else None)
    try:
        say(post.send(digest_of(environment, week), again=again))
    except CloudxaiError as error:
        say(post.tell(error), err=True)
        raise
    return 0
