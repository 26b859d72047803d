"""Sentences as data: templates in which each number is spelt by the words that all rooms use."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined, Template

from cloudxai_analysis.words import phrases


@cache
def template(text: str) -> Template:
    """The sentence behind a text of `checks.toml` or `cards.toml`: `{{ left|count("tenant label") }} of {{ cap }}`."""
    return _environment().from_string(text)


@cache
def _environment() -> Environment:
    # Findings are plain text: the page and the notebook escape what they show.
    environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701
    environment.filters["listed"] = lambda names: ", ".join(phrases.short(name) for name in names)
    environment.filters |= {name: spelt for name, spelt in vars(phrases).items() if inspect.isfunction(spelt)}
    return environment


def say(text: str, words: dict[str, Any]) -> str:
    """The sentence with its words filled in, all of which it needs; a row of a frame gives its columns by name."""
    plain = {name: word.to_dict() if isinstance(word, pd.Series) else word for name, word in words.items()}
    return template(text).render(plain) if "{" in text else text
