"""Files read together and audited, as `cloudxai audit` does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.audit import audit
from cloudxai_analysis.lint.corpus import Corpus, read_corpus
from cloudxai_analysis.lint.documents import read_text
from cloudxai_analysis.platform.contract import load_contract


def corpus_of(*paths: Path, **known: Any) -> Corpus:
    """What the files hold, named without their folder."""
    return read_corpus(paths, contract=load_contract(), root=paths[0].parent, **known)


def findings(*paths: Path, **known: Any) -> list[Finding]:
    """What is wrong with the files."""
    return audit(corpus_of(*paths, **known))


def corpus_in(text: str, **known: Any) -> Corpus:
    """What one text of YAML holds, which is no file."""
    corpus = Corpus(load_contract(), **known)
    trees, faults = read_text(text, "f.yml")
    corpus.note(*faults)
    for tree in trees:
        corpus.add(tree, "f.yml")
    return corpus


def written(folder: Path, name: str, text: str) -> Path:
    """A file of that name and text."""
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file
