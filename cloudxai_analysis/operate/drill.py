"""A drill at the table: an incident of the past is told to a team inject by inject, and what it says is kept.

Each answer is in the ledger before the next inject is shown, so a drill that was interrupted goes
on where it was. A good answer is told by words that it names: that is a search, and no judgement.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Protocol

import pandas as pd
from pydantic import Field, RootModel

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ledger import Incident, Ledger
from cloudxai_analysis.ledger.jobs import Answered, Harness, Tabletop
from cloudxai_analysis.operate.exercises import Exercise, Inject, Scene, fitting
from cloudxai_analysis.platform.settings import Environment, near_miss, project_folder
from cloudxai_analysis.platform.tables import Table, read_table
from cloudxai_analysis.sources.open import source_of
from cloudxai_analysis.sources.series import Source
from cloudxai_analysis.study.opening import ledger_of
from cloudxai_analysis.words.phrases import count, number, short

EXAMPLE = "reference/tabletop.jsonl"
Played = Incident | Harness


class Team(Protocol):
    """Who is drilled, with its clock."""

    def now(self) -> datetime:
        """The time of day."""

    def wait(self, minutes: float) -> None:
        """Let minutes of the incident pass."""

    def answer(self, asked: Answered) -> str | None:
        """What the team says; None where nobody is there to answer any more."""


class _Given(Table):
    answer: Annotated[str, Field(max_length=10_000)]
    minutes: Annotated[float, Field(ge=0, le=1_440, allow_inf_nan=False)] = 0.0


class Rehearsal:
    """A team whose answers, and how long each took, stand in a file; its clock is set, and nobody waits."""

    def __init__(self, file: Path, exercise: Exercise, now: datetime) -> None:
        otherwise = "See docs/howto/hold-a-drill.md."
        given = read_table(file, RootModel[dict[str, _Given]], of="Answers", otherwise=otherwise).root
        known = [one.id for one in exercise.injects]
        for name in given.keys() - set(known):
            near = near_miss(name, known)
            raise UsageError(f"Answers {file}: exercise '{exercise.name}' has no inject '{short(name)}'.{near}")
        self._given, self._now = given, now

    def now(self) -> datetime:
        """The set clock."""
        return self._now

    def wait(self, minutes: float) -> None:
        """Set the clock on."""
        self._now += timedelta(minutes=minutes)

    def answer(self, asked: Answered) -> str | None:
        """The file's answer, and the clock set on by how long it took."""
        given = self._given.get(asked.inject)
        self.wait(given.minutes if given else 0)
        return given.answer if given else None


@dataclass
class Drill:
    """One drill: what is played to whom, and the ledger that it is kept in."""

    ledger: Ledger
    exercise: Exercise
    scene: Scene
    held: Tabletop

    def play(self, team: Team) -> Iterator[Answered]:
        """Show one inject after the other, and keep each answer before the next; ends where nobody answers."""
        clock = max((one.minute + one.minutes for one in self.held.answers), default=0.0)
        for inject in self.exercise.injects[len(self.held.answers) :]:
            team.wait(max(inject.minute - clock, 0.0))
            clock, began = max(inject.minute, clock), team.now()
            said = team.answer(self._shown(inject, clock, began))
            if said is None:
                return
            minutes, now = round(max((team.now() - began).total_seconds(), 0.0) / 60, 2), team.now()
            answered = self._shown(inject, clock, now).model_copy(update={"answer": said, "minutes": minutes})
            clock += minutes
            self._keep(answered, now)
            yield answered

    def _shown(self, inject: Inject, clock: float, now: datetime) -> Answered:
        names = (self.scene.said(name, inject.minute) for name in inject.names)
        return Answered(
            **inject.model_dump(include={"marks", "within", "practise"}),
            inject=inject.id,
            shown=self.scene.said(inject.shows, inject.minute),
            asked=inject.asks,
            names=tuple(filter(None, names)),
            minute=clock,
            minutes=0,
            answered_at=now,
        )

    def _keep(self, answered: Answered, now: datetime) -> None:
        answers = (*self.held.answers, answered)
        over = len(answers) == self.held.injects
        end = max(now, self.held.start + timedelta(seconds=1)) if over else None
        self.held = self.held.model_copy(update={"answers": answers, "end": end, "written_at": now})
        self.ledger.append(self.held)


def opened(environment: Environment) -> tuple[Ledger, Source]:
    """The ledger and the source of an environment."""
    source = source_of(environment)
    return ledger_of(environment, source), source


def playable(ledger: Ledger, exercises: tuple[Exercise, ...], now: datetime) -> dict[str, tuple[Played, Exercise]]:
    """The incidents and runs of the harness that an exercise fits, by `id`, in the order in which they began."""
    standing = ledger.standing()
    every: list[Played] = [*standing.incidents(), *standing.counting(Harness)]
    begun = sorted((one for one in every if one.time <= now), key=lambda one: one.time)
    return {str(one.id): (one, fits) for one in begun if (fits := fitting(exercises, one))}


def begun(
    environment: Environment,
    exercises: tuple[Exercise, ...],
    *,
    incident: str = "",
    by: str,
    now: datetime,
    again: bool = False,
) -> Drill:
    """The drill of an incident, by default the last one: the one that was not finished, or a new one.

    Raises UsageError (there is no such incident, or none that an exercise fits), and the source's
    errors.
    """
    ledger, source = opened(environment)
    known = playable(ledger, exercises, now)
    if not known or (incident and incident not in known):
        which, near = f" '{short(incident)}'" if incident else "", near_miss(incident, list(known)) if incident else ""
        raise UsageError(
            f"No incident{which} that an exercise fits in ledger {ledger.path}.{near} `cloudxai drill --list` names "
            "those that can be played."
        )
    played, exercise = known[incident or list(known)[-1]]
    scene = Scene(environment, source, played, exercise.injects[-1].minute)
    held = Tabletop(
        **{"by": by, "start": now, "written_at": now, "exercise": exercise.name, "injects": len(exercise.injects)},
        **{"incident": str(played.id), "alerted": scene.alerted},
        summary=f"{exercise.about}: {short(played.summary or str(played.id))}",
    )
    for one in [] if again else ledger.standing().counting(Tabletop)[::-1]:
        same = (one.incident, one.exercise, one.injects) == (held.incident, held.exercise, held.injects)
        if same and one.end is None:
            return Drill(ledger, exercise, scene, one)
    return Drill(ledger, exercise, scene, held)


def drills(environment: Environment, end: datetime) -> tuple[list[Tabletop], str]:
    """The tabletop drills that began before `end`, and where they are from; of the demo, which has none, an example."""
    own = [one for one in Ledger.of(environment).standing().counting(Tabletop) if one.start < end]
    if own:
        return own, f"{count(len(own), 'drill')} of {environment.name}"
    file = project_folder() / EXAMPLE
    if environment.is_demo and file.is_file():
        known = Ledger(file).standing().counting(Tabletop)
        return known, f"{count(len(known), 'drill')} of an example, {EXAMPLE}: the demo has no team"
    return [], f"no drill of {environment.name} is known; `{environment.command('drill')}` holds one"


def debrief(drill: Tabletop) -> pd.DataFrame:
    """A row for each inject that was answered.

    Columns: inject, minute (after the page, at which it was shown), shown, asked, answer, minutes
    (that the answer took), within (that it may take), planted (words of a good answer), named
    ('yes', 'no', or '' where nothing is to be named), in_time (flag), practise (the runbook's entry).
    """
    rows = []
    for one in drill.answers:
        named = ("yes" if _names(one) else "no") if one.names else ""
        told = {"planted": one.names, "named": named, "in_time": one.minutes <= one.within}
        rows.append({**dict(one), **told})
    names = "inject minute shown asked answer minutes within planted named in_time practise"
    return pd.DataFrame(rows, columns=names.split())


def course(drill: Tabletop) -> str:
    """When the incident's alert fired, and when the team had told what it is and decided what to do, in a sentence."""
    told = []
    for mark, word in (("detect", "told what it is"), ("decide", "decided")):
        after = [one.minute + one.minutes for one in drill.answers if one.marks == mark and _names(one)]
        told.append(f"{word} {number(min(after), 1)} minutes after the page" if after else f"not {word}")
    asked = f"{len(drill.answers)} of {count(drill.injects, 'inject')} answered"
    fired = f"its alert fired after {number(drill.alerted or 0, 1)} minutes"
    late = "no alert told of it" if drill.alerted is None else fired
    return f"{drill.incident}, {drill.exercise}: {late}; {told[0]}, {told[1]}; {asked}."


def to_practise(drills: Sequence[Tabletop]) -> pd.DataFrame:
    """What did not go well, by the runbook's entry that says how it goes.

    Columns: practise, times (how often), why (the inject, and what its answer lacked).
    """
    rows = [
        {"practise": one.practise or one.inject, "why": f"{one.inject}: {lacked}"}
        for drill in drills
        for one in drill.answers
        if (lacked := _lacked(one))
    ]
    frame = pd.DataFrame(rows, columns=["practise", "why"], dtype="str")
    found = frame.groupby("practise", sort=False)["why"].agg(["size", lambda why: "; ".join(dict.fromkeys(why))])
    found.columns = pd.Index(["times", "why"])
    return found.sort_values("times", ascending=False, kind="stable").reset_index()


def _names(one: Answered) -> bool:
    return not one.names or any(name.casefold() in one.answer.casefold() for name in one.names)


def _lacked(one: Answered) -> str:
    slow = f"took {number(one.minutes, 1)} of {number(one.within)} minutes" if one.minutes > one.within else ""
    named = "" if _names(one) else f"named none of {', '.join(one.names)}"
    return ", ".join(filter(None, (named, slow)))
