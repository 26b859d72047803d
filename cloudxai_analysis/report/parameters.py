"""A notebook's typed parameters, read and checked before any kernel starts."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudxai_analysis.ground.errors import NotebookFailed, UsageError
from cloudxai_analysis.platform.settings import near_miss

NBFORMAT = 4
_TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a notebook: its name, type, default and comment."""

    name: str
    kind: str
    default: Any
    comment: str


def read_parameters(notebook: Path) -> dict[str, Parameter]:
    """The parameters of a notebook, by name, from the cell tagged `parameters`.

    Raises
    ------
    NotebookFailed
        The file is no notebook, or its parameters cannot be read.
    """
    try:
        content = json.loads(notebook.read_text(encoding="utf-8"))
        if content["nbformat"] != NBFORMAT:
            raise ValueError(f"it is of format {content['nbformat']}, not {NBFORMAT}")
        sources = [
            "".join(cell["source"])
            for cell in content["cells"]
            if "parameters" in cell.get("metadata", {}).get("tags", [])
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotebookFailed(f"Notebook {notebook} cannot be read: {type(error).__name__}: {error}.") from None
    source = sources[0] if sources else ""
    try:
        found = list(_declared(source))
    except (SyntaxError, ValueError) as error:
        raise NotebookFailed(
            f"Notebook {notebook}: the cell tagged 'parameters' may only hold lines like `name: str = 'x'`: {error}."
        ) from None
    return {parameter.name: parameter for parameter in found}


def _declared(source: str) -> Iterator[Parameter]:
    lines = source.splitlines()
    for statement in ast.parse(source).body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id=kind), value=ast.expr() as value):
                default = ast.literal_eval(value)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                default = ast.literal_eval(value)
                kind = type(default).__name__
            case ast.Expr(value=ast.Constant()):
                continue
            case _:
                raise ValueError(f"line {statement.lineno} declares none")
        # The byte offset of the end is no character offset: a default may hold letters beyond ASCII.
        last = lines[(statement.end_lineno or 1) - 1].encode()[statement.end_col_offset or 0 :].decode()
        yield Parameter(name, kind, default, last.strip().removeprefix("#").strip())


def checked_parameters(notebook: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """The given parameters in the types that the notebook declares; text is read as the declared type.

    Raises
    ------
    UsageError
        A name is unknown (the near miss is named), or a value is not of its type.
    NotebookFailed
        The notebook cannot be read.
    """
    known = read_parameters(notebook)
    checked = {}
    for name, value in given.items():
        if name not in known:
            raise UsageError(f"Notebook {notebook.stem} has no parameter '{name}'.{near_miss(name, list(known))}")
        checked[name] = _typed(notebook.stem, known[name], value)
    return checked


def _typed(notebook: str, parameter: Parameter, value: Any) -> Any:
    kind = _TYPES.get(parameter.kind, str)
    read = _read(kind, value) if isinstance(value, str) else value
    if kind is float and type(read) is int:
        read = float(read)
    if type(read) is not kind or (isinstance(read, float) and not math.isfinite(read)):
        raise UsageError(
            f"Parameter '{parameter.name}' of notebook {notebook} is {value!r}, which is no {parameter.kind}: "
            f"{parameter.comment or f'such as {parameter.default!r}'}."
        )
    return read


def _read(kind: type, text: str) -> Any:
    """What `text` says as `kind`; None where it says nothing of it."""
    if kind is bool:
        return _TRUTH.get(text.lower())
    try:
        return kind(text)
    except ValueError:
        return None


def parameter_lines(notebook: Path) -> Iterator[str]:
    """One line per parameter: name, type, default and comment."""
    parameters = read_parameters(notebook).values()
    yield f"Parameters of {notebook.stem}:"
    width = max((len(f"{item.name}: {item.kind}") for item in parameters), default=0)
    for item in parameters:
        yield f"  {f'{item.name}: {item.kind}':<{width}}  {item.default!r:<8}  {item.comment}"
