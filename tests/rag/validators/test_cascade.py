"""Who is asked what: words first, the model about what they leave uncertain, and nobody beyond that."""

from collections.abc import Sequence

import pytest

from rag.errors import GroundwireError, NotFoundError
from rag.types import Claim, Tier, Verdict
from rag.validators import open_validator
from rag.validators.calibration import Calibration, Fit, Platt, TierCurve, load
from rag.validators.cascade import READ, Cascade
from rag.validators.entailment.base import Pair, Reading
from rag.validators.lexical import LexicalValidator
from tests.rag.validators.every import passages

POOL = "The pool opens at nine in the morning. Marta Olsen set the price of a ticket at 12 euros in 2019."
SAME = "The pool opens at nine in the morning."
VAGUE = "In 2019 Marta Olsen decided what visitors would have to pay."
AS_IT_IS = TierCurve(curve=Platt(slope=1.0, intercept=0.0))
FIT = Fit(command="", validator="", sources=(), sha256="", labels=0, supported=0, weights="equal sets and classes", seed=0)
CALIBRATION = Calibration(
    name="test", tiers={Tier.LEXICAL: AS_IT_IS, Tier.MODEL: AS_IT_IS}, unsupported=0.1, supported=0.75, fitted=FIT
)


class Reader:
    """An entailment backend that says the same of everything, and keeps what it was asked."""

    identity = "reader@1"

    def __init__(self, probability: float = 0.9, doubt: tuple[int, int] | None = None) -> None:
        self.reading = Reading(probability, doubt)
        self.asked: list[Pair] = []

    def read(self, pairs: Sequence[Pair]) -> list[Reading]:
        self.asked += pairs
        return [self.reading] * len(pairs)


def judged(reader: Reader | None, answer: str, *texts: str) -> list[Claim]:
    return Cascade(LexicalValidator(), CALIBRATION, reader).validate("When does it open?", answer, passages(*(texts or (POOL,))))


def test_a_model_reads_only_what_words_cannot_tell() -> None:
    reader = Reader()
    same, vague = judged(reader, f"{SAME} {VAGUE}")
    assert (same.verdict, same.tier) == (Verdict.SUPPORTED, Tier.LEXICAL)
    assert (vague.verdict, vague.tier, vague.score) == (Verdict.SUPPORTED, Tier.MODEL, 0.9)
    (pair,) = reader.asked
    assert (pair.question, pair.claim) == ("When does it open?", VAGUE)
    assert "Marta Olsen set the price" in pair.premise


def test_without_a_model_it_stays_uncertain() -> None:
    (claim,) = judged(None, VAGUE)
    assert (claim.verdict, claim.tier) == (Verdict.UNCERTAIN, Tier.LEXICAL)
    assert claim.probability is not None


@pytest.mark.parametrize(
    ("probability", "verdict"), [(0.95, Verdict.SUPPORTED), (0.5, Verdict.UNCERTAIN), (0.01, Verdict.UNSUPPORTED)]
)
def test_what_the_model_says_counts_by_the_zones(probability: float, verdict: Verdict) -> None:
    (claim,) = judged(Reader(probability), f"{VAGUE} [1]")
    assert claim.verdict is verdict
    assert claim.miscited == ((1,) if verdict is Verdict.UNSUPPORTED else ())
    assert claim.evidence is not None
    assert claim.evidence.quote in POOL


def test_the_word_that_the_model_doubts_is_the_reason() -> None:
    (claim,) = judged(Reader(0.01, (VAGUE.index("Marta"), VAGUE.index("Marta") + 5)), VAGUE)
    assert claim.reason == "a model that read it beside passage 1 doubts “Marta”"
    (claim,) = judged(Reader(0.95), VAGUE)
    assert claim.reason == "a model that read it beside passage 1 doubts no word of it"


def test_a_pronoun_is_read_with_what_it_stands_for() -> None:
    reader = Reader()
    judged(reader, "Marta Olsen set the price in 2019. She decided what visitors would have to pay.")
    assert reader.asked[-1].claim == "Marta Olsen decided what visitors would have to pay."


def test_other_languages_keep_the_verdict_of_words() -> None:
    reader = Reader(0.01)
    german = "Das Schwimmbad öffnet um neun Uhr morgens und schließt um acht Uhr abends, auch am Wochenende."
    claims = judged(reader, "Marta Olsen hat im Jahr 2019 beschlossen, was die Besucher zahlen müssen.", german)
    assert not reader.asked
    assert [claim.probability for claim in claims] == [None]


def test_a_model_reads_no_more_than_it_can_in_time() -> None:
    reader = Reader()
    claims = judged(reader, " ".join(f"In 2019 Marta Olsen decided on what visitor {number} pays." for number in range(READ + 5)))
    assert len(reader.asked) <= READ
    assert len(claims) == READ + 5


def test_the_identity_names_every_part() -> None:
    identity = Cascade(LexicalValidator(), CALIBRATION, Reader()).identity
    assert identity.startswith("lexical@1:")
    assert "+reader@1+calibration:" in identity
    other = CALIBRATION.model_copy(update={"supported": 0.8})
    assert Cascade(LexicalValidator(), other, Reader()).identity != identity


def test_the_shipped_calibration_was_fitted_on_the_shipped_model() -> None:
    validator = open_validator("local")
    assert validator.identity.split("+")[1] in load("default").fitted.validator
    assert validator.identity.endswith(load("default").identity)


def test_what_cannot_be_opened_is_told() -> None:
    with pytest.raises(GroundwireError, match="there is no validator oracle: there are lexical, local, nli:MODEL"):
        open_validator("oracle")
    with pytest.raises(NotFoundError, match=r"calibration none\.json does not exist"):
        open_validator("lexical", "none.json")
