"""Files with one JSON object a line: read whole or not at all.

Knows UTF-8, lines, and the shape that an object should have; every line at fault is named. Knows nothing of what the objects mean.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from rag.errors import GroundwireError

_SHOWN = 5
"""Faults that an error names."""

T = TypeVar("T", bound=BaseModel)


class Fault(NamedTuple):
    """What is wrong with one line, and how to mend it."""

    place: str
    """`cases.jsonl:12`"""
    problem: str
    mend: str


class Placed(NamedTuple, Generic[T]):
    """What a line says, and where it stands."""

    place: str
    value: T


def read(path: Path, shape: type[T], mends: Mapping[str, str] = MappingProxyType({})) -> list[Placed[T]]:
    """The objects of a file in order, blank lines left out; `mends` as in `unfit`.

    Raises `GroundwireError` where the file cannot be read, or with the lines that are not of the shape.
    """
    placed, faults = parse(path, content(path), shape, mends)
    if faults:
        raise refusal(faults)
    return placed


def parse(path: Path, text: str, shape: type[T], mends: Mapping[str, str]) -> tuple[list[Placed[T]], list[Fault]]:
    """The lines of a file's text that are of the shape, and those that are not."""
    placed: list[Placed[T]] = []
    faults: list[Fault] = []
    for number, line in enumerate(text.split("\n"), 1):
        place = f"{path}:{number}"
        if line.strip():
            try:
                placed.append(Placed(place, shape.model_validate_json(line)))
            except ValidationError as error:
                faults.append(unfit(place, error, mends))
    return placed, faults


def content(path: Path) -> str:
    """The text of a file, without a byte order mark. Raises `GroundwireError` where it is not UTF-8, or cannot be read."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise GroundwireError(f"{path} cannot be read ({error.strerror})", "name a file that is there and readable") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise GroundwireError(f"{path}:{line}: not UTF-8", "save the file as UTF-8") from None


def unfit(place: str, error: ValidationError, mends: Mapping[str, str]) -> Fault:
    """Why something is not of its shape: the first of the fields at fault.

    `mends` says, by pydantic's type of an error, what to do about it where more can be said than to mend the field.
    """
    first = error.errors(include_url=False)[0]
    kind = first["type"]
    field = ".".join(str(part) for part in first["loc"])
    match kind:
        case "missing":
            problem, mend = f"{field}: is missing", f"give it a {field}"
        case "string_pattern_mismatch":
            problem, mend = f"{field}: is empty", f"write the {field}"
        case "extra_forbidden":
            problem, mend = f"{field}: unknown field", "leave it out"
        case "json_invalid":
            why = str(first["ctx"]["error"]).replace(" at line 1 ", " at ")
            problem, mend = f"not JSON ({why})", "a line is one JSON object"
        case "model_type":
            problem, mend = "not a JSON object", "a line is one JSON object"
        case _:
            problem, mend = f"{field}: {first['msg'][0].lower()}{first['msg'][1:]}", f"mend the {field}"
    return Fault(place, problem, mends.get(kind, mend))


def refusal(faults: Sequence[Fault]) -> GroundwireError:
    """Faults as one error: the first of them, and how many more there are."""
    shown = faults[:_SHOWN]
    more = [f"and {len(faults) - len(shown)} more"] if len(faults) > len(shown) else []
    problem = "; ".join([*(f"{fault.place}: {fault.problem}" for fault in shown), *more])
    return GroundwireError(problem, "; ".join(dict.fromkeys(fault.mend for fault in shown)))
