"""The examples of a cluster: Kubernetes takes them, the image and the script have no fault, Dask knows the words."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from cloudxai_analysis.lake.executor import opened_executor

CLUSTER = Path(__file__).parents[1] / "reference" / "cluster"
ITEMS = yaml.safe_load((CLUSTER / "kubernetes.yaml").read_text(encoding="utf-8"))["items"]


def test_kubernetes_takes_each_item_and_its_pods_are_closed_and_bounded() -> None:
    assert [item["kind"] for item in ITEMS] == ["Service", "NetworkPolicy", "Deployment", "Deployment"]
    for item in ITEMS:
        kubernetes_validate.validate(item, kubernetes_validate.latest_version(), strict=True)
    for item in ITEMS[2:]:
        pod = item["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        (container,) = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert {*container["resources"]} == {"requests", "limits"}


def test_service_policy_and_workers_mean_the_same_pods() -> None:
    service, policy, scheduler, worker = ITEMS
    names = [item["spec"]["template"]["metadata"]["labels"]["app"] for item in (scheduler, worker)]
    assert service["spec"]["selector"] == {"app": names[0]}
    assert policy["spec"]["podSelector"]["matchExpressions"][0]["values"] == names
    address = f"tcp://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
    assert address in worker["spec"]["template"]["spec"]["containers"][0]["command"]


@pytest.mark.parametrize("command", ["scheduler", "worker"])
def test_dask_knows_the_options_of_the_examples(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"distributed.cli.dask_{command}", "--help"], capture_output=True, text=True, check=True
    )
    known = set(re.findall(r"--[a-z-]+", done.stdout))
    given = [
        container["command"]
        for item in ITEMS[2:]
        for container in item["spec"]["template"]["spec"]["containers"]
        if container["command"][1] == command
    ]
    script = re.findall(rf"dask {command} ([^\n]*)", (CLUSTER / "over-ssh.sh").read_text(encoding="utf-8"))
    used = {word for words in (*given, *script) for word in re.findall(r"--[a-z-]+", str(words))}
    assert len(given) == len(script) == 1
    assert used <= known


def test_the_script_and_the_image_have_no_fault() -> None:
    subprocess.run(["bash", "-n", CLUSTER / "over-ssh.sh"], check=True)
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, "--no-color", CLUSTER / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_script_makes_a_cluster_of_one_host(tmp_path: Path) -> None:
    """With an `ssh` that stays on this machine, which has no other one to reach."""
    from servers import free_port

    (tmp_path / "ssh").write_text('#!/bin/sh\nexec sh -c "$(eval echo \\"\\${$#}\\")"\n')
    (tmp_path / "ssh").chmod(0o755)
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    place = f"127.0.0.1:{free_port()}"
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHONPATH": ":".join(filter(None, sys.path))}
    with (tmp_path / "log").open("wb") as log:
        command = [CLUSTER / "over-ssh.sh", place, "worker-1"]
        running = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, env=path)
    try:
        with opened_executor(f"dask://{place}", 1) as pool:
            assert pool.submit(len, "four").result() == 4
    finally:
        running.terminate()
        running.wait()
