"""Every state that a crash may leave on a disk, made of the system calls that a program was seen to make.

After any call the power may fail. What a folder's names or a file's bytes were synced for is there; of the rest each
change is there or not, whatever came before or after it, and a write may be there by half, or as zeros of its length.
A rename inside a folder is one change, one between folders is two, of which each may be lost.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from os.path import join
from pathlib import Path

CHANGES = "creat,write,pwrite64,writev,ftruncate,rename,link,unlink,rmdir,mkdir,symlink"
SAME = {"renameat": "rename", "renameat2": "rename", "linkat": "link", "unlinkat": "unlink", "fdatasync": "fsync"}
TRACED = f"trace=openat,fsync,{CHANGES},{','.join(SAME)}"
MOST = 20_000  # states after one call
# Of each path below the root a file's bytes, a link's target as text, or None for a folder.
Tree = Mapping[str, bytes | str | None]
Call = tuple[str, list[str], bytes]
_WORD = re.compile(r'(?:\d+|AT_FDCWD)<([^>]*)>|"((?:\\x..)*)"')


def record(command: Sequence[object], root: Path) -> list[Call]:
    """Run a command under `strace`; its calls that changed or synced what is below `root`: name, paths, bytes."""
    log = root.with_name(f"{root.name}.calls")
    options = ["strace", "-f", "-qq", "-y", "-xx", "-s", "10000000", "-e", TRACED, "-o", log]
    subprocess.run([*map(str, options), *map(str, command)], check=True, stdout=subprocess.DEVNULL)
    begun: dict[str, str] = {}
    calls = []
    for line in log.read_text(encoding="ascii").splitlines():
        process, text = line.split(maxsplit=1)
        if text.endswith("<unfinished ...>"):
            begun[process] = text.removesuffix("<unfinished ...>")
            continue
        if text.startswith("<... "):
            text = begun.pop(process) + text.partition(" resumed>")[2]
        done = re.fullmatch(r"(\w+)\((.*)\) += \d+(?:<.*>)?", text)
        if done and (done[1] != "openat" or "O_CREAT" in done[2]):
            calls.append(_call(done[1], done[2]))
    # A lock holds nothing, and is free when its owner is gone.
    below = [call for call in calls if all(f"{path}/".startswith(f"{root}/") for path in call[1])]
    relative = [(name, [path.partition(f"{root}/")[2] for path in paths], data) for name, paths, data in below]
    return [call for call in relative if not call[1][0].endswith(".lock")]


def _call(name: str, given: str) -> Call:
    words = [(_plain(opened).decode(), _plain(text)) for opened, text in _WORD.findall(given)]
    if name in ("write", "fsync", "fdatasync"):
        return SAME.get(name, name), [words[0][0]], words[-1][1]
    if name == "symlink":
        return name, [words[1][1].decode()], words[0][1]
    folders = [folder for folder, _ in words if folder] or [""]
    paths = [
        join(folders[min(n, len(folders) - 1)], text.decode()) for n, (_, text) in enumerate(w for w in words if w[1])
    ]
    return SAME.get(name, name), paths, b""


def _plain(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


@dataclass(frozen=True)
class _Names:
    """Names that came or went in a folder, together: what each stands for from now on."""

    folder: int
    names: Mapping[tuple[int, str], int | None]


@dataclass(frozen=True)
class _Bytes:
    """Bytes written to a file from a place on."""

    file: int
    place: int
    written: bytes


class Disk:
    """A file system below one folder: what is on it for certain, and what is under way."""

    def __init__(self, tree: Tree) -> None:
        self._contents: list[bytes | str | None] = [None]
        self._sizes = [0]
        self._kept: dict[tuple[int, str], int | None] = {}
        self._names = self._kept
        for path in sorted(tree):
            folder, name = self._place(path)
            self._kept[folder, name] = self._new(tree[path])
        self._names = dict(self._kept)
        self._pending: list[_Names | _Bytes] = []

    def call(self, name: str, paths: Sequence[str], data: bytes) -> None:
        """Let one call happen."""
        places = [self._place(path) for path in paths]
        found = [self._names.get(place) if place[1] else place[0] for place in places]
        match name:
            case "openat" if found[0] is None:
                self._set({places[0]: self._new(b"")})
            case "openat":
                assert not self._sizes[found[0]], f"{paths[0]} is written anew, which is not modelled"
            case "mkdir" | "symlink":
                self._set({places[0]: self._new(None if name == "mkdir" else data.decode())})
            case "write":
                assert found[0] is not None
                self._pending.append(_Bytes(found[0], self._sizes[found[0]], data))
                self._sizes[found[0]] += len(data)
            case "link":
                self._set({places[1]: found[0]})
            case "rename" if places[0][0] == places[1][0]:
                self._set({places[0]: None, places[1]: found[0]})
            case "rename":
                self._set({places[1]: found[0]})
                self._set({places[0]: None})
            case "unlink" | "rmdir":
                self._set({places[0]: None})
            case "fsync":
                self._sync(found[0])
            case _:
                raise AssertionError(f"{name} of {paths} is not modelled")

    def states(self) -> Iterator[Tree]:
        """What may be there if the power fails now."""
        ways = [(True, False) if isinstance(one, _Names) else ("whole", "", "half", "zeros") for one in self._pending]
        assert prod(map(len, ways)) <= MOST, f"{len(self._pending)} changes wait to be synced"
        for chosen in product(*ways):
            names, contents = dict(self._kept), list(self._contents)
            for change, how in zip(self._pending, chosen, strict=True):
                if isinstance(change, _Bytes):
                    _write(contents, change, str(how))
                elif how:
                    names.update(change.names)
            yield _tree(names, contents)

    def _place(self, path: str) -> tuple[int, str]:
        """A path's folder and name."""
        *above, name = path.split("/")
        folder = 0
        for part in above:
            folder = self._names[folder, part] or 0
        return folder, name

    def _new(self, content: bytes | str | None) -> int:
        self._contents.append(content)
        self._sizes.append(len(content or ""))
        return len(self._contents) - 1

    def _set(self, names: Mapping[tuple[int, str], int | None]) -> None:
        self._names.update(names)
        self._pending.append(_Names(next(iter(names))[0], names))

    def _sync(self, synced: int | None) -> None:
        for change in [*self._pending]:
            if isinstance(change, _Names) and change.folder == synced:
                self._kept.update(change.names)
            elif isinstance(change, _Bytes) and change.file == synced:
                _write(self._contents, change, "whole")
            else:
                continue
            self._pending.remove(change)


def _write(contents: list[bytes | str | None], change: _Bytes, how: str) -> None:
    before, size = contents[change.file], len(change.written)
    assert isinstance(before, bytes)
    kept = {"whole": change.written, "half": change.written[: size // 2], "zeros": bytes(size), "": b""}[how]
    if kept:
        before = before.ljust(change.place, b"\0")
        contents[change.file] = before[: change.place] + kept + before[change.place + len(kept) :]


def _tree(names: Mapping[tuple[int, str], int | None], contents: Sequence[bytes | str | None]) -> Tree:
    inside: dict[int, list[tuple[str, int]]] = {}
    for (folder, name), what in names.items():
        if what is not None:
            inside.setdefault(folder, []).append((name, what))
    tree, left = {}, [("", 0)]
    while left:
        path, folder = left.pop()
        for name, what in inside.get(folder, ()):
            tree[path + name] = contents[what]
            left.append((f"{path}{name}/", what))
    return tree


def crash_states(before: Tree, calls: Sequence[Call]) -> Iterator[tuple[bool, Tree]]:
    """Each state once that a crash may leave; True where it may still come after the last call."""
    disk, seen = Disk(before), set()
    for number in range(len(calls) + 1):
        for tree in disk.states():
            word = (done := number == len(calls), frozenset(tree.items()))
            if word not in seen:
                seen.add(word)
                yield done, tree
        if not done:
            disk.call(*calls[number])


def tree_of(root: Path) -> Tree:
    """What lies below a folder, locks left out."""
    found = {}
    for path in root.rglob("*"):
        content = str(path.readlink()) if path.is_symlink() else None if path.is_dir() else path.read_bytes()
        found[str(path.relative_to(root))] = content
    return {path: content for path, content in found.items() if not path.endswith(".lock")}


def build(tree: Tree, root: Path) -> None:
    """Put a state into an empty folder."""
    root.mkdir()
    for path, content in sorted(tree.items()):
        match content:
            case None:
                (root / path).mkdir()
            case str():
                (root / path).symlink_to(content)
            case _:
                (root / path).write_bytes(content)
