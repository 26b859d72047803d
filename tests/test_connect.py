"""The first look at servers that nobody here made: another job name, other rules, pairs, and nothing at all."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
import servers
from clean_command import cloudxai
from scraped import exporter, history, scraping

from cloudxai_analysis.cards.words import banners
from cloudxai_analysis.checks import judge
from cloudxai_analysis.cli.connect import _toml
from cloudxai_analysis.study import settle
from cloudxai_analysis.study.opening import open_study, refresh

JOB = 'be"ta ]\\ api'
NOT_READY = {"alert": "ServiceNotReady", "expr": "readiness_state==0", "for": "1m", "labels": {"severity": "critical"}}
FLAPPING = {"alert": "TenantFlapping", "expr": "increase(tenant_readiness_transitions_total[5m]) > 5"}
RULES = {"groups": [{"name": "beta", "rules": [NOT_READY, FLAPPING]}]}


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "cloudxai.toml"
    file.write_text('# mine\n[environments.other]\nsource = "http://other:9090"\n', encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def beta(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """A platform under a job that the contract does not know, with rules of its own."""
    folder = tmp_path_factory.mktemp("beta")
    with exporter() as target:
        jobs = [
            {"job_name": "other", "static_configs": [{"targets": ["127.0.0.1:1"]}]},
            {"job_name": JOB, "static_configs": [{"targets": [target]}]},
        ]
        # A report looks at whole minutes: three of them lie behind.
        servers.load_openmetrics(folder, history(1, 180, job=JOB, instance=target), block_hours=2)
        with scraping(folder, jobs, rules=RULES, scrapes=185) as server:
            yield server


@pytest.mark.server
def test_it_says_what_the_server_has_and_holds_rules_of_files_against_it(
    beta: servers.Server, settings: Path, tmp_path: Path
) -> None:
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps(RULES), encoding="utf-8")
    done = cloudxai("connect", beta.url, "--rules", str(file), settings=settings)
    assert done.returncode == 0, done.stderr
    first, second, third, fourth, *rest = done.stdout.splitlines()
    began = rf"{beta.url} is Prometheus 2\.\S+: telemetry since .* UTC, [\d.]+ (?:second|minute)s? of the 42 days"
    assert re.match(began, first)
    assert first.endswith("kept for 100y, 1 target, scraped every 1 s.")
    assert f"job '{JOB}' exports 4 series names" in second
    assert "none is of job cloudxai" in second
    assert "tenant_cost_estimate (anomalies, " in second
    assert "readiness_check_duration_seconds (latency), " in second
    assert "readiness_state (" not in second.partition("Missing")[2].replace("tenant_readiness_state", "")
    assert third.startswith("Alerting rules: 2 loaded; otherwise than the contract: ")
    assert "ServiceNotReady for 1 minute, severity 'critical' (contract: 5 minutes, 'critical')" in third
    assert "not loaded: TenantReadinessBreach, " in third
    # The server writes `readiness_state == 0`.
    assert fourth == "The server has loaded the alerting rules of the files, as they are."
    shown = tomllib.loads("\n".join(rest))["environments"]
    assert list(shown.values()) == [{"source": beta.url, "jobs": [JOB]}]
    changed = {"groups": [{"name": "beta", "rules": [{**NOT_READY, "for": "2m"}, {**FLAPPING, "alert": "Mine"}]}]}
    file.write_text(json.dumps(changed), encoding="utf-8")
    done = cloudxai("connect", beta.url, "--rules", str(file), settings=settings)
    assert "ServiceNotReady: The server has it with another `for`" in done.stdout
    assert "Mine: The server has loaded no alert of this name." in done.stdout
    assert "TenantFlapping is loaded, and in none of the files." in done.stdout


@pytest.mark.server
def test_what_it_writes_is_read_back_and_leaves_the_rest(beta: servers.Server, settings: Path) -> None:
    before = settings.read_text(encoding="utf-8")
    words = ("connect", beta.url, "--environment", "beta", "--write")

    def refused(said: str, *more: str) -> None:
        unchanged = settings.read_text(encoding="utf-8")
        done = cloudxai(*words, *more, settings=settings)
        assert (done.returncode, settings.read_text(encoding="utf-8")) == (2, unchanged)
        assert said in done.stderr

    refused("Give --yes.")
    done = cloudxai(*words, "--yes", settings=settings)
    assert done.returncode == 0, done.stderr
    after = settings.read_text(encoding="utf-8")
    assert after.startswith(before)
    assert tomllib.loads(after)["environments"] == {
        "other": {"source": "http://other:9090"},
        "beta": {"source": beta.url, "jobs": [JOB]},
    }
    # Never over another environment, and never into a file that could not be read again.
    refused("was left as it is", "--yes")
    settings.write_text("environments = { other = { source = 'http://other:9090' } }\n", encoding="utf-8")
    refused("was left as it is", "--yes")


@pytest.mark.server
@pytest.mark.notebook
def test_a_report_on_an_unknown_server_says_in_three_lines_what_it_is(beta: servers.Server, settings: Path) -> None:
    words = ("--week", "current", "--source", beta.url)
    done = cloudxai("report", *words, settings=settings)
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith((beta.url, "Of the", "Alerting"))]
    assert len(said) == 3
    page = Path(done.stdout.splitlines()[-1].removeprefix("Report: "))
    summary = json.loads((page.parent / "summary.json").read_text(encoding="utf-8"))
    assert summary["provenance"]["found_jobs"] == [JOB]
    notes = [banner["text"] for banner in summary["banners"] if banner["kind"] == "note"]
    assert notes[0].startswith("None of the contract's jobs exports its metrics; this report is on those that do: be")
    assert "ServiceNotReady for 1 minute" in notes[1]
    assert summary["coverage"]["seen_minutes"] > 0
    # It is not unknown any more.
    done = cloudxai("pull", *words, settings=settings)
    assert "Of the CloudxAi contract" not in done.stderr


@pytest.mark.server
@pytest.mark.parametrize(("ahead", "said"), [(85, "8[45] minutes ahead of the server's"), (0, None)])
def test_of_two_clocks_the_earlier_one_says_what_is_over(
    beta: servers.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: int, said: str | None
) -> None:
    """A day that is over here alone would be taken for whole, and its last hour be lost for good."""
    monkeypatch.setenv("CLOUDXAI_OUTPUTS", str(tmp_path / "outputs"))
    asked = settle("current", source=beta.url)
    refresh(replace(asked, now=asked.now + timedelta(minutes=ahead)))
    study = open_study(asked.window.name, source=beta.url, pull_missing=False)
    assert timedelta() <= study.now - asked.now < timedelta(minutes=3)
    told = str(banners(study, judge.checks(study)))
    assert re.search(said, told) if said else "the clock here" not in told


@pytest.mark.server
def test_pairs_moved_labels_and_a_job_with_nothing_of_the_contract_are_named(tmp_path: Path, settings: Path) -> None:
    def scraped(name: str, *targets: str, **labels: str) -> dict:
        own = [{"targets": [one], "labels": {**labels, "prometheus_replica": str(n)}} for n, one in enumerate(targets)]
        return {"job_name": name, "static_configs": own}

    with exporter() as one, exporter() as two, exporter("other_metric 1\n") as third:
        jobs = [scraped("cloudxai", one, two, instance="a", tenant="scraper"), scraped("it\u202eself", third)]
        with scraping(tmp_path, jobs) as server:
            done = cloudxai("connect", server.url, settings=settings)
            settings.write_text(f"[environments.x]\nsource = '{server.url}'\nmatchers = {{ a = 'b' }}\n")
            nothing = [
                cloudxai(*words, "--environment", "x", settings=settings)
                for words in (("connect", server.url), ("report", "--week", "current"))
            ]
    assert done.returncode == 0, done.stderr
    assert "differ at the same time in the label 'prometheus_replica'" in done.stdout
    assert "Label 'exported_tenant': the scraper's own 'tenant' took the place of the platform's." in done.stdout
    (shown,) = tomllib.loads(done.stdout[done.stdout.index("\n[environments") :])["environments"].values()
    assert shown == {"source": server.url, "tenant_label": "exported_tenant", "replica_labels": ["prometheus_replica"]}
    for done in nothing:
        assert done.returncode == 4, done.stderr
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("cloudxai:")]
        assert "has no metric of the CloudxAi contract" in line
        assert "\u202e" not in line
        assert "Traceback" not in done.stderr
    assert not list((settings.parent / "outputs").glob("*/lake/*"))


@pytest.mark.needs("victoria-metrics")
def test_a_victoria_metrics_is_looked_at_in_the_same_way(tmp_path: Path, settings: Path) -> None:
    with servers.victoria_metrics(tmp_path) as server:
        for batch in history(30, 19, job="platform", instance="a"):
            for place, labels in enumerate(batch.labels):
                own = slice(*batch.offsets[place : place + 2])
                series = {"metric": {"__name__": batch.metric, **labels}, "values": batch.values[own].tolist()}
                body = json.dumps({**series, "timestamps": batch.times[own].tolist()})
                urlopen(Request(f"{server.url}/api/v1/import", data=body.encode())).close()
        urlopen(f"{server.url}/internal/force_flush").close()
        done = cloudxai("connect", server.url, settings=settings)
    assert done.returncode == 0, done.stderr
    first, second, third, *_ = done.stdout.splitlines()
    assert re.search(rf"{server.url} is VictoriaMetrics: telemetry since .*, (8|8\.5|9) minutes of", first)
    assert "scraped every 30 s" in first
    assert "job 'platform' exports 4 series names" in second
    assert third.startswith("Alerting rules: the server does not tell them")


@pytest.mark.parametrize("text", ['a"b', "a\\b", "a\nb]", "\x7f\x9b31m", "\u202ebeta", "jôb-\U0001f600", "007", ""])
def test_what_is_written_is_what_was_found(text: str) -> None:
    written = _toml("beta.1", {"source": text, "jobs": [text, text]})
    assert tomllib.loads(written) == {"environments": {"beta.1": {"source": text, "jobs": [text, text]}}}
    assert written.replace("\n", "").isprintable()
