"""The texts and questions that pairs are made from, read from a folder of licensed retrieval sets and from our own guide.

Knows file layouts; knows nothing of claims.
"""

import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from rag.errors import GroundwireError
from rag.types import Passage

LICENSED = ("xquad_en", "covidqa", "pubmedqa")
"""Retrieval sets whose texts may teach weights that are given away: CC BY-SA 4.0, CC BY, PubMed abstracts."""
RIVALLED = "halueval_qa_small"
"""Questions over Wikipedia with a right answer and one that a model made up (MIT; texts CC BY-SA 4.0)."""
SHARES = {"xquad_en": 2.5, RIVALLED: 1.7, "guide": 2.0, "covidqa": 0.16, "pubmedqa": 0.25}
"""How often each article is gone through, so that no subject outweighs the others."""
TOGETHER = 8
"""Neighbouring passages that make an article: what a retriever would bring together."""
REFERENCE = re.compile(r"\s*(?:\[[\d,;\s–-]+\]|\(\d{1,3}(?:[,;–-]\s?\d{1,3})*\))")
WRAPPED = re.compile(r"(?<!\n)\n(?!\n)")
RUN_ON = re.compile(r"(?<=[a-z)\d][.])(?=[A-Z])")
HEADING = re.compile(r"^#+\s+(.*)$", re.MULTILINE)


class Question(NamedTuple):
    """A person's question that a passage answers in a few of its own words."""

    text: str
    answer: str
    passage: int
    """Its position in the article."""
    rival: str = ""
    """An answer that is known to be wrong; empty where none is."""


class Article(NamedTuple):
    """Passages on one subject, numbered from 1, and what is asked about them."""

    source: str
    passages: list[Passage]
    questions: list[Question]
    conclusions: Mapping[int, str] = {}
    """What the authors of a passage, by its position, say that it shows, in words that the passage does not have."""


def articles(folder: Path, guide: Path) -> list[Article]:
    """Of the licensed sets below `folder` and of the Markdown pages in `guide`, in a fixed order. Raises `GroundwireError`."""
    found = [article for name in LICENSED for article in _set(folder / "retrieval" / name)]
    found += _rivalled(folder / "grounding" / f"{RIVALLED}.jsonl")
    pages = sorted(guide.glob("*.md"))
    if not pages:
        raise GroundwireError(f"{guide} holds no Markdown page", "give the folder of the guide, data/corpus")
    return found + [_page(page) for page in pages]


def passage(number: int, text: str, title: str = "") -> Passage:
    """A passage of a text that no collection holds."""
    return Passage(
        number=number, chunk_id="", document_id="", source="", title=title, text=text, start=0, end=len(text), score=1.0
    )


def _set(folder: Path) -> list[Article]:
    if not (folder / "corpus.jsonl").is_file():
        raise GroundwireError(f"{folder} has no corpus.jsonl", f"the recipe reads retrieval/{folder.name} of the data folder")
    documents = _lines(folder / "corpus.jsonl")
    asked: dict[str, list[tuple[str, str]]] = {}
    questions = _lines(folder / "questions.jsonl")
    for question in questions:
        for id in (question["gold_ids"] or [])[:1]:
            asked.setdefault(id, []).extend((question["question"], answer) for answer in question["answers"][:1])
    concluded = {question["gold_ids"][0]: question["long_answer"] for question in questions if question.get("long_answer")}
    groups: dict[tuple[str, int], list[dict[str, str]]] = {}
    for index, document in enumerate(documents):
        subject = document["title"] or document["id"]
        groups.setdefault((subject, index // TOGETHER), []).append(document)
    return [
        Article(
            folder.name,
            [passage(number, _clean(document["text"]), document["title"]) for number, document in enumerate(group, 1)],
            [
                Question(text, _clean(answer), position)
                for position, document in enumerate(group)
                for text, answer in asked.get(document["id"], [])
                if _clean(answer) in _clean(document["text"])
            ],
            {position: concluded[document["id"]] for position, document in enumerate(group) if document["id"] in concluded},
        )
        for group in groups.values()
    ]


def _rivalled(path: Path) -> list[Article]:
    if not path.is_file():
        raise GroundwireError(f"{path} is not there", f"the recipe reads grounding/{path.name} of the data folder")
    rows = _lines(path)
    wrong = {row["question"]: row["response"] for row in rows if row["label"]}
    return [
        Article(
            RIVALLED,
            [passage(1, text := _clean(row["context"]))],
            [Question(row["question"], row["response"], 0, wrong.get(row["question"], ""))] if row["response"] in text else [],
        )
        for row in rows
        if not row["label"]
    ]


def _clean(text: str) -> str:
    """Without references to literature and broken lines."""
    return RUN_ON.sub(" ", WRAPPED.sub(" ", REFERENCE.sub("", text))).strip()


def _page(path: Path) -> Article:
    """A page of the guide, a passage for each section."""
    text = path.read_text(encoding="utf-8")
    starts = [*(heading.start() for heading in HEADING.finditer(text)), len(text)]
    title = ((found := HEADING.search(text)) and found.group(1)) or path.stem
    sections = [HEADING.sub("", text[start:end]).strip() for start, end in itertools.pairwise(starts)]
    return Article("guide", [passage(number, section, title) for number, section in enumerate(filter(None, sections), 1)], [])


def _lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
