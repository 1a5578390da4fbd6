import pytest

from rag.answer.release import Action, Policy, release
from rag.answer.withholding import Uncertain
from rag.types import Claim, Verdict

REFUSAL = "The documents do not say."


def claim(verdict: Verdict, probability: float | None = None, text: str = "It opens at nine.") -> Claim:
    return Claim(text=text, start=0, end=len(text), verdict=verdict, score=0.5, probability=probability, reason="because")


@pytest.mark.parametrize("uncertain", list(Uncertain))
def test_only_the_uncertain_are_at_its_discretion(uncertain: Uncertain) -> None:
    for probability in (None, 0.0, 1.0):
        assert not uncertain.withholds(claim(Verdict.SUPPORTED, probability))
        assert uncertain.withholds(claim(Verdict.UNSUPPORTED, probability))
        assert uncertain.withholds(claim(Verdict.CONTRADICTED, probability))


@pytest.mark.parametrize(("probability", "likely"), [(0.3, False), (0.4999, False), (0.5, True), (0.7, True), (None, True)])
def test_what_is_more_likely_supported_than_not_passes(probability: float | None, likely: bool) -> None:
    withheld = {uncertain for uncertain in Uncertain if uncertain.withholds(claim(Verdict.UNCERTAIN, probability))}
    assert withheld == {Uncertain.WITHHOLD} | (set() if likely else {Uncertain.LIKELY})


@pytest.mark.parametrize(
    ("policy", "retried", "action"),
    [
        (Policy.QUOTE, False, Action.REFUSED),
        (Policy.REFUSE, False, Action.REFUSED),
        (Policy.RETRY, False, Action.RETRY),
        (Policy.RETRY, True, Action.REFUSED),
        (Policy.FLAG, False, Action.UNCHANGED),
    ],
)
def test_every_policy_acts_on_what_is_unlikely_and_on_nothing_else(policy: Policy, retried: bool, action: Action) -> None:
    likely, unlikely = (claim(Verdict.UNCERTAIN, probability) for probability in (0.6, 0.4))
    kept, gone = (
        release(policy, each.text, [each], (), REFUSAL, uncertain=Uncertain.LIKELY, retried=retried)
        for each in (likely, unlikely)
    )
    assert (kept.text, kept.claims, kept.action) == (likely.text, (likely,), Action.UNCHANGED)
    assert gone.action is action
    if action is Action.REFUSED:
        assert [one.verdict for one in gone.withheld] == [Verdict.UNCERTAIN]
    if action is Action.RETRY:
        assert unlikely.text in (gone.feedback or "")
