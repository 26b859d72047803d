"""The nightly assertions against a real Prometheus: what is well passes, and each planted fault is its own."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
import scraped
import servers

from cloudxai_analysis.ledger.jobs import Asserted
from cloudxai_analysis.operate.assertions import assertions
from cloudxai_analysis.operate.nightly import ask
from cloudxai_analysis.platform.contract import DEFAULT_CONTRACT
from cloudxai_analysis.platform.settings import Environment, EnvironmentSettings, Limits, Settings, resolve_environment
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.series import SeriesBatch
from cloudxai_analysis.sources.server import ServerSource

ROOT = Path(__file__).parents[1]
# A rule that is well until two processes export `odd`, when it has two series for each of `up`.
EXTRA = """
groups:
  - name: mine
    interval: 1s
    rules: [{record: "job:odd", expr: "count by (job) (up) * on (job) group_left () odd"}]
"""
WELL = """# TYPE readiness_state gauge
readiness_state 1
# TYPE readiness_transitions_total counter
readiness_transitions_total 4
# TYPE readiness_check_duration_seconds histogram
readiness_check_duration_seconds_bucket{le="0.1"} 90
readiness_check_duration_seconds_bucket{le="0.2"} 99
readiness_check_duration_seconds_bucket{le="+Inf"} 100
readiness_check_duration_seconds_sum 5
readiness_check_duration_seconds_count 100
# TYPE tenant_readiness_state gauge
tenant_readiness_state{tenant="acme"} 1
tenant_readiness_state{tenant="bolt"} 0
# TYPE tenant_readiness_transitions_total counter
tenant_readiness_transitions_total{tenant="acme"} 7
# TYPE tenant_label_rejections_total counter
tenant_label_rejections_total 3
# TYPE tenant_cost_estimate gauge
tenant_cost_estimate{tenant="acme"} 2.5
tenant_cost_estimate{tenant="bolt"} 0
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1700000000
"""


class Platform:
    """Two processes on the loopback and a Prometheus that scrapes them each second under the reference rules."""

    def __init__(self, folder: Path) -> None:
        self.text, self.odd, self.down = WELL, "", False
        self.rules, self.reviewed, self.url = folder / "rules", folder / "reviewed", ""

    def settled(self, **settings: Any) -> tuple[ServerSource, Environment]:
        return against(self.url, rules=(self.reviewed,), **settings)

    def night(self, **settings: Any) -> dict[str, Asserted]:
        source, environment = self.settled(**settings)
        return {check.id: check for check in ask(assertions(environment), source, environment)[0]}

    def reload(self) -> None:
        urlopen(Request(f"{self.url}/-/reload", method="POST"), timeout=30).close()

    def wait(self, query: str) -> None:
        """Until the query gives something."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with urlopen(f"{self.url}/api/v1/query?query={quote(query)}") as answer:
                if json.load(answer)["data"]["result"]:
                    return
            time.sleep(0.2)
        raise AssertionError(query)


def against(
    url: str, *, retry_seconds: float = 0.2, contract: Path = DEFAULT_CONTRACT, **settings: Any
) -> tuple[ServerSource, Environment]:
    """A source and an environment of it, with further attempts for so many seconds."""
    own = EnvironmentSettings(source=url, **settings)
    limits = Limits(nightly_retry_seconds=retry_seconds, retries=0)
    built = Settings.model_construct(environments={"beta": own}, limits=limits, contract=contract)
    environment = resolve_environment(built, name="beta")
    source = open_source(url, limits=limits, settings=own)
    assert isinstance(source, ServerSource)
    return source, environment


@contextmanager
def running(folder: Path) -> Iterator[Platform]:
    platform = Platform(folder)
    shutil.copytree(ROOT / "reference" / "rules", platform.rules)
    for file in platform.rules.glob("*.rules.yml"):
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("interval: 1m", "interval: 1s").replace("interval: 2m", "interval: 1s"))
    (platform.rules / "mine.rules.yml").write_text(EXTRA, encoding="utf-8")
    shutil.copytree(platform.rules, platform.reviewed)

    def second() -> str:
        if platform.down:
            raise BrokenPipeError
        return platform.text + platform.odd

    with scraped.exporter(lambda: platform.text + platform.odd) as one, scraped.exporter(second) as two:
        job = {"job_name": "cloudxai", "static_configs": [{"targets": [one, two]}]}
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "scrape_configs": [job],
            "rule_files": [str(platform.rules / "*.rules.yml")],
        }
        with servers.prometheus(folder, config=json.dumps(config), options=["--web.enable-lifecycle"]) as server:
            platform.url = server.url
            platform.wait("count(count_over_time(up[1m]) > 2) == 2")
            platform.wait("job:up:min")
            yield platform


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running(tmp_path_factory.mktemp("nightly")) as found:
        yield found


def not_well(night: dict[str, Asserted]) -> dict[str, str]:
    return {name: check.status for name, check in night.items() if check.status not in ("pass", "left out")}


@pytest.mark.server
def test_a_platform_that_is_well_passes_under_the_reference_rules(platform: Platform) -> None:
    night = platform.night(retry_seconds=20)
    assert not_well(night) == {}
    assert {name for name, check in night.items() if check.attempts} <= {"rules-healthy"}
    left_out = {name: check.finding for name, check in night.items() if check.status == "left out"}
    assert left_out.pop("remote-write-keeps-up").startswith("nothing here has count(prometheus_remote")
    assert left_out.pop("remote-write-loses-nothing").startswith("nothing here has")
    assert all("promised from v1.0 on, and this is v0.9" in why for why in left_out.values())
    assert night["targets-up"].finding == "2 targets up"
    # Without files of one's own, the reference rules are what the loaded groups of their names are held against.
    source, environment = against(platform.url)
    again = {check.id: check for check in ask(assertions(environment), source, environment)[0]}
    assert again["rules-as-written"].finding.endswith("rules as in reference/rules")


COSTS = 'tenant_cost_estimate{tenant="acme"} 2.5\ntenant_cost_estimate{tenant="bolt"} 0\n'
REMOTE = "prometheus_remote_storage_highest_timestamp_in_seconds 9000\n"
REMOTE += "prometheus_remote_storage_queue_highest_sent_timestamp_seconds {}\n"
MANY = "".join(f'tenant_readiness_state{{tenant="shop-{number}"}} 1\n' for number in range(99))
# What is planted: in place of what, what is exported then; the assertion that fails by it, and its finding.
FAULTS: dict[str, tuple[str, str, str, str]] = {
    "a metric is missing": (COSTS, "", "present.cost", "nothing is there"),
    "a readiness of 2": (
        "readiness_state 1",
        "readiness_state 2",
        "readiness-domain",
        r"instance 127.*: 1; must be == 0",
    ),
    "a readiness of NaN": ("readiness_state 1", "readiness_state NaN", "readiness-domain", "must be == 0"),
    "a tenant's readiness of 2": ('{tenant="bolt"} 0', '{tenant="bolt"} 2', "tenant-readiness-domain", "tenant bolt"),
    "a cost of -1": ('{tenant="acme"} 2.5', '{tenant="acme"} -1', "cost-not-negative.cost", "tenant acme: 1; must be"),
    "a cost of NaN": ('{tenant="acme"} 2.5', '{tenant="acme"} NaN', "cost-is-a-number.cost", "tenant acme"),
    "an infinite cost": ('{tenant="acme"} 2.5', '{tenant="acme"} +Inf', "cost-is-a-number.cost", "tenant acme"),
    "a currency of one's own": (
        'tenant_cost_estimate{tenant="acme"} 2.5',
        'tenant_cost_estimate{tenant="acme",currency="euro\\n::error::x"} 2.5',
        "cost-currency.cost",
        "currency euro ::error::x: 2",
    ),
    "no tenant on a series": (
        'transitions_total{tenant="acme"} 7',
        "transitions_total 7",
        "labels.tenant_transitions",
        "",
    ),
    "another type": (
        "TYPE readiness_state gauge",
        "TYPE readiness_state counter",
        "types",
        "readiness_state is a counter",
    ),
    "milliseconds": ('le="0.1"} 90\n', 'le="100"} 90\n', "check-in-seconds", "0; must be > 0"),
    "over the cap": (
        '{tenant="bolt"} 0\n# TYPE tenant_readiness_t',
        f'{{tenant="bolt"}} 0\n{MANY}# TYPE t',
        "cap",
        "1.01",
    ),
    "remote write lags": ("", REMOTE.format(8000), "remote-write-keeps-up", "1000; must be <= 120"),
    "an odd name": ('state{tenant="bolt"} 0', 'state{tenant="GET /bolt"} 0', "tenant-format", "tenant GET /bolt: 2"),
    # Resets are seen for a day, so this one is last.
    "a counter goes back": ("transitions_total 4", "transitions_total 1", "counters-rise.readiness_transitions", ""),
}


@pytest.mark.server
@pytest.mark.parametrize("what", FAULTS)
def test_each_fault_of_the_contract_fails_its_own_assertion_and_no_other(platform: Platform, what: str) -> None:
    well, planted, name, finding = FAULTS[what]
    assert well in WELL
    number = list(FAULTS).index(what)
    if what == "milliseconds":
        text = WELL.replace('le="0.1"', 'le="100"').replace('le="0.2"', 'le="200"')
    else:
        text = WELL.replace(well, planted) if well else WELL + planted
    platform.text = f"{text}fault {number}\n"
    try:
        platform.wait(f"count(fault == {number}) == 2")
        night = platform.night()
    finally:
        platform.text = WELL
    level = "warn" if name == "tenant-format" else "fail"
    assert {one: status for one, status in not_well(night).items() if status in ("fail", "warn")} == {name: level}
    assert re.search(finding, night[name].finding)
    unknown = {one for one, status in not_well(night).items() if status == "unknown"}
    gone = {"labels.cost", "cost-not-negative.cost", "cost-is-a-number.cost", "cost-currency.cost"}
    # What nobody can see any more is not known to be well.
    assert unknown == (gone if what == "a metric is missing" else set())
    platform.wait("(absent(fault) and count(tenant_cost_estimate == 2.5) == 2)")


@pytest.mark.server
def test_a_target_that_is_down_is_named_with_its_error(platform: Platform) -> None:
    platform.down = True
    try:
        platform.wait("up == 0")
        night = platform.night()
    finally:
        platform.down = False
    failed = {name: status for name, status in not_well(night).items() if not name.startswith("counters-rise")}
    assert failed == {"targets-up": "fail"}
    assert re.match(r"1 of 2 targets down: 127\.0\.0\.1:\d+ of job cloudxai: .*EOF", night["targets-up"].finding)
    platform.wait("count(up == 1) == 2")


@pytest.mark.server
def test_a_rule_that_is_not_as_reviewed_and_one_that_fails_are_told_apart(platform: Platform) -> None:
    file = platform.rules / "cloudxai.rules.yml"
    reviewed = file.read_text(encoding="utf-8")
    for old, new, finding in [
        ("[10m]) > 10", "[10m]) > 12", r"TenantFlapping \(group cloudxai-readiness\) has another expression, increase"),
        ("for: 2m", "for: 20m", "TenantReadinessBreach .* has another duration, 1200 s in place of 120 s"),
        ("severity: page", "severity: ticket", "TenantReadinessBreach .* has another set of labels"),
        ("alert: TenantFlapping", "alert: Flaps", r"TenantFlapping .* is not loaded; Flaps .* is in no file"),
    ]:
        file.write_text(reviewed.replace(old, new), encoding="utf-8")
        platform.reload()
        night = platform.night(retry_seconds=20)
        assert {one for one in not_well(night) if not one.startswith("counters-rise")} == {"rules-as-written"}, new
        assert re.search(finding, night["rules-as-written"].finding)
    file.write_text(reviewed, encoding="utf-8")
    platform.reload()
    platform.odd = "odd 1\n"
    try:
        platform.wait("count(odd) == 2")
        time.sleep(2.5)  # two evaluations
        night = platform.night()
    finally:
        platform.odd = ""
    assert {one for one in not_well(night) if not one.startswith("counters-rise")} == {"rules-healthy"}
    assert re.search(
        r"1 of \d+ rules failed: job:odd \(group mine\): .*duplicate series", night["rules-healthy"].finding
    )


OTHER = """
version = "1"
platform = "Shop"
platform_version = "2.0"
tenant_label = "customer"
process_labels = ["job", "pod"]
tenant_cap = 3
currency = "USD"
jobs = ["shop.api", "shop+worker"]
evaluation_interval_seconds = 30
alerts = {}
[metrics.readiness]
name = "shop_ready"
kind = "gauge"
labels = ["job", "pod"]
unit = "1"
help = "Ready."
[metrics.tenant_readiness]
name = "shop_customer_ready"
kind = "gauge"
labels = ["job", "pod", "customer"]
unit = "1"
help = "Ready for a customer."
[metrics.up]
name = "up"
kind = "gauge"
labels = ["job", "instance"]
unit = "1"
help = "Up."
"""


@pytest.mark.server
def test_another_application_is_held_against_its_own_contract(
    start_prometheus: Callable[..., servers.Server], tmp_path: Path
) -> None:
    (tmp_path / "contract.toml").write_text(OTHER, encoding="utf-8")
    start = int(time.time() * 1000) - 3_000
    ready = servers.series({"job": "shop.api", "pod": "a"}, [start], [1.0])
    customers = [({"job": "shop.api", "pod": "a", "customer": name}, 1.0) for name in ("a", "b", "c", "d")]
    batches = [
        SeriesBatch.of("shop_ready", [ready]),
        SeriesBatch.of("shop_customer_ready", [servers.series(own, [start], [one]) for own, one in customers]),
        SeriesBatch.of("up", [servers.series({"job": "shop.api", "instance": "a", "pod": "a"}, [start], [1.0])]),
    ]
    source, environment = against(start_prometheus(batches).url, contract=tmp_path / "contract.toml")
    night = {check.id: check for check in ask(assertions(environment), source, environment)[0]}
    statuses = {name: check.status for name, check in night.items()}
    passing = {
        "present.readiness",
        "present.tenant_readiness",
        "present.up",
        "labels.readiness",
        "labels.tenant_readiness",
    }
    passing |= {"labels.up", "readiness-domain", "tenant-readiness-domain", "tenant-format", "fresh"}
    assert {name for name, status in statuses.items() if status == "pass"} - {"rules-as-written"} == passing
    assert statuses["cap"] == "fail"
    assert "pod a: 1.33333; must be <= 1" in night["cap"].finding
    # One of two jobs has no target.
    assert night["targets-up"].finding == "no target of job shop+worker is known"
    # A cost that the contract does not have is left out, and said so.
    assert night["check-in-seconds"].finding == "the contract of Shop has no 'readiness_check_bucket'"
    assert not [name for name in statuses if "cost" in name and statuses[name] != "left out"]
