"""Calibrations from labels whose truth is known: probabilities, thresholds, intervals, what more labels bring; and what is refused."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from evals.grounding.calibrate import LICENSED, Calibrated, calibrate, shipped, staged, write
from evals.grounding.curves import probabilities
from evals.grounding.judgements import EDGE, Sample, Stage, Weakest, judge, weakest
from evals.grounding.labels import Label, LabelSet
from evals.grounding.reliability import separation
from evals.grounding.worth import worth
from evals.scores import BoolArray
from rag.errors import GroundwireError
from rag.types import Tier, Verdict
from rag.validators.calibration import Calibration, Isotonic, Platt, TierCurve, load
from rag.validators.cascade import Cascade
from rag.validators.entailment.base import Pair, Reading
from rag.validators.lexical import LexicalValidator
from tests.evals.grounding.scored import Scored, label, labelled


def made(*sets: LabelSet, base: Calibration | None = None) -> Calibrated:
    return calibrate("ours", sets, Scored(), command="evals calibrate --labels made.jsonl", base=base)


def curve(found: Calibrated) -> TierCurve:
    return found.calibration.tiers[Tier.LEXICAL]


def test_probabilities_come_to_the_truth() -> None:
    found = made(labelled(3_000, 0))
    scores = np.linspace(0.1, 0.9, 9)
    truth = 1 / (1 + np.exp(-6 * (scores - 0.5)))
    assert np.mean(np.abs(probabilities(curve(found).curve, scores) - truth)) < 0.05
    assert found.reliability.ece < 0.05
    assert found.calibration.fitted.intervals["lexical: threshold"] == pytest.approx((0.5, 0.5), abs=0.12)


def test_the_threshold_is_the_share_of_supported_and_the_best_balanced_one() -> None:
    found = made(labelled(3_000, 1, middle=0.8))
    share = found.calibration.fitted.supported / 3_000
    assert found.calibration.threshold == pytest.approx(share, abs=0.001)
    assert share < 0.3
    assert found.balanced_accuracy.value > found.best - 0.01
    assert found.calibration.unsupported <= found.calibration.threshold <= found.calibration.supported


def test_the_least_supported_claim_stands_for_a_response() -> None:
    singles = labelled(200, 2)
    pairs = LabelSet(singles.name, [one.model_copy(update={"response": f"1.0; {one.response}; 0.99"}) for one in singles.labels])
    assert curve(made(pairs)) == curve(made(singles))


def test_responses_that_state_nothing_take_no_part() -> None:
    stating = labelled(200, 3)
    silent = [label("", supported=False, id=f"s{row}") for row in range(7)]
    found = made(LabelSet(stating.name, [*stating.labels, *silent]))
    assert (found.labels, found.silent) == (207, 7)
    assert curve(found) == curve(made(stating))


def contradicted(n: int, supported: int) -> LabelSet:
    rows = [label("0.9 contradicted", supported=row < supported, id=f"c{row}") for row in range(n)]
    return LabelSet("ruled", rows)


def test_a_contradiction_is_as_probable_as_such_claims_were_supported() -> None:
    found = curve(made(labelled(200, 4), contradicted(38, 3)))
    assert found.levels == {Verdict.CONTRADICTED: pytest.approx(4 / 40)}
    assert found.curve == curve(made(labelled(200, 4))).curve


def test_for_answers_of_any_kind_a_contradiction_is_just_within_unsupported() -> None:
    def level(supported: int) -> float:
        one = LabelSet("one", [*labelled(200, 4).labels, *contradicted(38, supported).labels])
        return staged([one], Scored(), None, "equal sets and classes").curves()[Tier.LEXICAL].levels[Verdict.CONTRADICTED]

    assert level(0) == level(2) == EDGE
    assert level(30) > 0.5
    shipped = load("default")
    assert all(level < shipped.unsupported for level in shipped.tiers[Tier.LEXICAL].levels.values())


def test_one_contradiction_does_not_outweigh_what_was_known() -> None:
    base = made(labelled(200, 4), contradicted(38, 0)).calibration
    assert base.apply(Scored().validate("", "0.9 contradicted", [])[0]).verdict is Verdict.CONTRADICTED
    found = made(labelled(100, 5), contradicted(1, 1), base=base).calibration
    assert found.apply(Scored().validate("", "0.9 contradicted", [])[0]).verdict is Verdict.CONTRADICTED


def test_half_the_interval_takes_four_times_the_labels() -> None:
    small, large = made(labelled(300, 6)), made(labelled(1_200, 6))
    assert small.worth.to_halve == 900
    assert large.worth.half_width == pytest.approx(small.worth.half_width / 2, rel=0.15)


def test_the_regret_of_few_labels_is_foreseen_and_falls_with_the_root_of_their_number() -> None:
    """What resampling foresees, against the balanced accuracy that the fitted threshold loses where the truth is known."""
    grid = np.linspace(0, 1, 2_001)
    truth = 1 / (1 + np.exp(-3 * (grid - 0.5)))

    def accuracy(kept: BoolArray) -> float:
        return float(np.average(kept, weights=truth) + np.average(~kept, weights=1 - truth)) / 2

    foreseen: dict[int, list[float]] = {60: [], 960: []}
    lost: dict[int, list[float]] = {60: [], 960: []}
    for n in foreseen:
        for seed in range(15):
            rng = np.random.default_rng(seed)
            drawn = sampled(n, rng)
            resampled = [drawn.of(rng.integers(0, n, n)).curves() for _ in range(40)]
            interval = separation(drawn.rows.scores, drawn.rows.supported, drawn.weights, 0.5)
            foreseen[n].append(worth(drawn, interval, resampled).regret)
            kept = probabilities(drawn.curves()[Tier.LEXICAL].curve, grid) >= drawn.share
            lost[n].append(accuracy(truth >= 0.5) - accuracy(kept))
        assert np.mean(lost[n]) / 4 < np.mean(foreseen[n]) < np.mean(lost[n]) * 4
    assert np.mean(foreseen[960]) == pytest.approx(np.mean(foreseen[60]) / 4, rel=0.5)


def test_what_two_tiers_know_counts_together() -> None:
    """Two scores that are independent given the truth, and equally good: the log odds of both count the same."""
    rng = np.random.default_rng(0)
    n = 4_000
    supported = rng.random(n) < 0.5
    scores, before = (1 / (1 + np.exp(-rng.normal(np.where(supported, 0.8, -0.8)))) for _ in range(2))
    rows = Weakest(scores, np.full(n, ""), np.full(n, "model"), supported, np.full(n, "made"), before)
    fitted = Sample((Stage((Tier.MODEL,), rows),), "equal sets and classes").curves()
    assert fitted[Tier.MODEL].carried == pytest.approx(0.5, abs=0.05)
    alone = Sample((Stage((Tier.MODEL,), rows._replace(before=np.full(n, np.nan))),), "equal sets and classes").curves()
    accuracy, worse = (np.mean((rows.probabilities(found) >= 0.5) == supported) for found in (fitted, alone))
    assert accuracy > worse + 0.05


def sampled(n: int, rng: np.random.Generator) -> Sample:
    scores = rng.random(n)
    supported = rng.random(n) < 1 / (1 + np.exp(-3 * (scores - 0.5)))
    rows = Weakest(scores, np.full(n, ""), np.full(n, "lexical"), supported, np.full(n, "made"), np.full(n, np.nan))
    return Sample((Stage((Tier.LEXICAL,), rows),), "as labelled")


def test_the_interval_of_the_threshold_holds_it() -> None:
    held = 0
    for seed in range(10):
        low, high = made(labelled(100, 100 + seed)).calibration.fitted.intervals["lexical: threshold"]
        held += low <= 0.5 <= high
    assert held >= 8


def test_the_same_seed_gives_the_same_calibration() -> None:
    assert made(labelled(120, 7)) == made(labelled(120, 7))


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        (labelled(3, 0), r"of the 3 labelled responses that state something are supported: label at least 5 supported and 5"),
        (LabelSet("one", [label("0.5", supported=True, id=str(row)) for row in range(50)]), r"50 of the 50 labelled"),
        (
            LabelSet("flat", [label("0.5", supported=row % 2 == 0, id=str(row)) for row in range(50)]),
            r"all 50 scores are 0.5: they tell nothing apart",
        ),
        (LabelSet("silent", [label("", supported=True)]), r"0 of the 0 labelled"),
        (
            LabelSet("ruled", [*contradicted(40, 20).labels, label("0.5", supported=True)]),
            r"the lexical tier decides 41 of 41 labelled responses, too few to calibrate it",
        ),
    ],
)
def test_what_cannot_be_calibrated_on_is_refused(sets: LabelSet, told: str) -> None:
    with pytest.raises(GroundwireError, match=told):
        made(sets)


def test_a_file_is_written_whole_and_not_over_another(tmp_path: Path) -> None:
    first, second = (made(labelled(60, seed)).calibration for seed in (0, 1))
    path = tmp_path / "calibrations" / "ours.json"
    write(first, path)
    assert load(str(path)) == first
    with pytest.raises(GroundwireError, match="is there already"):
        write(second, path)
    assert load(str(path)) == first
    write(second, path, force=True)
    assert load(str(path)) == second
    assert [file.name for file in path.parent.iterdir()] == ["ours.json"]


def test_a_file_that_cannot_be_replaced_leaves_nothing_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "ours.json"
    folder.mkdir()
    with pytest.raises(GroundwireError, match="ours.json cannot be written"):
        write(made(labelled(60, 0)).calibration, folder, force=True)
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GroundwireError, match="cannot be written"):
        write(made(labelled(60, 0)).calibration, tmp_path / "file" / "ours.json")


def folder_of(tmp_path: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        lines = [one.model_dump_json() for one in labelled(60 * (seed + 1), seed, middle=0.2 + seed / 20).labels]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    return tmp_path


def test_the_shipped_one_weighs_sets_and_classes_alike(tmp_path: Path) -> None:
    found = shipped("default", folder_of(tmp_path, *LICENSED, "lfqa_sent_dev"), Scored(), command="c")
    fitted = found.calibration.fitted
    assert found.calibration.threshold == 0.5
    assert fitted.sources == LICENSED
    assert isinstance(curve(found).curve, Platt)
    assert fitted.weights == "equal sets and classes"


def test_the_shipped_one_needs_all_its_sets(tmp_path: Path) -> None:
    with pytest.raises(GroundwireError, match="lacks wice_oracle_claim_dev"):
        shipped("default", folder_of(tmp_path, *LICENSED[:-1]), Scored(), command="c")


class Reader:
    """An entailment model that knows the truth of `labelled_prose` in nine of ten cases."""

    identity = "reader@1"

    def read(self, pairs: Sequence[Pair]) -> list[Reading]:
        return [Reading(0.8 if ("sunday" in pair.claim) == (len(pair.claim) % 10 > 0) else 0.3) for pair in pairs]


def prose(n: int) -> LabelSet:
    """Half of the claims are as the context has them, the others have half of their words."""
    context = "The museum of the harbour opens at nine in the morning and the ferry to the island leaves from the northern pier."
    ends = ("on sunday", "on monday")
    return LabelSet(
        "prose",
        [
            Label(
                id=str(row),
                context=context,
                response=f"The museum of the harbour shows {'very ' * (row % 7)}old ships {ends[row % 2]}.",
                label=0 if row % 2 == 0 else 1,
            )
            for row in range(n)
        ]
        + [Label(id=f"s{row}", context=context, response=context, label=0) for row in range(10)]
        + [Label(id=f"h{row}", context=context, response="Penguins invented tractors in Peru.", label=1) for row in range(10)],
    )


def test_a_model_gets_a_curve_from_what_words_left_uncertain() -> None:
    found = calibrate("ours", [prose(80)], LexicalValidator(), Reader(), command="c")
    assert set(found.calibration.tiers) == {Tier.LEXICAL, Tier.MODEL}
    assert found.calibration.fitted.validator.endswith("+reader@1")
    alone = calibrate("ours", [prose(80)], LexicalValidator(), command="c")
    assert found.balanced_accuracy.value > alone.balanced_accuracy.value + 0.1
    weighed = Cascade(LexicalValidator(), found.calibration, Reader())
    claims = weighed.validate("", prose(2).labels[0].response, [])
    assert claims


def test_a_tier_with_too_few_labels_takes_the_curve_of_the_base_and_moves_it() -> None:
    base = calibrate("base", [prose(80)], LexicalValidator(), Reader(), command="c").calibration
    few = calibrate("ours", [LabelSet("few", prose(4).labels)], LexicalValidator(), Reader(), command="c", base=base).calibration
    known, found = (each.tiers[Tier.MODEL].curve for each in (base, few))
    assert isinstance(known, Isotonic)
    assert isinstance(found, Isotonic)
    assert found.scores == known.scores


@pytest.mark.parametrize(("supported", "at_most"), [(0, 0.3), (4, 1.0)])
def test_a_few_labels_of_one_class_move_the_curve_of_the_base(supported: int, at_most: float) -> None:
    base = made(labelled(200, 0)).calibration
    few = LabelSet("few", [label("0.5", supported=row < supported, id=str(row)) for row in range(20)])
    rows = weakest(judge([few], Scored()), {})
    found = Sample((Stage((Tier.LEXICAL,), rows),), "as labelled", base).curves()[Tier.LEXICAL]
    share = (supported + 1) / 22
    shifted = base.tiers[Tier.LEXICAL].shifted(float(np.log(share / (1 - share)) - np.log(base.threshold / (1 - base.threshold))))
    before, after = shifted.curve.probability(0.5), found.curve.probability(0.5)
    assert after == pytest.approx((supported + 10 * before) / 30, abs=0.01)
    assert after < at_most
