import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from evals.grounding.gate import Count, Draft, Labelled, Place, gated, load_labelled
from rag.errors import GroundwireError
from rag.types import Claim, Evidence, Passage, Verdict

TEXT = "The pool opens at nine. Dogs stay outside."
DRAFT = "The pool opens at ten. Dogs stay outside. Sharks swim in it."
PASSAGE = Passage(number=1, chunk_id="c", document_id="d", source="s", title="", text=TEXT, start=0, end=len(TEXT), score=1.0)


class Told:
    """A validator that rejects the sentences that begin with certain words, and finds the first sentence of the passage for one."""

    identity = "told"

    def __init__(self, rejected: str, quoted: str = "") -> None:
        self.rejected = tuple(rejected.split())
        self.quoted = quoted

    def validate(self, question: str, answer: str, passages: Sequence[Passage]) -> list[Claim]:
        claims = []
        for text in ("The pool opens at ten.", "Dogs stay outside.", "Sharks swim in it."):
            start = answer.index(text)
            first = text.split()[0]
            claims.append(
                Claim(
                    text=text,
                    start=start,
                    end=start + len(text),
                    verdict=Verdict.UNSUPPORTED if first in self.rejected else Verdict.SUPPORTED,
                    score=0.5,
                    evidence=Evidence(passage=1, start=0, end=23, quote=TEXT[:23]) if first == self.quoted else None,
                    reason="told",
                )
            )
        return claims


def labelled(*hallucinated: bool) -> list[Labelled]:
    starts = (0, 23, 42)
    ends = (22, 41, 60)
    places = tuple(Place(*place) for place in zip(starts, ends, hallucinated, strict=True))
    return [Labelled(Draft(id="a", question="?", draft=DRAFT, passages=(PASSAGE,)), places)]


def test_without_a_rejection_everything_passes() -> None:
    rates = gated(labelled(True, False, True), Told(""))
    assert rates.gated == rates.ungated == Count(claims=3, hallucinated=2, answers=1, hallucinated_answers=1)
    assert rates.kept == 1.0


def test_what_is_rejected_does_not_reach_the_reader() -> None:
    rates = gated(labelled(True, False, True), Told("The Sharks"))
    assert rates.gated == Count(claims=1, hallucinated=0, answers=1, hallucinated_answers=0)
    assert (rates.ungated.claim_rate, rates.gated.claim_rate, rates.gated.answer_rate) == (2 / 3, 0.0, 0.0)


def test_a_quotation_counts_as_supported() -> None:
    rates = gated(labelled(True, False, True), Told("The", quoted="The"))
    assert rates.gated == Count(claims=3, hallucinated=1, answers=1, hallucinated_answers=1)


def test_a_refusal_claims_nothing_and_is_an_answer() -> None:
    rates = gated(labelled(True, False, True), Told("The Dogs Sharks"))
    assert rates.gated == Count(claims=0, hallucinated=0, answers=1, hallucinated_answers=0)
    assert (rates.kept, rates.gated.claim_rate) == (0.0, 0.0)


def files(folder: Path, places: list[list[int]], draft: str = "a") -> tuple[Path, Path]:
    labels, drafts = folder / "labels.jsonl", folder / "drafts.jsonl"
    meta = {"draft": draft, "places": places, "note": "ten"}
    row = {"id": "a-1", "context": TEXT, "response": DRAFT[:22], "label": 1, "meta": meta}
    labels.write_text(json.dumps(row) + "\n")
    drafts.write_text(labelled(True, False, True)[0].draft.model_dump_json() + "\n")
    return labels, drafts


def test_labels_are_laid_on_their_drafts(tmp_path: Path) -> None:
    ((draft, places),) = load_labelled(*files(tmp_path, [[0, 22]]))
    assert (draft.draft, places) == (DRAFT, (Place(0, 22, True),))


@pytest.mark.parametrize(
    ("places", "draft", "problem"),
    [
        ([[1, 23]], "a", "labels.jsonl:1: meta: the draft says something else at 1"),
        ([[0, 22]], "b", "labels.jsonl:1: meta: names no draft"),
    ],
)
def test_labels_that_do_not_fit_are_named(tmp_path: Path, places: list[list[int]], draft: str, problem: str) -> None:
    with pytest.raises(GroundwireError, match=problem):
        load_labelled(*files(tmp_path, places, draft))


def test_a_line_that_is_no_draft_is_named(tmp_path: Path) -> None:
    labels, drafts = files(tmp_path, [[0, 22]])
    drafts.write_text('{"id": "a"}\n')
    with pytest.raises(GroundwireError, match="drafts.jsonl:1: question"):
        load_labelled(labels, drafts)


def test_a_fault_is_told_by_its_line_in_the_file(tmp_path: Path) -> None:
    labels, drafts = files(tmp_path, [[1, 23]])
    labels.write_text("\n\n" + labels.read_text())
    with pytest.raises(GroundwireError, match="labels.jsonl:3: meta"):
        load_labelled(labels, drafts)


def test_two_drafts_of_one_id_are_refused(tmp_path: Path) -> None:
    labels, drafts = files(tmp_path, [[0, 22]])
    drafts.write_text(2 * drafts.read_text())
    with pytest.raises(GroundwireError, match="drafts.jsonl:2: id: a is there already"):
        load_labelled(labels, drafts)
