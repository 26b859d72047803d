"""Two weeks of days, nights and a report by the schedules' own command lines end in a sign-off that is right."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import servers
from clean_command import Done, several
from signed_off import ATTESTED, PAGE, ROUTING
from test_unattended import AWAY, KILLED, OFF, START, due, kill, under, world

from cloudxai_analysis.sources.series import SeriesBatch

LEFT_OUT = ("types", "targets-up", "rules-healthy", "rules-as-written")  # of a server that only keeps samples
PAGES = [START + timedelta(days=1 + number, hours=9) for number in range(12)]
CLOCK = "2025-11-18T09:00Z"
MET = ["met"] * 6


def platform() -> Iterator[SeriesBatch]:
    """The world of the fortnight, on which twelve pages of five minutes fired."""
    yield from world()
    minutes = np.arange(5) * 60_000
    times = np.concatenate([int(page.timestamp()) * 1000 + minutes for page in PAGES])
    yield SeriesBatch.of("ALERTS", [servers.series({**PAGE, "job": "cloudxai"}, times, np.ones(len(times)))])


def written(**entry: Any) -> list[str]:
    return ["ledger", "add", json.dumps({"by": "ada", **entry}), "--environment", "beta"]


def asked(now: str = CLOCK, *more: str) -> list[str]:
    return ["signoff", "--environment", "beta", "--week", "2025-W46", "--now", now, *more]


def label(judgement: str) -> list[list[str]]:
    own = {"kind": "label", "alertname": PAGE["alertname"], "judgement": judgement}
    return [written(**own, fired_at=page.isoformat()) for page in PAGES]


def attestation(what: str) -> list[str]:
    own = {"name": "Ada L.", "role": "head of operations", "link": f"https://sign.example/{what}", "attests": [what]}
    return written(kind="attestation", id=f"sign-{what}", date="2025-11-14", **own)


def harness(**said: Any) -> list[str]:
    promises = dict.fromkeys(("within_cap", "only_at_cap", "counted_exactly"), "pass")
    own = {"differing": 0, "cap": 100, "most_tenants": 10_000, "seed": 1, "result": "0" * 64}
    return written(kind="harness", at="2025-11-15T12:00Z", **promises | own | said)


def incident(**said: Any) -> list[str]:
    own = {"kind": "incident", "id": "INC-1", "start": "2025-11-16T10:00Z"}
    return written(**own, alerts=["TenantLabelCardinalityExceeded"], **said)


FAILED = written(kind="night", date="2025-11-17", at="2025-11-17T02:00Z", checks=[{"id": "x", "status": "fail"}])
# What breaks just one criterion, what it then is, and what mends it; a night that failed stays so, and comes last.
BROKEN: list[tuple[list[list[str]], int, str, list[list[str]]]] = [
    ([incident()], 1, "not met", [incident(end="2025-11-16T11:00Z")]),
    (label("noise"), 3, "not met", label("actionable")),
    ([harness(only_at_cap="fail")], 4, "not met", [harness()]),
    ([harness(within_cap="unknown")], 4, "not known", [harness()]),
    ([written(kind="withdrawal", entry="sign-rollback-plan")], 5, "not met", [attestation("rollback-plan")]),
    ([written(kind="withdrawal", entry="sign-owners")], 6, "not met", [attestation("owners")]),
    ([FAILED], 2, "not met", []),
]


def statuses(done: Done) -> list[str]:
    """What a sign-off says of each criterion."""
    return [found[1] for line in done.out if (found := re.match(r"[1-6] (met|not met|not known)\b", line))]


@pytest.mark.server
@pytest.mark.notebook
def test_a_fortnight_ends_in_criteria_that_each_are_right(
    start_prometheus: Callable[..., servers.Server], tmp_path: Path
) -> None:
    outputs, settings = tmp_path / "outputs", tmp_path / "cloudxai.toml"
    own = "".join(f'[[assertion]]\nid = "{name}"\nleft_out = "only samples are kept here"\n' for name in LEFT_OUT)
    (tmp_path / "own.toml").write_text(own, encoding="utf-8")
    beta = {"source": start_prometheus(platform()).url, "nightly": "own.toml", "rules": [str(ROUTING)]}
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in {**beta, "history_weeks": 1}.items()]
    settings.write_text(f"[environments.beta]\n{''.join(lines)}", encoding="utf-8")

    def play(commands: list[list[str]]) -> list[Done]:
        patience = {"CLOUDXAI_LIMITS__RETRIES": "0", "CLOUDXAI_LIMITS__NIGHTLY_RETRY_SECONDS": "0"}
        return several(*commands, outputs=outputs, CLOUDXAI_SETTINGS=str(settings), **patience)

    def run(planned: list[tuple[datetime, list[str]]], *more: str) -> list[Done]:
        return play([[*under(clock, words), *more] for clock, words in planned])

    planned = [one for one in due(START + timedelta(days=1), START + timedelta(days=15)) if one[0].day not in OFF]
    run([one for one in planned if one[0].day < AWAY])
    run([one for one in planned if one[0].day == AWAY], "--source", "http://127.0.0.1:1")
    run([one for one in planned if AWAY < one[0].day < KILLED])
    kill(under(*next(one for one in planned if one[0].day == KILLED)), settings, outputs)
    run([one for one in planned if one[0].day >= KILLED])

    bare, *_ = play([asked()])
    # Nobody has judged a page, run the harness, or attested anything yet.
    assert statuses(bare) == ["met", "met", "not known", "not known", "not met", "not met"], bare.out
    evidence = [*label("actionable"), harness(), *map(attestation, ATTESTED)]
    past = ["2025-11-10T01:00Z", "2025-11-18T14:30Z", "2026-01-20T00:00Z", "2026-03-01T00:00Z"]
    *_, complete, early, later, much_later, last = play([*evidence, asked(), *map(asked, past)])
    assert (statuses(complete), complete.out[0]) == (MET, "Evidence complete, awaiting sign-off."), complete.out
    assert statuses(early)[:2] == ["not met", "not met"]
    assert any("7 more green nights (the night of 2025-11-09 could not run)" in line for line in early.out), early.out
    assert statuses(later) == ["not known" if number in (1, 2) else "met" for number in range(1, 7)], later.out
    assert statuses(much_later) == ["not known"] * 4 + ["met"] * 2
    assert statuses(last) == ["not known"] * 6
    for broken, number, status, mended in BROKEN:
        *_, found = play([*broken, asked(CLOCK, "--fail-on", "not-known")])
        assert statuses(found) == [status if place == number else "met" for place in range(1, 7)], found.out
        assert found.code == 1
        if mended:
            *_, again = play([*mended, asked(CLOCK, "--fail-on", "not-known")])
            assert (statuses(again), again.code) == (MET, 0), again.out
