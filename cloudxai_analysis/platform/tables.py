"""A table that people write in TOML: read whole, held against its model, and a mistake in it told in one line."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.words.phrases import near_miss

LARGEST_BYTES = 1 << 20
Model = TypeVar("Model", bound=BaseModel)
_NONE: Mapping[str, type[BaseModel]] = MappingProxyType({})


class Table(BaseModel):
    """A table of what people write: what is in it is known, stays as it is, and is not repeated in an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def read_table(
    file: Path, model: type[Model], *, of: str, otherwise: str, rows: Mapping[str, type[BaseModel]] = _NONE
) -> Model:
    """What a file of TOML holds, as a `model` of it; raises UsageError as `tables_of` and `checked` do."""
    return checked(tables_of(file, of=of, otherwise=otherwise), model, of=f"{of} {file}", rows=rows)


def tables_of(file: Path, *, of: str, otherwise: str) -> dict[str, Any]:
    """The tables of a file; raises UsageError (it cannot be read, is too large, or no TOML) that says what to do."""
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST_BYTES + 1)
        if len(content) > LARGEST_BYTES:
            raise UsageError(f"{of} {file} has over {LARGEST_BYTES:,} bytes. {otherwise}")
        return tomllib.loads(content.decode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{of} {file} cannot be read: {error}. {otherwise}") from None


def checked(
    tables: dict[str, Any], model: type[Model], *, of: str, rows: Mapping[str, type[BaseModel]] = _NONE
) -> Model:
    """Plain data as a `model` of them; `rows` are the models of tables in it, for near keys.

    Raises UsageError, which names the row and the key of the first mistake.
    """
    try:
        return model.model_validate(tables)
    except ValidationError as error:
        first = error.errors()[0]
    loc, fields, where = first["loc"], model.model_fields, of
    if len(loc) > 1 and (inner := rows.get(str(loc[0]))):
        fields = inner.model_fields
    if len(loc) > 1 and isinstance(loc[1], int):
        row = tables[str(loc[0])][loc[1]]
        named = f" ({str(row['id'])[:100]!r})" if isinstance(row, Mapping) and "id" in row else ""
        where, loc = f"{of}, row {loc[1] + 1} of [[{loc[0]}]]{named}", loc[2:]
    key = f", key '{'.'.join(map(str, loc))}'" if loc else ""
    near = near_miss(str(loc[-1]), list(fields)) if first["type"] == "extra_forbidden" else ""
    raise UsageError(f"{where}{key}: {first['msg'].removeprefix('Value error, ')}.{near}") from None
