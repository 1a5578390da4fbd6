"""Whether the answers of today are weighed as those were that a calibration was fitted on.

Knows probabilities, one a response, and how they were distributed. Knows nothing of whether they are right: labels tell that.
"""

import enum
import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from evals.comparison import Measured
from evals.scores import FloatArray
from rag.trace import Trace
from rag.validators.base import Validator
from rag.validators.calibration import Calibration, Reference

FEWEST = 50
"""Responses that a distribution can be told from, of the reference as of the recent ones."""
NOTABLE = 0.1
"""Population stability index below which a distribution is taken to be the same, as is the custom in credit scoring (Siddiqi, 2006)."""
ALPHA = 0.05
_BETS = 5
"""Equal parts of 0..1 that the test bets on."""
_CAUTION = 8.0
"""Observations of each part that the test starts from: it then loses little by betting on evenness, and learns in some dozens."""


class Finding(enum.StrEnum):
    NONE = "no drift seen"
    DRIFT = "drift"
    TOO_FEW = "too few answers to tell"


class Drift(Measured):
    """What is known of the recent answers beside the reference."""

    finding: Finding
    responses: int
    """Recent ones that state something."""
    reference: int
    stability_index: float
    """Population stability index: the sum over the reference's bins of (recent - reference) * log(recent / reference), with half an
    observation more in every bin. By chance alone it is about (bins - 1) * (1 / recent + 1 / reference) (Yurdakul, 2018)."""
    p: float
    """Of "the recent answers come from the reference's distribution": holds whenever and however often one looks."""


def drift(calibration: Calibration, probabilities: Sequence[float] | FloatArray, *, alpha: float = ALPHA, seed: int = 0) -> Drift:
    """Compare `recent_probabilities` with those of the responses that the calibration was fitted on.

    Drift is found where it is both sure (`p` at most `alpha`) and large (an index from `NOTABLE`).
    """
    reference, recent = calibration.fitted.reference, np.asarray(probabilities, dtype=np.float64)
    known = 0 if reference is None else sum(reference.counts)
    if reference is None or min(known, len(recent)) < FEWEST:
        return Drift(finding=Finding.TOO_FEW, responses=len(recent), reference=known, stability_index=math.nan, p=1.0)
    bins = np.searchsorted(reference.edges, recent.round(4))
    index = stability_index(np.array(reference.counts), np.bincount(bins, minlength=len(reference.counts)))
    p = exchangeable(reference, recent, seed)
    found = p <= alpha and index >= NOTABLE
    return Drift(
        finding=Finding.DRIFT if found else Finding.NONE, responses=len(recent), reference=known, stability_index=index, p=p
    )


def recent_probabilities(traces: Iterable[Trace], validator: Validator) -> list[float]:
    """That the least supported claim of each draft is, oldest first: one an answer, as in the reference, since claims of one answer are
    not independent.

    Drafts are validated anew, since what was released may be quotations in the place of what was not supported, and since an earlier
    trace may be by another validator. Those that state nothing, or nothing that can be weighed, are left out.
    """
    found = []
    for trace in sorted(traces, key=lambda trace: (trace.created_at, trace.id)):
        claims = validator.validate(trace.question, trace.draft, trace.passages)
        weighed = [claim.probability for claim in claims if claim.probability is not None]
        found += [min(weighed)] if weighed else []
    return found


def stability_index(reference: NDArray[np.int64], recent: NDArray[np.int64]) -> float:
    """Of two rows of counts over the same bins."""
    expected, actual = ((counts + 0.5) / (counts.sum() + len(counts) / 2) for counts in (reference, recent))
    return float(np.sum((actual - expected) * np.log(actual / expected)))


def exchangeable(reference: Reference, recent: FloatArray, seed: int = 0) -> float:
    """A p-value that holds at every moment: the chance that a gambler gets as rich as here while nothing changes (Ville, 1939).

    Each recent score is ranked among the reference's and those before it, ties and bins broken at random: while all come from one
    distribution in random order, the ranks are independent and uniform (Vovk, Gammerman and Shafer, 2005, chapter 7). The gambler bets
    on parts of 0..1 in proportion to how often ranks fell into them, which is fair to a uniform rank.
    """
    rng = np.random.default_rng(seed)
    counts = np.array(reference.counts, dtype=np.float64)
    seen = np.full(_BETS, _CAUTION)
    wealth = richest = 0.0
    for place in np.searchsorted(reference.edges, recent.round(4)):
        rank = (counts[:place].sum() + rng.random() * (counts[place] + 1)) / (counts.sum() + 1)
        part = min(int(rank * _BETS), _BETS - 1)
        wealth += math.log(seen[part] / seen.sum() * _BETS)
        richest = max(richest, wealth)
        seen[part] += 1
        counts[place] += 1
    return math.exp(-richest)
