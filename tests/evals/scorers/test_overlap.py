"""Wording is compared as the libraries and SQuAD do, in every script."""

import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from evals.scorers.overlap import Overlap, Stems, bleu, chrf, f1, normalized, rouge
from rag.trace import Outcome
from tests.evals.scorers.examples import answered, case, failed, refused

OVERLAP = Overlap()
ANSWER = "The pool's opening hours are 9 to 17 (in winter: 10-16), except on Sundays, when it opens at 8.30 & closes early."
REFERENCES = (
    "It opens at 9 and closes at 17; on Sundays the pool opens at 8.30.",
    "Opening hours: nine to five, except on Sundays & holidays.",
)
WORDS = st.lists(
    st.one_of(
        st.sampled_from(["the", "The", "a", "pool", "pools", "opening", "opened", "was", "9.30", "up-to-date", "$5", "x_y"]),
        st.text("aB.,'- 1"),
    ),
    max_size=12,
).map(" ".join)


def squad(text: str) -> list[str]:
    """The steps of SQuAD's own script."""
    bare = "".join(character for character in text.lower() if character not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()


@given(text=WORDS)
def test_ascii_is_normalized_as_for_squad(text: str) -> None:
    assert normalized(text) == (squad(text) or text.lower().split())


@given(answer=WORDS, reference=WORDS)
def test_rouge_of_ascii_is_that_of_the_library(answer: str, reference: str) -> None:
    library = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True).score(reference, answer)
    assert rouge(answer, [reference]) == pytest.approx({name: score.fmeasure for name, score in library.items()})


@given(answer=WORDS, references=st.lists(WORDS, min_size=1, max_size=3))
def test_bleu_and_chrf_of_ascii_are_those_of_the_library(answer: str, references: list[str]) -> None:
    each = [BLEU(effective_order=True).sentence_score(answer, [reference]).score / 100 for reference in references]
    assert bleu(answer, references) == pytest.approx(max(each))
    assert chrf(answer, references) == CHRF().sentence_score(answer, references).score / 100


def test_an_ordinary_answer_has_the_scores_of_the_libraries() -> None:
    scores = OVERLAP.score(answered(ANSWER), case(references=REFERENCES))
    plain = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True).score_multi(REFERENCES, ANSWER)
    assert {name: scores[name] for name in plain} == pytest.approx({name: score.fmeasure for name, score in plain.items()})
    assert scores["bleu"] == max(BLEU(effective_order=True).sentence_score(ANSWER, [one]).score / 100 for one in REFERENCES)
    assert scores["chrf"] == CHRF().sentence_score(ANSWER, REFERENCES).score / 100
    counted = [Counter(squad(text)) for text in (ANSWER, *REFERENCES)]
    shares = [2 * (counted[0] & wanted).total() / (counted[0].total() + wanted.total()) for wanted in counted[1:]]
    assert scores["f1"] == max(shares)
    assert scores["exact_match"] == 0
    assert all(0 < scores[name] < 1 for name in ("f1", "rouge1", "rouge2", "rougeL", "bleu", "chrf"))


def test_chinese_bleu_is_that_of_the_tokenizer_for_chinese() -> None:
    answer, reference = "游泳池每天早上九点开门,晚上十点关门。", "游泳池早上九点开门,晚上九点关门。"
    assert bleu(answer, [reference]) == pytest.approx(BLEU(tokenize="zh").sentence_score(answer, [reference]).score / 100)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The pool, at 9!", ["pool", "at", "9"]),
        ("Бассейн «Лотос» открыт.", ["бассейн", "лотос", "открыт"]),
        ("¿Cuándo abre la Ópera?", ["cuándo", "abre", "la", "ópera"]),
        ("九点开门。", ["九", "点", "开", "门"]),
        ("九時にABCを開く", ["九", "時", "に", "abc", "を", "開", "く"]),
        ("เปิดเก้าโมง", ["เ", "ปิ", "ด", "เ", "ก้", "า", "โ", "ม", "ง"]),
        ("＄５ is ﬁne", ["5", "is", "fine"]),
        ("\u200fمفتوح\u200e، اليوم", ["مفتوح", "اليوم"]),
        ("👍 Yes", ["👍", "yes"]),
        ("A", ["a"]),
        ("+", ["+"]),
        ("", []),
    ],
)
def test_words_of_every_script(text: str, words: list[str]) -> None:
    assert normalized(text) == words


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The pools' openings_2 was", ["the", "pool", "open", "2", "was"]),
        ("Бассейны открыты", ["бассейны", "открыты"]),
        ("café naïve", ["café", "naïve"]),
        ("九点 open", ["九", "点", "open"]),
    ],
)
def test_rouge_drops_no_letters(text: str, tokens: list[str]) -> None:
    assert Stems().tokenize(text) == tokens


@pytest.mark.parametrize(
    ("right", "wrong", "reference"),
    [
        ("Бассейн открывается в девять утра", "Музей закрыт до самой весны", "Бассейн открывается в девять часов"),
        ("游泳池早上九点开门", "博物馆冬季不营业", "游泳池每天早上九点开门"),
        ("สระว่ายน้ำเปิดเก้าโมงเช้า", "พิพิธภัณฑ์", "สระว่ายน้ำเปิดเก้าโมง"),
    ],
)
def test_a_right_answer_scores_higher_in_every_script(right: str, wrong: str, reference: str) -> None:
    good, bad = (OVERLAP.score(answered(text), case(references=(reference,))) for text in (right, wrong))
    for name in ("f1", "rouge1", "rouge2", "rougeL", "bleu", "chrf"):
        assert good[name] > 0.5 > bad[name], name


@pytest.mark.parametrize("text", [ANSWER, "nine", "九点开门。", "👍", "Café ouvert à neuf heures, fermé à dix-sept heures."])
def test_the_reference_itself_is_perfect(text: str) -> None:
    scores = OVERLAP.score(answered(text), case(references=("something else", text)))
    perfect = {name for name, value in scores.items() if value == pytest.approx(1, abs=1e-12)}
    # ROUGE-2 has no pairs in one word, and ROUGE no words in an emoji.
    assert perfect >= {"exact_match", "f1", "chrf", "bleu"}
    assert perfect == set(scores) or text in ("nine", "👍")
    assert max(scores.values()) <= 1


def test_the_best_reference_counts_for_each_metric() -> None:
    references = ("at nine", "The pool opens at nine in the morning, as it does on every day of the week.")
    together = OVERLAP.score(answered("At nine."), case(references=references))
    alone = [OVERLAP.score(answered("At nine."), case(references=(reference,))) for reference in references]
    assert together == {name: max(scores[name] for scores in alone) for name in together}


def test_citations_are_not_compared() -> None:
    plain, cited = (OVERLAP.score(answered(text), case(references=("At nine.",))) for text in ("At nine.", "At nine [1, 2]."))
    assert cited == plain
    assert plain["exact_match"] == 1


@pytest.mark.parametrize("answer", ["", " \n", "[1][2]"])
def test_an_empty_answer_is_worth_nothing(answer: str) -> None:
    assert set(OVERLAP.score(answered(answer), case(references=("At nine.",))).values()) == {0}


def test_where_nothing_is_known_of_the_answer_nothing_is_said() -> None:
    assert OVERLAP.score(answered("At nine."), case()) == {}
    assert OVERLAP.score(refused(), case()) == {}


@pytest.mark.parametrize("trace", [refused(), *map(failed, (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.DISCONNECTED, None))])
def test_no_answer_where_there_is_one_is_worth_nothing(trace: object) -> None:
    scores = OVERLAP.score(trace, case(references=(trace.answer or "At nine.",)))
    assert scores == dict.fromkeys((metric.name for metric in OVERLAP.metrics), 0.0)


@pytest.mark.parametrize(("trace", "value"), [(refused(), 1.0), (answered("At nine."), 0.0), (failed(), 0.0)])
def test_where_there_is_no_answer_a_refusal_is_right(trace: object, value: float) -> None:
    scores = OVERLAP.score(trace, case(answerable=False, references=("At nine.",)))
    assert scores == dict.fromkeys((metric.name for metric in OVERLAP.metrics), value)


def test_repeats_are_counted() -> None:
    assert f1(["nine", "nine", "nine"], ["nine"]) == 0.5


def test_no_text_is_kept() -> None:
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
    from sacrebleu.tokenizers.tokenizer_re import TokenizerRegexp

    bleu("At nine.", ["At ten."])
    assert Tokenizer13a.__call__.cache_info().currsize == TokenizerRegexp.__call__.cache_info().currsize == 0
