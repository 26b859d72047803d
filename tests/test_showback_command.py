"""`cloudxai showback`: a page a tenant, in files of their own, whatever they are called; and going on where it was."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clean_command import Done
from hypothesis import given
from hypothesis import strategies as some

from cloudxai_analysis.ground.errors import LakeUnwritable
from cloudxai_analysis.report.showback import page_name, write_pages
from cloudxai_analysis.study.opening import open_study
from cloudxai_analysis.words.phrases import money

HOSTILE = (
    "",
    ".",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "con",
    "CON",
    "nul",
    "lpt1",
    "x" * 300,
    "Acme",
    "acme",
)
ALIKE = (
    "ACME",
    "a cme",
    "acme ",
    "acme.html",
    "acme~",
    "ﬁ",
    "fi",
    "ä",
    "a\u0308",
    "\ud800",
    "\x00",
    "a\nb",
    "\u202eemca",
    "-a",
)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("showback")


@pytest.fixture
def showback(outputs: Path, command: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    monkeypatch.setenv("CLOUDXAI_OUTPUTS", str(outputs))
    return lambda *words: command("showback", *words, "--week", "2026-W46", "--source", "demo://")


def test_each_tenant_has_a_page_and_a_second_run_writes_only_what_is_missing(showback, outputs: Path) -> None:
    done = showback("all")
    folder = outputs / "demo" / "showback" / "2026-W46"
    with (folder.parent / "2026-W46.csv").open(encoding="utf-8") as index:
        whose = {row["tenant"]: folder / row["file"] for row in csv.DictReader(index)}
    assert done.code == 0, done.err
    assert done.out == [f"Whose is which: {folder}.csv", f"2026-W46: {len(whose)} pages in {folder}."]
    assert f"showback: {len(whose)} of {len(whose)} pages" in done.err
    costs = open_study("2026-W46", source="demo://", pull_missing=False).cost.costs
    assert set(whose) == set(costs["tenant"])
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    for row in costs.itertuples():
        said = whose[row.tenant].read_text(encoding="utf-8").partition("</style>")[2].replace("\u00a0", " ")
        assert money(row.cost, row.currency) in said
        assert [name for name in whose if name in said] == [row.tenant]
    before = {path: (path.read_bytes(), path.stat().st_ino) for path in folder.iterdir()}
    first, second, *_ = sorted(before)
    first.unlink()
    second.write_bytes(before[second][0][:100])
    assert (
        f"{len(whose)} pages in {folder}, {len(whose) - 2} of them already there as they are now." in showback().out[-1]
    )
    assert {path: path.read_bytes() for path in folder.iterdir()} == {path: text for path, (text, _) in before.items()}
    assert [path for path in before if path.stat().st_ino != before[path][1]][:1] == [first]
    one = showback("--tenant", "kiln-ceramics")
    assert one.out[0] == f"Page: {folder / 'kiln-ceramics.html'}"
    assert "1 page in" in one.out[1]
    assert "1 of them already there" in one.out[1]
    assert showback("--tenant", "kiln-ceramic").line == (
        "cloudxai: No tenant 'kiln-ceramic' up to the end of 2026-W46. Did you mean 'kiln-ceramics'? "
        "`cloudxai showback all` makes a page for each."
    )


def test_hostile_names_have_files_of_their_own_on_any_disk() -> None:
    names = [page_name(name) for name in (*HOSTILE, *ALIKE)]
    assert len({unicodedata.normalize("NFKC", name).casefold() for name in names}) == len(names)
    assert all(re.fullmatch(r"[a-z0-9_~-]{1,80}\.html", name) for name in names)
    assert page_name("acme") == "acme.html"
    assert not page_name("con").startswith("con.")


@given(some.text(max_size=80), some.text(max_size=80))
def test_two_tenants_never_share_a_file(one: str, other: str) -> None:
    assert (page_name(one).casefold() == page_name(other).casefold()) == (one == other)


def test_what_ends_in_the_middle_leaves_whole_pages_and_is_gone_on_with(tmp_path: Path) -> None:
    def pages(until: int, error: BaseException | None = None) -> Iterator[tuple[str, str]]:
        yield from ((f"tenant-{number}", f"page {number}\n" * 9_000) for number in range(until))
        if error:
            raise error

    folder = tmp_path / "pages"
    with pytest.raises(KeyboardInterrupt):
        write_pages(pages(4, KeyboardInterrupt()), folder, total=9)
    with pytest.raises(LakeUnwritable, match=r"Showback .*pages cannot be written: No space left"):
        write_pages(pages(6, OSError(28, "No space left on device")), folder, total=9)
    assert {path.name: len(path.read_text()) for path in folder.iterdir()} == {
        f"tenant-{number}.html": 9_000 * 7 for number in range(6)
    }
    assert len(write_pages(pages(9), folder, total=9)) == 6
