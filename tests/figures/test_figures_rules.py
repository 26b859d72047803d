import pandas as pd

from cloudxai_analysis.figures import new_axes
from cloudxai_analysis.figures import rules as figures


def found(*rows):
    return pd.DataFrame(rows, columns=["severity", "code", "file"])


def test_the_gravest_stand_on_top_with_their_number_and_files():
    ax = figures.findings_by_code(
        new_axes(),
        found(
            ("warning", "rules/b", "x.yml"),
            ("warning", "rules/b", "y.yml"),
            ("warning", "rules/b", "y.yml"),
            ("error", "rules/a", "x.yml"),
            ("info", "rules/c", "x.yml"),
        ),
    )
    assert ax.get_title(loc="left") == "5 findings, 1 of them errors"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["rules/a", "rules/b", "rules/c"]
    assert [text.get_text() for text in ax.texts if text.get_gid() == "value"] == [
        "1 in 1 file",
        "3 in 2 files",
        "1 in 1 file",
    ]


def test_files_without_a_fault_are_nothing_to_draw():
    assert figures.findings_by_code(new_axes(), found()).texts[0].get_text() == "Nothing to draw"
