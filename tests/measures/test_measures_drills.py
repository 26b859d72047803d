"""What is a drill's own, by hand: its time, its tenants, and nothing of others; and what the checks then say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from small_platform import demo_of, demo_study_of, event

from cloudxai_analysis.checks import judge
from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.measures.drills import drilled, refused_in, simulated, whole_hours

DAY = next(iter(Window(parse_window("2026-W46").start, parse_window("2026-W46").end).days()))


def at(text: str) -> pd.Timestamp:
    return pd.Timestamp(f"2026-11-09 {text}", tz="UTC")


def drills(*rows: tuple[str, str, tuple[str, ...], str]) -> pd.DataFrame:
    said = [(at(start), at(end), tenants, summary) for start, end, tenants, summary in rows]
    return pd.DataFrame(said, columns=["start", "end", "tenants", "summary"])


@pytest.mark.parametrize(
    ("tenant", "start", "end", "names", "expected"),
    [
        ("req-1", "10:00", "11:00", ("req-*",), "load"),
        ("req-1", "09:59", "10:30", ("req-*",), ""),
        ("req-1", "10:30", "11:01", ("req-*",), ""),
        ("acme", "10:30", "10:40", ("req-*",), ""),
        ("acme", "10:30", "10:40", (), "load"),
        ("acme", "10:30", "10:40", ("acme",), "load"),
        ("acme2", "10:30", "10:40", ("acme",), ""),
        ("a*b", "10:30", "10:40", ("a*",), "load"),
        # Whose it is nobody knows, where it has no tenant.
        ("", "10:30", "10:40", ("*",), ""),
        ("", "10:30", "10:40", (), "load"),
    ],
)
def test_only_what_lies_in_its_time_and_is_of_its_tenants(
    tenant: str, start: str, end: str, names: tuple[str, ...], expected: str
) -> None:
    frame = pd.DataFrame({"tenant": [tenant], "start": [at(start)], "end": [at(end)]})
    found = drilled(frame, drills(("10:00", "11:00", names, "load")), start="start", end="end")
    assert found.tolist() == [expected]


def test_a_missing_edge_is_in_no_drill_the_first_of_two_has_it_and_hours_are_those_touched() -> None:
    both = drills(("10:00", "11:00", (), "one"), ("10:00", "12:00", (), "two"))
    frame = pd.DataFrame(
        {"before": [pd.NaT, at("10:10"), at("11:10")], "time": [at("10:30"), at("10:30"), at("11:30")]}
    )
    frame["before"] = pd.to_datetime(frame["before"], utc=True)
    assert drilled(frame, both, start="before", end="time").tolist() == ["", "one", "two"]
    assert simulated(pd.Series(["x", "y-1", ""], dtype="str"), ("x", "y-*")).tolist() == [True, True, False]
    wide = whole_hours(drills(("10:20", "11:40", (), "one")))
    assert wide[["start", "end"]].values.tolist() == [[at("10:00"), at("12:00")]]


@pytest.mark.parametrize(
    ("tenants", "rows", "expected"),
    [
        # The counter names no tenant: of 7 refusals in its time a drill of named ones has those that it counted.
        ("", [(("10:00", "11:00", ("req-*",), "load"), 5)], {"load": 5}),
        ("", [(("10:00", "11:00", ("req-*",), "load"), 9)], {"load": 7}),
        ("", [(("10:00", "11:00", ("req-*",), "load"), None)], {}),
        ("", [(("10:00", "11:00", (), "load"), 5)], {"load": 7}),
        ("", [(("10:21", "11:00", ("req-*",), "load"), 9)], {"load": 4}),
        # What one has, the other has not.
        ("", [(("10:00", "11:00", ("a*",), "one"), 5), (("10:00", "11:00", ("b*",), "two"), 5)], {"one": 5, "two": 2}),
        ("req-1", [(("10:00", "11:00", ("req-*",), "load"), 2)], {"load": 7}),
        ("acme", [(("10:00", "11:00", ("req-*",), "load"), 9)], {}),
    ],
)
def test_refusals_that_name_no_tenant_are_a_drills_up_to_those_that_it_counted(
    tenants: str, rows: list[Any], expected: dict[str, float]
) -> None:
    held = drills(*(row for row, _ in rows)).assign(
        refused=pd.Series([refused for _, refused in rows], dtype="float64")
    )
    steps = pd.DataFrame({"before": [at("10:20"), at("10:30")], "time": [at("10:30"), at("10:40")], "step": [3.0, 4.0]})
    assert refused_in(steps.assign(tenant=tenants), held).to_dict() == expected
    if not tenants:
        assert refused_in(steps, held).to_dict() == expected


BURST = event("burst", "11-09T10:00", 50, per_minute=6)
LOAD: dict[str, Any] = {"kind": "drill", "by": "ada", "summary": "load"}


def test_a_burst_that_was_a_drill_is_no_warning_and_what_is_beside_it_still_is(tmp_path: Path) -> None:
    """The same burst of generated names: undeclared, declared for its first half, for others, and whole."""
    study = demo_study_of(demo_of(BURST), tmp_path, DAY, now=DAY.end)
    steps = study.cardinality.window_steps
    total = int(steps["step"].sum())
    names = len(study.cardinality.generated_names)
    assert total > 0
    assert names > 0
    statuses = {key: judge.check(study, key).status for key in ("rejections", "identifiers")}
    assert statuses == {"rejections": "warn", "identifiers": "warn"}

    def said(key: str) -> tuple[str, str]:
        study.reread()
        check = judge.check(study, key)
        return check.status, check.finding

    # Of other tenants, and at another time: nothing changes.
    study.ledger.append({**LOAD, "start": "2026-11-09T09:00Z", "end": "2026-11-09T12:00Z", "tenants": ["other-*"]})
    study.ledger.append({**LOAD, "start": "2026-11-09T05:00Z", "end": "2026-11-09T06:00Z"})
    assert said("rejections")[0] == said("identifiers")[0] == "warn"
    assert "load" not in said("rejections")[1] + said("identifiers")[1]
    # The names are of the drill; of its refusals the counter does not tell whose they were.
    study.ledger.append({**LOAD, "start": "2026-11-09T09:00Z", "end": "2026-11-09T23:00Z", "tenants": ["req-*"]})
    assert said("identifiers") == (
        "pass",
        f"The generated names in {DAY.name} are of drills: {names} by the drill 'load'.",
    )
    assert said("rejections")[0] == "warn"
    # A part of the refusals, then all of them.
    half = steps.loc[steps["step"] > 0, "time"].iloc[0]
    early = int(steps.loc[steps["time"] <= half, "step"].sum())
    window = {"start": "2026-11-09T09:00Z", "end": half.isoformat(), "summary": "first"}
    study.ledger.append({**LOAD, **window})
    status, finding = said("rejections")
    assert status == "warn"
    assert finding.startswith(f"{total} requests of new tenants refused")
    assert f"; of them {early} by the drill 'first'" in finding
    study.ledger.append({**LOAD, "start": "2026-11-09T09:00Z", "end": "2026-11-10T01:00Z", "summary": "all"})
    status, finding = said("rejections")
    assert status == "pass"
    assert finding.startswith(f"The guard refused {total} requests in {DAY.name}, all in a drill: ")


def test_a_costly_drill_is_its_own_and_hides_no_other_spike(tmp_path: Path) -> None:
    spikes = [event("cost_spike", "11-13T09:00", 360, factor=3.0), event("cost_spike", "11-12T09:00", 360, factor=3.0)]
    window = parse_window("2026-W46")
    study = demo_study_of(demo_of(*spikes), tmp_path, window)
    found = {one["place"] for one in judge.check(study, "anomalies").events}
    own = sorted(found - {"all tenants together"})
    assert len(own) == 2
    study.ledger.append({**LOAD, "start": "2026-11-12T08:00Z", "end": "2026-11-13T16:00Z", "tenants": [own[0]]})
    study.reread()
    check = judge.check(study, "anomalies")
    assert check.status == "warn"
    assert {one["place"] for one in check.events} - {"all tenants together"} == {own[1]}
    assert "by the drill 'load'" in check.finding
    study.ledger.append({**LOAD, "start": "2026-11-12T08:00Z", "end": "2026-11-13T16:00Z", "tenants": own})
    study.reread()
    check = judge.check(study, "anomalies")
    assert (check.status, check.value) == ("pass", 0.0)
