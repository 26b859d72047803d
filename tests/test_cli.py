"""The command line as its users meet it: what it leaves behind, and how each mistake ends."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_FSIZE, setrlimit

import nbformat
import pytest

PROJECT = Path(__file__).parent.parent


def cloudxai(
    *arguments: str, outputs: Path, limit: int = RLIM_INFINITY, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, with its outputs in a folder of the test, and no file over `limit`."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("CLOUDXAI_", "PROMETHEUS_"))}
    return subprocess.run(
        [sys.executable, "-m", "cloudxai_analysis.cli", *arguments],
        env={**clean, "CLOUDXAI_OUTPUTS": str(outputs), **environment},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        preexec_fn=lambda: setrlimit(RLIMIT_FSIZE, (limit, limit)),
    )


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """What was said of the mistake: one line, no traceback."""
    said = [line for line in done.stderr.splitlines() if line.startswith("cloudxai: ")]
    assert len(said) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return said[0]


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A folder with the demo's report, and what the command said."""
    outputs = tmp_path_factory.mktemp("good")
    done = cloudxai("report", outputs=outputs)
    assert done.returncode == 0, done.stderr
    return outputs, done


@pytest.fixture
def published(good, tmp_path) -> Path:
    """A copy of that folder, to spoil."""
    shutil.copytree(good[0], tmp_path / "outputs", symlinks=True)
    return tmp_path / "outputs"


def without_times(page: bytes) -> bytes:
    return re.sub(rb"<dt>Wall time</dt><dd>[^<]*</dd>", b"", page)


def report_of(outputs: Path) -> bytes:
    return (outputs / "demo" / "reports" / "2026-W46" / "weekly_report.html").read_bytes()


@pytest.mark.notebook
def test_report_leaves_page_notebook_summary_and_tables(good):
    outputs, done = good
    folder = outputs / "demo" / "reports" / "2026-W46"
    assert {path.name for path in folder.iterdir()} >= {
        "weekly_report.html",
        "weekly_report.ipynb",
        "summary.json",
        "data",
    }
    assert len(list((folder / "data").glob("*.csv"))) > 25
    lines = done.stdout.splitlines()
    summary = json.loads((folder / "summary.json").read_text())
    assert lines[0] == summary["headline"]
    assert lines[-1] == f"Report: {folder / 'weekly_report.html'}"
    gravest: dict[str, str] = {}
    for status in ("pass", "unknown", "warn", "fail"):
        gravest |= {check["section"]: status for check in summary["checks"] if check["status"] == status}
    assert {line.split()[0]: line.split()[1] for line in lines[1:-1]} == gravest


@pytest.mark.notebook
def test_the_same_again_pulls_nothing_and_gives_the_same_bytes(good, published):
    outputs, _ = good
    before = {path: path.stat().st_mtime_ns for path in (published / "demo" / "lake").rglob("*.parquet")}
    folder = published / "demo" / "reports" / "2026-W46"
    page, summary = report_of(outputs), (folder / "summary.json").read_bytes()
    done = cloudxai("report", outputs=published)
    assert done.returncode == 0, done.stderr
    assert "pull:" not in done.stderr
    assert {path: path.stat().st_mtime_ns for path in (published / "demo" / "lake").rglob("*.parquet")} == before
    assert (folder / "summary.json").read_bytes() == summary
    assert without_times(report_of(published)) == without_times(page)


@pytest.mark.notebook
def test_the_week_before_makes_a_since_and_fail_on_turns_the_verdict_into_the_exit_code(published):
    assert cloudxai("report", "--week", "2026-W45", outputs=published).returncode == 0
    assert cloudxai("report", "--week", "2026-W46", "--fail-on", "warn", outputs=published).returncode == 1
    page = report_of(published).decode()
    assert "Compared with 2026-W45" in page
    assert "Still there" in page  # the cost gauge that contradicts its declaration, since W44


MISTAKES = [
    (["report", "--week", "2026-W60"], 2, "W01 to W53"),
    (["report", "--week", "2027-W20"], 2, "lies in the future"),
    (["report", "--week", "2026-W30"], 4, "no sample"),
    (["report", "--week", "soon"], 2, "Invalid window"),
    (["report", "--source", "demo://?sed=3"], 2, "no keys but `seed`"),
    (["report", "--source", "ftp://host"], 2, "demo://"),
    (["report", "--environment", "dem"], 2, "Did you mean 'demo'?"),
    (["run", "weekly_report", "-p", "wek", "2026-W46"], 2, "Did you mean 'week'?"),
    (["run", "weekly_report", "-p", "lake_version", "seven"], 2, "no int"),
    (["run", "weekly_reprot"], 2, "Did you mean 'weekly_report'?"),
    (["report", "--wek", "2026-W46"], 2, "--week"),
]


@pytest.mark.notebook
@pytest.mark.parametrize(("arguments", "code", "part"), MISTAKES)
def test_a_mistake_is_one_line_and_the_last_good_report_stays(good, arguments, code, part):
    before = report_of(good[0])
    done = cloudxai(*arguments, outputs=good[0])
    assert (done.returncode, part in one_line(done)) == (code, True), done.stderr
    assert report_of(good[0]) == before


def test_misspelt_key_of_the_settings(tmp_path):
    file = tmp_path / "cloudxai.toml"
    file.write_text("[bounds]\nheadrom_share = 0.2\n")
    done = cloudxai("status", outputs=tmp_path, CLOUDXAI_SETTINGS=str(file))
    assert done.returncode == 2
    assert "Did you mean 'headroom_share'?" in one_line(done)


def test_the_line_comes_even_where_no_traceback_can_be_kept(tmp_path):
    outputs, elsewhere = tmp_path / "outputs", tmp_path / "elsewhere"
    outputs.write_text("a file where the folder should be")
    done = cloudxai("run", "weekly_report", outputs=outputs)
    assert (done.returncode, "The traceback could not be kept in" in one_line(done)) == (1, True)
    # Nor is a link followed, that somebody put there.
    outputs.unlink()
    outputs.mkdir()
    (outputs / "runs").write_text("")
    (outputs / "cloudxai.log").symlink_to(elsewhere)
    done = cloudxai("run", "weekly_report", outputs=outputs)
    assert (done.returncode, "The traceback could not be kept in" in one_line(done)) == (1, True)
    (outputs / "cloudxai.log").unlink()
    done = cloudxai("run", "weekly_report", outputs=outputs)
    assert f"The traceback is in {outputs / 'cloudxai.log'}." in one_line(done)
    assert ("Traceback" in (outputs / "cloudxai.log").read_text(), elsewhere.exists()) == (True, False)
    (outputs / "runs").unlink()
    (outputs / "runs").symlink_to(tmp_path)
    done = cloudxai("run", "weekly_report", outputs=outputs)
    assert (done.returncode, "is a link, which is not followed" in one_line(done)) == (8, True)


def test_unreachable_source(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    done = cloudxai("report", "--source", f"http://127.0.0.1:{port}", outputs=tmp_path, CLOUDXAI_LIMITS__RETRIES="0")
    assert done.returncode == 3
    assert f"127.0.0.1:{port}" in one_line(done)


def test_a_url_that_is_no_prometheus(tmp_path, hostile):
    hostile.script = lambda handler, _: handler.say(b"<html>Log in, please</html>", Content_Type="text/html")
    source = hostile.url.replace("http://", "http://joe:hunter2@")
    done = cloudxai("report", "--week", "2026-W46", "--source", source, outputs=tmp_path)
    assert done.returncode == 4, done.stderr
    assert "127.0.0.1" in one_line(done)
    assert "hunter2" not in done.stderr + done.stdout


@pytest.mark.notebook
def test_damaged_lake(published):
    victim = max((published / "demo" / "lake" / "rollups").rglob("*.parquet"), key=lambda path: path.stat().st_size)
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 0xFF
    victim.write_bytes(content)
    before = report_of(published)
    done = cloudxai("report", outputs=published)
    assert done.returncode == 5, done.stderr
    assert victim.name in one_line(done)
    assert report_of(published) == before
    assert (published / "demo" / "reports" / "2026-W46.stale").read_text()


def gone(pid: str) -> bool:
    """Whether a process is no more; one that is dead and that nobody has fetched yet is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def spoiled(folder: Path, code: str) -> Path:
    """A notebooks' folder whose weekly report runs `code` in its middle."""
    folder.mkdir()
    notebook = nbformat.read(PROJECT / "notebooks" / "weekly_report.ipynb", as_version=4)
    notebook.cells.insert(8, nbformat.v4.new_code_cell(code))
    nbformat.write(notebook, folder / "weekly_report.ipynb")
    return folder


@pytest.mark.notebook
@pytest.mark.parametrize(
    ("code", "part"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import sys; sys.exit(0)", "weekly_report"),
        ("import os; os.kill(os.getpid(), 9)", "weekly_report"),
    ],
)
def test_a_notebook_that_fails_is_not_published(published, tmp_path, code, part):
    before = report_of(published)
    done = cloudxai("report", outputs=published, CLOUDXAI_NOTEBOOKS=str(spoiled(tmp_path / "notebooks", code)))
    assert done.returncode == 6, done.stderr
    assert part in one_line(done)
    assert report_of(published) == before
    reports = published / "demo" / "reports"
    assert part in (reports / "2026-W46.stale").read_text()
    assert (reports / "2026-W46.failed.ipynb").is_file()
    assert not list(reports.glob(".building-*"))
    status = cloudxai("status", outputs=published)
    assert "stale" in status.stdout


@pytest.mark.notebook
def test_a_notebook_that_hangs_is_ended_with_its_children(published, tmp_path):
    mark = tmp_path / "child"
    code = (
        "import subprocess, time\n"
        f"child = subprocess.Popen(['sleep', '300']); open({str(mark)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(300)"
    )
    done = cloudxai(
        "report",
        outputs=published,
        CLOUDXAI_NOTEBOOKS=str(spoiled(tmp_path / "notebooks", code)),
        CLOUDXAI_LIMITS__NOTEBOOK_SECONDS="15",
    )
    assert done.returncode == 6
    assert "15 s" in one_line(done)
    assert gone(mark.read_text())


@pytest.mark.notebook
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupting_ends_the_kernel_and_says_so(published, tmp_path, how):
    mark = tmp_path / "kernel"
    code = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(300)"
    environment = {
        **os.environ,
        "CLOUDXAI_OUTPUTS": str(published),
        "CLOUDXAI_NOTEBOOKS": str(spoiled(tmp_path / "notebooks", code)),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "cloudxai_analysis.cli", "report"],
        env=environment,
        cwd=PROJECT,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    while not (mark.exists() and mark.read_text()):
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(how)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in said
    assert gone(mark.read_text())


def test_params_show_name_type_default_and_comment(tmp_path):
    done = cloudxai("params", "weekly_report", outputs=tmp_path)
    assert done.returncode == 0, done.stderr
    week = next(line for line in done.stdout.splitlines() if "week: str" in line)
    assert "'last'" in week
    assert "2026-W46" in week


def test_status_of_an_empty_environment(tmp_path):
    """What it says to run next means the environment that was asked about, and tells no password."""
    done = cloudxai("status", outputs=tmp_path)
    assert done.returncode == 0
    assert "Lake: empty; `cloudxai pull --environment demo` fills it" in done.stdout
    assert "Reports: none; `cloudxai report --environment demo` makes one" in done.stdout
    other = cloudxai("status", "--source", "http://ada:secret@prom:9090", outputs=tmp_path)
    assert "`cloudxai pull --environment prom-9090 --source http://prom:9090` fills it" in other.stdout
    assert "secret" not in other.stdout


@pytest.mark.notebook
@pytest.mark.parametrize("kilobytes", [1, 100])
def test_a_disk_that_takes_no_more_ends_in_its_line_and_the_last_good_report_is_marked_stale(published, kilobytes):
    """A limit on the size of files stands for the disk: of the page, the executed notebook, and any table."""
    before = report_of(published)
    done = cloudxai("report", outputs=published, limit=kilobytes << 10)
    assert (done.returncode, "cannot be written" in one_line(done) or "could not write" in one_line(done)) == (5, True)
    assert report_of(published) == before
    reports = published / "demo" / "reports"
    assert "File too large" in (reports / "2026-W46.stale").read_text()
    assert not list(reports.glob(".building-*"))
