"""How much less a gate lets through: the hallucination rate of drafts as they were written, and of what is released of them.

Knows drafts whose claims people labelled, and the release policy `quote`. Knows no validator: it is given one.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from evals.grounding.labels import MENDS, Label
from evals.jsonl import Fault, read, refusal
from rag.answer.release import Action, Policy, release
from rag.answer.withholding import Uncertain
from rag.llms.base import REFUSAL
from rag.types import Passage, Value
from rag.validators.base import Validator


class _Meta(Value):
    draft: str
    places: tuple[tuple[int, int], ...]
    note: str = ""


class Draft(Value):
    """What a model wrote, and the passages that it was sent."""

    id: str
    question: str
    draft: str
    passages: tuple[Passage, ...]


class Place(NamedTuple):
    """A labelled claim where a draft makes it: `draft[start:end]`. One that is made twice is two."""

    start: int
    end: int
    hallucinated: bool


class Labelled(NamedTuple):
    """A draft, and its claims with what people said of them, in order."""

    draft: Draft
    places: tuple[Place, ...]


class Count(NamedTuple):
    """Claims, and all answers, refusals among them; and how many of them are hallucinated: of an answer, any claim."""

    claims: int
    hallucinated: int
    answers: int
    hallucinated_answers: int

    @property
    def claim_rate(self) -> float:
        """The hallucinated share of the claims; 0 where there is none."""
        return self.hallucinated / self.claims if self.claims else 0.0

    @property
    def answer_rate(self) -> float:
        """The share of all answers, refusals among them, with a hallucinated claim."""
        return self.hallucinated_answers / self.answers if self.answers else 0.0


class Rates(NamedTuple):
    """The same drafts without a gate, and behind one."""

    ungated: Count
    gated: Count
    kept: float
    """The share of the claims labelled as supported that reach the reader as they were written."""


def load_labelled(labels: Path, drafts: Path) -> list[Labelled]:
    """Drafts with their labels, which name their draft and where in it they stand: `meta` `{"draft": ..., "places": [[0, 12]]}`.

    Raises `GroundwireError` where a line is none, or a label does not fit its draft.
    """
    written = _drafts(drafts)
    places: dict[str, list[Place]] = {id: [] for id in written}
    for line, label in read(labels, Label, MENDS):
        try:
            meta = _Meta.model_validate(label.meta)
            draft = written[meta.draft].draft
        except (ValidationError, KeyError):
            raise refusal([Fault(line, "meta: names no draft", f"name one of {drafts}, and the places")]) from None
        for start, end in meta.places:
            if draft[start:end] != label.response:
                raise refusal([Fault(line, f"meta: the draft says something else at {start}", "mend the place")])
            places[meta.draft].append(Place(start, end, label.hallucinated))
    return [Labelled(draft, tuple(sorted(places[id]))) for id, draft in written.items()]


def gated(labelled: Sequence[Labelled], validator: Validator, uncertain: Uncertain = Uncertain.PASS) -> Rates:
    """What the policy `quote` lets through of the drafts, by the verdicts of `validator`, where what `uncertain` withholds is quoted.

    Quotations are the passages' own words, and count as supported claims; what is not labelled does not count.
    """
    before = [[place.hallucinated for place in places] for _, places in labelled]
    after, stood = [], []
    for draft, places in labelled:
        standing, quotations = released(draft, places, validator, uncertain)
        stood += standing
        after.append([place.hallucinated for place in standing] + [False] * quotations)
    supported = sum(not hallucinated for answer in before for hallucinated in answer)
    kept = sum(not place.hallucinated for place in stood)
    return Rates(_count(before), _count(after), kept / supported if supported else 1.0)


def released(draft: Draft, places: Sequence[Place], validator: Validator, uncertain: Uncertain) -> tuple[list[Place], int]:
    """The labelled claims that reach the reader as they were written, and how many quotations take the place of others."""
    claims = validator.validate(draft.question, draft.draft, draft.passages)
    outcome = release(Policy.QUOTE, draft.draft, claims, draft.passages, REFUSAL, uncertain=uncertain)
    if outcome.action is Action.REFUSED:
        return [], 0
    gone = [claim for claim in claims if uncertain.withholds(claim)]
    standing = [place for place in places if not any(place.start < claim.end and claim.start < place.end for claim in gone)]
    return standing, outcome.quotations


def _count(answers: Sequence[Sequence[bool]]) -> Count:
    return Count(
        sum(map(len, answers)),
        sum(map(sum, answers)),
        len(answers),
        sum(map(any, answers)),
    )


def _drafts(path: Path) -> dict[str, Draft]:
    found: dict[str, Draft] = {}
    for place, draft in read(path, Draft):
        if draft.id in found:
            raise refusal([Fault(place, f"id: {draft.id} is there already", "give each draft an id of its own")])
        found[draft.id] = draft
    return found
