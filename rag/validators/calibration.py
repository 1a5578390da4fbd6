"""From the score of a claim to the probability that it is supported, and from that to a verdict.

Knows curves, thresholds and the file they lie in. Knows nothing of how a score is made or a curve fitted.
"""

import hashlib
import itertools
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator

from rag.errors import GroundwireError, NotFoundError
from rag.types import Claim, Tier, Value, Verdict

SHIPPED = Path(__file__).parent / "calibrations"
SOFTENED = 0.05
"""Added to either side of a score's odds, so that 0 and 1 have some."""
RULED = (Verdict.CONTRADICTED, Verdict.UNSUPPORTED)
"""The verdicts of a tier that rest on a rule: a fact stands against the claim, or is in no passage."""
Share = Annotated[float, Field(ge=0, le=1)]


def log_odds(score: float) -> float:
    """What a Platt curve is linear in; scores beyond 0 and 1 count as these."""
    score = min(max(score, 0.0), 1.0)
    return math.log((score + SOFTENED) / (1 + SOFTENED - score))


class Platt(Value):
    """A logistic curve over the score's log odds (Platt, 1999)."""

    method: Literal["platt"] = "platt"
    slope: float = Field(ge=0, allow_inf_nan=False)
    intercept: float = Field(allow_inf_nan=False)

    def probability(self, score: float) -> float:
        return _logistic(self.slope * log_odds(score) + self.intercept)

    def shifted(self, odds: float) -> Self:
        """The same where supported claims are more frequent by so much in log odds (Elkan, 2001)."""
        return self.model_copy(update={"intercept": self.intercept + odds})


class Isotonic(Value):
    """Straight lines between knots that never fall (Zadrozny and Elkan, 2002); level beyond the outermost."""

    method: Literal["isotonic"] = "isotonic"
    scores: tuple[Share, ...] = Field(min_length=1)
    probabilities: tuple[Share, ...]

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if len(self.scores) != len(self.probabilities):
            raise ValueError("scores and probabilities differ in number")
        for name, values in (("scores", self.scores), ("probabilities", self.probabilities)):
            if any(first > second for first, second in itertools.pairwise(values)):
                raise ValueError(f"{name} fall where they may only rise")
        return self

    def probability(self, score: float) -> float:
        return float(np.interp(score, self.scores, self.probabilities))

    def shifted(self, odds: float) -> Self:
        """As a Platt curve's."""
        return self.model_copy(update={"probabilities": tuple(_shifted(share, odds) for share in self.probabilities)})


class TierCurve(Value):
    """What the scores of one tier mean."""

    curve: Annotated[Platt | Isotonic, Field(discriminator="method")]
    levels: Mapping[Verdict, Share] = {}
    """The most that a claim is given which a rule of this tier rejected with that verdict: how often such claims were supported all the
    same, or more where answers may be of any kind. Without one where there was none to learn it from."""
    carried: Share = 0.0
    """How much the probability by the tier before counts beside the score, both as log odds: the curve is one over their mean."""

    def probability(self, claim: Claim) -> float:
        """Of a claim with the score of this tier, and the probability, if any, by the tier before."""
        score = claim.score
        if self.carried and claim.probability is not None:
            score = _logistic((1 - self.carried) * log_odds(score) + self.carried * log_odds(claim.probability))
        return min(self.curve.probability(score), self.levels.get(claim.verdict, 1.0))

    def shifted(self, odds: float) -> Self:
        """As a curve's."""
        levels = {verdict: _shifted(level, odds) for verdict, level in self.levels.items()}
        return self.model_copy(update={"curve": self.curve.shifted(odds), "levels": levels})


class Reference(Value):
    """The probabilities that a calibration gives what it was fitted on, counted.

    Bin k holds what is above `edges[k - 1]` and up to `edges[k]`, the last bin all above the last edge.
    """

    edges: tuple[Share, ...]
    counts: tuple[Annotated[int, Field(ge=0)], ...]

    @model_validator(mode="after")
    def _one_bin_more(self) -> Self:
        if len(self.counts) != len(self.edges) + 1:
            raise ValueError("there is one count more than there are edges")
        if any(first >= second for first, second in itertools.pairwise(self.edges)):
            raise ValueError("edges do not rise")
        return self


class Fit(Value):
    """What a calibration rests on."""

    command: str
    """That made it."""
    validator: str
    """The identity of the validator whose scores these were."""
    sources: tuple[str, ...]
    """The label sets or the collection."""
    sha256: str
    """Of the labels, or the texts, in order."""
    labels: int = Field(ge=0)
    """Responses; 0 where only texts without labels were there."""
    supported: int = Field(ge=0)
    """Of them."""
    weights: Literal["as labelled", "equal sets and classes"]
    """Whose share of supported claims the probability assumes."""
    seed: int
    intervals: Mapping[str, tuple[float, float]] = {}
    """95 %, from resampling: the score at which a claim of a tier passes from one zone into the next, and what was measured."""
    reference: Reference | None = None
    """That the responses are supported, to see a drift by."""


class Calibration(Value):
    """A monotone map from score to probability for each tier, and the zones of the probability."""

    name: str
    tiers: Mapping[Tier, TierCurve] = Field(min_length=1)
    threshold: Share = 0.5
    """Below it a claim counts as hallucinated where there is no third answer: the share of supported claims that the probability assumes,
    so that it finds supported and hallucinated claims equally well (their likelihood ratio is 1 there)."""
    unsupported: Share
    """Below it the verdict is "unsupported"."""
    supported: Share
    """From it on the verdict is "supported"; between the two, "cannot tell"."""
    fitted: Fit

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.unsupported <= self.threshold <= self.supported:
            raise ValueError("unsupported, threshold and supported do not rise")
        return self

    @property
    def identity(self) -> str:
        """Digest of what decides a verdict: not of the name, or of what it was fitted on."""
        deciding = self.model_dump(mode="json", include={"tiers", "threshold", "unsupported", "supported"})
        return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:12]

    def apply(self, claim: Claim) -> Claim:
        """The claim with its probability, and the verdict of the zone it falls into. It comes with the probability by the tier before.

        What a rule rejected stays rejected, unless such claims were supported so often that this says nothing: then it cannot be told.
        A claim of a tier that was not calibrated is returned as it is.
        """
        curve = self.tiers.get(claim.tier)
        if curve is None:
            return claim
        probability = round(curve.probability(claim), 4)
        verdict = self.zone(probability)
        if claim.verdict in RULED:
            verdict = claim.verdict if probability < self.threshold else Verdict.UNCERTAIN
        return claim.model_copy(update={"probability": probability, "verdict": verdict, "reason": _reason(claim, verdict)})

    def trusting(self, tier: Tier) -> "Calibration":
        """The same, but that the scores of a tier are taken for probabilities: for a model that it was not fitted on."""
        as_it_is = TierCurve(curve=Platt(slope=1.0, intercept=0.0))
        return self.model_copy(update={"tiers": {**self.tiers, tier: as_it_is}})

    def zone(self, probability: float) -> Verdict:
        """The verdict of a claim that no rule contradicts."""
        if probability < self.unsupported:
            return Verdict.UNSUPPORTED
        return Verdict.SUPPORTED if probability >= self.supported else Verdict.UNCERTAIN


def _reason(claim: Claim, verdict: Verdict) -> str:
    """Why the claim has this verdict: a tier that found it supported is not quoted where that is not sure enough."""
    if claim.verdict is Verdict.SUPPORTED and verdict is not Verdict.SUPPORTED and claim.evidence:
        return f"passage {claim.evidence.passage} is close, but not surely the same"
    return claim.reason


def load(name: str) -> Calibration:
    """A shipped calibration by its name, or that of a file by its path. Raises `GroundwireError` naming the file, the field and the mend."""
    path = SHIPPED / f"{name}.json" if name in names() else Path(name)
    if not path.is_file():
        raise NotFoundError(f"calibration {name} does not exist", f"name a file, or one of {', '.join(names())}")
    try:
        return Calibration.model_validate_json(path.read_bytes())
    except OSError as error:
        raise GroundwireError(f"{path} cannot be read ({error.strerror})", "make it readable") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"] == "json_invalid":
            raise GroundwireError(f"{path} is not JSON: {first['msg']}", "write it anew with `evals calibrate`") from error
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise GroundwireError(f"{path}: {field}: {first['msg']}", "write it anew with `evals calibrate`") from error


def names() -> list[str]:
    """Of the shipped calibrations."""
    return sorted(path.stem for path in SHIPPED.glob("*.json"))


def _logistic(odds: float) -> float:
    return 0.5 + 0.5 * math.tanh(odds / 2)


def _shifted(share: float, odds: float) -> float:
    return share if share in (0.0, 1.0) else _logistic(math.log(share / (1 - share)) + odds)
