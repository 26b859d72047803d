"""The rows of what changed: between two contracts, and as a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudxai_analysis.decide.changes import Change, between, read_changes, written_changes
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.platform.contract import DEFAULT_CONTRACT, NEXT_CONTRACT, Contract, load_contract

HISTOGRAM = "readiness_check_duration_seconds"


def other(folder: Path, text: str) -> Contract:
    """The beta's contract with what `text` says otherwise."""
    (folder / "contract.toml").write_text(DEFAULT_CONTRACT.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "other.toml").write_text(f'based_on = "contract.toml"\nplatform_version = "1.0"\n{text}', "utf-8")
    return load_contract(folder / "other.toml")


def metric(role: str, **said: str) -> str:
    """The table of one metric as the beta has it, but for what is said."""
    own = load_contract()[role].model_dump(exclude_none=True) | said
    return f"[metrics.{role}]\n" + "".join(f"{key} = {spelled(value)}\n" for key, value in own.items())


def spelled(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(list(value) if isinstance(value, tuple) else value)


def test_the_planned_version_adds_two_metrics_and_changes_none() -> None:
    names = ("tenant_cost_estimate_rolling", "tenant_cost_billing_window")
    assert between(load_contract(), load_contract(NEXT_CONTRACT)) == [
        Change(kind="appeared", new=name) for name in names
    ]
    assert between(load_contract(), load_contract()) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            metric("cost", name="tenant_cost_rate"),
            [Change(kind="renamed", old="tenant_cost_estimate", new="tenant_cost_rate")],
        ),
        (
            metric("readiness_check", name="check_milliseconds", unit="milliseconds"),
            [
                Change(
                    kind="renamed",
                    old=f"{HISTOGRAM}_bucket",
                    new="check_milliseconds_bucket",
                    labels={"le": ""},
                    note="unit: seconds → milliseconds",
                ),
                Change(kind="renamed", old=f"{HISTOGRAM}_count", new="check_milliseconds_count"),
                Change(
                    kind="renamed",
                    old=f"{HISTOGRAM}_sum",
                    new="check_milliseconds_sum",
                    factor=1000,
                    note="unit: seconds → milliseconds",
                ),
            ],
        ),
        (
            metric("cost", unit="points"),
            [
                Change(
                    kind="unit",
                    old="tenant_cost_estimate",
                    new="tenant_cost_estimate",
                    note="unit: currency/hour → points, of which no factor is known",
                )
            ],
        ),
        (
            metric("readiness", help="0 ready, 1 not."),
            [
                Change(
                    kind="meaning",
                    old="readiness_state",
                    new="readiness_state",
                    locked=True,
                    note=f"{load_contract()['readiness'].help} → 0 ready, 1 not.",
                )
            ],
        ),
    ],
)
def test_what_differs_by_role(tmp_path: Path, text: str, expected: list[Change]) -> None:
    found = [row for row in between(load_contract(), other(tmp_path, text)) if row.kind != "appeared"]
    assert found == expected


def test_a_tenant_called_otherwise_is_a_label_of_every_metric_that_has_it(tmp_path: Path) -> None:
    base = DEFAULT_CONTRACT.read_text(encoding="utf-8").replace('tenant_label = "tenant"', 'tenant_label = "customer"')
    (tmp_path / "contract.toml").write_text(base, encoding="utf-8")
    found = between(load_contract(), load_contract(tmp_path / "contract.toml"))
    assert {row.old for row in found} == {
        *("tenant_readiness_state", "tenant_readiness_transitions_total", "tenant_cost_estimate"),
    }
    assert all((row.kind, row.labels) == ("label", {"tenant": "customer"}) for row in found)


def test_a_file_of_changes_gives_back_what_was_written_whatever_the_names_hold(tmp_path: Path) -> None:
    rows = (
        Change(kind="renamed", old="a_ms", new="a_seconds", factor=0.001, labels={'x"\n': "é\\", "gone": ""}),
        Change(kind="appeared", new="b", added=("currency", "]"), note='"""\x7f\x00 ✓'),
        Change(kind="meaning", old="c", new="c", locked=True, note="1 → 0"),
    )
    (tmp_path / "changes.toml").write_text(written_changes(rows), encoding="utf-8")
    assert read_changes(tmp_path / "changes.toml") == rows


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[change]]\nkind = "renamed"\nold = "a"', "row 1 of [[change]]: renamed: 'appeared' has `new` alone"),
        ('[[change]]\nkind = "renamed"\nold = "a"\nnew = "a"', "only what is 'renamed' has another name"),
        (
            '[[change]]\nkind = "unit"\nold = "a"\nnew = "a"\nfactor = 0',
            "row 1 of [[change]], key 'factor': Input should be greater",
        ),
        ('[[change]]\nkind = "unit"\nold = "a"\nnew = "a"\nfactor = inf', "row 1 of [[change]], key 'factor': "),
        ('[[changes]]\nkind = "unit"', "key 'changes': Extra inputs"),
        ("change = [", "cannot be read: "),
    ],
)
def test_a_wrong_file_of_changes_is_told_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "changes.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_changes(tmp_path / "changes.toml")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
