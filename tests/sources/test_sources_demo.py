"""The demo: the same samples everywhere, inside its promised size, and a truth that its samples bear out."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.scenario import EXTENT, checked_scenario

NAMES = load_contract().series_names()
W46 = parse_window("2026-W46")
NOON = datetime(2026, 10, 20, 12, tzinfo=UTC)


def one(source: DemoSource, metric: str, window: Window = W46, **labels: str):
    """Times and values of the one series with these labels."""
    batch = source.read(metric, labels, window)
    assert len(batch) == 1, batch.labels
    return batch.times, batch.values


def truth(source: DemoSource, kind: str) -> dict:
    (row,) = source.truth().query("kind == @kind").to_dict("records")
    return row


@pytest.fixture(scope="module")
def beta() -> DemoSource:
    return DemoSource()


def test_samples_are_those_published_for_every_machine(beta):
    """The hash was taken once; a machine, NumPy version or change that alters one bit of the demo fails here."""
    digest, samples = hashlib.sha256(), 0
    for name in NAMES:
        batch = beta.read(name, {}, EXTENT)
        digest.update(batch.times.tobytes() + batch.values.tobytes())
        samples += batch.samples
    assert digest.hexdigest() == "39e4796513ec15836366e8eda6cccbcf45ad4877a91ebc1ae1a49e80e7ea38ff"
    assert samples <= 12_000_000


def test_a_burst_fills_the_process_and_every_refusal_is_counted(beta):
    """384 refused: the counter's own last value before the restart, a second way to the same number."""
    planted, place = truth(beta, "rejections"), {"instance": "cloudxai-0:8080"}
    times, values = one(beta, "tenant_label_rejections_total", **place)
    restart = np.flatnonzero(np.diff(values) < 0)[0]
    assert values[restart] == planted["size"] > 100
    first = times[np.flatnonzero(np.diff(values) > 0)[0] + 1]
    assert first == planted["start"].timestamp() * 1000
    there = beta.read("tenant_readiness_state", place, EXTENT)
    assert sum(there.times[low] <= first for low in there.offsets[:-1]) == load_contract().tenant_cap
    restarted = datetime.fromtimestamp(times[restart + 1] / 1000, UTC)
    after = beta.read("tenant_readiness_state", place, Window(restarted, W46.end))
    assert not any(labels["tenant"].startswith("req-") for labels in after.labels)


def test_a_scrape_gap_leaves_nothing_of_the_target(beta):
    planted = truth(beta, "scrape_gap")
    hole = Window(planted["start"] + timedelta(minutes=1), planted["end"])
    assert (hole.duration, planted["size"]) == (timedelta(minutes=50), 50)
    for name in NAMES:
        assert len(beta.read(name, {"instance": "cloudxai-1:8080"}, hole)) == 0


def test_a_cost_spike_is_what_the_clean_course_lacks_and_a_gauge_that_only_grows_has_no_fall(beta):
    """The same seed without the spike is the regular course; the difference, held a minute each, is the excess."""
    spike, grown = truth(beta, "cost_spike"), truth(beta, "semantics_break")
    kept = tuple(event for event in beta.scenario.events if event.kind != "cost_spike")
    without = DemoSource(beta.seed, beta.scenario.model_copy(update={"events": kept}))
    _, spiked = one(beta, "tenant_cost_estimate", tenant=spike["place"])
    _, regular = one(without, "tenant_cost_estimate", tenant=spike["place"])
    assert (spiked - regular).sum() / 60 == pytest.approx(spike["size"])
    _, values = one(beta, "tenant_cost_estimate", Window(grown["start"], EXTENT.end), tenant=grown["place"])
    assert (np.diff(values) >= 0).all()
    assert (np.diff(values) > 0).sum() == grown["size"]


def test_a_readiness_incident_of_19_minutes_fires_and_one_of_4_does_not(beta):
    assert beta.truth().query("kind == 'readiness_incident'")["size"].tolist() == [4, 19]
    firing = beta.read("ALERTS", {"alertname": "ServiceNotReady", "alertstate": "firing"}, EXTENT)
    # 19 minutes from 10:23; `for: 5m` holds from the sixth sample on.
    assert firing.times[0] == datetime(2026, 11, 12, 10, 28, tzinfo=UTC).timestamp() * 1000
    assert firing.samples == 14


def test_a_clean_scenario_has_no_truth_and_no_page():
    clean = DemoSource.from_url("demo://?seed=3&scenario=clean")
    assert clean.name == "demo://?seed=3&scenario=clean"
    assert clean.truth().empty
    assert clean.read("ALERTS", {"alertstate": "firing", "severity": "page"}, EXTENT).samples == 0
    assert [entry["kind"] for entry in clean.ledger_entries()] == ["complete"]


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
        ({"kind": "burst", "at": NOON, "minuets": 3}, r"row 1 of \[\[events\]\], key 'burst\.minuets': Extra inputs"),
        ({"kind": "burst", "at": NOON.replace(year=2027)}, "lies outside"),
        ({"kind": "burst", "at": NOON.replace(second=30)}, "full minute"),
        ({"kind": "burst", "at": NOON.replace(tzinfo=None)}, "timezone"),
        ({"kind": "cost_spike", "at": NOON, "factor": 0.5}, "greater than 1"),
        ({"kind": "restart", "at": NOON}, "restarts of cloudxai-0:8080 overlap"),
    ],
)
def test_mistakes_in_a_scenario_are_named(event, part):
    with pytest.raises(UsageError, match=part):
        DemoSource(1, checked_scenario({"events": [event, event]}, "test"))


def test_an_edited_scenario_is_another_source_under_the_same_name(tmp_path: Path) -> None:
    file, told = tmp_path / "mine.toml", []
    for minutes in (10, 20, 20):
        outage = f'kind = "readiness_incident"\nat = 2026-11-12T10:23:00Z\nminutes = {minutes}\n'
        file.write_text(f"# a comment is no event\n[[events]]\n{outage}", encoding="utf-8")
        told.append(DemoSource.from_url(f"demo://?scenario={file}").describe())
    assert told[0]["source"] == told[1]["source"]
    assert [one["scenario"] == told[1]["scenario"] for one in told] == [False, True, True]
