"""One evaluation question, and a file of them.

Knows the fields of a case, their identity, and JSONL. Knows nothing of how a case is asked or scored.
"""

import hashlib
import heapq
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from evals.jsonl import Fault, Placed, content, parse, refusal
from prompts.files import replace
from rag.errors import GroundwireError
from rag.types import Filter, Message, Value

UNREAD = ("review", "needed")
"""The tag of a case that was made of a trace, until a person has read it."""
_RARE = ("history", "where")
"""Fields that are written only where they say something."""
_UNWRITTEN = "name a file in a folder that is there, writable and not full"


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
    where: Filter = {}
    """Metadata that the passages must have."""


_LINE = "a line is one JSON object; `evals convert` reads other formats"
MENDS = {
    "extra_forbidden": f"the fields are {', '.join(Case.model_fields)}; what is else goes under tags",
    "json_invalid": _LINE,
    "model_type": _LINE,
}
"""See `evals.jsonl.unfit`."""


def read(path: Path) -> list[Case]:
    """The cases of a JSONL file, in order. Raises `GroundwireError` that names every line at fault; then nothing is read."""
    cases = [placed.value for placed in _placed(path, content(path))]
    if not cases:
        raise GroundwireError(f"{path} has no cases", "write one JSON object a line, with id and question")
    return cases


def write(cases: Iterable[Case], path: Path) -> None:
    """Make `path` a file of `cases`, or leave it as it was. Raises `GroundwireError` where it cannot be written."""
    replace(path, _lines(cases), _UNWRITTEN)


def append(cases: Sequence[Case], path: Path) -> None:
    """Add cases to a file, or make it; all of them or none; the lines that are there stay as they are.

    Raises `GroundwireError` that names every id and every question that is there already, and every id that is given twice.
    """
    present = content(path) if path.exists() else ""
    known = _placed(path, present)
    ids, questions = {case.id for _, case in known}, {asked(case) for _, case in known}
    there = [case for case in cases if case.id in ids or asked(case) in questions]
    if there and len(there) == len(cases):
        few = f"all {len(cases):,} cases are" if len(cases) > 1 else f"case {cases[0].id} is"
        raise GroundwireError(f"{few} in {path} already", "nothing was added; to have them anew, name another file")
    added = [Placed(f"the new case {case.id}", case) for case in cases]
    faults = [*repeated_ids([*known, *added]), *_repeated_questions(known, added)]
    if faults:
        raise refusal(faults)
    gap = "\n" if present and not present.endswith("\n") else ""
    replace(path, present + gap + _lines(cases), _UNWRITTEN)


def fingerprint(cases: Iterable[Case]) -> str:
    """The sha256 of all that the cases say, whatever their order; fields at their default leave no trace in it."""
    digest = hashlib.sha256()
    for case in sorted(cases, key=lambda case: case.id):
        digest.update(json.dumps(case.model_dump(mode="json", exclude_defaults=True), sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def sample(cases: Sequence[Case], limit: int, seed: int) -> list[Case]:
    """At most `limit` cases in an order that `seed` shuffles: a larger limit extends a smaller one, on every machine."""
    return heapq.nsmallest(limit, cases, key=lambda case: hashlib.sha256(f"{seed} {case.id}".encode()).digest())


def asked(case: Case) -> tuple[str, tuple[Message, ...], str]:
    """What a case asks, after which history and of which passages; spaces and letter case aside. Cases that agree in it ask the same."""
    return " ".join(case.question.casefold().split()), case.history, json.dumps(case.where, sort_keys=True, default=list)


def gold_missing(cases: Iterable[Case], document_ids: Collection[str]) -> Mapping[str, tuple[str, ...]]:
    """The gold ids that are not among `document_ids`, by case id; cases that miss none are left out."""
    known = frozenset(document_ids)
    missing = {case.id: tuple(id for id in case.gold_ids if id not in known) for case in cases}
    return {id: gone for id, gone in missing.items() if gone}


def repeated_ids(placed: Iterable[Placed[Case]]) -> Iterator[Fault]:
    """Every case whose id an earlier one has."""
    first: dict[str, str] = {}
    for place, case in placed:
        if case.id in first:
            yield Fault(place, f"id: {case.id} is that of {first[case.id]} too", "give each case an id of its own")
        first.setdefault(case.id, place)


def _placed(path: Path, text: str) -> list[Placed[Case]]:
    """The cases of a file's text. Raises `GroundwireError`."""
    placed, faults = parse(path, text, Case, MENDS)
    faults.extend(repeated_ids(placed))
    if faults:
        raise refusal(faults)
    return placed


def _repeated_questions(known: Iterable[Placed[Case]], added: Iterable[Placed[Case]]) -> Iterator[Fault]:
    """Every added case that asks what a known one does."""
    places = {asked(case): place for place, case in known}
    for place, case in added:
        if asked(case) in places:
            yield Fault(place, f"question: is that of {places[asked(case)]} too", "leave it out, or ask something else")


def _lines(cases: Iterable[Case]) -> str:
    """JSONL; fields that a person may want to fill in are there, empty."""
    return "".join(
        json.dumps(case.model_dump(mode="json", exclude={name for name in _RARE if not getattr(case, name)}), ensure_ascii=False)
        + "\n"
        for case in cases
    )
