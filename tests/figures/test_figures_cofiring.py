import pandas as pd

from cloudxai_analysis.figures import new_axes
from cloudxai_analysis.figures.cofiring import cofiring_matrix


def pairs(*rows):
    """One row per (alertname, other, together, share, linked), the largest share first."""
    frame = pd.DataFrame(rows, columns=["alertname", "other", "together", "share", "linked"])
    return frame.assign(
        episodes=(frame["together"] / frame["share"].where(frame["share"] > 0)).fillna(4).astype("int64")
    )


def groups(*names):
    return pd.DataFrame({"group": [1] * len(names), "alertname": list(names)})


def said(ax):
    return [text.get_text() for text in ax.texts]


def test_shares_stand_where_row_and_column_meet():
    frame = pairs(
        ("B", "A", 3, 1.0, True), ("A", "B", 3, 0.75, True), ("A", "C", 1, 0.25, False), ("C", "A", 0, 0.0, False)
    )
    ax = cofiring_matrix(new_axes(), frame, groups("A", "B"))
    assert ax.get_title(loc="left") == "1 group of rules fire together: B with A, 3 of 3"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["1  A", "2  B", "3  C"]
    cells = {text.get_text(): text.get_position() for text in ax.texts if text.get_gid() == "share"}
    # The row's rule began while the column's fired: B (row 1) with A (column 0).
    assert cells == {"100": (0.0, 1.0), "75": (1.0, 0.0), "25": (2.0, 0.0)}


def test_pairs_that_are_not_linked_are_no_group():
    ax = cofiring_matrix(new_axes(), pairs(("A", "B", 1, 0.25, False)), groups())
    assert ax.get_title(loc="left") == "No rules are linked; at most 1 of 4 A with B"


def test_nothing_together_says_so_and_many_rules_are_counted():
    assert said(cofiring_matrix(new_axes(), pairs(), groups()))[1] == "no two rules fired together"
    many = pairs(*[(f"r{number:02d}", f"r{number + 1:02d}", 3, 1.0, True) for number in range(30)])
    ax = cofiring_matrix(new_axes(), many, groups(*[f"r{number:02d}" for number in range(31)]))
    assert any("9 of 31 rules" in text for text in said(ax))
