"""The table of assertions and what is made of it: mistakes told by row, answers judged, hostile text in files."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from clean_command import Done
from hostile_server import Handler, Hostile, vector

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ledger.jobs import Asserted, Night
from cloudxai_analysis.operate.assertions import SHIPPED, assertions, read_rows
from cloudxai_analysis.operate.night_files import as_junit, as_markdown, github_lines
from cloudxai_analysis.operate.nightly import ask, judged
from cloudxai_analysis.operate.nights import flake_rates, green_run, grid
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits, Settings, resolve_environment
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.server import ServerSource

WELL = {"id": "own", "title": "Mine", "query": "count(x)", "comparator": "==", "bound": 1, "means": "m", "do": "d"}
WELL |= {"decides": "me"}


def written(file: Path, *rows: Mapping[str, Any]) -> Path:
    text = ""
    for row in rows:
        text += "[[assertion]]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in row.items())
    file.write_text(text, encoding="utf-8")
    return file


def _toml(value: Any) -> str:
    return f"'''{value}'''" if isinstance(value, str) else repr(value)


def environment(**own: Any) -> Any:
    built = Settings.model_construct(environments={"beta": EnvironmentSettings(source="http://127.0.0.1:1", **own)})
    return resolve_environment(built, name="beta")


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"comparator": "=>"}, r"row 2 of \[\[assertion\]\] \('own'\), key 'comparator': Input should be '=='"),
    ({"bound": math.nan}, "row 2 .*key 'bound': Input should be a finite number"),
    ({"bound": "one"}, "key 'bound': Input should be a valid number"),
    ({"comparator": "absent"}, "'bound' stands with every comparator but 'absent' and 'present', and with no other"),
    ({"query": " "}, "a row has either 'query' or 'probe'"),
    ({"probe": "types_as_promised"}, "a row has either 'query' or 'probe'"),
    (
        {"query": "", "probe": "type_as_promised"},
        "there is no probe 'type_as_promised'. Did you mean 'types_as_promised'",
    ),
    ({"querry": "x"}, "key 'querry': Extra inputs are not permitted. Did you mean 'query'"),
    ({"do": ""}, "'do' is missing or empty"),
    ({"id": "No blanks"}, "row 2 .*key 'id': String should match pattern"),
    ({"query": "count({csot})"}, "row 'own': there is no placeholder '{csot}'. Did you mean 'cost'"),
    ({"otherwise": "panic"}, "key 'otherwise': Input should be 'fail' or 'warn'"),
    ({"id": "cap.x", "left_out": "why"}, "row 'cap.x': there is no such assertion to leave out. Did you mean 'cap'"),
    ({"each": "metric", "query": "count({metrics})"}, "there is no placeholder '{metrics}'"),
]


@pytest.mark.parametrize(("wrong", "said"), MISTAKES, ids=lambda one: str(one)[:40])
def test_a_mistake_in_a_file_of_ones_own_is_one_line_that_names_the_row(
    tmp_path: Path, wrong: dict[str, Any], said: str
) -> None:
    file = written(tmp_path / "own.toml", WELL | {"id": "first"}, WELL | wrong)
    with pytest.raises(UsageError, match=said) as told:
        assertions(environment(nightly=file))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[[assertion]\n", "own.toml cannot be read: "),
        (b"\xff", "own.toml cannot be read: "),
        (b"assertion = 3\n", "key 'assertion': Input should be a valid tuple"),
        (b"[[asertion]]\n", "key 'asertion': Extra inputs are not permitted. Did you mean 'assertion'"),
        (b"#" * (1 << 20) + b"##", "has over 1,048,576 bytes"),
        (None, "cannot be read: .*No such file"),
    ],
)
def test_a_file_that_is_none_is_said(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "own.toml").write_bytes(content)
    with pytest.raises(UsageError, match=said):
        assertions(environment(nightly=tmp_path / "own.toml"))


def test_rows_of_ones_own_add_replace_and_leave_out(tmp_path: Path) -> None:
    file = written(
        tmp_path / "own.toml",
        WELL,
        WELL | {"id": "fresh", "bound": 400},
        {"id": "cost-not-negative.cost", "left_out": "credits are negative"},
        {"id": "types", "left_out": "no metadata here"},
        {"id": "labels", "left_out": "not promised"},
    )
    found = {one.id: one for one in assertions(environment(nightly=file))}
    shipped = {one.id: one for one in assertions(environment())}
    assert found.keys() - shipped.keys() == {"own"}
    assert shipped.keys() <= found.keys()
    assert found["fresh"].bound == 400
    left_out = {name: one.left_out for name, one in found.items() if one.left_out != shipped.get(name, one).left_out}
    assert left_out.pop("cost-not-negative.cost") == "credits are negative"
    assert left_out.pop("types") == "no metadata here"
    assert left_out
    assert {(name.partition(".")[0], why) for name, why in left_out.items()} == {("labels", "not promised")}


def test_the_shipped_rows_say_what_they_mean_and_names_are_the_environments() -> None:
    assert len({row.id for row in read_rows(SHIPPED)}) == len(read_rows(SHIPPED))
    own = environment(jobs=("a.b", 'c"d'), tenant_label="customer", matchers={"cluster": 'x"y\\'}, tenant_cap=7)
    found = {one.id: one.query for one in assertions(own)}
    series = r'{__name__="tenant_readiness_state",cluster="x\"y\\",job=~"a\\.b|c\"d"'
    assert found["present.tenant_readiness"] == f"count({series}}})"
    assert found["tenant-format"].startswith(f'topk(5, count by (customer) ({series},customer!="",customer!~"')
    assert found["cap"] == f"topk(5, count by (job, instance) (count by (job, instance, customer) ({series}}})) / 7)"


JUDGED: list[tuple[str, float | None, list[float], str, bool]] = [
    ("==", 0, [0.0], "yes", False),
    ("==", 0, [0.0, 1.0], "no", False),
    ("!=", 0, [0.0], "no", False),
    ("<", 1, [1.0], "no", False),
    ("<=", 1, [1.0, -math.inf], "yes", False),
    (">", 1, [math.inf], "yes", False),
    (">=", 1, [0.999], "no", False),
    # A number that is none says nothing; beside one that breaks the bound, that is what counts.
    (">=", 1, [math.nan, 2.0], "unknown", False),
    (">=", 1, [math.nan, 0.0], "no", False),
    # Nothing where a number is needed may be there after the next scrape.
    ("==", 0, [], "unknown", True),
    ("absent", None, [], "yes", False),
    ("absent", None, [1.0], "no", False),
    ("present", None, [], "no", True),
    ("present", None, [0.0], "yes", False),
]


@pytest.mark.parametrize(("comparator", "bound", "values", "holds", "soon"), JUDGED)
def test_an_answer_holds_where_every_series_does(
    comparator: str, bound: float | None, values: list[float], holds: str, soon: bool
) -> None:
    seen = judged(comparator, bound, [({"tenant": f"t{place}"}, value) for place, value in enumerate(values)])
    assert (seen.holds, seen.soon) == (holds, soon)


def hostile_vector(number: int) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "vector", "result": [
        {"metric": {"tenant": f"t{place}"}, "value": [0, "1"]} for place in range(number)
    ]}}  # fmt: skip


def kind(of: str, result: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": of, "result": result}}


ODD: dict[str, tuple[Any, str, str]] = {
    "no PromQL": (
        ({"status": "error", "errorType": "bad_data", "error": "parse error"}, 400),
        "unknown",
        "parse error",
    ),
    "too many series": (hostile_vector(1001), "unknown", "gave 1,001 series, and an assertion takes 1,000. Use count"),
    "far too many": (hostile_vector(40_000), "unknown", "gave more than it can take in, and an assertion takes 1,000"),
    "a string": (kind("string", [0, "1"]), "unknown", "gave a string. An assertion needs a query with one number"),
    "a range": (kind("matrix", []), "unknown", "gave a matrix"),
    "histograms": (kind("vector", [{"metric": {}, "histogram": [0, {}]}]), "unknown", "gave histograms"),
    "a scalar": (kind("scalar", [0, "1"]), "pass", "1 == 1"),
    "NaN": (vector("NaN"), "unknown", "the query gave NaN; must be == 1"),
    "no number": (vector("many"), "unknown", "answered with what is not what Prometheus gives"),
    "in part": (vector("1") | {"warnings": ["a store is down"]}, "unknown", "answered in part, or with a warning"),
    "a login page": (b"<html>", "unknown", "broken or foreign JSON, or a page"),
    "hostile labels": (
        kind("vector", [{"metric": {"tenant": "\x1b[31m\n::error::x\u202e"}, "value": [0, "2"]}]),
        "fail",
        r"tenant \x1b[31m ::error::x\u202e: 2; must be == 1",
    ),
}


@pytest.mark.parametrize("what", ODD)
def test_an_odd_answer_is_the_result_of_its_row_and_no_end_of_the_night(
    hostile: Hostile, tmp_path: Path, what: str
) -> None:
    answer, status, finding = ODD[what]

    def script(handler: Handler, fields: Mapping[str, str]) -> None:
        if fields.get("query") != "odd":
            handler.document(vector("1"))
        elif isinstance(answer, bytes):
            handler.say(answer)
        else:
            handler.document(*(answer if isinstance(answer, tuple) else (answer,)))

    hostile.script = script
    rows = [WELL | {"id": "odd", "query": "odd"}, WELL | {"id": "even", "query": "even"}]
    own = environment(nightly=written(tmp_path / "own.toml", *rows))
    limits = Limits(nightly_retry_seconds=0, retries=0)
    source = open_source(hostile.url, limits=limits, settings=EnvironmentSettings())
    assert isinstance(source, ServerSource)
    asked = [one for one in assertions(own) if one.id in ("odd", "even")]
    (odd, even), away = ask(asked, source, own.model_copy(update={"limits": limits}))
    assert (odd.status, even.status, away) == (status, "pass", "")
    assert finding in odd.finding
    assert odd.finding.isprintable()


HOSTILE = "</failure>]]>\x00\x1b[2J\ufffe\ud800 | `x` <script>alert(1)</script> @all #1 %0A::error::own".encode(
    "utf-8", "replace"
).decode()
FIRST = date(2026, 11, 1)


def night(day: int, *statuses: str, flaky: bool = False, away: str = "") -> Night:
    checks = tuple(
        Asserted(id=f"c{place}", status=status, finding=HOSTILE, attempts=(HOSTILE,) if flaky and not place else ())
        for place, status in enumerate(statuses)
    )
    day_of = FIRST + timedelta(days=day)
    at = datetime(day_of.year, day_of.month, day_of.day, 2, tzinfo=UTC)
    return Night(date=day_of, at=at, checks=checks, away=away, by="test")


def test_hostile_text_stays_text_in_every_file() -> None:
    one = night(0, "pass", "fail", "unknown", "warn", "left out", flaky=True)
    suite = ET.fromstring(as_junit(one, "beta"))[0]  # noqa: S314 - it is our own
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["5", "1", "1", "1"]
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert [child.tag for child in cases["c0"]] == ["flakyFailure"]
    assert [child.tag for child in cases["c3"]] == ["system-out"]
    said = cases["c1"][0].get("message") or ""
    assert said.startswith("</failure>]]>\ufffd\ufffd[2J\ufffd")
    page = as_markdown(one, "beta", {})
    assert "<script>" not in page
    assert "\n| c1 | fail | &lt;/failure&gt;" in page
    lines = list(github_lines(one))
    assert [line.split(" ")[0] for line in lines] == ["::notice", "::error", "::error", "::warning"]
    assert all(line.endswith("@all #1 %250A::error::own") and "\x1b" not in line for line in lines)
    odd = one.model_copy(update={"checks": (Asserted(id="a:b,c%\nd", status="fail", finding="x\r\ny"),)})
    assert list(github_lines(odd)) == ["::error title=a%3Ab%2Cc%25%0Ad::fail: x%0D%0Ay"]


RUNS: list[tuple[list[Night], tuple[int, int, str, str]]] = [
    ([], (0, 0, "", "not known")),
    (
        [night(0, "pass", "warn"), *(night(day, "pass") for day in range(1, 7))],
        (6, 0, "the night of 2026-11-01 had c1 warn", "not met"),
    ),
    ([night(day, "pass", flaky=day == 2) for day in range(7)], (7, 1, "", "met")),
    ([night(0, "pass"), night(2, "pass")], (1, 0, "the night of 2026-11-02 was missed", "not met")),
    (
        [night(0, "fail", "fail"), night(1, "pass")],
        (1, 0, "the night of 2026-11-01 had c0 and 1 more fail", "not met"),
    ),
    ([night(0, "unknown"), night(1, "pass")], (1, 0, "the night of 2026-11-01 had c0 unknown", "not met")),
    (
        [night(0, "unknown", away="no"), night(1, "pass")],
        (1, 0, "the night of 2026-11-01 could not run", "not met"),
    ),
    ([night(0, "left out")], (0, 0, "the night of 2026-11-01 had nothing asked", "not met")),
]


@pytest.mark.parametrize(("given", "expected"), RUNS)
def test_a_run_of_green_nights_ends_at_what_is_not_known_to_be_green(
    given: list[Night], expected: tuple[int, int, str, str]
) -> None:
    run = green_run(given)
    assert (run.nights, run.flaky, run.broken_by, run.state) == expected


def test_a_check_is_worth_what_it_found() -> None:
    found = flake_rates([night(0, "pass", "fail", "unknown", flaky=True), night(1, "pass", "pass", "unknown")])
    assert found.set_index("check")["worth"].to_dict() == {
        "c0": "only flaked",
        "c1": "found faults",
        "c2": "never known",
    }
    # One of two nights: Wilson's interval is 9.5 to 90.5 %.
    row = found.set_index("check").loc["c0"]
    assert (row["rate"], round(row["low"], 3), round(row["high"], 3)) == (0.5, 0.095, 0.905)
    assert grid([night(0, "pass"), night(2, "fail")]).cells.loc["c0"].to_list() == ["●", "–", "■"]
    assert repr(grid([])).startswith("no night is known")
    assert flake_rates([]).empty


def test_the_demo_has_no_server_and_help_says_how_a_night_ends(outputs: Path, command: Callable[..., Done]) -> None:
    done = command("nightly", "--environment", "demo")
    assert done.code == 2
    assert "The nightly assertions need a server" in done.err[-1]
    assert "Exit codes beside the usual ones" in " ".join(" ".join(command("nightly", "--help").out).split())
    listed = command("nightly", "--environment", "demo", "--list").out
    assert "cap: No process exports more tenants than the cap" in listed
    for now in ("2026-11-12", "tonight"):
        said = f"Invalid --now '{now}'. Give a time with its zone, like 2026-11-12T06:00Z."
        assert said in command("nightly", "--environment", "demo", "--now", now).err[-1]
