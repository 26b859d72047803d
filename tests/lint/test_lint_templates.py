"""Templates, held against what Prometheus' own reader takes and refuses."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from audited_files import written
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.lint.templates import LONGEST, read_template

TAKEN = """\
{{ $labels.a }}
{{- $labels.a -}}
{{ .Labels.a }}
{{ .labels.a }}
{ $labels.a }
{{ $value | humanize }}
{{ $value | }}
{{ if $labels.a }}x{{ else }}y{{ end }}
{{ if gt $value 5.0 }}a{{ else if lt $value 1.0 }}b{{ end }}
{{ range query "up" }}{{ .Labels.instance }} {{ .Value }}{{ end }}
{{ range query "a" }}{{ break }}{{ end }}
{{ range $i, $e := query "a" }}{{ $e.Labels.x }}{{ end }}
{{ with query "up" }}{{ . | first | value | humanize }}{{ end }}
{{ $x := $value }}{{ $x }}
{{ $value | printf "%d" }}
{{ printf "up{job=\\"%s\\"}" $labels.job | query | first | value }}
{{ (index (query "x") 0).Value }}
{{ "a }} b" }}
{{/* comment */}}
{{- /* c */ -}}
{{ define "x" }}y{{ end }}{{ template "x" . }}
{{ template "nope" }}
{{ $externalLabels.cluster }} {{ externalURL }} {{ pathPrefix }}
{{ query "a" | first | label "b" }}
{{ sortByLabel "a" (query "b") }}
{{ $.Labels.a }} {{ . }} {{ $ }} {{ true }} {{ -5 }}
{{ $value.x }} {{ $labels.a.b }} {{ .Foo }}
{{ $value = 3 }}
{{ $labels.a }}}
}}
""".splitlines()
REFUSED = """\
{{ $label.a }}
{{ $values }}
{{ labels.a }}
{{ $labels.a
{{ $labels.a }
{{ $labels.a } }
{{ $value | humanise }}
{{ | humanize }}
{{ }}
{{ if $labels.a }}x
{{ if }}x{{ end }}
{{ else }}
{{ end }}
{{ end
{{ $x }}
{{ range $i, $e := query "a" }}x{{ end }}{{ $e }}
{{ $labels.foo-bar }}
{{ $labels["a"] }}
{{ $value * 100 }}
{{ ( $value }}
{{ $value ) }}
{{{ $labels.a }}
{{ /* comment */ }}
{{ break }}
{{ $labels.a | "b" }}
{{ $labels.a. }}
{{"open}}
""".splitlines()


def promtool_takes(text: str, folder: Path) -> bool:
    rule = {"alert": "A", "expr": "up == 0", "annotations": {"summary": text}}
    file = written(folder, "rules.yml", json.dumps({"groups": [{"name": "g", "rules": [rule]}]}))
    return subprocess.run(["promtool", "check", "rules", file], capture_output=True, check=False).returncode == 0


@pytest.mark.needs("promtool")
@pytest.mark.parametrize("text", TAKEN + REFUSED)
def test_as_prometheus_reads_it(text: str, tmp_path: Path) -> None:
    taken = promtool_takes(text, tmp_path)
    assert taken is (text in TAKEN)
    assert taken is not bool(read_template(text).broken)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("{{ $labels.a }} {{ .Labels.b }} {{ $.Labels.c }}", ["a", "b", "c"]),
        ('{{ index $labels "a" }} {{ reReplaceAll "x" "y" $labels.b }}', ["a", "b"]),
        ('{{ range query "x" }}{{ .Labels.a }}{{ $labels.b }}{{ end }}{{ .Labels.c }}', ["b", "c"]),
        ("{{ with $labels.a }}{{ .Labels.b }}{{ else }}{{ .Labels.c }}{{ end }}", ["a", "c"]),
        ("{{ if and $labels.a (eq $labels.b `x`) }}{{ end }}", ["a", "b"]),
        ("{{ $externalLabels.a }} $labels.b", []),
    ],
)
def test_which_labels_it_takes_from_the_series(text: str, labels: list[str]) -> None:
    assert read_template(text).labels == labels


def test_a_label_that_is_only_tested() -> None:
    assert read_template("{{ if $labels.a }}on {{ $labels.a }}{{ end }}{{ $labels.b }}").tested == {"a"}


@pytest.mark.parametrize(
    ("text", "prints"),
    [
        ("{{ $value }}", True),
        ("{{ .Value | humanize }}", True),
        ('{{ printf "%.0f" $value }}', True),
        ("{{ $x := $value }}{{ $x }}", True),
        ("{{ $x := $value }}", False),
        ("{{ if gt $value 9.0 }}critical{{ else }}warning{{ end }}", False),
        ('{{ range query "x" }}{{ .Value }}{{ end }}', False),
    ],
)
def test_whether_it_prints_the_value(text: str, prints: bool) -> None:
    assert read_template(text).prints_value is prints


@pytest.mark.parametrize(
    ("text", "faulty"),
    [
        ('{{ printf "%.2f%%" $value }}', False),
        ('{{ printf "%d" $value }}', True),
        ('{{ $value | printf "%s" }}', True),
        ('{{ $value | humanize | printf "%s" }}', False),
        ('{{ $value | humanize | printf "%.1f" }}', True),
        ('{{ printf "%s: %v" $labels.a $value }}', False),
        ('{{ printf "%d" $labels.a }}', True),
        ('{{ printf "%s" }}', True),
        ('{{ printf "x" $value }}', True),
        ('{{ printf "%d" (len $labels.a) }}', False),
        ('{{ printf "%*d" 5 6 }}', False),
    ],
)
def test_what_printf_cannot_print(text: str, faulty: bool) -> None:
    assert bool(read_template(text).badly_formatted) is faulty


def test_what_stands_outside() -> None:
    assert read_template("$labels.a is { .Value } of {{ $value }}, $value").outside == [
        "$labels.a",
        "{ .Value }",
        "$value",
    ]


def test_fields_that_no_alert_has() -> None:
    found = read_template("{{ .Foo }} {{ $value.x }} {{ $labels.a.b }} {{ .CommonLabels.a }}").unknown
    assert [said.split(":")[0] for said in found] == [".Foo", "$value.x", "$labels.a.b", ".CommonLabels"]


@given(
    st.lists(st.sampled_from(["{{", "}}", "$labels.a", "(", ")", "|", "if", "end", '"', "`", "printf", " ", "-", "/*"]))
)
def test_nothing_stops_the_reader(parts: list[str]) -> None:
    read_template("".join(parts))


@pytest.mark.parametrize(
    "text",
    [
        "{{" * 40_000,
        "{{ " + "(" * 40_000 + " }}",
        "{{ if $value }}" * 6_000,
        '{{ "' * 20_000,
        "{{ " + "(printf `` " * 8_000,
        "{{ $value }}" * 8_000,
        "$labels.a " * 9_000,
        "{{/*" * 20_000,
        "{ " * 40_000,
        "x" * (LONGEST + 1),
    ],
    ids=range(10),
)
def test_a_long_hostile_text_is_read_at_once(text: str) -> None:
    read_template(text)
