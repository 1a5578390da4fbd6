"""How well a collection's retrieval finds what it should: recall, reciprocal rank and discounted gain over sets with known answers.

Knows sets on disk; what it measures is the served path: ingest, index, legs and fusion.
"""

import statistics
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import get_args

from pydantic import AliasChoices, BaseModel, Field

from evals.jsonl import read
from evals.ranking import ndcg, recall, reciprocal_rank
from rag.conversation.history import ASSISTANT, USER, standalone
from rag.embedders.base import Vectors
from rag.errors import GroundwireError
from rag.ingest.ingest import ingest
from rag.progress import Progress, silent
from rag.retriever import Retriever
from rag.runtime import Runtime
from rag.settings import Settings
from rag.types import Message, Value
from rag.variant import Mode

CORPUS, QUESTIONS = "corpus.jsonl", "questions.jsonl"
CANDIDATES = 100
"""Chunks that each leg brings."""


class Turn(BaseModel):
    """One message of what was said before a question. Whoever is not the user is taken for what answers."""

    role: str
    content: str = Field(validation_alias=AliasChoices("content", "text"))

    @property
    def message(self) -> Message:
        return Message(role=USER if self.role == USER else ASSISTANT, content=self.content)


class Question(BaseModel):
    """One line of a set's questions; other fields are not looked at."""

    id: str
    question: str
    gold_ids: list[str] | None = None
    grades: dict[str, int] | None = None
    """Gain by document id, where some documents answer better than others."""
    history: list[Turn] = []
    """Oldest first."""

    @cached_property
    def query(self) -> str:
        """What is searched for, as it is where no model rewrites."""
        return standalone(self.question, [turn.message for turn in self.history])

    @property
    def gains(self) -> dict[str, int]:
        grades = self.grades or {}
        return {id: grades.get(id, 1) for id in self.gold_ids or ()}


class Figures(Value):
    """Of one mode over one set, by document: means over its questions."""

    recall_5: float
    mrr_10: float
    ndcg_10: float
    ms: float
    """For one question: search and fusion, without embedding it."""


class Result(Value):
    """One set, measured."""

    name: str
    documents: int
    chunks: int
    questions: int
    """Those with a known answer: the others say nothing of ranking."""
    dense_weight: float
    """Of the fusion that the collection taught."""
    modes: Mapping[Mode, Figures]


def sets(folder: Path) -> list[Path]:
    """The folders in `folder` that hold a corpus and questions. Raises `GroundwireError` where there is none."""
    found = sorted(path.parent for path in folder.glob(f"*/{QUESTIONS}") if (path.parent / CORPUS).is_file())
    if not found:
        raise GroundwireError(f"{folder} holds no retrieval set", f"a set is a folder in it with {CORPUS} and {QUESTIONS}")
    return found


def evaluate(folder: Path, embedder: str = "onnx", progress: Progress = silent) -> Result:
    """Ingest one set into a home of its own, ask all its questions in every mode, and forget it again.

    The store is the one of the settings; the collection in it has a name that nothing else has.
    """
    questions = [question for _, question in read(folder / QUESTIONS, Question) if question.gains]
    if not questions:
        raise GroundwireError(
            f"{folder / QUESTIONS} has no question with gold_ids", "give the ids of the documents that answer it"
        )
    collection = f"measured-{uuid.uuid4().hex[:12]}"
    with (
        tempfile.TemporaryDirectory() as home,
        Runtime(Settings(home=Path(home), ledger=None, embedder=embedder)) as runtime,
    ):
        try:
            ingest([str(folder / CORPUS)], collection, runtime, progress=progress)
            retriever = runtime.retriever(collection)
            generation = retriever.index.generation
            vectors = retriever.embedder.embed([question.query for question in questions])
            return Result(
                name=folder.name,
                documents=generation.documents,
                chunks=generation.chunks,
                questions=len(questions),
                dense_weight=generation.fusion.dense_weight,
                modes={mode: _figures(retriever, questions, vectors, mode) for mode in get_args(Mode)},
            )
        finally:
            runtime.store.publish(collection, None)
            for made in list(runtime.store.generations(collection)):
                runtime.store.drop(collection, made.id)


def _figures(retriever: Retriever, questions: Sequence[Question], vectors: Vectors, mode: Mode) -> Figures:
    started = time.perf_counter()
    rankings = [_documents(retriever, question, vector, mode) for question, vector in zip(questions, vectors, strict=True)]
    seconds = time.perf_counter() - started
    judged = [(ranking, question.gains) for ranking, question in zip(rankings, questions, strict=True)]
    return Figures(
        recall_5=statistics.fmean(recall(ranking, gains, 5) for ranking, gains in judged),
        mrr_10=statistics.fmean(reciprocal_rank(ranking, gains, 10) for ranking, gains in judged),
        ndcg_10=statistics.fmean(ndcg(ranking, gains, 10) for ranking, gains in judged),
        ms=1000 * seconds / len(questions),
    )


def _documents(retriever: Retriever, question: Question, vector: Vectors, mode: Mode) -> list[str]:
    """Ids, each where its best passage stands."""
    found = retriever.search(question.query, vector, mode=mode, top_k=CANDIDATES, candidates=CANDIDATES, where={})
    return list(dict.fromkeys(passage.document_id for passage in found.passages))
