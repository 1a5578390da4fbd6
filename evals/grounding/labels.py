"""What people said of answers over given texts: supported or hallucinated, and files of it.

Knows the fields of a label, their JSONL, and how a text becomes passages. Knows no validator.
"""

import hashlib
import heapq
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Literal, NamedTuple

from pydantic import ConfigDict, JsonValue

from evals.jsonl import read
from rag.errors import GroundwireError
from rag.text.sentences import sentences
from rag.types import Claim, Passage, Value

FAMILIES = {"faithdial": "begin", "frank": "xsum"}
"""Sets that share texts, by how their names begin; any other set is of the family its own name begins with."""
PASSAGE_WORDS = 200
"""Where a passage of a long context ends: at the first paragraph or sentence that reaches so many words."""
UNSPACED = 2.0
"""Characters that count as a word in scripts without spaces."""
EVEN = 0.5
"""The probability of what cannot be told."""
BREAK = re.compile(r"\n\s*")
_LINE = "a line is one JSON object, with id, context, response and label"
MENDS = {
    "json_invalid": _LINE,
    "model_type": _LINE,
    "literal_error": "label 0 what is supported, 1 what is hallucinated",
}
NO_SPACES = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")


class Label(Value):
    """One response and whether its context supports it. Other fields of a line are not looked at."""

    model_config = ConfigDict(extra="ignore")

    id: str
    context: str
    question: str | None = None
    response: str
    label: Literal[0, 1]
    """0 supported, 1 hallucinated."""
    spans: tuple[JsonValue, ...] | None = None
    """What of the response is hallucinated, in the measure of its source."""
    source: str = ""
    meta: JsonValue = None

    @property
    def hallucinated(self) -> bool:
        return self.label == 1


class LabelSet(NamedTuple):
    """The labels of one file; `name` is the file's, without its ending."""

    name: str
    labels: Sequence[Label]

    @property
    def family(self) -> str:
        """The sets that share texts with it, itself included: what is fitted on one of them is not scored on another."""
        return family(self.name)


def family(name: str) -> str:
    """The family of a set, by its name: `frank_xsum` and `xsum_hallucination` are both `xsum`."""
    start = name.partition("_")[0]
    return FAMILIES.get(start, start)


def load(path: Path) -> list[Label]:
    """The labels of a JSONL file, in order. Raises `GroundwireError` that names the lines at fault; then nothing is read."""
    labels = [placed.value for placed in read(path, Label, MENDS)]
    if not labels:
        raise GroundwireError(f"{path} has no labels", "write one JSON object a line, with id, context, response and label")
    return labels


def load_sets(folder: Path) -> list[LabelSet]:
    """The label sets of a folder, by name: its files `*.jsonl`. Raises `GroundwireError` where there is none, or a line is none."""
    paths = sorted(folder.glob("*.jsonl"))
    if not paths:
        raise GroundwireError(f"{folder} holds no label set", "name a folder with JSONL files of labels")
    return [LabelSet(path.stem, load(path)) for path in paths]


def sample(labels: Sequence[Label], limit: int, seed: int) -> list[Label]:
    """At most `limit` labels, drawn by the hash of their ids whatever they are: a larger limit extends a smaller one."""
    return heapq.nsmallest(limit, labels, key=lambda label: hashlib.sha256(f"{seed} {label.id}".encode()).digest())


def passages(context: str) -> list[Passage]:
    """A context as retrieval would give it, in passages of about `PASSAGE_WORDS` words.

    Neighbouring paragraphs go together until they have as many; one of twice as many is cut between its sentences. Nothing is lost but
    the space between passages, and `text == context[start:end]`.
    """
    found: list[tuple[int, int]] = []
    start, words = 0, 0.0
    for piece_start, piece_end in _pieces(context):
        words += _words(context[piece_start:piece_end])
        if words >= PASSAGE_WORDS:
            found.append((start, piece_end))
            start, words = piece_end, 0.0
    found.append((start, len(context)))
    written = [span for span in found if context[slice(*span)].strip()]
    return [_passage(number, context, *span) for number, span in enumerate(written, start=1)]


def probability(claims: Sequence[Claim]) -> float | None:
    """That a response is supported: half the least of its claims' probabilities, half their mean by length; even where it states nothing.

    The least alone ranks dialogue badly, where a phrase of courtesy sinks a right answer; the mean alone drowns one wrong claim among
    many. A claim that no tier could weigh counts as even, too; null where that is all of them.
    """
    if not claims:
        return EVEN
    if all(claim.probability is None for claim in claims):
        return None
    weighed = [EVEN if claim.probability is None else claim.probability for claim in claims]
    mean = fmean(weighed, weights=[len(claim.text) for claim in claims])
    return (min(weighed) + mean) / 2


def _pieces(context: str) -> Iterator[tuple[int, int]]:
    """Paragraphs that tile the context; the sentences of those that would be too long for one passage."""
    start = 0
    for end in [*(found.end() for found in BREAK.finditer(context)), len(context)]:
        if _words(context[start:end]) < 2 * PASSAGE_WORDS:
            yield start, end
        else:
            cuts = [start, *(start + first for first, _ in sentences(context[start:end])[1:]), end]
            yield from itertools.pairwise(cuts)
        start = end


def _words(text: str) -> float:
    return len(text.split()) + len(NO_SPACES.findall(text)) / UNSPACED


def _passage(number: int, context: str, start: int, end: int) -> Passage:
    text = context[start:end]
    first = start + len(text) - len(text.lstrip())
    return Passage(
        number=number,
        chunk_id=str(number),
        document_id="context",
        source="context",
        title="",
        text=text.strip(),
        start=first,
        end=first + len(text.strip()),
        score=1.0,
    )
