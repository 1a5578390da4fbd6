import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy
import pytest

from evals.grounding.training import pairs, sources
from evals.grounding.training.falsehoods import Vocabulary, changes
from evals.grounding.training.pairs import Example
from evals.grounding.training.questions import statement
from evals.grounding.training.sources import Article
from evals.grounding.training.wording import linked, rewritten, understated, words, written
from rag.embedders.onnx import OnnxEmbedder
from rag.errors import GroundwireError

TEXTS = (
    "The old harbour of Lisbon was rebuilt in 1755 after a great earthquake. Many merchants from Porto moved to the city during the "
    "summer. The new market was opened by Maria Santos on 12 May 1760 because trade increased. It is not open on Sunday.",
    "The northern lighthouse was designed by Jan Peters before the war. Some ships from Bergen usually carried 300 barrels of fish into "
    "the harbour. The keeper often lived in the small house near the tower. Storms caused several wrecks in 1802.",
)
QUESTIONS = (("Who opened the new market?", "Maria Santos", 0), ("Who designed the northern lighthouse?", "Jan Peters", 1))


@pytest.fixture(scope="module")
def articles(tmp_path_factory: pytest.TempPathFactory) -> list[Article]:
    folder = tmp_path_factory.mktemp("data")
    for name in sources.LICENSED:
        _set(folder / "retrieval" / name)
    (folder / "grounding").mkdir()
    _lines(
        folder / "grounding" / f"{sources.RIVALLED}.jsonl",
        [
            {"context": TEXTS[0], "question": "Who opened the market?", "response": response, "label": label}
            for label, response in enumerate(("Maria Santos", "It was opened by Jan Peters."))
        ],
    )
    (folder / "guide").mkdir()
    (folder / "guide" / "page.md").write_text(f"# Harbours\n\n{TEXTS[1]}\n")
    return sources.articles(folder, folder / "guide")


@pytest.fixture(scope="module")
def made(articles: list[Article]) -> list[Example]:
    embedder, chance = OnnxEmbedder(), numpy.random.default_rng(0)
    return [example for _ in range(4) for example in pairs.examples(articles, embedder, chance)]


def _set(folder: Path) -> None:
    folder.mkdir(parents=True)
    _lines(folder / "corpus.jsonl", [{"id": str(id), "title": "Harbours", "text": text} for id, text in enumerate(TEXTS)])
    asked = [{"id": q, "question": q, "answers": [answer], "gold_ids": [str(id)]} for q, answer, id in QUESTIONS]
    _lines(folder / "questions.jsonl", asked)


def _lines(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_every_source_is_read(articles: list[Article]) -> None:
    assert {article.source for article in articles} == set(sources.SHARES)


def test_as_many_are_supported_as_are_not(made: list[Example]) -> None:
    assert len(made) > 200
    assert 0.4 < sum(example.supported for example in made) / len(made) < 0.6


def test_every_kind_of_change_is_balanced(made: list[Example]) -> None:
    for kind in {example.kind for example in made} - {"removed", "answer"}:
        labels = [example.supported for example in made if example.kind == kind]
        assert sum(labels) * 2 == len(labels), kind


def test_a_claim_is_false_where_it_is_marked(made: list[Example]) -> None:
    for example in made:
        assert example.supported == (not example.false)
        assert all(example.claim[start:end].strip() == example.claim[start:end] != "" for start, end in example.false)


def test_the_same_claim_is_supported_by_one_premise_and_not_by_another(made: list[Example]) -> None:
    labels: dict[str, set[bool]] = {}
    for example in made:
        labels.setdefault(example.claim, set()).add(example.supported)
    assert sum(len(found) == 2 for found in labels.values()) > len(labels) / 15


def test_the_second_lesson_pairs_every_statement_with_its_falsehood(articles: list[Article]) -> None:
    made = list(pairs.distant(articles, OnnxEmbedder(), numpy.random.default_rng(0)))
    assert len(made) > 20
    assert sum(example.supported for example in made) * 2 == len(made)
    assert all(example.supported == (not example.false) for example in made)


def test_a_statement_is_told_by_what_it_is_not() -> None:
    assert written(understated(words("Such storms are rare, he says.")))[0] == "Such storms are not common, he says."
    assert written(understated(words("Rare storms pass.")))[0] == "Rare storms pass."


def test_a_statement_becomes_one_of_several() -> None:
    text, _ = written(linked(words("The pool opens at 9."), numpy.random.default_rng(0)))
    assert text.endswith((", the pool opens at 9.", "that the pool opens at 9."))
    assert text[0].isupper()


def test_equal_seeds_make_equal_changes() -> None:
    said = words(TEXTS[0].partition(". ")[0] + ".")
    vocabulary = Vocabulary([words(sentence) for text in TEXTS for sentence in text.split(". ")])
    one, same = (changes(said, vocabulary, vocabulary, numpy.random.default_rng(5), most=8) for _ in range(2))
    assert one == same != []


def test_a_rewriting_keeps_what_is_false() -> None:
    said = [
        word._replace(false=word.text == "1755,") for word in words("In 1755, many merchants moved, which was a large trade.")
    ]
    for seed in range(40):
        text, spans = written(rewritten(said, numpy.random.default_rng(seed), rules=3))
        assert "1755" in " ".join(text[start:end] for start, end in spans)


@pytest.mark.parametrize(
    ("question", "answer", "said"),
    [
        ("Who opened the new market?", "Maria Santos", "Maria Santos opened the new market."),
        ("Who was the keeper?", "Jan Peters", "The keeper was Jan Peters."),
        ("Which magazine was started first?", "The Sun", "The Sun was started first."),
        ("When was the harbour rebuilt?", "1755", "The harbour rebuilt in 1755."),
        ("Why?", "Because of the storms that came in from the west.", "Because of the storms that came in from the west."),
    ],
)
def test_questions_and_answers_become_statements(question: str, answer: str, said: str) -> None:
    assert written(statement(question, answer))[0] == said


def test_a_folder_without_the_sets_is_told(tmp_path: Path) -> None:
    with pytest.raises(GroundwireError, match="has no corpus.jsonl"):
        sources.articles(tmp_path, tmp_path)
