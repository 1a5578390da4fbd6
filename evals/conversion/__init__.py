"""Cases from what other tools keep: promptfoo tests, Ragas and Hugging Face rows, tables.

Knows how an item of a file becomes a case. Knows neither syntax nor the names of fields.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from evals.cases import MENDS, Case, repeated_ids
from evals.conversion import promptfoo
from evals.conversion.fields import DESCRIPTION, NAMES, fields_of
from evals.conversion.files import Entry, Notes, entries
from evals.jsonl import Fault, Placed, refusal, unfit
from rag.errors import GroundwireError


class Conversion(NamedTuple):
    """Cases, and sentences that say what could not be carried over."""

    cases: list[Case]
    notes: list[str]


def convert(path: Path) -> Conversion:
    """The cases of a YAML, JSON, JSONL, CSV or TSV file, whichever tool's, our own format included.

    A case that has no id is named by its promptfoo description, or else by a hash of what it asks. Raises `GroundwireError` that names
    every line, row or item at fault.
    """
    notes: Notes = {}
    placed: list[Placed[Case]] = []
    faults: list[Fault] = []
    named: Counter[str] = Counter()
    for found in entries(path, notes):
        if isinstance(found, Fault):
            faults.append(found)
            continue
        fields = _fields(found, notes)
        if "question" not in fields:
            faults.append(Fault(found.place, "question: is missing", f"call it {' or '.join(NAMES['question'])}"))
            continue
        description = fields.pop(DESCRIPTION, None)
        if "id" not in fields:
            name = str(description or _hashed(fields))
            named[name] += 1
            fields["id"] = name if named[name] == 1 else f"{name}-{named[name]}"
        try:
            placed.append(Placed(found.place, Case.model_validate(fields)))
        except ValidationError as error:
            faults.append(unfit(found.place, error, MENDS))
    faults.extend(repeated_ids(placed))
    if faults:
        raise refusal(faults)
    if not placed:
        raise GroundwireError(f"{path} has no cases", "name a file of questions: YAML, JSON, JSONL, CSV or TSV")
    return Conversion([case for _, case in placed], [_told(note, places) for note, places in notes.items()])


def _fields(entry: Entry, notes: Notes) -> dict[str, object]:
    def note(text: str) -> None:
        notes.setdefault(text, []).append(entry.place)

    if not isinstance(entry.value, Mapping):
        return {}
    return fields_of(promptfoo.row(entry.value, entry.default, note), note)


def _hashed(fields: Mapping[str, object]) -> str:
    """A name for what is asked, the same wherever it stands."""
    asked = json.dumps([fields.get("question"), fields.get("history")], default=str)
    return f"q-{hashlib.sha256(asked.encode()).hexdigest()[:12]}"


def _told(note: str, places: Sequence[str]) -> str:
    return f"{places[0]}: {note}" + (f", and {len(places) - 1} more" if len(places) > 1 else "")
