"""The metric contract: what it promises, and what a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.platform.contract import load_contract

SMALLEST = """
version = "1"
platform = "Other"
platform_version = "2.0"
tenant_cap = 5
currency = "USD"
jobs = ["other"]
evaluation_interval_seconds = 15

[metrics.readiness]
name = "ready"
kind = "gauge"
labels = []
unit = "1"
help = "Ready."

[alerts.NotReady]
topic = "readiness"
severity = "page"
paging = true
for_seconds = 60
help = "Not ready."
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "contract.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_default_contract_is_the_betas() -> None:
    contract, alerts = load_contract(), load_contract().alerts
    assert (contract.tenant_cap, contract.currency, contract.tenant_label) == (100, "EUR", "tenant")
    assert [role for role, metric in contract.metrics.items() if metric.locked] == ["readiness"]
    declared = {role: metric.semantics for role, metric in contract.metrics.items() if metric.semantics}
    assert declared == {"cost": "rate", "cost_rolling": "window_total", "cost_billing": "cumulative"}
    # Prometheus' naming practice: counters, and only counters, end in _total.
    assert all((one.kind == "counter") == one.name.endswith("_total") for one in contract.metrics.values())
    assert {name for name, rule in alerts.items() if rule.paging} == {"TenantReadinessBreach", "ServiceNotReady"}
    waits = {"TenantReadinessBreach": 120, "ServiceNotReady": 300, "ReadinessLatencyHigh": 300}
    assert {name: rule.for_seconds for name, rule in alerts.items() if rule.for_seconds} == waits


def test_series_names_and_who_makes_them() -> None:
    contract, name = load_contract(), "readiness_check_duration_seconds"
    assert contract["readiness_check"].series_names == (f"{name}_bucket", f"{name}_count", f"{name}_sum")
    assert len(contract.series_names()) == len(set(contract.series_names())) == len(contract.metrics) + 2
    assert [name for name in contract.series_names() if contract.scope_of(name) == "rules"] == ["ALERTS"]
    with pytest.raises(UsageError, match=r"Contract of CloudxAi has no role 'costs'. It has readiness, "):
        contract["costs"]
    with pytest.raises(ValueError, match="frozen"):
        contract.tenant_cap = 7


def test_another_platform_is_another_file(tmp_path: Path) -> None:
    contract = load_contract(written(tmp_path, SMALLEST))
    assert (contract.platform, contract.tenant_cap, contract.currency) == ("Other", 5, "USD")
    assert contract.series_names() == ("ready",)
    assert contract.process_labels == ("job", "instance")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('kind = "gauge"', 'kind = "gage"', "metrics.readiness.kind"),
        ("labels = []", "", "metrics.readiness.labels"),
        ('unit = "1"', 'unit = "1"\nsemantic = "rate"', "metrics.readiness.semantic"),
        ("tenant_cap = 5", "tenant_cap = 0", "tenant_cap"),
        ('currency = "USD"', 'currency = "dollars"', "currency"),
        ('platform = "Other"', 'platform = "Other"\nprocess_labels = ["instance"]', "process_labels"),
        ('topic = "readiness"', 'topic = "weather"', "alerts.NotReady.topic"),
    ],
)
def test_wrong_contract_names_file_and_key(tmp_path: Path, old: str, new: str, key: str) -> None:
    file = written(tmp_path, SMALLEST.replace(old, new))
    with pytest.raises(UsageError) as caught:
        load_contract(file)
    assert str(caught.value).startswith(f"Contract {file}, key '{key}': ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"version = ", b"a = 1\na = 2", b"\x00", b'platform = "\xe9"', None])
def test_file_that_is_no_toml_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "contract.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=r"cannot be read: .*Point `contract` at a TOML file"):
        load_contract(file)
