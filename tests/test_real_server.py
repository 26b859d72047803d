"""The same week from the demo and from a real Prometheus that holds its samples: same samples, same summary."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.request import urlopen

import pandas as pd
import pytest
import servers
from clean_command import several

from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.lake.tables import open_lake
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.measures import readiness
from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits, load_settings, resolve_environment
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.promql import promql
from cloudxai_analysis.sources.scenario import EXTENT
from cloudxai_analysis.sources.server import ServerSource
from cloudxai_analysis.study.study import Study

WEEK = parse_window("2026-W46")
pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def demo() -> DemoSource:
    return DemoSource()


@pytest.fixture(scope="module")
def server(start_prometheus: Callable[..., servers.Server], demo: DemoSource, tmp_path_factory) -> servers.Server:
    """A Prometheus that holds the demo's six weeks, and has loaded the rules of the demo."""
    rules = [
        {"alert": rule.name, "expr": rule.expr, "for": f"{rule.for_seconds:.0f}s", "labels": rule.labels}
        for rule in demo.rules()
    ]
    file = tmp_path_factory.mktemp("rules") / "demo.rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "CloudxAi", "interval": "1m", "rules": rules}]}), encoding="utf-8")
    batches = (demo.read(name, {}, EXTENT) for name in load_contract().series_names())
    return start_prometheus(batches, config=json.dumps({"rule_files": [str(file)]}))


@pytest.fixture(scope="module")
def outputs(tmp_path_factory, server, demo) -> Path:
    """A folder with the report of the demo and that of the server, whose ledger says the same."""
    outputs = tmp_path_factory.mktemp("outputs")
    Ledger(outputs / "live" / "ledger" / "incidents.jsonl").seed(demo.ledger_entries())
    done = several(
        ["report", "--week", WEEK.name, "--source", "demo://"],
        ["report", "--week", WEEK.name, "--source", server.url, "--environment", "live"],
        outputs=outputs,
    )
    assert [one.code for one in done] == [0, 0], done
    return outputs


@pytest.fixture(scope="module")
def study(outputs) -> Study:
    """The week as it was pulled from the server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOUDXAI_OUTPUTS", str(outputs))
        settled = resolve_environment(load_settings(), source="http://127.0.0.1:1", name="live")
    return Study(
        settled, WEEK, open_lake(settled.lake).snapshot(), ledger=Ledger(settled.ledger), now=EXTENT.end, provenance={}
    )


def test_summaries_and_tables_are_the_same_but_for_provenance(outputs):
    ours, theirs = (outputs / environment / "reports" / WEEK.name for environment in ("live", "demo"))
    summaries = [json.loads((folder / "summary.json").read_text(encoding="utf-8")) for folder in (ours, theirs)]
    assert summaries[0]["provenance"]["source"]["kind"] == "prometheus"
    for document in summaries:
        # The demo brings nights of its own, which no other environment has.
        del document["provenance"], document["environment"], document["signoff"]
    assert summaries[0] == summaries[1]
    for file in sorted((theirs / "data").glob("*.csv")):
        assert (ours / "data" / file.name).read_bytes() == file.read_bytes(), file.name


def test_a_second_report_asks_the_server_for_no_samples(outputs, server):
    words = ["pull", "--week", WEEK.name, "--source", server.url, "--environment", "live"]
    (done,) = several(words, outputs=outputs)
    assert " 0 samples in 0 of " in "\n".join(done.out)


@pytest.fixture(scope="module")
def ask(server) -> Callable[..., pd.DataFrame]:
    """The server's own answer to an instant query, at the week's last moment unless another is said."""
    source = open_source(server.url, limits=Limits(), settings=EnvironmentSettings())
    assert isinstance(source, ServerSource)
    return lambda query, at=WEEK.end: promql(source, query, at - timedelta(milliseconds=1))


@pytest.mark.parametrize(
    ("ours", "query", "apart"),
    [
        # The platform is ready as its least ready instance is, minute by minute: a subquery of the minimum.
        (
            lambda study: study.readiness.availability["availability"].iloc[0],
            "avg_over_time(min(readiness_state)[7d:1m])",
            1e-12,
        ),
        # Of the last hour, distinct tenants with a sample in it.
        (
            lambda study: study.cardinality.active_tenants["tenants"].iloc[-1],
            "count(count by (tenant) (count_over_time(tenant_readiness_state[1h])))",
            0,
        ),
        # `changes` of the gauge counts what a scrape can see, and nothing flipped between two of them.
        (
            lambda study: study.within(study.readiness.transitions)["transitions"].sum(),
            "max(changes(readiness_state[7d]))",
            0,
        ),
        # The counter's last value before the restart; `max_over_time` reads it without extrapolation.
        (
            lambda study: study.cardinality.refusals["rejections"].sum(),
            "sum(max_over_time(tenant_label_rejections_total[7d]))",
            0,
        ),
    ],
)
def test_a_number_is_what_promql_says(study, ask, ours, query, apart):
    assert ours(study) == pytest.approx(ask(query)["value"].iloc[0], abs=apart)


@pytest.mark.parametrize("at", ["2026-11-12T10:35", "2026-11-12T10:50", "2026-11-12T13:00", "2026-11-14T00:00"])
def test_burn_rates_are_what_promql_says(study, ask, at):
    """Each ratio of errors by the server itself, during Thursday's outage and after it; a short window is a twelfth."""
    moment = pd.Timestamp(at, tz="UTC")
    rates = readiness.burn_rates(study.readiness.readiness, slo=0.999, at=moment)
    assert rates["burn_long"].max() > 1
    for row in rates.itertuples():
        for minutes, ours in ((row.long_hours * 60, row.burn_long), (row.long_hours * 60 / 12, row.burn_short)):
            query = f"(1 - avg_over_time(min(readiness_state)[{minutes:.0f}m:1m])) / (1 - 0.999)"
            theirs = ask(query, moment.to_pydatetime())["value"].iloc[0]
            assert ours == pytest.approx(theirs, abs=1e-9), (row.threshold, minutes)


def test_the_month_so_far_is_what_promql_says(study, ask):
    """The four weeks that the server holds wholly: all of it known, so that the bounds meet."""
    seen = Window(WEEK.end - timedelta(days=28), WEEK.end)
    row = readiness.availability(study.readiness.readiness, seen).iloc[0]
    answer = ask("avg_over_time(min(readiness_state)[28d:1m])")
    assert row["availability"] == pytest.approx(answer["value"].iloc[0], abs=1e-12)
    counted = ask("count_over_time(min(readiness_state)[28d:1m])")["value"].iloc[0]
    assert row["seen_minutes"] == pytest.approx(counted, abs=3)
    assert row["high"] - row["low"] == pytest.approx(1 - row["seen_share"], abs=1e-12)


def test_top_costs_are_what_promql_says(study, ask):
    """Each of 10,080 samples stands for a minute; of tenants that were there all week the two sums agree."""
    answer = ask(
        "topk(10, sum by (tenant) (sum_over_time(tenant_cost_estimate[7d]) / 60) "
        "and sum by (tenant) (count_over_time(tenant_cost_estimate[7d])) >= 10070)"
    )
    ours = study.cost.costs.set_index("tenant")["cost"]
    assert len(answer) == 10
    for row in answer.itertuples():
        # A scrape that failed is a minute that the integral holds over and the sum leaves out.
        assert ours[row.tenant] == pytest.approx(row.value, rel=2e-3)


def test_the_server_saw_nothing_but_reading(outputs, server):
    """By its own count of requests, handler by handler."""
    del outputs
    with urlopen(f"{server.url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    counted = [line for line in lines if line.startswith("prometheus_http_requests_total{")]
    handlers = {line.split('handler="')[1].split('"')[0] for line in counted if not line.endswith(" 0")}
    assert "/api/v1/read" in handlers
    told = {"status/buildinfo", "status/config", "status/runtimeinfo", "rules", "labels", "label/:name/values"}
    asked = {"read", "query", "query_range", "series", *told}
    assert handlers <= {*(f"/api/v1/{name}" for name in asked), "/-/ready", "/metrics"}
