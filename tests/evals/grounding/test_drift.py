"""False alarms where nothing changes, however often one looks; and what is found where something does."""

import numpy as np
import pytest

from evals.grounding.calibrate import reference
from evals.grounding.drift import Finding, drift, exchangeable, recent_probabilities, stability_index
from evals.scores import FloatArray
from rag.trace import Channel, Trace, Versions
from rag.types import Passage, Tier
from rag.validators.calibration import Calibration, Fit, Platt, TierCurve
from rag.validators.cascade import Cascade
from rag.validators.lexical import LexicalValidator
from rag.variant import Variant

VERSIONS = Versions(code="c", variant="v", prompts={}, generation="g", embedder="e", validator="x")


def calibration(values: FloatArray | None = None) -> Calibration:
    fit = Fit(
        command="c",
        validator="v",
        sources=("s",),
        sha256="0",
        labels=0,
        supported=0,
        weights="as labelled",
        seed=0,
        reference=None if values is None else reference(values),
    )
    curve = TierCurve(curve=Platt(slope=1, intercept=0))
    return Calibration(name="c", tiers={Tier.LEXICAL: curve}, unsupported=0.25, supported=0.75, fitted=fit)


def lumpy(rng: np.random.Generator, n: int) -> FloatArray:
    """A third are exactly 1, as word-for-word answers are."""
    return np.where(rng.random(n) < 0.33, 1.0, rng.beta(2, 3, n))


def test_looking_after_every_answer_raises_no_more_false_alarms_than_it_says() -> None:
    rng = np.random.default_rng(0)
    alarms = sum(exchangeable(reference(lumpy(rng, 150)), lumpy(rng, 400), seed) <= 0.05 for seed in range(300))
    assert alarms / 300 <= 0.07


def test_p_never_rises_as_answers_come() -> None:
    rng = np.random.default_rng(1)
    known, recent = reference(lumpy(rng, 200)), rng.beta(1, 4, 300)
    ps = [exchangeable(known, recent[:n]) for n in (50, 100, 200, 300)]
    assert ps == sorted(ps, reverse=True)
    assert ps[-1] < 1e-3


@pytest.mark.parametrize("worse", [0.5, 0.6])
def test_a_shift_is_found(worse: float) -> None:
    rng = np.random.default_rng(2)
    found = [drift(calibration(lumpy(rng, 300)), lumpy(rng, 300) * worse).finding for _ in range(10)]
    assert found.count(Finding.DRIFT) >= 8


def test_the_same_is_no_drift() -> None:
    rng = np.random.default_rng(3)
    found = drift(calibration(lumpy(rng, 500)), lumpy(rng, 500))
    assert (found.finding, found.responses, found.reference) == (Finding.NONE, 500, 500)
    assert found.stability_index < 0.1


def test_a_sure_but_small_difference_is_no_drift() -> None:
    rng = np.random.default_rng(4)
    found = drift(calibration(rng.random(20_000)), rng.random(20_000) ** 1.1)
    assert found.p < 0.05
    assert found.finding is Finding.NONE


@pytest.mark.parametrize(("known", "recent"), [(20, 500), (500, 20)])
def test_too_few(known: int, recent: int) -> None:
    rng = np.random.default_rng(5)
    assert drift(calibration(rng.random(known)), rng.random(recent)).finding is Finding.TOO_FEW


def test_a_calibration_without_a_reference_cannot_tell() -> None:
    assert drift(calibration(), np.random.default_rng(6).random(500)).finding is Finding.TOO_FEW


def test_the_stability_index_by_hand() -> None:
    expected = 2 * 0.25 * np.log(75.5 / 25.5) * (50 / 101 / 0.25)
    assert stability_index(np.array([75, 25]), np.array([25, 75])) == pytest.approx(expected)


def test_constant_values_have_a_reference() -> None:
    assert reference(np.ones(60)).counts == (60, 0)
    assert drift(calibration(np.ones(200)), np.ones(200)).finding is Finding.NONE


def test_drafts_of_traces_are_weighed_oldest_first() -> None:
    validator = Cascade(LexicalValidator(), calibration())
    drafts = ["Dogs are not allowed in the pool.", "I do not know.", "Penguins invented the steam engine in Peru."]
    traces = [trace(f"2026-01-0{day}", draft) for day, draft in enumerate(drafts, start=1)]
    found = recent_probabilities(reversed(traces), validator)
    assert len(found) == 2
    assert found[0] > 0.75 > 0.25 > found[1]


def trace(created_at: str, draft: str) -> Trace:
    text = "Dogs are not allowed in the pool. It opens at 9 in the morning."
    passage = Passage(number=1, chunk_id="c", document_id="d", source="s", title="", text=text, start=0, end=len(text), score=1.0)
    return Trace(
        id=created_at,
        created_at=created_at,
        channel=Channel.ASK,
        collection="c",
        variant=Variant(name="v"),
        versions=VERSIONS,
        question="?",
        passages=(passage,),
        draft=draft,
    )


def test_an_answer_is_weighed_by_its_least_supported_claim_as_in_the_reference() -> None:
    validator = Cascade(LexicalValidator(), calibration())
    right, wrong = "Dogs are not allowed in the pool.", "Penguins invented the steam engine in Peru."
    (alone,) = recent_probabilities([trace("2026-01-01", wrong)], validator)
    (beside,) = recent_probabilities([trace("2026-01-01", f"{right} {wrong}")], validator)
    assert beside == alone
