import json
import random
from pathlib import Path

import pytest

from rag.text.sentences import sentences
from rag.types import Verdict
from rag.validators.base import Validator
from tests.rag.validators.every import EVERY, passages

RETRIEVAL = Path(__file__).parents[4] / "shared" / "data" / "retrieval"
SAMPLED = 150
ENGLISH = "The swimming pool opens at nine in the morning and closes at eight in the evening. A season ticket costs 90 euros."
WRITTEN = {
    "de": (
        "Das Schwimmbad öffnet um neun Uhr morgens und schließt um acht Uhr abends. Eine Saisonkarte kostet 90 Euro.",
        "Das Schwimmbad macht morgens um 9 auf. Abends schließt es um acht Uhr. Für eine Saisonkarte zahlt man 90 Euro.",
    ),
    "ru": (
        "Бассейн открывается в девять часов утра и закрывается в восемь часов вечера. Сезонный абонемент стоит 90 евро.",
        "Утром бассейн открыт с девяти часов. Вечером он закрывается в восемь. За абонемент на сезон нужно заплатить 90 евро.",
    ),
    "zh": (
        "游泳池早上九点开门，晚上八点关门。季票的价格是90欧元。",
        "泳池每天早上九点开放。晚上八点就会关门了。买一张季票需要90欧元。",
    ),
    "ja": (
        "プールは午前九時に開き、午後八時に閉まります。シーズン券は90ユーロです。",
        "プールの開場時間は午前九時です。閉場は午後八時になります。シーズン券の値段は90ユーロです。",
    ),
}
REJECTED = (Verdict.UNSUPPORTED, Verdict.CONTRADICTED)


@pytest.fixture(params=EVERY)
def validator(request: pytest.FixtureRequest) -> Validator:
    return EVERY[request.param]()


@pytest.mark.parametrize("language", WRITTEN)
def test_what_passages_say_is_not_rejected(validator: Validator, language: str) -> None:
    said, _ = WRITTEN[language]
    claims = validator.validate("?", said, passages(said))
    assert len(claims) == 2
    assert {claim.verdict for claim in claims} == {Verdict.SUPPORTED}


@pytest.mark.parametrize("language", ["de", "ru", "zh", "ja"])
def test_what_passages_say_in_other_words_is_not_rejected(validator: Validator, language: str) -> None:
    said, answer = WRITTEN[language]
    claims = validator.validate("?", answer, passages(said))
    assert len(claims) == 3
    assert not [claim for claim in claims if claim.verdict in REJECTED]


@pytest.mark.parametrize("language", ["de", "ru", "zh", "ja"])
def test_what_passages_say_in_another_language_is_not_rejected(validator: Validator, language: str) -> None:
    claims = validator.validate("?", WRITTEN[language][1], passages(ENGLISH))
    assert len(claims) == 3
    assert not [claim for claim in claims if claim.verdict in REJECTED]


@pytest.mark.parametrize("language", ["de", "ru", "zh"])
def test_sentences_that_hold_the_answer_are_seldom_rejected(validator: Validator, language: str) -> None:
    """Each among the passage it comes from and two others."""
    assert rejected(validator, language, language) < 0.1


@pytest.mark.parametrize("language", ["de", "ru", "zh"])
def test_sentences_that_hold_the_answer_in_another_language_are_seldom_rejected(validator: Validator, language: str) -> None:
    """The same over the English passages."""
    assert rejected(validator, language, "en") < 0.1


def rejected(validator: Validator, language: str, passages_in: str) -> float:
    """The share of gold sentences that are unsupported or contradicted by the gold passage and two others."""
    spoken, read_in = (RETRIEVAL / f"xquad_{code}" for code in (language, passages_in))
    if not spoken.exists() or not read_in.exists():
        pytest.skip(f"{spoken.name} or {read_in.name} is not beside the repository")
    told = {row["id"]: row["text"] for row in rows(spoken / "corpus.jsonl")}
    corpus = {row["id"]: row["text"] for row in rows(read_in / "corpus.jsonl")}
    verdicts: list[Verdict] = []
    for row in random.Random(4).sample(rows(spoken / "questions.jsonl"), SAMPLED):
        gold = row["gold_ids"][0]
        others = [text for id, text in list(corpus.items())[:3] if id != gold][:2]
        found = passages(others[0], corpus[gold], others[1])
        verdicts += [
            claim.verdict
            for claim in validator.validate(row["question"], holding(told[gold], row["answers"][0], language), found)
        ]
    assert len(verdicts) > 0.9 * SAMPLED
    return sum(verdict in REJECTED for verdict in verdicts) / len(verdicts)


def rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def holding(text: str, answer: str, language: str) -> str:
    """The sentence of a text that holds an answer; the first where none holds it whole."""
    said = [text[start:end] for start, end in sentences(text, language)]
    return next((sentence for sentence in said if answer in sentence), said[0])
