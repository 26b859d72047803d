"""A notebook, found by its name, and its typed parameters, read and checked before any kernel starts."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from cloudxai_analysis.ground.errors import NotebookFailed, UsageError
from cloudxai_analysis.ground.secrets import USERINFO
from cloudxai_analysis.platform.settings import BESIDE, Settings
from cloudxai_analysis.words.phrases import near_miss

_SHIPPED = Path(sys.prefix) / "share" / "cloudxai" / "notebooks"  # where a wheel puts them
_TYPES: dict[str, Any] = {"int": int, "float": Annotated[float, Field(allow_inf_nan=False)], "bool": bool}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a notebook: its name, type, default and comment."""

    name: str
    kind: str
    default: Any
    comment: str


def find_notebook(settings: Settings, name: str) -> Path:
    """The notebook at the path `name`, or called so in the settings' folder, beside the package or installed with it.

    Raises
    ------
    UsageError
        There is none; the near miss is named.
    """
    folders = [settings.notebooks, BESIDE / "notebooks", _SHIPPED]
    places = [folder / file for folder in folders for file in (name, f"{name}.ipynb")]
    for path in (Path(name), *places):
        if path.is_file() and path.suffix == ".ipynb":
            return path.absolute()
    known = sorted({path.stem for folder in folders for path in folder.glob("*.ipynb")})
    looked = ", ".join(str(folder) for folder in dict.fromkeys(folders))
    raise UsageError(f"No notebook '{name}' in {looked}.{near_miss(name, known)}")


def read_parameters(notebook: Path) -> dict[str, Parameter]:
    """A notebook's parameters by name, from its cell tagged `parameters`; NotebookFailed without."""
    try:
        content = json.loads(notebook.read_text(encoding="utf-8"))
        if content["nbformat"] != 4:
            raise ValueError(f"it is of format {content['nbformat']}, not 4")
        cells = [cell for cell in content["cells"] if "parameters" in cell.get("metadata", {}).get("tags", [])]
        source = "".join(cells[0]["source"]) if cells else ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotebookFailed(f"Notebook {notebook} cannot be read: {type(error).__name__}: {error}.") from None
    try:
        return {parameter.name: parameter for parameter in _declared(source)}
    except (SyntaxError, ValueError) as error:
        raise NotebookFailed(
            f"Notebook {notebook}: the cell tagged 'parameters' may only hold lines like `name: str = 'x'`: {error}."
        ) from None


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
        # The end is an offset in bytes: a default may hold letters beyond ASCII.
        last = lines[(statement.end_lineno or 1) - 1].encode()[statement.end_col_offset or 0 :].decode()
        yield Parameter(name, kind, default, last.strip().removeprefix("#").strip())


def checked_parameters(notebook: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """The given parameters in the types that the notebook declares; text is read as the declared type.

    Raises a UsageError where a name is unknown (the near miss is named), a value is not of its type
    or a URL with a password, and NotebookFailed where the notebook cannot be read.
    """
    known, checked = read_parameters(notebook), {}
    for name, value in given.items():
        if name not in known:
            raise UsageError(f"Notebook {notebook.stem} has no parameter '{name}'.{near_miss(name, list(known))}")
        if isinstance(value, str) and USERINFO.search(value):
            raise UsageError(
                f"Parameter '{name}' holds a password, which the executed notebook would keep. Give the URL without "
                "it, and name a file with it in `http_config_file` of the environment."
            )
        parameter = known[name]
        adapter = TypeAdapter[Any](_TYPES.get(parameter.kind, str))
        try:
            checked[name] = adapter.validate_python(value, strict=not isinstance(value, str))
        except ValidationError:
            raise UsageError(
                f"Parameter '{name}' of notebook {notebook.stem} is {value!r}, which is no {parameter.kind}: "
                f"{parameter.comment or f'such as {parameter.default!r}'}."
            ) from None
    return checked


def parameter_lines(notebook: Path) -> Iterator[str]:
    """One line per parameter: name, type, default and comment."""
    yield f"Parameters of {notebook.stem}:"
    for item in read_parameters(notebook).values():
        yield f"  {f'{item.name}: {item.kind}':<20}  {item.default!r:<8}  {item.comment}"
