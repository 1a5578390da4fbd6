"""The tiers of validation, one after the other: words for every claim, a model for those that words cannot tell.

Knows who is asked what, and when a verdict stands. Knows neither words nor models.
"""

from collections.abc import Sequence

from rag.answer.claims import statements
from rag.types import Claim, Evidence, Passage, Tier, Verdict
from rag.validators import languages
from rag.validators.base import Validator
from rag.validators.calibration import RULED, Calibration
from rag.validators.entailment.base import Entailment, Pair, Reading
from rag.validators.windows import window

LANGUAGE = "en"
"""Of the claims that calibrations are fitted on and models read. Claims in others keep the verdict of the first tier."""
READ = 40
"""Claims of one answer that a model reads: some tenths of a second. What is uncertain beyond them stays so."""


class Cascade:
    """`first` judges every claim, `calibration` says what its score is worth, and `entailment` reads what that leaves uncertain."""

    def __init__(self, first: Validator, calibration: Calibration, entailment: Entailment | None = None) -> None:
        self._first = first
        self._calibration = calibration
        self._entailment = entailment

    @property
    def identity(self) -> str:
        """Of all its parts: `lexical@1:<digest>+local@1:<digest>+calibration:<digest>`."""
        parts = [self._first.identity, *([self._entailment.identity] if self._entailment else [])]
        return "+".join([*parts, f"calibration:{self._calibration.identity}"])

    def validate(self, question: str, answer: str, passages: Sequence[Passage]) -> list[Claim]:
        """See `Validator`."""
        claims = self._first.validate(question, answer, passages)
        if not claims or not passages or not _readable(answer, passages):
            return claims
        claims = [self._weighed(claim) for claim in claims]
        uncertain = [index for index, claim in enumerate(claims) if claim.verdict is Verdict.UNCERTAIN][:READ]
        if uncertain and self._entailment:
            read = self._read(self._entailment, question, answer, [claims[index] for index in uncertain], passages)
            for index, claim in zip(uncertain, read, strict=True):
                claims[index] = claim
        return claims

    def _read(
        self, entailment: Entailment, question: str, answer: str, claims: Sequence[Claim], passages: Sequence[Passage]
    ) -> list[Claim]:
        texts = {statement.start: statement.resolved for statement in statements(answer, LANGUAGE, question)}
        stated = [texts.get(claim.start, claim.text) for claim in claims]
        windows = [window(text, passages, LANGUAGE) for text in stated]
        pairs = [Pair(question, shown.text, text) for text, shown in zip(stated, windows, strict=True)]
        readings = entailment.read(pairs)
        return [
            self._weighed(_told(claim, shown.evidence[0], pair, reading)) if shown.evidence else claim
            for claim, shown, pair, reading in zip(claims, windows, pairs, readings, strict=True)
        ]

    def _weighed(self, claim: Claim) -> Claim:
        """With its probability, and what follows for its citations from the verdict that it has now."""
        weighed = self._calibration.apply(claim)
        if weighed.verdict in RULED:
            return weighed.model_copy(update={"miscited": weighed.citations})
        if claim.verdict in RULED and weighed.evidence:
            passage = weighed.evidence.passage
            return weighed.model_copy(update={"miscited": tuple(number for number in weighed.miscited if number != passage)})
        return weighed


def _told(claim: Claim, evidence: Evidence, pair: Pair, reading: Reading) -> Claim:
    """The claim as the model reads it."""
    found = f"doubts “{pair.claim[slice(*reading.doubt)]}”" if reading.doubt else "doubts no word of it"
    return claim.model_copy(
        update={
            "score": round(reading.probability, 4),
            "tier": Tier.MODEL,
            "evidence": evidence,
            "reason": f"a model that read it beside passage {evidence.passage} {found}",
        }
    )


def _readable(answer: str, passages: Sequence[Passage]) -> bool:
    return {languages.spoken(answer, passages), languages.read(passages)} <= {LANGUAGE, "und"}
