"""A notebook's typed parameters, read and checked before any kernel starts."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudxai_analysis.errors import NotebookFailed, UsageError
from cloudxai_analysis.settings import near_miss

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
    import nbformat

    try:
        cells = nbformat.read(notebook, as_version=4).cells
    except (OSError, ValueError, nbformat.reader.NotJSONError) as error:
        raise NotebookFailed(f"Notebook {notebook} cannot be read: {type(error).__name__}: {error}.") from None
    source = next((cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])), "")
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise NotebookFailed(f"Notebook {notebook}: the parameters' cell is no Python: {error}.") from None
    lines = source.splitlines()
    found = [_parameter(statement, lines) for statement in statements if isinstance(statement, ast.AnnAssign)]
    return {parameter.name: parameter for parameter in found}


def _parameter(statement: ast.AnnAssign, lines: list[str]) -> Parameter:
    comment = lines[(statement.end_lineno or 1) - 1][statement.end_col_offset or 0 :]
    return Parameter(
        name=ast.unparse(statement.target),
        kind=ast.unparse(statement.annotation),
        default=ast.literal_eval(statement.value) if statement.value else None,
        comment=comment.strip().removeprefix("#").strip(),
    )


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
    wrong = UsageError(
        f"Parameter '{parameter.name}' of notebook {notebook} is {value!r}, which is no {parameter.kind}: "
        f"{parameter.comment}."
    )
    if kind is bool and isinstance(value, str):
        if value.lower() not in _TRUTH:
            raise wrong
        return _TRUTH[value.lower()]
    if isinstance(value, str) and kind is not str:
        try:
            return kind(value)
        except ValueError:
            raise wrong from None
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise wrong
    return value


def parameter_lines(notebook: Path) -> Iterator[str]:
    """One line per parameter: name, type, default and comment."""
    parameters = read_parameters(notebook).values()
    yield f"Parameters of {notebook.stem}:"
    width = max((len(f"{item.name}: {item.kind}") for item in parameters), default=0)
    for item in parameters:
        yield f"  {f'{item.name}: {item.kind}':<{width}}  {item.default!r:<8}  {item.comment}"
