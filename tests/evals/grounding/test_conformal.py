"""What is guaranteed of a corpus' own sentences, by simulation; and the zones of a real corpus, wider and never narrower."""

import numpy as np
import pytest

from evals.grounding.conformal import Excerpt, conformal, kept_above, kept_below
from rag.errors import GroundwireError
from rag.types import Tier
from rag.validators.calibration import Calibration, Fit, Platt, TierCurve
from rag.validators.cascade import Cascade
from rag.validators.lexical import LexicalValidator

FIT = Fit(command="c", validator="v", sources=("s",), sha256="0", labels=9, supported=4, weights="as labelled", seed=0)
THINGS = (
    "kettle",
    "harbour",
    "museum",
    "ferry",
    "garden",
    "library",
    "bakery",
    "station",
    "chapel",
    "market",
    "theatre",
    "bridge",
)
TEXTS = [
    Excerpt(
        f"{thing}.md",
        f"The {thing} opens at {number + 7} in the morning on weekdays. Visitors of the {thing} paid {number * 13 + 20} crowns in 1987.",
    )
    for number, thing in enumerate(THINGS)
]


def base(slope: float = 2.0, zones: tuple[float, float, float] = (0.25, 0.5, 0.75)) -> Calibration:
    curve = TierCurve(curve=Platt(slope=slope, intercept=0))
    unsupported, threshold, supported = zones
    return Calibration(
        name="b", tiers={Tier.LEXICAL: curve}, threshold=threshold, unsupported=unsupported, supported=supported, fitted=FIT
    )


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("n", [25, 100])
def test_a_further_sentence_is_on_the_wrong_side_at_most_so_often(alpha: float, n: int) -> None:
    rng = np.random.default_rng(0)
    below = above = 0
    for _ in range(4_000):
        values = rng.beta(5, 2, n + 1)
        below += values[-1] < kept_above(values[:-1], alpha)
        above += values[-1] >= kept_below(values[:-1], alpha)
    exact = np.floor(alpha * (n + 1)) / (n + 1)
    assert below / 4_000 == pytest.approx(exact, abs=0.02)
    assert above / 4_000 == pytest.approx(exact, abs=0.02)


def test_with_ties_it_errs_on_the_safe_side() -> None:
    values = np.ones(50)
    assert (kept_above(values, 0.1), kept_below(values, 0.1)) == (1.0, 1.0)
    assert not np.any(values < kept_above(values, 0.1))


def test_too_few_values_guarantee_nothing_but_silence() -> None:
    assert (kept_above(np.full(8, 0.5), 0.1), kept_below(np.full(8, 0.5), 0.1)) == (0.0, 1.0)


def zones_of(calibration: Calibration, alpha: float = 0.1) -> tuple[Calibration, float]:
    found = conformal(
        "ours", TEXTS, Cascade(LexicalValidator(), calibration), calibration, source="town", command="c", alpha=alpha
    )
    assert (found.supported, found.unsupported) == (len(TEXTS), len(TEXTS))
    return found.calibration, found.rejected


def test_zones_that_keep_their_word_stay() -> None:
    found, rejected = zones_of(base())
    assert (found.unsupported, found.supported, rejected) == (0.25, 0.75, 0)
    assert found.fitted.sources == ("town",)
    assert found.fitted.labels == 0


def test_zones_that_reject_what_is_supported_grow() -> None:
    strict = base(slope=0.2, zones=(0.66, 0.66, 0.7))
    found, rejected = zones_of(strict)
    assert rejected > 0.5
    assert found.unsupported < 0.66
    assert found.identity != strict.identity


def test_zones_that_support_what_is_foreign_grow() -> None:
    lenient = base(slope=0.2, zones=(0.1, 0.2, 0.3))
    found, _ = zones_of(lenient)
    assert found.supported > 0.3


def test_a_corpus_in_another_language_cannot_be_weighed() -> None:
    german = [
        Excerpt(
            f"{number}.md", f"Das Schwimmbad öffnet jeden Morgen um {number} Uhr, und Hunde dürfen leider nicht ins Wasser gehen."
        )
        for number in range(12)
    ]
    with pytest.raises(GroundwireError, match="could weigh 0 sentences of 12: calibrate with labels instead"):
        conformal("o", german, Cascade(LexicalValidator(), base()), base(), source="bad", command="c")


@pytest.mark.parametrize("texts", [TEXTS[:5], [Excerpt("one.md", text.text) for text in TEXTS], []])
def test_too_little_text_is_refused(texts: list[Excerpt]) -> None:
    with pytest.raises(GroundwireError, match="too few to calibrate on: take at least 9 texts"):
        conformal("o", texts, Cascade(LexicalValidator(), base()), base(), source="town", command="c")
