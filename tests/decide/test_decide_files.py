"""Files of every shape: what must change in them is changed to the byte, and what cannot be read is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cloudxai_analysis.cli.migrate import migrate
from cloudxai_analysis.decide.changes import Change, written_changes
from cloudxai_analysis.decide.migration import migrated
from cloudxai_analysis.decide.rewriting import Plan
from cloudxai_analysis.ground.errors import UsageError

PLAN = Plan(
    [
        Change(kind="renamed", old="jobs_ms", new="jobs_seconds", factor=0.001),
        Change(kind="renamed", old="q", new="queue"),
    ]
)
REPOSITORY = Path(__file__).parents[2]
READ = """\
# q is said here; jobs_ms, too
groups:
  - name: a
    rules:
      - alert: Plain   # q
        expr: q > 1 and q{x="q"} # q
        annotations: {summary: "q of {{ $labels.tenant }}"}
      - {alert: Flow, expr: 'q{x=''1''} > 1'}
      - alert: Quoted
        expr: "q{x=\\"1\\", y=\\"\\u00e9 \\U0001F600\\"} >
          1 \\
          and q > 2"
      - alert: Folded
        expr: >-
          sum(q)

            > q
      - alert: Block
        expr: |2+
            sum by (q) (
              q{a="b"}
            )

      - record: other
        expr: &shared q + 1
      - alert: Alias
        expr: *shared
"""
CHANGED = """\
# q is said here; jobs_ms, too
groups:
  - name: a
    rules:
      - alert: Plain   # q
        expr: queue > 1 and queue{x="q"} # q
        annotations: {summary: "q of {{ $labels.tenant }}"}
      - {alert: Flow, expr: 'queue{x=''1''} > 1'}
      - alert: Quoted
        expr: "queue{x=\\"1\\", y=\\"\\u00e9 \\U0001F600\\"} >
          1 \\
          and queue > 2"
      - alert: Folded
        expr: >-
          sum(queue)

            > queue
      - alert: Block
        expr: |2+
            sum by (q) (
              queue{a="b"}
            )

      - record: other
        expr: &shared queue + 1
      - alert: Alias
        expr: *shared
"""


def changed(
    folder: Path, name: str, content: bytes | str, plan: Plan = PLAN
) -> tuple[bytes | None, list[tuple[int, str, str]]]:
    """What becomes of a file, and what is told of it."""
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    (found,) = migrated([file], plan)
    return found.content, [(one.line, one.code.partition("/")[2], one.message) for one in found.findings]


@pytest.mark.parametrize(
    ("encoding", "ending"), [("utf-8", "\n"), ("utf-8-sig", "\r\n"), ("utf-16", "\n"), ("utf-16-be", "\r\n")]
)
def test_every_way_to_write_a_text_in_yaml(tmp_path: Path, encoding: str, ending: str) -> None:
    before, after = (text.replace("\n", ending).encode(encoding) for text in (READ, CHANGED))
    content, told = changed(tmp_path, "a.yml", before)
    assert content == after
    assert {line for line, code, _ in told if code == "renamed"} == {6, 8, 10, 12, 15, 17, 21, 25}
    (tmp_path / "a.yml").write_bytes(after)
    assert migrated([tmp_path / "a.yml"], PLAN.back())[0].content == before


DASHBOARD = {
    "title": "q \U0001f600 \u2028",
    "panels": [
        {"title": "q", "targets": [{"expr": 'sum(q{a=~"$x"}) > 1', "legendFormat": "{{q}}"}]},
        {"rows": [], "datasource": {"type": "loki"}, "targets": [{"expr": '{app="q"} |= "q"'}]},
        {"type": "row", "panels": [{"targets": [{"expr": "rate(q[$__rate_interval])"}]}]},
    ],
    "templating": {
        "list": [{"name": "x", "query": {"query": "label_values(q, a)"}, "definition": "label_values(q, a)"}]
    },
    "annotations": {"list": [{"name": "y", "expr": "changes(q[1m]) > 0"}]},
}
AFTER = json.loads(
    json.dumps(DASHBOARD)
    .replace("sum(q{", "sum(queue{")
    .replace("(q[", "(queue[")
    .replace("values(q,", "values(queue,")
)


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_a_dashboard_as_grafana_writes_it(tmp_path: Path, ascii_only: bool, indent: str | int | None) -> None:
    before, after = (json.dumps(one, ensure_ascii=ascii_only, indent=indent) for one in (DASHBOARD, AFTER))
    content, told = changed(tmp_path, "a.json", before)
    assert content == after.encode()
    assert [one for one in told if one[1] not in ("renamed", "text")] == []


def test_a_rule_file_and_a_dashboard_in_resources_of_kubernetes(tmp_path: Path) -> None:
    inner = json.dumps(DASHBOARD, indent=1).replace("\n", "\n    ")
    rules = READ.replace("\n", "\n    ")
    text = (
        "kind: List\nitems:\n- kind: ConfigMap\n  data:\n   a.json: |\n    {dashboard}\n   b.yml: |-\n    {rules}\n"
        "- kind: PrometheusRule\n  spec:\n   groups:\n   - name: g\n     rules: [{{alert: A, expr: q > 1}}]\n"
    )
    before = text.format(dashboard=inner, rules=rules)
    changed_inner = json.dumps(AFTER, indent=1).replace("\n", "\n    ")
    after = text.format(dashboard=changed_inner, rules=CHANGED.replace("\n", "\n    ")).replace(
        "expr: q >", "expr: queue >"
    )
    content, _ = changed(tmp_path, "a.yaml", before)
    assert content == after.encode()


NOTEBOOK = {
    "nbformat": 4,
    "cells": [
        {"cell_type": "markdown", "source": ["q is a metric"]},
        {
            "cell_type": "code",
            "source": [
                "%time study.series('q')  # 'q'\n",
                'cx.promql(study, "sum(q{x=\\"1\\"}) > 1", """\n',
                '  rate(q[5m])""")\n',
                "print('q and jobs_ms are metrics'); f('jobs_ms'); g('jobs_ms > 2', f'q{x}')",
            ],
        },
        {"cell_type": "code", "source": "h(r'q')"},
    ],
}


def test_strings_of_a_notebook_s_code(tmp_path: Path) -> None:
    before = json.dumps(NOTEBOOK, indent=1)
    after = (
        (
            before.replace("series('q')  # 'q'", "series('queue')  # 'q'")
            .replace("sum(q{", "sum(queue{")
            .replace("rate(q[", "rate(queue[")
        )
        .replace("'jobs_ms > 2'", "'(jobs_seconds * 1000) > 2'")
        .replace("r'q'", "r'queue'")
    )
    content, told = changed(tmp_path, "a.ipynb", before)
    assert content == after.encode()
    # The name alone can be given to anything, which would not take a factor.
    assert [one[2] for one in told if one[1] == "by-hand"] == ["jobs_ms becomes jobs_seconds, 0.001 times as large."]


UNFILLED = "It is a template that is no YAML before it is filled."
ENCODED = "It is encoded; this was not looked into."


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("t.yml", "groups:\n{{- range .x }}\n- name: q\n{{ end }}", [(2, "not-read", UNFILLED)]),
        ("b.yml", "groups:\n- expr: [q\n", [(2, "not-read", "It is no YAML: ")]),
        (
            "l.yml",
            "groups:\n- rules:\n  - {alert: A, expr: 'count_over_time({a=\"q\"}[1m]) > 1'}\n",
            [(3, "text", "It is")],
        ),
        (
            "g.yml",
            "groups:\n- name: g\n  rules: [{uid: a, data: [q]}]\n",
            [(2, "not-read", "Alerts that Grafana manages")],
        ),
        ("s.yml", "kind: Secret\ndata: {a.yml: Z3JvdXBzOiBb}\n# q", [(2, "not-read", ENCODED)]),
        ("n.yml", "groups:\n{{ range .x }}\n- name: other\n{{ end }}", None),
    ],
)
def test_what_cannot_be_read_is_said_where_a_changed_name_is_in_it(
    tmp_path: Path, name: str, text: str, expected: list[tuple[int, str, str]] | None
) -> None:
    content, told = changed(tmp_path, name, text)
    assert content is None
    assert (expected is None) == (told == [])
    for line, code, said in expected or ():
        assert any(one[:2] == (line, code) and one[2].startswith(said) for one in told), told


def test_labels_of_alerts_legends_routes_and_of_what_is_recorded(tmp_path: Path) -> None:
    plan = Plan([Change(kind="label", old="up2", new="up2", labels={"tenant": "customer"})])
    rules = """groups:
- name: a
  rules:
  - {record: 'by:up2', expr: sum by (tenant) (up2)}
  - alert: A
    expr: by:up2{tenant!="x"} > 1 and on (tenant) up2
    annotations: {summary: 'q {{ $labels.tenant }} {{ $labels.tenants }}'}
"""
    content, _ = changed(tmp_path, "a.yml", rules, plan)
    expected = rules.replace("by (tenant)", "by (customer)").replace("{tenant!=", "{customer!=")
    assert (
        content
        == expected.replace("on (tenant)", "on (customer)").replace("$labels.tenant ", "$labels.customer ").encode()
    )
    panel = '{"title": "x", "panels": [{"targets": [{"expr": "up2", "legendFormat": "{{tenant}} {{ tenants }}"}]}]}'
    assert changed(tmp_path, "a.json", panel, plan)[0] == panel.replace("{{tenant}}", "{{customer}}").encode()
    routes = (
        "route:\n  receiver: a\n  group_by: [tenant]\n  routes:\n  - {match: {tenant: x}}\nreceivers: [{name: a}]\n"
    )
    content, told = changed(tmp_path, "r.yml", routes, plan)
    assert content is None
    assert [(line, code) for line, code, _ in told] == [(3, "by-hand"), (5, "by-hand")]


def test_nothing_to_look_at_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Nothing to migrate in"):
        migrated([tmp_path], PLAN)
    with pytest.raises(UsageError, match="No file or folder"):
        migrated([tmp_path / "x"], PLAN)


def test_the_command_tells_places_and_ends_as_asked(tmp_path: Path) -> None:
    def asked(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(migrate, ["check", *words], standalone_mode=False)
        assert done.exception is None, done.output
        return done.return_value, done.output

    changes = tmp_path / "changes.toml"
    changes.write_text(written_changes(PLAN.changes), encoding="utf-8")
    (tmp_path / "a.yml").write_text(READ, encoding="utf-8")
    given = (str(tmp_path / "a.yml"), "--changes", str(changes))
    code, told = asked(*given)
    assert (code, f"{tmp_path}/a.yml:6: Plain: q becomes queue." in told) == (1, True)
    assert "1 file, 2 changes of 0.9 → 1.0: 10 errors, 2 infos." in told
    assert asked(*given, "--fail-on", "never")[0] == 0
    code, told = asked(*given, "--format", "json")
    assert {one["code"] for one in json.loads(told)["findings"]} == {"migration/renamed", "migration/text"}
    # What is planned of 1.0 takes nothing away: only the rules that record what the platform will export are told.
    reference = str(REPOSITORY / "reference")
    code, told = asked(reference, "--format", "json")
    assert {one["code"] for one in json.loads(told)["findings"]} == {"migration/recorded"}
    assert asked(str(REPOSITORY / "reference" / "dashboards"))[0] == 0
    assert "runs" in json.loads(asked(*given, "--format", "sarif")[1])
