import json
from pathlib import Path
from typing import Any

import numpy
import pytest

from evals.grounding.flips import flips
from rag.types import Claim, Passage, Verdict
from rag.validators.lexical import SUPPORTED, LexicalValidator

POOL = (
    "The pool opens at 9 in the morning and closes at 22 every day of the week. Dogs are not allowed in the water. "
    "Tickets cost 1,200,000 rupiah for a season, as Marta Olsen decided in 2019."
)
GUIDE = (
    "An index generation is immutable. It is built next to the old one and swapped in atomically. Sharks were never kept here."
)
GROUNDING = Path(__file__).parents[4] / "shared" / "data" / "grounding"


def passages(*texts: str, title: str = "") -> list[Passage]:
    return [
        Passage(
            number=number, chunk_id="c", document_id="d", source="s", title=title, text=text, start=0, end=len(text), score=1.0
        )
        for number, text in enumerate(texts, start=1)
    ]


def judge(answer: str, *texts: str, title: str = "") -> Claim:
    (claim,) = LexicalValidator().validate("?", answer, passages(*(texts or (POOL, GUIDE)), title=title))
    return claim


@pytest.mark.parametrize(
    "answer",
    [
        "The pool opens at 9 in the morning and closes at 22.",
        "The pool opens at nine in the morning.",
        "Dogs aren't allowed in the water.",
        "Tickets for a season cost 1.2 million rupiah.",
        "An index generation is immutable and is swapped in atomically.",
        "Marta Olsen decided it in 2019.",
    ],
)
def test_supported(answer: str) -> None:
    claim = judge(answer)
    assert claim.verdict is Verdict.SUPPORTED, claim


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("The pool opens at 10 in the morning and closes at 22 every day of the week.", "passage 1 says 9, not 10"),
        ("Dogs are allowed in the water.", "passage 1 negates it"),
        ("The pool does not open at 9 in the morning every day of the week.", "passage 1 says so without the negation"),
        ("Tickets cost 1,200,000 rupiah for a season, as Marta Schmidt decided in 2019.", "passage 1 says Olsen, not Schmidt"),
        ("Tickets cost 1,200,000 rupiah for a season, as Marta Olsen decided in 2016.", "passage 1 says 2019, not 2016"),
    ],
)
def test_contradicted(answer: str, reason: str) -> None:
    claim = judge(answer)
    assert (claim.verdict, claim.reason) == (Verdict.CONTRADICTED, reason)
    assert claim.evidence is not None
    assert claim.evidence.passage == 1


def test_an_opposite_contradicts() -> None:
    claim = judge("Prices will decrease for season tickets next year.", "Prices will increase for season tickets next year.")
    assert (claim.verdict, claim.reason) == (Verdict.CONTRADICTED, "passage 1 says the opposite: increase, not decrease")


def test_unsupported() -> None:
    claim = judge("Penguins migrate towards volcanic islands during winter storms.")
    assert (claim.verdict, claim.evidence) == (Verdict.UNSUPPORTED, None)


def test_a_number_in_no_passage_is_unsupported() -> None:
    claim = judge("The pool holds 4711 litres of water.")
    assert (claim.verdict, claim.reason) == (Verdict.UNSUPPORTED, "4711 is not in the passages")


def test_half_of_it_is_uncertain() -> None:
    assert (
        judge("The pool opens at 9 in the morning although swimmers usually arrive considerably earlier.").verdict
        is Verdict.UNCERTAIN
    )


def test_evidence_is_the_closest_sentence() -> None:
    claim = judge("Dogs are not allowed in the water.")
    assert claim.evidence is not None
    assert (claim.evidence.passage, claim.evidence.quote) == (1, "Dogs are not allowed in the water.")


def test_evidence_may_span_two_sentences() -> None:
    claim = judge("An index generation is immutable, built next to the old one and swapped in atomically.")
    assert claim.evidence is not None
    assert claim.evidence.quote == GUIDE.partition(" Sharks")[0]


def test_a_title_counts_as_said() -> None:
    text = "It opens at 9 in the morning."
    named, unnamed = (judge("Riverside opens at 9 in the morning.", text, title=title).score for title in ("Riverside", ""))
    assert named > unnamed


def test_citations_are_checked_against_the_passage_they_name() -> None:
    claim = judge("Dogs are not allowed in the water [1][2][7].")
    assert (claim.verdict, claim.citations, claim.miscited) == (Verdict.SUPPORTED, (1, 2, 7), (2, 7))


def test_a_contradicted_claim_is_miscited() -> None:
    assert judge("Dogs are allowed in the water [1].").miscited == (1,)


def test_an_answer_in_another_language_is_uncertain() -> None:
    claim = judge("Das Schwimmbad öffnet jeden Morgen um 9 Uhr und Hunde dürfen leider nicht ins Wasser.")
    assert claim.verdict is Verdict.UNCERTAIN


def test_a_foreign_number_in_no_passage_stays_uncertain() -> None:
    claim = judge("Das Schwimmbad öffnet jeden Morgen um 7 Uhr und Hunde dürfen leider nicht ins Wasser.")
    assert claim.verdict is Verdict.UNCERTAIN


def test_what_says_more_than_the_passages_is_uncertain() -> None:
    claim = judge("Owners must register their dogs at the gate.", "Owners may register their dogs at the gate.")
    assert (claim.verdict, claim.reason) == (Verdict.UNCERTAIN, "passage 1 says may, not must")


def test_what_a_sentence_says_both_ways_is_no_contradiction() -> None:
    said = "The tool never changes an index. Each ingest that changes something builds a new generation beside the old one."
    claim = judge("The tool never changes an index, but builds a new generation beside the old one.", said)
    assert claim.verdict is Verdict.SUPPORTED, claim


def test_a_doubt_outweighs_that_the_words_are_alike() -> None:
    said = "Some owners must register their dogs at the gate."
    alike, doubtful = judge(said, said), judge(said.replace("Some", "All"), said)
    assert (doubtful.verdict, doubtful.reason) == (Verdict.UNCERTAIN, "passage 1 says some, not all")
    assert doubtful.score < SUPPORTED < alike.score


@pytest.mark.parametrize("written", ["1.5 KB", "1.5 kB", "1536 bytes"])
def test_a_size_in_another_unit_is_in_the_passages(written: str) -> None:
    assert judge(f"Each vector takes {written}.", "Each vector takes 1,536 bytes.").verdict in (
        Verdict.SUPPORTED,
        Verdict.UNCERTAIN,
    )


def test_a_rounded_number_is_uncertain() -> None:
    claim = judge("About 1,200 swimmers come to the pool on Sundays.", "On Sundays 1,187 swimmers come to the pool.")
    assert claim.verdict is Verdict.UNCERTAIN


def test_a_name_in_no_passage_is_unsupported() -> None:
    claim = judge("The season tickets were decided by Henrik Larsson.")
    assert (claim.verdict, claim.reason) == (Verdict.UNSUPPORTED, "Henrik is not in the passages")


def test_a_denial_that_no_passage_knows_contradicts() -> None:
    claim = judge("The lake near the village is not deep.", "A deep lake lies near the village, people say.")
    assert claim.verdict is Verdict.CONTRADICTED


def test_a_denial_contradicts_where_the_sentence_says_it_and_denies_something_else() -> None:
    said = "Plans to sell the expensive homes of Leeds were approved, although critics do not want the money to go to new roads."
    claim = judge("The expensive homes in Leeds will, a minister announced, not sell for years.", said)
    assert (claim.verdict, claim.reason) == (Verdict.CONTRADICTED, "passage 1 does not deny sell")
    assert judge("Money should not go to new roads, critics say.", said).verdict is not Verdict.CONTRADICTED


def test_a_paraphrased_denial_contradicts_where_the_sentence_denies_nothing() -> None:
    claim = judge(
        "The famous old bridge was never rebuilt after the terrible fire.",
        "Workers rebuilt the old bridge in two years, and the town paid for it with a loan.",
    )
    assert (claim.verdict, claim.reason) == (Verdict.CONTRADICTED, "passage 1 does not deny rebuilt")
    assert claim.evidence is not None


def test_the_one_number_that_differs_contradicts_wherever_it_stands() -> None:
    said = "Each team will be allowed to have only three players enter the midfield area during the draw."
    claim = judge("During a draw just 8 players may now go into the midfield area.", said)
    assert (claim.verdict, claim.reason) == (Verdict.CONTRADICTED, "passage 1 says three, not 8")
    assert claim.evidence is not None


def test_a_number_spelt_out_that_no_passage_holds_is_contradicted_by_the_one_that_is_there() -> None:
    said = "Border agents met two men with backpacks east of the town of Sumas on a Tuesday morning."
    claim = judge("East of Sumas the number of men with backpacks was five.", said)
    assert (claim.verdict, claim.reason) == (Verdict.CONTRADICTED, "passage 1 says two, not five")
    assert judge("East of Sumas the number of men with backpacks was two.", said).verdict is not Verdict.CONTRADICTED


def test_the_worse_the_lower_the_score() -> None:
    said = "The pool opens at 9 in the morning and closes at 22."
    scores = [judge(answer).score for answer in (said, said.replace("closes", "shuts"), said.replace("9", "10"))]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 3


def test_the_ends_of_a_range_are_what_the_passage_says_of_each() -> None:
    claim = judge("Of the guests 20-50% come back, says Marta.", "Marta says that 20% to 50% of the guests come back.")
    assert claim.verdict is not Verdict.CONTRADICTED


def test_a_claim_begins_with_no_name_where_the_passage_writes_the_word_small() -> None:
    text = "Visitors of the Straight Dope read that snow and storms come with little thunder in winter."
    assert judge("Snow storms come with little thunder in winter.", text).verdict is not Verdict.CONTRADICTED
    named = judge("Berlin storms come with little thunder in winter.", text.replace("that snow and", "that Paris"))
    assert (named.verdict, named.reason) == (Verdict.CONTRADICTED, "passage 1 says Paris, not Berlin")


def test_the_words_of_the_question_contradict_no_reply() -> None:
    text = "Kings of Leon is an American band of rock music."
    (reply,) = LexicalValidator().validate("Is Kings of Leon an American band of rock?", "no", passages(text))
    assert reply.verdict is Verdict.UNCERTAIN
    assert judge("Kings of Leon is not an American band of rock music.", text).verdict is Verdict.CONTRADICTED


def test_a_pronoun_is_judged_by_what_it_stands_for() -> None:
    answer = "Marta Olsen decided in 2019. She decided that tickets cost 1,200,000 rupiah."
    assert len(LexicalValidator().validate("?", answer, passages(POOL))) == 2


def rows(name: str, limit: int) -> list[dict[str, Any]]:
    file = GROUNDING / f"{name}.jsonl"
    if not file.exists():
        pytest.skip(f"{file.name} is not beside the repository")
    return [json.loads(line) for line in file.read_text().splitlines()[:limit]]


@pytest.mark.parametrize(("name", "floor"), [("lfqa_sent_dev", 0.86), ("begin_wow", 0.88), ("wice_oracle_claim_dev", 0.78)])
def test_separates_what_people_labelled(name: str, floor: float) -> None:
    """Area under the ROC curve of the least score of a response, on 300 labels."""
    scores: dict[int, list[float]] = {0: [], 1: []}
    for row in rows(name, 300):
        claims = LexicalValidator().validate(row["question"] or "", row["response"], passages(row["context"]))
        if claims:
            scores[row["label"]].append(min(claim.score for claim in claims))
    wins = sum((good > bad) + (good == bad) / 2 for good in scores[0] for bad in scores[1])
    assert wins / len(scores[0]) / len(scores[1]) > floor


def test_catches_errors_of_one_fact() -> None:
    """On supported sentences of long answers: more than six of ten flips, fewer than one of ten originals."""
    chance = numpy.random.default_rng(1)
    caught: list[bool] = []
    alarms: list[bool] = []
    for row in [row for row in rows("lfqa_sent_dev", 600) if not row["label"]]:
        for found, text in [
            (alarms, row["response"]),
            *((caught, flip.text) for flip in flips(row["response"], [row["context"]], chance)),
        ]:
            claims = LexicalValidator().validate("", text, passages(row["context"]))
            found.append(any(claim.verdict in (Verdict.UNSUPPORTED, Verdict.CONTRADICTED) for claim in claims))
    assert len(caught) > 100
    assert sum(caught) / len(caught) > 0.6
    assert sum(alarms) / len(alarms) < 0.1
