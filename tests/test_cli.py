"""The command line as its users meet it: what it leaves behind, and how each mistake ends."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import nbformat
import pytest
from clean_command import COMMAND, PROJECT, Done, clean, cloudxai, several

WEEK = "demo/reports/2026-W46"


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> tuple[Path, list[str]]:
    """A folder with the demo's report, and what the command said."""
    outputs = tmp_path_factory.mktemp("good")
    done = cloudxai("report", outputs=outputs)
    assert done.returncode == 0, done.stderr
    return outputs, done.stdout.splitlines()


@pytest.fixture
def published(good, tmp_path) -> Path:
    """A copy of that folder, to spoil."""
    return shutil.copytree(good[0], tmp_path / "outputs", symlinks=True)


def report_of(outputs: Path) -> bytes:
    return (outputs / WEEK / "weekly_report.html").read_bytes()


@pytest.mark.notebook
def test_report_leaves_page_notebook_summary_and_tables(good):
    outputs, lines = good
    folder = outputs / WEEK
    assert (folder / "weekly_report.html").is_file()
    assert (folder / "weekly_report.ipynb").is_file()
    assert len(list((folder / "data").glob("*.csv"))) > 25
    summary = json.loads((folder / "summary.json").read_text())
    assert (lines[0], lines[-1]) == (f"2026-W46: {summary['headline']}", f"Report: {folder / 'weekly_report.html'}")
    gravest: dict[str, str] = {}
    for status in ("pass", "unknown", "warn", "fail"):
        gravest |= {check["section"]: status for check in summary["checks"] if check["status"] == status}
    assert {line.split()[0]: line.split()[1] for line in lines[1:-1]} == gravest


@pytest.mark.notebook
def test_the_same_again_is_the_same_and_a_week_before_makes_a_since_and_fail_on_an_exit_code(good, published):
    def shown(outputs: Path) -> tuple[bytes, bytes]:
        page = re.sub(rb"<dt>Wall time</dt><dd>[^<]*</dd>", b"", report_of(outputs))
        return page, (outputs / WEEK / "summary.json").read_bytes()

    lake = published / "demo" / "lake"
    before = {path: path.stat().st_mtime_ns for path in lake.rglob("*.parquet")}
    (done,) = several(["report"], outputs=published)
    assert (done.code, [line for line in done.err if "pull:" in line]) == (0, [])
    assert done.out[0] == "Nothing that it is made of has changed: the published report stands."
    assert {path: path.stat().st_mtime_ns for path in lake.rglob("*.parquet")} == before
    assert shown(published) == shown(good[0])
    later = several(["report", "--week", "2026-W45"], ["report", "--fail-on", "warn"], outputs=published)
    assert [done.code for done in later] == [0, 1]
    page = report_of(published).decode()
    assert "Compared with the report of 2026-W45" in page
    assert "Still there" in page  # the cost gauge that contradicts its declaration, since W44


MISTAKES = [
    (["report", "--week", "2026-W60"], 2, "W01 to W53"),
    (["report", "--week", "2027-W20"], 2, "lies in the future"),
    (["report", "--week", "2026-W30"], 4, "no sample"),
    (["report", "--week", "soon"], 2, "Invalid window"),
    (["report", "--source", "demo://?sed=3"], 2, "no keys but `seed`"),
    (["report", "--source", "ftp://host"], 2, "demo://"),
    (["report", "--source", "http://127.0.0.1:1"], 3, "127.0.0.1:1"),
    (["report", "--environment", "dem"], 2, "Did you mean 'demo'?"),
    (["run", "weekly_report", "-p", "wek", "2026-W46"], 2, "Did you mean 'week'?"),
    (["run", "weekly_report", "-p", "lake_version", "seven"], 2, "no int"),
    (["run", "weekly_reprot"], 2, "Did you mean 'weekly_report'?"),
    (["report", "--wek", "2026-W46"], 2, "--week"),
]


@pytest.mark.notebook
def test_a_mistake_is_one_line_and_the_last_good_report_stays(good):
    before = report_of(good[0])
    found = several(*(words for words, *_ in MISTAKES), outputs=good[0], CLOUDXAI_LIMITS__RETRIES="0")
    for done, (words, code, said) in zip(found, MISTAKES, strict=True):
        assert (words, done.code, said in done.line) == (words, code, True), done
    assert report_of(good[0]) == before


def test_a_traceback_is_kept_and_a_link_in_the_place_of_the_runs_is_not_followed(outputs, command, tmp_path):
    runs, log = outputs.parent / "runs", outputs.parent / "cloudxai.log"
    outputs.parent.mkdir()
    runs.write_text("")
    done = command("run", "weekly_report")
    assert (done.code, f"The traceback is in {log}." in done.line, "Traceback" in log.read_text()) == (1, True, True)
    runs.unlink()
    runs.symlink_to(tmp_path)
    done = command("run", "weekly_report")
    assert (done.code, "is a link, which is not followed" in done.line) == (8, True)


def test_a_url_that_is_no_prometheus(tmp_path, hostile):
    hostile.script = lambda handler, _: handler.say(b"<html>Log in, please</html>", Content_Type="text/html")
    source = hostile.url.replace("http://", "http://joe:hunter2hunter2@")
    (done,) = several(["report", "--week", "2026-W46", "--source", source], outputs=tmp_path)
    assert (done.code, "127.0.0.1" in done.line) == (4, True), done
    assert "hunter2" not in "".join(done.out + done.err)


def spoiled(folder: Path, code: str, *, place: int = 8) -> str:
    """A notebooks' folder whose weekly report runs `code` in its middle, or in another place."""
    folder.mkdir()
    notebook = nbformat.read(PROJECT / "notebooks" / "weekly_report.ipynb", as_version=4)
    notebook.cells.insert(place, nbformat.v4.new_code_cell(code))
    nbformat.write(notebook, folder / "weekly_report.ipynb")
    return str(folder)


def flip_largest(outputs: Path) -> str:
    victim = max((outputs / "demo/lake/rollups").rglob("*.parquet"), key=lambda path: path.stat().st_size)
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 0xFF
    victim.write_bytes(content)
    return victim.name


@pytest.mark.notebook
@pytest.mark.parametrize("fault", ["a cell", "a tile", "1 KB a file", "100 KB a file"])
def test_after_a_fault_the_last_good_report_stays_and_is_marked_stale(published, tmp_path, fault):
    """A dead kernel stands for every fault of a cell; a limit on the size of files for a disk that takes no more."""
    before, reports = report_of(published), published / "demo" / "reports"
    if fault == "a cell":
        code = "import os; os.kill(os.getpid(), 9)"
        notebooks, ended, said = spoiled(tmp_path / "notebooks", code), 6, "weekly_report"
        done, status = several(["report"], ["status"], outputs=published, CLOUDXAI_NOTEBOOKS=notebooks)
        assert (reports / "2026-W46.failed.ipynb").is_file()
        assert "stale" in "".join(status.out)
    elif fault == "a tile":
        ended, said = 5, flip_largest(published)
        (done,) = several(["report"], outputs=published)
    else:
        rows = {"CLOUDXAI_LIMITS__TABLE_ROWS": "11"}  # so that it is made anew
        told = cloudxai("report", outputs=published, limit=int(fault.split()[0]) << 10, **rows)
        done, ended, said = Done(told.returncode, [], told.stderr.split("\n")), 5, "File too large"
        assert "cannot be written" in done.line or "could not write" in done.line
    assert (done.code, said in done.line) == (ended, True), done
    assert report_of(published) == before
    assert said in (reports / "2026-W46.stale").read_text()
    assert not list(reports.glob(".building-*"))


def gone(pid: str) -> bool:
    """Whether a process is no more; one that is dead and that nobody has fetched yet is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.notebook
def test_a_notebook_that_hangs_is_ended_with_its_children(published, tmp_path):
    mark = tmp_path / "child"
    code = (
        "import subprocess, time\n"
        f"child = subprocess.Popen(['sleep', '300']); open({str(mark)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(300)"
    )
    notebooks = spoiled(tmp_path / "notebooks", code, place=2)
    given = {"CLOUDXAI_NOTEBOOKS": notebooks, "CLOUDXAI_LIMITS__NOTEBOOK_SECONDS": "15"}
    (done,) = several(["report"], outputs=published, **given)
    assert (done.code, "was ended after 15 s, at cell" in done.line) == (6, True), done
    assert "`limits.notebook_seconds`" in done.line
    assert gone(mark.read_text())


@pytest.mark.notebook
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupting_ends_the_kernel_and_says_so(published, tmp_path, how):
    mark = tmp_path / "kernel"
    code = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(300)"
    given = clean(CLOUDXAI_OUTPUTS=str(published), CLOUDXAI_NOTEBOOKS=spoiled(tmp_path / "notebooks", code, place=2))
    with subprocess.Popen([*COMMAND, "report"], env=given, cwd="/", stderr=subprocess.PIPE, text=True) as process:
        while not (mark.exists() and mark.read_text()):
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(how)
        _, said = process.communicate(timeout=180)
    assert process.returncode == 130
    assert "interrupted" in said
    assert gone(mark.read_text())


def test_params_show_name_type_default_and_comment(outputs, command):
    (week,) = (line for line in command("params", "weekly_report").out if "week: str" in line)
    assert "'last'" in week
    assert "2026-W46" in week


def test_status_of_an_empty_environment(outputs, command):
    """What it says to run next means the environment that was asked about, and tells no password."""
    told = "\n".join(command("status").out)
    assert "Lake: empty; `cloudxai pull --environment demo` fills it" in told
    assert "Reports: none; `cloudxai report --environment demo` makes one" in told
    other = "\n".join(command("status", "--source", "http://ada:secretly@prom:9090").out)
    assert "`cloudxai pull --environment prom-9090 --source http://prom:9090` fills it" in other
    assert "secret" not in other


def test_a_command_leaves_the_signals_of_its_caller_as_they_were(command):
    """What is sent to a process after a command of it is over is not for that command."""
    endings = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(one) for one in endings]
    assert command("--version").code == 0
    assert [signal.getsignal(one) for one in endings] == before
