"""What the templates in an alert's texts ask for, by hand; whether they can be read is promtool's to say."""

from __future__ import annotations

import pytest

from cloudxai_analysis.lint.templates import read_template


@pytest.mark.parametrize(
    ("text", "labels", "tested"),
    [
        ("{{ $labels.a }} {{ .Labels.b | toUpper }}", ("a", "b"), set()),
        ("{{ if $labels.a }}{{ $labels.a }}{{ end }}", ("a",), {"a"}),
        ("{{ with .Labels.a }}{{ . }}{{ end }}", ("a",), {"a"}),
        ("{{ printf `up{job='%s'}` $labels.job | query }}", ("job",), set()),
        ("no template", (), set()),
    ],
)
def test_labels(text: str, labels: tuple[str, ...], tested: set[str]) -> None:
    read = read_template(text)
    assert (read.labels, read.tested) == (labels, tested)


@pytest.mark.parametrize(
    ("text", "outside"),
    [
        ("$labels.a is {{ $value }}", ["$labels.a"]),
        ("{ $labels.a } fails", ["{ $labels.a }"]),
        ("costs $5", []),
        ("{{ $labels.a", []),
    ],
)
def test_what_stands_outside_of_braces(text: str, outside: list[str]) -> None:
    assert list(read_template(text).outside) == outside


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('{{ printf "%d" $value }}', True),
        ('{{ $value | printf "%s" }}', True),
        ('{{ printf "%.2f" .Value }}', False),
        ('{{ printf "%.f" $value }}', False),
        ('{{ printf "%v" $value }}', False),
        ('{{ printf "%d" $labels.a }}', True),
        ('{{ printf "%s" $labels.a }}', False),
        ('{{ printf "%d %s" $value $labels.a }}', False),
    ],
)
def test_verbs(text: str, wrong: bool) -> None:
    assert bool(read_template(text).badly_formatted) is wrong


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("{{ .CommonLabels.a }}", ("CommonLabels",)),
        ("{{ .Labels.a }} {{ .Value | humanize }} {{ .ExternalURL }}", ()),
        ('{{ range query "up" }}{{ .Foo }}{{ end }}', ()),
        ("{{ ($x).Foo }}", ()),
    ],
)
def test_fields(text: str, unknown: tuple[str, ...]) -> None:
    assert read_template(text).unknown == unknown


def test_values_and_queries() -> None:
    assert read_template("{{ $value }}").prints_value
    assert not read_template("{{ if gt $value 5.0 }}high{{ end }}").prints_value
    assert read_template('{{ query "up" | first }}{{ query `x` }}').queries == ("up", "x")
