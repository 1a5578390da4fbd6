"""From scores to probabilities and verdicts, and the files that say how."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import GroundwireError
from rag.types import Claim, Evidence, Tier, Verdict
from rag.validators.calibration import Calibration, Fit, Isotonic, Platt, TierCurve, load, names

FIT = Fit(
    command="evals calibrate",
    validator="lexical@1",
    sources=("a",),
    sha256="0" * 64,
    labels=100,
    supported=50,
    weights="as labelled",
    seed=0,
)
LEXICAL = TierCurve(curve=Platt(slope=2, intercept=0), levels={Verdict.CONTRADICTED: 0.1})


def calibration(curve: TierCurve = LEXICAL, threshold: float = 0.5) -> Calibration:
    return Calibration(
        name="test", tiers={Tier.LEXICAL: curve}, threshold=threshold, unsupported=0.25, supported=0.75, fitted=FIT
    )


def claim(score: float, verdict: Verdict = Verdict.UNCERTAIN, tier: Tier = Tier.LEXICAL) -> Claim:
    return Claim(text="t", start=0, end=1, verdict=verdict, score=score, tier=tier, reason="")


@pytest.mark.parametrize(("score", "verdict"), [(0.1, Verdict.UNSUPPORTED), (0.5, Verdict.UNCERTAIN), (0.9, Verdict.SUPPORTED)])
@pytest.mark.parametrize("before", [Verdict.SUPPORTED, Verdict.UNCERTAIN])
def test_the_zone_gives_the_verdict_whatever_it_was(score: float, verdict: Verdict, before: Verdict) -> None:
    assert calibration().apply(claim(score, before)).verdict is verdict


def test_even_odds_in_the_middle() -> None:
    assert calibration().apply(claim(0.5)).probability == 0.5


def test_what_a_rule_contradicts_stays_contradicted_whatever_its_score() -> None:
    found = calibration().apply(claim(0.9, Verdict.CONTRADICTED))
    assert (found.verdict, found.probability) == (Verdict.CONTRADICTED, 0.1)


def test_a_contradiction_is_never_likelier_than_its_score() -> None:
    found = calibration().apply(claim(0.0, Verdict.CONTRADICTED))
    assert found.probability is not None
    assert found.probability < 0.1


def test_a_rule_that_is_mostly_wrong_tells_nothing() -> None:
    curve = LEXICAL.model_copy(update={"levels": {Verdict.CONTRADICTED: 0.6}})
    assert calibration(curve).apply(claim(0.9, Verdict.CONTRADICTED)).verdict is Verdict.UNCERTAIN


def test_what_is_in_no_passage_stays_unsupported_whatever_else_is_there() -> None:
    curve = LEXICAL.model_copy(update={"levels": {Verdict.UNSUPPORTED: 0.3}})
    found = calibration(curve).apply(claim(0.9, Verdict.UNSUPPORTED))
    assert (found.verdict, found.probability) == (Verdict.UNSUPPORTED, 0.3)
    assert calibration().apply(claim(0.9, Verdict.UNSUPPORTED)).verdict is Verdict.UNCERTAIN


def test_a_claim_that_is_no_longer_supported_is_not_said_to_be_in_a_passage() -> None:
    found = claim(0.5, Verdict.SUPPORTED).model_copy(
        update={"reason": "passage 3 says so", "evidence": Evidence(passage=3, start=0, end=1, quote="t")}
    )
    assert calibration().apply(found).reason == "passage 3 is close, but not surely the same"
    assert calibration().apply(found.model_copy(update={"score": 0.9})).reason == "passage 3 says so"
    assert calibration().apply(found.model_copy(update={"verdict": Verdict.UNCERTAIN})).reason == "passage 3 says so"


def test_another_tier_is_left_alone() -> None:
    judged = claim(0.9, tier=Tier.JUDGE)
    assert calibration().apply(judged) == judged


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20), st.floats(0, 30), st.floats(-30, 30))
def test_platt_never_falls(scores: list[float], slope: float, intercept: float) -> None:
    found = [Platt(slope=slope, intercept=intercept).probability(score) for score in sorted(scores)]
    assert found == sorted(found)
    assert all(0 <= probability <= 1 for probability in found)


@given(st.lists(st.floats(-1, 2), min_size=2, max_size=20), st.lists(st.floats(0, 1), min_size=1, max_size=8, unique=True))
def test_isotonic_never_falls(scores: list[float], knots: list[float]) -> None:
    curve = Isotonic(scores=tuple(sorted(knots)), probabilities=tuple(sorted(knots)))
    found = [curve.probability(score) for score in sorted(scores)]
    assert found == sorted(found)


def test_isotonic_goes_straight_between_knots_and_level_beyond() -> None:
    curve = Isotonic(scores=(0.2, 0.6), probabilities=(0.1, 0.9))
    assert [curve.probability(score) for score in (0.0, 0.2, 0.4, 0.6, 1.0)] == pytest.approx([0.1, 0.1, 0.5, 0.9, 0.9])


@pytest.mark.parametrize("curve", [Platt(slope=2, intercept=-1), Isotonic(scores=(0, 1), probabilities=(0, 0.5))])
def test_a_shift_moves_the_log_odds(curve: Platt | Isotonic) -> None:
    before, after = curve.probability(1.0), curve.shifted(1.5).probability(1.0)
    assert after / (1 - after) == pytest.approx(before / (1 - before) * 2.718281828**1.5)
    assert curve.shifted(0).probability(1.0) == pytest.approx(before)


def test_the_identity_is_that_of_what_decides() -> None:
    known = calibration().identity
    assert calibration().model_copy(update={"name": "other"}).identity == known
    assert calibration(LEXICAL.shifted(0.1)).identity != known
    assert calibration(threshold=0.4).identity != known


def test_a_file_gives_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "ours.json"
    isotonic = TierCurve(curve=Isotonic(scores=(0.123456, 1), probabilities=(0.1, 0.9)))
    both = calibration().model_copy(update={"tiers": {Tier.LEXICAL: LEXICAL, Tier.MODEL: isotonic}})
    path.write_text(both.model_dump_json())
    assert load(str(path)) == both
    assert load(str(path)).identity == both.identity


def test_a_name_that_is_none_says_what_there_is() -> None:
    with pytest.raises(GroundwireError, match="calibration nowhere does not exist"):
        load("nowhere")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            '"slope":2.0',
            '"slope":-2.0',
            r"ours.json: tiers.lexical.curve.platt.slope: Input should be greater than or equal to 0",
        ),
        ('"unsupported":0.25', '"unsupported":0.6', r"ours.json: the file: .*unsupported, threshold and supported do not rise"),
        ('"unsupported":0.25', '"unsupported":"low"', r"ours.json: unsupported: Input should be a valid number"),
        ('"method":"platt"', '"method":"magic"', r"ours.json: tiers.lexical.curve: "),
        ('"name":"test",', "", r"ours.json: name: Field required"),
        ('"name":"test",', '"name":"test","colour":1,', r"ours.json: colour: Extra inputs are not permitted"),
        ("{", "", r"ours.json is not JSON"),
    ],
)
def test_a_bad_file_names_the_field(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = tmp_path / "ours.json"
    path.write_text(calibration().model_dump_json().replace(old, new, 1))
    with pytest.raises(GroundwireError, match=told):
        load(str(path))


@pytest.mark.parametrize(("scores", "probabilities"), [((0.5, 0.2), (0.1, 0.2)), ((0.2, 0.5), (0.2, 0.1)), ((0.2, 0.5), (0.2,))])
def test_knots_rise(scores: tuple[float, ...], probabilities: tuple[float, ...]) -> None:
    with pytest.raises(ValueError):
        Isotonic(scores=scores, probabilities=probabilities)


def test_every_shipped_calibration_is_one() -> None:
    assert "default" in names()
    for name in names():
        shipped = load(name)
        assert shipped.name == name
        assert shipped.threshold == 0.5
        assert "calibrate" in shipped.fitted.command


def test_the_tier_before_counts_beside_the_score() -> None:
    curve = TierCurve(curve=Platt(slope=1, intercept=0), carried=0.5)
    both = calibration().model_copy(update={"tiers": {Tier.MODEL: curve}})
    read = claim(0.5, tier=Tier.MODEL)

    def weighed(before: float | None) -> float | None:
        return both.apply(read.model_copy(update={"probability": before})).probability

    assert weighed(None) == weighed(0.5) == 0.5
    low, high = weighed(0.2), weighed(0.8)
    assert low is not None
    assert high is not None
    assert low < 0.5 < high
