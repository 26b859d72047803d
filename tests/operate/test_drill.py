"""`cloudxai drill`: what a team is shown is what was planted, each answer is kept, and the debriefing is right."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from clean_command import COMMAND, Done, clean
from written import HARNESS, OUTAGE, TABLETOP

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.ledger.entries import checked
from cloudxai_analysis.ledger.jobs import Answered, Tabletop
from cloudxai_analysis.operate.drill import course, debrief, to_practise
from cloudxai_analysis.operate.exercises import SHIPPED, read_exercises
from cloudxai_analysis.sources.demo import DemoSource

ROOT = Path(__file__).parents[2]
ANSWERS = ROOT / "reference" / "drill-answers.toml"
EXAMPLE = ROOT / "reference" / "tabletop.jsonl"
REHEARSAL = ("drill", "--incident", "INC-012", "--now", "2026-11-16T09:00Z", "--by", "the beta's team", "--answers")


def kept(outputs: Path) -> list[Tabletop]:
    return Ledger(outputs / "ledger" / "incidents.jsonl").standing().counting(Tabletop)


def test_what_is_shown_is_what_was_planted_and_an_interrupted_drill_goes_on(
    outputs: Path, tmp_path: Path, command: Callable[..., Done]
) -> None:
    """The example that the notebook shows is this very drill."""
    some, whole = tmp_path / "some.toml", ANSWERS.read_text(encoding="utf-8")
    some.write_text(whole[: whole.index("[tenants]")], encoding="utf-8")
    first = command(*REHEARSAL, str(some))
    assert (first.code, first.out[1:4]) == (
        0,
        [
            "page: answered after 2.5 minutes",
            "where: answered after 4.0 minutes",
            "Not finished: 2 of 5 answered. The same command goes on.",
        ],
    )
    assert [(len(one.answers), one.end) for one in kept(outputs)] == [(2, None)]
    second = command(*REHEARSAL, str(ANSWERS))
    assert [line.partition(":")[0] for line in second.out[1:4]] == ["tenants", "decide", "after"]
    (held,) = kept(outputs)
    (before,) = Ledger(EXAMPLE).standing().counting(Tabletop)
    told = [one.model_dump(exclude={"answered_at"}) for one in held.answers]
    assert told == [one.model_dump(exclude={"answered_at"}) for one in before.answers]
    assert (held.incident, held.exercise, held.alerted, held.by) == ("INC-012", "cardinality", 8.0, "the beta's team")
    # By the demo's own table: who refused, since when, and how many new names a scrape saw.
    truth = DemoSource.from_url("demo://").truth().set_index("kind")
    refusals = truth.loc[["rejections"]].iloc[0]
    page, where = held.answers[:2]
    assert page.shown == f"{refusals['start']:%a %-d %b, %H:%M} UTC. Firing: TenantLabelCardinalityExceeded."
    assert where.names[0] == refusals["place"]
    names = truth.loc["generated_names"]
    assert f"req-1becba91 and {int(names['size']) - 5} more" in where.shown
    assert "cloudxai-0:8080 shows 95 tenants" in where.shown
    assert Ledger(outputs / "ledger" / "incidents.jsonl").drills().empty
    assert command(*REHEARSAL, str(ANSWERS)).code == 0
    assert len(kept(outputs)) == 1


def test_a_team_answers_at_a_terminal_and_an_interrupt_loses_no_answer(outputs: Path) -> None:
    words = ("drill", "--incident", "INC-014", "--speed", "10000")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=clean(CLOUDXAI_OUTPUTS=str(outputs.parent), CLOUDXAI_SETTINGS=os.environ["CLOUDXAI_SETTINGS"]),
    )
    os.close(theirs)

    said = bytearray()

    def until(text: bytes) -> bytes:
        """What was said up to `text`; what came with it stays for the next."""
        while text not in said:
            said.extend(os.read(ours, 4096))
        told = bytes(said[: said.index(text) + len(text)])
        del said[: len(told)]
        return told

    try:
        shown = until(b"> ")
        assert b"Firing: ServiceNotReady." in shown
        os.write(ours, "ServiceNotReady, of everybody \u202e\n".encode())
        assert b"0 of 2 processes ready" in until(b"look at next?")
        until(b"> ")
        # A signal that comes just before the terminal is waited for is seen with the next one.
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
        assert process.returncode == 130
    finally:
        process.kill()
        os.close(ours)
    (held,) = kept(outputs)
    assert [(one.inject, one.answer) for one in held.answers] == [("page", "ServiceNotReady, of everybody \u202e")]


def test_a_run_of_the_harness_is_played(outputs: Path, tmp_path: Path, command: Callable[..., Done]) -> None:
    run = Ledger(outputs / "ledger" / "incidents.jsonl").append(HARNESS)
    (tmp_path / "answers.toml").write_text('[page]\nanswer = "it is not counted exactly"\nminutes = 1\n')
    done = command(
        "drill", "--incident", str(run.id), "--now", "2026-11-16T09:00Z", "--answers", str(tmp_path / "answers.toml")
    )
    assert done.code == 0
    (held,) = kept(outputs)
    assert "10,000 tenants at a cap of 100: within the cap pass" in held.answers[0].shown
    assert held.answers[0].names == ("counted exactly",)


MISTAKES = [
    ((), "There is no terminal to answer at. Give --answers FILE"),
    (("--now", "2026-11-16T09:00Z"), "--now sets the clock of a rehearsal"),
    (("--answers", "none.toml"), "none.toml cannot be read: "),
    (("--answers", "SOME", "--incident", "INC-999"), "No incident 'INC-999' that an exercise fits"),
    (("--answers", "SOME", "--now", "2026-01-01T00:00Z"), "No incident that an exercise fits"),
    (
        ("--answers", "SOME", "--incident", "INC-012"),
        "exercise 'cardinality' has no inject 'pagr'. Did you mean 'page'?",
    ),
    (("--exercises", "none.toml", "--list"), "none.toml cannot be read"),
]


@pytest.mark.parametrize(("words", "message"), MISTAKES)
def test_mistakes_are_one_line(
    outputs: Path, tmp_path: Path, command: Callable[..., Done], words: tuple[str, ...], message: str
) -> None:
    (tmp_path / "some.toml").write_text('[pagr]\nanswer = ""\n')
    done = command("drill", *(str(tmp_path / "some.toml") if word == "SOME" else word for word in words))
    assert done.code == 2
    assert message in done.line
    assert outputs.exists() is False or kept(outputs) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('id = "page"', 'id = "where"'), "each inject has an id of its own"),
        (("minute = 5", "minute = 50"), "in the order of their minutes"),
        (("{firing}", "{fireing}"), "there is no word {fireing}"),
        (("within = 5", "within = 0"), "within"),
        (("asks = ", "axks = "), "asks': Field required"),
        (("[[exercises]]", "[[exercise]]"), "exercise"),
        (("name = ", "name "), "cannot be read"),
    ],
)
def test_an_exercise_of_ones_own_is_checked_at_its_key(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    file = tmp_path / "own.toml"
    file.write_text(SHIPPED.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    with pytest.raises(UsageError, match=message.replace("{", r"\{")) as caught:
        read_exercises(file)
    assert "\n" not in str(caught.value)


def test_the_debriefing_by_hand() -> None:
    """`page` named what was planted in time; `decide` named nothing of it, and took 20 of 5 minutes."""
    held = checked(TABLETOP)
    assert isinstance(held, Tabletop)
    rows = debrief(held)[["inject", "minute", "minutes", "named", "in_time"]].values.tolist()
    assert rows == [["page", 0.0, 4.5, "yes", True], ["decide", 10.0, 20.0, "no", False]]
    said = "INC-1, outage: its alert fired after 6.0 minutes; told what it is 4.5 minutes after the page, not decided; "
    assert course(held) == said + "2 of 2 injects answered."
    assert to_practise([held, held]).values.tolist() == [
        ["outages", 2, "decide: named none of roll back, took 20.0 of 5 minutes"]
    ]
    nothing = held.model_copy(update={"answers": (), "alerted": None})
    assert course(nothing).startswith("INC-1, outage: no alert told of it; not told what it is, not decided; 0 of 2")
    assert debrief(nothing).empty
    assert to_practise([nothing]).empty
    free = Answered(**{**held.answers[0].model_dump(), "names": (), "answer": ""})
    assert debrief(held.model_copy(update={"answers": (free,)}))["named"].tolist() == [""]


def test_what_nobody_could_see_is_not_told_as_well(outputs: Path, tmp_path: Path, command: Callable[..., Done]) -> None:
    """An incident from before the source's first sample: no alert, no process and no tenant is seen."""
    early = {**OUTAGE, "start": "2026-10-01T10:00Z", "end": "2026-10-01T10:20Z", "id": "INC-0"}
    Ledger(outputs / "ledger" / "incidents.jsonl").append(early)
    (tmp_path / "answers.toml").write_text('[page]\nanswer = ""\n\n[where]\nanswer = ""\n')
    command("drill", "--incident", "INC-0", "--now", "2026-11-16T09:00Z", "--answers", str(tmp_path / "answers.toml"))
    page, where = kept(outputs)[0].answers
    assert "No alert is seen to fire" in page.shown
    assert where.shown == "No process tells whether it is ready. No tenant is seen not ready."
