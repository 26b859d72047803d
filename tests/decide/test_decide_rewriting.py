"""PromQL under other names: what is written, what is told, and that the way back gives every byte again."""

from __future__ import annotations

import pytest

from cloudxai_analysis.decide.changes import Change
from cloudxai_analysis.decide.rewriting import Plan, rewriting

PLAN = Plan(
    [
        Change(kind="renamed", old="wait_ms", new="wait_seconds", factor=0.001),
        Change(kind="renamed", old="b", new="c"),
        Change(kind="unit", old="disk", new="disk", factor=1024),
        Change(kind="renamed", old="ready", new="tenant_ready", labels={"tenant": "customer", "zone": ""}),
        Change(kind="renamed", old="split", new="split_a"),
        Change(kind="renamed", old="split", new="split_b"),
        Change(kind="vanished", old="gone", note="nobody read it"),
        Change(kind="type", old="queue", new="queue", note="gauge → counter"),
        Change(kind="meaning", old="state", new="state", note="1 → 0", locked=True),
        Change(kind="label", old="costs", new="costs", added=("currency",)),
    ]
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("b > 1 # b and b", "c > 1 # b and b"),
        ('b{b="b", x=~"b|c"} + b_total', 'c{b="b", x=~"b|c"} + b_total'),
        ("sum by (b) (rate(b[5m:1m])) / count(b)", "sum by (b) (rate(c[5m:1m])) / count(c)"),
        ("job:b:sum + on (i) group_left (b) b", "job:b:sum + on (i) group_left (b) c"),
        ('{__name__="b", x="1"}', '{__name__="c", x="1"}'),
        ("rate(b[$__rate_interval]) * ${scale}", "rate(c[$__rate_interval]) * ${scale}"),
        ("${prefix}b + b$suffix + b", "${prefix}b + b$suffix + c"),
        ('label_values(ready{zone!="x"}, tenant)', 'label_values(tenant_ready{zone!="x"}, customer)'),
        ("wait_ms > 200", "(wait_seconds * 1000) > 200"),
        ("wait_ms / 1000 > 1", "(wait_seconds * 1000) / 1000 > 1"),
        ("disk offset -5m > 3", "(disk offset -5m / 1024) > 3"),
        ('disk{x="1"} @ end() > 3', '(disk{x="1"} @ end() / 1024) > 3'),
        ("max(rate(wait_ms[5m] offset 1h)) > 1", "max((rate(wait_seconds[5m] offset 1h) * 1000)) > 1"),
        ("quantile_over_time(0.9, wait_ms[1h])", "(quantile_over_time(0.9, wait_seconds[1h]) * 1000)"),
        ("max_over_time(wait_ms[1h:1m])", "max_over_time((wait_seconds * 1000)[1h:1m])"),
        ("absent(wait_ms) or changes(wait_ms[5m]) > 1", "absent(wait_seconds) or changes(wait_seconds[5m]) > 1"),
        ("x * on (i) group_left wait_ms", "x * on (i) group_left ()(wait_seconds * 1000)"),
        ("x / on (i) wait_ms", "x / on (i) (wait_seconds * 1000)"),
        ("sum by (tenant) (ready{tenant=~'a.+'})", "sum by (customer) (tenant_ready{customer=~'a.+'})"),
        ("nothing_of_it > 1", "nothing_of_it > 1"),
    ],
)
def test_what_is_written_and_the_way_back(text: str, expected: str) -> None:
    made = rewriting(text, PLAN)
    assert made.of(text) == expected
    assert rewriting(expected, PLAN.back()).of(expected) == text


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("wait_ms > 2", "migration/renamed", "wait_ms becomes wait_seconds, 0.001 times as large."),
        ("stdvar_over_time(disk[1h])", "migration/by-hand", "disk is 1024 times disk, here under stdvar_over_time."),
        ("split > 0", "migration/by-hand", "split is now split_a and split_b: choose."),
        ("gone > 0", "migration/vanished", "gone is exported no more: nobody read it."),
        ("queue > 0", "migration/meaning", "queue has another type: gauge → counter."),
        ("state == 0", "migration/locked", "state has another meaning: 1 → 0."),
        ("sum(costs)", "migration/meaning", "costs has labels that costs had not: currency."),
        ('ready{zone="x"}', "migration/by-hand", "tenant_ready has no label zone to match."),
        ("sum by (tenant) (ready) / sum by (tenant) (x)", "migration/by-hand", "Label tenant is another one, or gone"),
        ("sum by (zone) (ready)", "migration/by-hand", "Label zone is another one, or gone"),
        ('label_replace(ready, "t", "$1", "tenant", "(.*)")', "migration/by-hand", "Label tenant is another one"),
        ("b ==== 1", "migration/by-hand", "It cannot be read: "),
        ("some_new_function(b)", "migration/by-hand", "It cannot be read: unknown function"),
    ],
)
def test_what_is_told_and_never_guessed(text: str, code: str, said: str) -> None:
    told = rewriting(text, PLAN).told
    assert any(one.code == code and one.said.startswith(said) for one in told), told


def test_an_expression_that_cannot_be_read_is_left_as_it_is() -> None:
    assert rewriting("b ==== 1", PLAN).edits == []
    assert rewriting(f"{'(' * 100_000}b", PLAN).edits == []


def test_two_metrics_that_change_their_names_with_each_other() -> None:
    plan = Plan([Change(kind="renamed", old="a", new="b"), Change(kind="renamed", old="b", new="a", factor=2)])
    assert rewriting("a / b", plan).of("a / b") == "b / (a / 2)"
