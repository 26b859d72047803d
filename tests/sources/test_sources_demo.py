"""The demo: the same samples everywhere, inside its promised size, and a truth that its samples bear out."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.demo.population import Draws
from cloudxai_analysis.sources.scenario import EXTENT, checked_scenario

NAMES = load_contract().series_names()
W46 = parse_window("2026-W46")


def one(source: DemoSource, metric: str, window: Window = EXTENT, **labels: str):
    """Times (UTC datetimes) and values of the one series with these labels."""
    batch = source.read(metric, labels, window)
    assert len(batch) == 1, batch.labels
    return batch.times.astype("datetime64[ms]"), batch.values


def truth(source: DemoSource, kind: str) -> dict:
    rows = source.truth().query("kind == @kind")
    assert len(rows) == 1
    return rows.iloc[0].to_dict()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture(scope="module")
def beta() -> DemoSource:
    return DemoSource()


def test_draws_are_those_of_pcg64_by_integer_arithmetic_alone():
    key = int.from_bytes(hashlib.sha256(b"7/any").digest()[:16], "big")
    raw = [int(value) for value in np.random.PCG64(key).random_raw(5)]
    assert Draws(7).below("any", 1000, 5).tolist() == [(value >> 32) * 1000 >> 32 for value in raw]


def test_samples_are_those_published_for_every_machine(beta):
    """The hash was taken once; a machine, NumPy version or change that alters one bit of the demo fails here."""
    digest = hashlib.sha256()
    for name in NAMES:
        batch = beta.read(name, {}, EXTENT)
        digest.update(batch.times.tobytes() + batch.values.tobytes())
    assert digest.hexdigest() == "39e4796513ec15836366e8eda6cccbcf45ad4877a91ebc1ae1a49e80e7ea38ff"


def test_another_seed_gives_other_samples(beta):
    assert not np.array_equal(
        beta.read("tenant_cost_estimate", {}, W46).values, DemoSource(2).read("tenant_cost_estimate", {}, W46).values
    )


@pytest.mark.parametrize("url", ["demo://", "demo://?seed=5", "demo://?seed=9&scenario=clean"])
def test_size_is_as_promised(url):
    source = DemoSource.from_url(url)
    assert sum(source.read(name, {}, EXTENT).samples for name in NAMES) <= 12_000_000
    labels = source.read("tenant_readiness_state", {}, EXTENT).labels
    tenants = {label["tenant"] for label in labels if not label["tenant"].startswith("req-")}
    assert 60 <= len(tenants) <= 100


def test_a_burst_fills_the_process_and_every_refusal_is_counted(beta):
    """384 refused: the counter's own last value before the restart, a second way to the same number."""
    planted = truth(beta, "rejections")
    times, values = one(beta, "tenant_label_rejections_total", W46, instance="cloudxai-0:8080")
    restart = np.flatnonzero(np.diff(values) < 0)[0]
    assert values[restart] == planted["size"] > 100
    first = np.flatnonzero(np.diff(values) > 0)[0] + 1
    assert times[first] == np.datetime64(planted["start"].tz_localize(None), "ms")
    there = beta.read("tenant_readiness_state", {"instance": "cloudxai-0:8080"}, EXTENT)
    at_cap = int(planted["start"].timestamp() * 1000)
    seen_before = sum(there.times[low] <= at_cap for low in there.offsets[:-1])
    assert seen_before == load_contract().tenant_cap


def test_a_restart_empties_the_process_and_its_counters(beta):
    planted = truth(beta, "restart")
    _, starts = one(beta, "process_start_time_seconds", W46, instance="cloudxai-0:8080")
    assert starts[-1] == pytest.approx(planted["start"].timestamp(), abs=1e-6)
    after = Window(at("2026-11-10T19:03:00"), W46.end)
    tenants = {labels["tenant"] for labels in beta.read("tenant_readiness_state", {}, after).labels}
    assert not any(tenant.startswith("req-") for tenant in tenants)
    assert "harbor-lane" in tenants


def test_a_scrape_gap_leaves_nothing_of_the_target(beta):
    planted = truth(beta, "scrape_gap")
    hole = Window(at("2026-10-28T14:20:00"), at("2026-10-28T15:10:00"))
    for name in NAMES:
        assert len(beta.read(name, {"instance": "cloudxai-1:8080"}, hole)) == 0
    assert (planted["start"], planted["end"], planted["size"]) == (
        hole.start - timedelta(minutes=1),
        hole.end,
        50,
    )


def test_readiness_incidents_fire_the_alert_only_when_long_enough(beta):
    rows = beta.truth().query("kind == 'readiness_incident'")
    assert rows["size"].tolist() == [4, 19]
    firing = beta.read("ALERTS", {"alertname": "ServiceNotReady", "alertstate": "firing"}, EXTENT)
    # 19 minutes from 10:23; `for: 5m` holds from the sixth sample on.
    assert firing.times.astype("datetime64[ms]").astype(str).tolist()[0] == "2026-11-12T10:28:00.000"
    assert firing.samples == 14


def test_a_cost_gauge_that_only_grows_has_no_fall(beta):
    planted = truth(beta, "semantics_break")
    since = Window(planted["start"].to_pydatetime(), EXTENT.end)
    _, values = one(beta, "tenant_cost_estimate", since, tenant=planted["place"])
    assert (np.diff(values) >= 0).all()
    assert (np.diff(values) > 0).sum() == planted["size"]


def test_a_cost_spike_is_what_the_clean_course_lacks(beta):
    """The same seed without the spike is the regular course; the difference, held a minute each, is the excess."""
    planted = truth(beta, "cost_spike")
    kept = tuple(event for event in beta.scenario.events if event.kind != "cost_spike")
    without = DemoSource(beta.seed, beta.scenario.model_copy(update={"events": kept}))
    _, spiked = one(beta, "tenant_cost_estimate", W46, tenant=planted["place"])
    _, regular = one(without, "tenant_cost_estimate", W46, tenant=planted["place"])
    assert (spiked - regular).sum() / 60 == pytest.approx(planted["size"])


def test_a_clean_scenario_has_no_truth_and_no_page(beta):
    clean = DemoSource.from_url("demo://?seed=3&scenario=clean")
    assert clean.truth().empty
    assert clean.read("ALERTS", {"alertstate": "firing", "severity": "page"}, EXTENT).samples == 0
    assert [entry["kind"] for entry in clean.ledger_entries()] == ["complete"]


def test_rolling_cost_is_the_sum_of_the_last_seven_days(beta):
    """Held from scrape to scrape: 10,080 minutes, each a sixtieth of the hourly rate."""
    instance = "cloudxai-1:8080"
    labels = beta.read("tenant_cost_estimate_rolling", {}, W46).labels[0]
    moment = at("2026-11-12T00:00:00")
    week = Window(moment - timedelta(days=7), moment)
    times, rate = one(beta, "tenant_cost_estimate", week, tenant=labels["tenant"], instance=instance)
    minutes = np.diff(np.append(times, np.datetime64(moment.replace(tzinfo=None), "ms"))).astype("int64") / 60_000
    _, rolling = one(
        beta, "tenant_cost_estimate_rolling", Window(moment, moment + timedelta(minutes=1)), tenant=labels["tenant"]
    )
    assert rolling[0] == pytest.approx((rate * minutes).sum() / 60, rel=1e-3)


NOON = at("2026-10-20T12:00:00")


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("demo://?sed=7", "no keys but `seed`"),
        ("demo://?seed=x", "at most 18 digits"),
        ("demo://host/path", "no host or path"),
        ("demo://?scenario=clen", "neither 'beta' nor 'clean'"),
        ("demo://?scenario=gone.toml", "No such file"),
    ],
)
def test_mistakes_in_the_url_are_named(url, part):
    with pytest.raises(UsageError, match=part):
        DemoSource.from_url(url)


@pytest.mark.parametrize(
    ("event", "part"),
    [
        ({"kind": "burts", "at": NOON}, "'burts' .*'burst'"),
        ({"kind": "burst", "at": NOON, "minuets": 3}, r"key 'events\.0\.burst\.minuets': Extra inputs"),
        ({"kind": "burst", "at": NOON.replace(year=2027)}, "lies outside"),
        ({"kind": "burst", "at": NOON.replace(second=30)}, "full minute"),
        ({"kind": "burst", "at": NOON.replace(tzinfo=None)}, "timezone"),
        ({"kind": "cost_spike", "at": NOON, "factor": 0.5}, "greater than 1"),
        ({"at": NOON}, "discriminator"),
    ],
)
def test_mistakes_in_a_scenario_are_named(event, part):
    with pytest.raises(UsageError, match=part):
        checked_scenario({"events": [event]}, "test")
    with pytest.raises(UsageError, match="restarts of cloudxai-0:8080 overlap"):
        DemoSource(1, checked_scenario({"events": [{"kind": "restart", "at": NOON}] * 2}, "test"))
