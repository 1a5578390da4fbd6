"""TOML files that hold one thing each, named by the file.

Knows how such a file is read, and how its faults are told. Knows nothing of what is in it.
"""

import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from rag.errors import ConfigurationError

_FAULTS = {
    "missing": "it is missing",
    "literal_error": "it must be {expected}",
    "enum": "it must be {expected}",
    "greater_than_equal": "it must be at least {ge:g}",
    "greater_than": "it must be more than {gt:g}",
    "less_than_equal": "it must be at most {le:g}",
    "less_than": "it must be less than {lt:g}",
    "string_type": "it must be text, in quotes",
    "model_type": "it must be a table of fields",
    "tuple_type": "it must be a list",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "it must be a whole number"),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), "it must be a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "it must be true or false"),
}
"""By the type of pydantic's error; its own words speak of inputs."""


def fields(path: Path, kind: str, unreadable: str) -> dict[str, Any]:
    """Those of the file of a `kind` ("variant"). Raises `ConfigurationError` naming the file and the mend: `unreadable`, where there is
    nothing to read.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror})", unreadable) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}", "mend that line") from error
    if "name" in found:
        raise ConfigurationError(
            f"{path}: name: a {kind} is named by its file", "remove the field, and rename the file if need be"
        )
    return found


def faults(error: ValidationError, kind: type[BaseModel]) -> str:
    """All that is wrong with the fields of such a file, field by field."""
    known = list(_fields(kind))
    return "; ".join(_told(".".join(map(str, one["loc"])), one, known) for one in error.errors())


def _told(field: str, one: Any, known: list[str]) -> str:
    if one["type"] == "extra_forbidden":
        return f"{field}: there is no such field" + "".join(f" (did you mean {name}?)" for name in _near(field, known))
    words = _FAULTS.get(one["type"], "").format_map(one.get("ctx", {})) or one["msg"].removeprefix("Value error, ")
    return ": ".join(part for part in (field, words) if part)


def _near(field: str, known: list[str]) -> list[str]:
    """What may have been meant: a field of the same table, else of another."""
    table, _, name = field.rpartition(".")
    for fields in ([one for one in known if one.rpartition(".")[0] == table], known):
        names = {one.rpartition(".")[2]: one for one in reversed(fields)}
        if near := get_close_matches(name, names, 1):
            return [names[near[0]]]
    return []


def _fields(kind: type[BaseModel], table: str = "") -> Iterator[str]:
    """With those of the tables in it: `llm`, `llm.model`."""
    for name, field in kind.model_fields.items():
        yield table + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _fields(field.annotation, f"{table}{name}.")
