"""What each section card is, by its key, and what each term means: the rows of `cards.toml`, read and checked."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter

_FILE = Path(__file__).with_name("cards.toml")
_FIGURE = (7.2, 3.4)
# One sentence, or several by name: the card's function chooses one of them by a word called like the field.
Sentence = str | dict[str, str]


class Term(BaseModel):
    """A word of the report and what it means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    term: str
    text: str


class Row(BaseModel):
    """One section card: what it shows, in which words, under which definition, drawn by what.

    `check` is whose finding is the heading where there is none of its own; `role` names the metric whose samples are
    counted; `figure` is a function of `figures/`, which is given words or paths from the study.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    measure: str
    caption: str
    empty: Sentence
    check: str = ""
    heading: Sentence = ""
    defined: str = ""
    note: Sentence = ""
    frame: str = ""
    by: str = ""
    role: str = ""
    figure: str = ""
    given: tuple[str, ...] = ("frame",)
    named: dict[str, str] = {}
    size: tuple[float, float] = _FIGURE
    page: bool = True

    @property
    def term(self) -> str:
        """Key of the term that defines it."""
        return self.defined or self.check


_read = tomllib.loads(_FILE.read_text(encoding="utf-8"))
TERMS = TypeAdapter(dict[str, Term]).validate_python(_read.pop("terms"))
ROWS = TypeAdapter(dict[str, Row]).validate_python(_read)
