"""One evaluation question, and a file of them.

Knows the fields of a case, their identity, and JSONL. Knows nothing of how a case is asked or scored.
"""

import hashlib
import heapq
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field, ValidationError

from rag.errors import GroundwireError
from rag.types import Message, Value

_SHOWN = 5
"""Faults that an error names."""


class Case(Value):
    """A question with what is known of its answer; what is not known is left empty."""

    id: Annotated[str, Field(pattern=r"\S")]
    question: Annotated[str, Field(pattern=r"\S")]
    references: tuple[str, ...] = ()
    """Answers that a person would accept."""
    gold_ids: tuple[str, ...] = ()
    """Documents that hold the answer."""
    answerable: bool = True
    """False where the documents do not tell, and a refusal is the right answer."""
    tags: Mapping[str, str] = {}
    history: tuple[Message, ...] = ()
    """What was said before the question."""


class Fault(NamedTuple):
    """What is wrong with one line, and how to mend it."""

    place: str
    """`cases.jsonl:12`"""
    problem: str
    mend: str


class Placed(NamedTuple):
    """A case, and where it stands."""

    place: str
    case: Case


def read(path: Path) -> list[Case]:
    """The cases of a JSONL file, in order. Raises `GroundwireError` that names every line at fault; then nothing is read."""
    cases = [placed.case for placed in _placed(path, content(path))]
    if not cases:
        raise GroundwireError(f"{path} has no cases", "write one JSON object a line, with id and question")
    return cases


def write(cases: Iterable[Case], path: Path) -> None:
    """Make `path` a file of `cases`, or leave it as it was. Raises `GroundwireError` where it cannot be written."""
    _replace(path, _lines(cases))


def append(cases: Sequence[Case], path: Path) -> None:
    """Add cases to a file, or make it; all of them or none; the lines that are there stay as they are.

    Raises `GroundwireError` that names every id and every question that is there already, and every id that is given twice.
    """
    present = content(path) if path.exists() else ""
    known = _placed(path, present)
    added = [Placed(f"the new case {case.id}", case) for case in cases]
    faults = [*repeated_ids([*known, *added]), *_repeated_questions(known, added)]
    if faults:
        raise refusal(faults)
    gap = "\n" if present and not present.endswith("\n") else ""
    _replace(path, present + gap + _lines(cases))


def fingerprint(cases: Iterable[Case]) -> str:
    """The sha256 of all that the cases say, whatever their order; fields at their default leave no trace in it."""
    digest = hashlib.sha256()
    for case in sorted(cases, key=lambda case: case.id):
        digest.update(json.dumps(case.model_dump(mode="json", exclude_defaults=True), sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def sample(cases: Sequence[Case], limit: int, seed: int) -> list[Case]:
    """At most `limit` cases in an order that `seed` shuffles: a larger limit extends a smaller one, on every machine."""
    return heapq.nsmallest(limit, cases, key=lambda case: hashlib.sha256(f"{seed} {case.id}".encode()).digest())


def gold_missing(cases: Iterable[Case], document_ids: Collection[str]) -> Mapping[str, tuple[str, ...]]:
    """The gold ids that are not among `document_ids`, by case id; cases that miss none are left out."""
    known = frozenset(document_ids)
    missing = {case.id: tuple(id for id in case.gold_ids if id not in known) for case in cases}
    return {id: gone for id, gone in missing.items() if gone}


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


def refusal(faults: Sequence[Fault]) -> GroundwireError:
    """Faults as one error: the first of them, and how many more there are."""
    shown = faults[:_SHOWN]
    more = [f"and {len(faults) - len(shown)} more"] if len(faults) > len(shown) else []
    problem = "; ".join([*(f"{fault.place}: {fault.problem}" for fault in shown), *more])
    return GroundwireError(problem, "; ".join(dict.fromkeys(fault.mend for fault in shown)))


def unfit(place: str, error: ValidationError) -> Fault:
    """Why something is no case: the first of the fields at fault."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    match first["type"]:
        case "missing":
            return Fault(place, f"{field}: is missing", f"give it a {field}")
        case "string_pattern_mismatch":
            return Fault(place, f"{field}: is empty", f"write the {field}")
        case "extra_forbidden":
            return Fault(
                place, f"{field}: unknown field", f"the fields are {', '.join(Case.model_fields)}; what is else goes under tags"
            )
        case "json_invalid":
            why = str(first["ctx"]["error"]).replace(" at line 1 ", " at ")
            return Fault(place, f"not JSON ({why})", "a line is one JSON object; `evals convert` reads other formats")
        case "model_type":
            return Fault(place, "not a JSON object", "a line is one JSON object; `evals convert` reads other formats")
    return Fault(place, f"{field}: {first['msg'][0].lower()}{first['msg'][1:]}", f"mend the {field}")


def repeated_ids(placed: Iterable[Placed]) -> Iterator[Fault]:
    """Every case whose id an earlier one has."""
    first: dict[str, str] = {}
    for place, case in placed:
        if case.id in first:
            yield Fault(place, f"id: {case.id} is that of {first[case.id]} too", "give each case an id of its own")
        first.setdefault(case.id, place)


def _placed(path: Path, text: str) -> list[Placed]:
    """The cases of a file's text. Raises `GroundwireError`."""
    placed: list[Placed] = []
    faults: list[Fault] = []
    for number, line in enumerate(text.split("\n"), 1):
        place = f"{path}:{number}"
        if line.strip():
            try:
                placed.append(Placed(place, Case.model_validate_json(line)))
            except ValidationError as error:
                faults.append(unfit(place, error))
    faults.extend(repeated_ids(placed))
    if faults:
        raise refusal(faults)
    return placed


def _repeated_questions(known: Iterable[Placed], added: Iterable[Placed]) -> Iterator[Fault]:
    """Every added case that asks, after the same history, what a known one does; spaces and letter case aside."""
    places = {_asked(case): place for place, case in known}
    for place, case in added:
        if _asked(case) in places:
            yield Fault(place, f"question: is that of {places[_asked(case)]} too", "leave it out, or ask something else")


def _asked(case: Case) -> tuple[str, tuple[Message, ...]]:
    return " ".join(case.question.casefold().split()), case.history


def _lines(cases: Iterable[Case]) -> str:
    """JSONL; fields that a person may want to fill in are there, empty."""
    return "".join(
        json.dumps(case.model_dump(mode="json", exclude=None if case.history else {"history"}), ensure_ascii=False) + "\n"
        for case in cases
    )


def _replace(path: Path, text: str) -> None:
    """Give a file its new content, on the disk, in one step."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        mend = "name a file in a folder that is there, writable and not full"
        raise GroundwireError(f"{path} cannot be written ({error.strerror})", mend) from None
