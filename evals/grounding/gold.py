"""Sentences that answer a question, taken from the passage that holds them: supported by construction, in any language.

Knows retrieval sets on disk. Knows no validator.
"""

from pathlib import Path

from pydantic import BaseModel

from evals.grounding.labels import Label, LabelSet
from evals.jsonl import read
from rag.errors import GroundwireError
from rag.text import analyzer
from rag.text.sentences import sentences


class _Passage(BaseModel):
    id: str
    text: str


class _Question(BaseModel):
    id: str
    question: str
    answers: tuple[str, ...] = ()
    gold_ids: tuple[str, ...] | None = None
    answer_start: tuple[int, ...] = ()


def gold_sentences(folder: Path) -> LabelSet:
    """For each question with a known answer, the gold passage and the sentence of it that holds the answer, each sentence once.

    Raises `GroundwireError` where the folder is no retrieval set with answers, or a line of it cannot be read.
    """
    texts = {passage.id: passage.text for _, passage in read(folder / "corpus.jsonl", _Passage)}
    labels = {}
    for _, question in read(folder / "questions.jsonl", _Question):
        for gold in question.gold_ids or ():
            if (found := _sentence(texts.get(gold, ""), question)) and (gold, found) not in labels:
                labels[gold, found] = Label(
                    id=question.id, context=texts[gold], question=question.question, response=found, label=0, source=folder.name
                )
    if not labels:
        raise GroundwireError(
            f"{folder} has no question whose answer stands in its gold document", "name a set with answers and gold_ids"
        )
    return LabelSet(folder.name, list(labels.values()))


def _sentence(text: str, question: _Question) -> str | None:
    """The sentence that holds the first answer, where one does as a whole."""
    if not question.answers:
        return None
    answer = question.answers[0]
    place = question.answer_start[0] if question.answer_start else text.find(answer)
    if not text.startswith(answer, max(place, 0)):
        place = text.find(answer)
    for start, end in sentences(text, analyzer.language(text)):
        if place >= 0 and start <= place and place + len(answer) <= end:
            return text[start:end]
    return None
