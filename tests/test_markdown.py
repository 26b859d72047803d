"""Foreign text in Markdown for a pull request."""

from __future__ import annotations

import pytest

from cloudxai_analysis.words.markdown import markdown_code, markdown_table, markdown_text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain name-1.2", "plain name-1.2"),
        ("a | b", "a &#124; b"),
        ("<script>", "&lt;script&gt;"),
        ("[x](javascript:alert(1))", r"\[x\](javascript&#58;alert(1))"),
        ("*bold* `code` _it_", r"\*bold\* \`code\` \_it\_"),
        ("@everyone #12", "&#64;everyone &#35;12"),
        ("https://evil.example www.evil.example", "https&#58;//evil.example www&#46;evil.example"),
        ("two\nlines\x1b[31m", "two lines\ufffd\\[31m"),
        ("right\u202eleft", "right\ufffdleft"),
        ("&amp;", "&amp;amp;"),
        ("x" * 300, "x" * 200 + "…"),
    ],
)
def test_text_comes_out_as_itself(text: str, written: str) -> None:
    assert markdown_text(text) == written


def test_a_table_lines_numbers_up_and_no_text_closes_the_fence_of_code() -> None:
    table = [*markdown_table({"rule": False, "missed": True}, [["a", 1], ["b", ""]])]
    assert table == ["| rule | missed |", "| --- | ---: |", "| a | 1 |", "| b | |"]
    assert [*markdown_code("a\n```\nb", "yaml")] == ["````yaml", "a", "```", "b", "````"]
