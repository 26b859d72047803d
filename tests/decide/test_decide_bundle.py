"""The bundle of evidence, held against strangers' tools: sha256sum, bagit, ssh-keygen, in-toto and DSSE libraries."""

from __future__ import annotations

import json
import os
import re
import resource
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import pytest
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from signed_off import entries, study_with

from cloudxai_analysis.decide.bundle import write_bundle
from cloudxai_analysis.decide.signoff import Signoff
from cloudxai_analysis.ground.errors import LakeUnwritable, UsageError
from cloudxai_analysis.ledger import Ledger

TODAY = date(2026, 11, 16)
HOSTILE = "../../x\n<script>alert(1)</script>\u202e'; rm -rf /"
NAMESPACE = "cloudxai-signoff"
MANIFEST = "tagmanifest-sha256.txt"


def ended(*words: object, folder: Path, stdin: bytes | None = None) -> bool:
    return (
        subprocess.run(list(map(str, words)), cwd=folder, input=stdin, capture_output=True, check=False).returncode == 0
    )


def sha256sum(bag: Path) -> bool:
    return ended("sha256sum", "--check", "--strict", "--quiet", MANIFEST, "manifest-sha256.txt", folder=bag)


def bagit(bag: Path) -> bool:
    return ended(sys.executable, "-m", "bagit", "--validate", bag, folder=bag)


def signature(bag: Path) -> bool:
    words = ("-f", bag.parent / "allowed", "-I", "ada", "-n", NAMESPACE, "-s", f"{MANIFEST}.sig")
    return ended("ssh-keygen", "-Y", "verify", *words, folder=bag, stdin=(bag / MANIFEST).read_bytes())


TOOLS: dict[str, Callable[[Path], bool]] = {"sha256sum": sha256sum, "bagit": bagit, "ssh-keygen": signature}


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bag that a person signed with a key of her own."""
    folder = tmp_path_factory.mktemp("signed")
    write_bundle(Signoff(study_with(folder / "outputs", *entries())), folder / "bag", bagged_on=TODAY)
    key = folder / "key"
    assert ended("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key, folder=folder)
    (folder / "allowed").write_text(f"ada {(folder / 'key.pub').read_text()}", encoding="utf-8")
    assert ended("ssh-keygen", "-Y", "sign", "-f", key, "-n", NAMESPACE, MANIFEST, folder=folder / "bag")
    return folder / "bag"


def test_strangers_tools_pass_it(bag: Path) -> None:
    assert {name: check(bag) for name, check in TOOLS.items()} == dict.fromkeys(TOOLS, True)


def finds(bag: Path, tools: set[str], file: Path, place: int) -> bool:
    """Whether these tools all find a flipped bit at this place of a file; it is mended again."""
    content = file.read_bytes()
    file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    try:
        return not any(TOOLS[name](bag) for name in tools)
    finally:
        file.write_bytes(content)


# By file: which of the tools find a changed byte, wherever it is.
FINDS = {
    "data/READ-ME.txt": {"sha256sum", "bagit"},
    "data/signoff.json": {"sha256sum", "bagit"},
    "data/evidence/harness-*.json": {"sha256sum", "bagit"},
    "data/statements/6-owners-*.json": {"sha256sum", "bagit"},
    "manifest-sha256.txt": {"sha256sum", "bagit"},
    "bag-info.txt": {"sha256sum", "bagit"},
    "bagit.txt": {"sha256sum", "bagit"},
    MANIFEST: {"ssh-keygen"},  # the others do not always: a digit of a digest in another case is the same digest
    f"{MANIFEST}.sig": {"ssh-keygen"},
}


@pytest.mark.parametrize("pattern", FINDS)
def test_a_changed_byte_anywhere_is_found(bag: Path, pattern: str) -> None:
    (file,) = bag.glob(pattern)
    size = file.stat().st_size
    for place in (0, size // 2, size - 1):
        if (pattern, place) == (f"{MANIFEST}.sig", size - 1):  # the line's end after the armour
            continue
        assert finds(bag, FINDS[pattern], file, place), (file, place)


def test_a_file_too_many_too_few_or_exchanged_is_found(bag: Path) -> None:
    one, other = sorted((bag / "data" / "evidence").iterdir())[:2]
    contents = one.read_bytes(), other.read_bytes()
    more = bag / "data" / "evidence" / "more.json"
    more.write_text("{}", encoding="utf-8")
    assert not bagit(bag)
    more.unlink()
    one.write_bytes(contents[1])
    other.write_bytes(contents[0])
    assert (sha256sum(bag), bagit(bag)) == (False, False)
    one.write_bytes(contents[0])
    other.unlink()
    assert (sha256sum(bag), bagit(bag)) == (False, False)
    other.write_bytes(contents[1])
    assert bagit(bag)


def test_each_piece_of_evidence_has_its_statement_that_libraries_of_the_field_read(bag: Path) -> None:
    pieces = {}
    for file in (bag / "data" / "statements").iterdir():
        envelope = Envelope.from_dict(json.loads(file.read_text(encoding="utf-8")))
        assert (envelope.payload_type, envelope.signatures) == ("application/vnd.in-toto+json", {})
        # Without a signature nothing verifies, and no threshold of none can be asked for.
        with pytest.raises(ValueError, match="greater than 0"):
            envelope.verify([], 0)
        said = json.loads(envelope.payload)
        subject = [ResourceDescriptor(**one).pb for one in said["subject"]]
        Statement(subject, said["predicateType"], said["predicate"]).validate()
        assert said["_type"] == "https://in-toto.io/Statement/v1"
        assert (bag / said["subject"][0]["name"]).is_file()
        pieces.setdefault(said["predicate"]["criterion"], []).append(said["subject"][0]["digest"]["sha256"])
    told = json.loads((bag / "data" / "signoff.json").read_text(encoding="utf-8"))
    assert {key: len(value) for key, value in pieces.items()} == {1: 15, 2: 8, 3: 2, 4: 1, 5: 2, 6: 3}
    assert sorted(one["sha256"] for one in told["evidence"]) == sorted(chain(*pieces.values()))
    assert told["headline"] == "Evidence complete, awaiting sign-off."


def test_an_entry_of_the_ledger_is_the_line_that_the_next_one_names(tmp_path: Path) -> None:
    study = study_with(tmp_path, *entries())
    signoff = Signoff(study)
    lines = [json.loads(line) for line in study.ledger.path.read_text(encoding="utf-8").splitlines()]
    following = {before["id"]: after["previous"] for before, after in pairwise(lines)}
    kept = signoff.evidence[signoff.evidence["name"].isin(following)]
    assert len(kept) == 28
    assert [following[name] for name in kept["name"]] == kept["sha256"].tolist()
    assert Ledger(study.ledger.path).head().entries == len(lines)


def contents(bag: Path) -> dict[str, bytes]:
    return {str(path.relative_to(bag)): path.read_bytes() for path in bag.rglob("*") if path.is_file()}


def test_two_bundles_of_the_same_evidence_are_equal_to_the_byte_and_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        for name in ("a", "b"):
            study = study_with(tmp_path / "outputs", *([] if name == "b" else entries()))
            write_bundle(Signoff(study), tmp_path / name, bagged_on=TODAY)
    finally:
        os.umask(before)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a").rglob("*")} == {0o600, 0o700}
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "outputs"]


def test_hostile_names_are_text_and_no_paths(tmp_path: Path) -> None:
    hostile: dict[str, Any] = {"name": HOSTILE, "role": HOSTILE, "attests": ["owners"], "id": HOSTILE}
    signed = {"kind": "attestation", "by": HOSTILE, "date": "2026-11-15", "link": f"https://a/{HOSTILE}", **hostile}
    incident = {"kind": "incident", "id": f"{HOSTILE}2", "by": "ada", "start": "2026-11-10T10:00Z"}
    incident["alerts"] = ["TenantLabelCardinalityExceeded"]
    write_bundle(
        Signoff(study_with(tmp_path / "outputs", *entries(), signed, incident)), tmp_path / "bag", bagged_on=TODAY
    )
    assert all(re.fullmatch(r"[A-Za-z0-9/.-]+", name) for name in contents(tmp_path / "bag"))
    assert (sha256sum(tmp_path / "bag"), bagit(tmp_path / "bag")) == (True, True)


def test_it_is_written_whole_or_not_at_all_and_never_over_something(tmp_path: Path) -> None:
    signoff = Signoff(study_with(tmp_path, *entries()))
    (tmp_path / "taken").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("taken", "dangling"):
        with pytest.raises(UsageError, match="is there already"):
            write_bundle(signoff, tmp_path / name, bagged_on=TODAY)
    assert signoff.headline.startswith("Evidence complete")  # made before anything may fail
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # as a disk that fills up in the midst of it
    try:
        with pytest.raises(LakeUnwritable, match="File too large"):
            write_bundle(signoff, tmp_path / "bag", bagged_on=TODAY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beta", "dangling", "taken"]
