"""The command that plays an incident of the past to a team: `cloudxai drill`."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudxai_analysis.cli.door import say
from cloudxai_analysis.cli.options import NOW, in_environment
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.words.phrases import number

if TYPE_CHECKING:
    from cloudxai_analysis.ledger.jobs import Answered
    from cloudxai_analysis.platform.settings import Environment


@click.command()
@in_environment
@click.option(
    "--incident", default="", metavar="ID", help="Of the ledger, or of a run of the harness; default: the last."
)
@click.option("--exercises", default=None, metavar="FILE", type=click.Path(path_type=Path), help="What is asked; TOML.")
@click.option(
    "--speed", type=click.FloatRange(0.1, 10_000), default=1.0, show_default=True, help="60: an hour a minute."
)
@click.option("--answers", default=None, metavar="FILE", type=click.Path(path_type=Path), help="A rehearsal: TOML.")
@click.option("--by", default="the team", show_default=True, metavar="NAME", help="Who is drilled.")
@click.option("--again", is_flag=True, help="Begin anew, even where a drill of this incident was not finished.")
@click.option("--list", "only_list", is_flag=True, help="List what can be played, and play nothing.")
@NOW
def drill(
    settled: Environment,
    incident: str,
    exercises: Path | None,
    speed: float,
    answers: Path | None,
    by: str,
    again: bool,
    only_list: bool,
    now: datetime | None,
) -> int:
    """Play an incident of the past to a team at a table, inject by inject, and keep what it says in the ledger.

    What the telemetry showed is shown at its minute, and the team is asked what it would do. Each answer and how long
    it took is kept at once, as the kind `tabletop`: after an interrupt the same command goes on. Nothing is loaded, and
    nothing is sent anywhere. Without a terminal the answers come from --answers, under a set clock. `12_drill` is the
    debriefing. Exits with 2 where there is no such incident, or nobody who could answer.
    """
    from cloudxai_analysis.operate.drill import Rehearsal, begun, course, opened, playable
    from cloudxai_analysis.operate.exercises import SHIPPED, read_exercises

    table, clock = read_exercises(exercises or SHIPPED), now or datetime.now(UTC)
    if only_list:
        every = playable(opened(settled)[0], table, clock).values()
        say(f"{one.id}  {one.time:%Y-%m-%d %H:%M}  {exercise.name}: {one.summary or '-'}" for one, exercise in every)
        return 0
    if now and not answers:
        raise UsageError("--now sets the clock of a rehearsal. Give its --answers, too.")
    if not answers and not sys.stdin.isatty():
        raise UsageError("There is no terminal to answer at. Give --answers FILE; see docs/howto/hold-a-drill.md.")
    held = begun(settled, table, incident=incident, by=by, now=clock, again=again)
    done, every_one = len(held.held.answers), held.held.injects
    say([f"{held.held.summary}. {every_one} injects" + (f", of which {done} are answered." if done else ".")])
    team = Rehearsal(answers, held.exercise, clock) if answers else _AtTheTable(speed)
    for one in held.play(team):
        say([f"{one.inject}: answered after {number(one.minutes, 1)} minutes"])
    if held.held.end is None:
        say([f"Not finished: {len(held.held.answers)} of {every_one} answered. The same command goes on."])
    say([course(held.held), f"Kept: {held.held.kind} {held.ledger.path}"])
    return 0


class _AtTheTable:
    """A team at the terminal; `speed` minutes of the incident pass in one."""

    def __init__(self, speed: float) -> None:
        self._speed = speed

    def now(self) -> datetime:
        """The time of day; thinking takes as long as it takes."""
        return datetime.now(UTC)

    def wait(self, minutes: float) -> None:
        """Wait until the next inject."""
        if minutes:
            say([f"… {number(minutes, 1)} minutes pass"])
            time.sleep(minutes * 60 / self._speed)

    def answer(self, asked: Answered) -> str:
        """What is typed at the terminal, in one line."""
        say(["", f"Minute {number(asked.minute, 1)}. {asked.shown}", asked.asked])
        said = str(click.prompt("", prompt_suffix="> ", default="", show_default=False))
        return said.encode("utf-8", "replace").decode()[:10_000]
