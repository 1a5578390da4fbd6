"""What a validator says of labelled responses and of flips is counted as it should be, and shown without a gap."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import pytest

from evals.grounding.benchmark import Measured, Report, benchmark, flip_set, measure
from evals.grounding.figures import FlipFigures, SetFigures
from evals.grounding.flips import Kind
from evals.grounding.labels import Label, LabelSet
from evals.grounding.speed import CLAIMS, PASSAGES, answers
from rag.errors import GroundwireError
from rag.types import Claim, Passage, Verdict
from rag.validators.lexical import LexicalValidator

FACTS = [
    "Marta Olsen founded the company in Berlin in 1987.",
    "The season has 12 games in Norway.",
    "The pump does not start before the tank is full.",
    "German engineers increased the pressure of the boiler in March 2019.",
]


class Reader:
    """Supports what a passage says word for word, and is as sure of it as `sure`."""

    identity = "reader@1"

    def __init__(self, *, calibrated: bool = True) -> None:
        self.calibrated = calibrated
        self.asked = 0

    def validate(self, question: str, answer: str, passages: Sequence[Passage]) -> list[Claim]:
        self.asked += 1
        said = any(answer in passage.text for passage in passages)
        return [
            Claim(
                text=answer,
                start=0,
                end=len(answer),
                verdict=Verdict.SUPPORTED if said else Verdict.UNSUPPORTED,
                score=0.3 if said else 0.1,
                probability=(0.9 if said else 0.2) if self.calibrated and "unknown" not in answer else None,
                reason="",
            )
        ]


def labels(*rows: tuple[str, Literal[0, 1]], context: str = " ".join(FACTS)) -> list[Label]:
    return [Label(id=f"{number}", context=context, response=text, label=label) for number, (text, label) in enumerate(rows)]


def facts(*false: str) -> LabelSet:
    return LabelSet("facts", labels(*((fact, 0) for fact in FACTS), *((text, 1) for text in false)))


def only(report: Report) -> Measured:
    (measured,) = report.validators
    return measured


def figures(measured: Measured, name: str = "facts") -> SetFigures:
    return next(found for found in measured.sets if found.name == name)


def flipped(measured: Measured, kind: Kind | None) -> FlipFigures:
    return next(found for found in measured.flips if found.kind is kind)


def numbers(value: object) -> Iterator[float]:
    match value:
        case float():
            yield value
        case dict():
            for part in value.values():
                yield from numbers(part)
        case list():
            for part in value:
                yield from numbers(part)


def test_a_set_is_counted() -> None:
    found = figures(only(benchmark({"reader": Reader()}, [facts("It is blue.", FACTS[0], "It is red.")])))
    assert (found.name, found.family, found.rows, found.hallucinated) == ("facts", "facts", 7, 3)
    assert found.auroc is not None
    assert found.auroc.value == pytest.approx((2 + 0.5) / 3)
    assert found.balanced_accuracy == found.best_balanced_accuracy == pytest.approx((1 + 2 / 3) / 2)
    assert found.best_threshold == pytest.approx(0.55)
    assert found.caught == pytest.approx(2 / 3)
    assert found.false_alarms == found.doubted == 0
    assert 0 <= found.ms_p50 <= found.ms_p95


def test_what_a_calibration_loses_shows() -> None:
    class Coarse(Reader):
        """Sure of nothing."""

        def validate(self, question: str, answer: str, passages: Sequence[Passage]) -> list[Claim]:
            return [claim.model_copy(update={"probability": 0.6}) for claim in super().validate(question, answer, passages)]

    found = figures(only(benchmark({"coarse": Coarse()}, [facts("It is blue.")])))
    assert found.auroc is not None
    assert (found.auroc.value, found.score_auroc) == (0.5, 1)


def test_without_a_calibration_the_score_is_ranked_and_no_threshold_is_shipped() -> None:
    measured = only(benchmark({"reader": Reader(calibrated=False)}, [facts("It is blue.")]))
    found = figures(measured)
    assert not measured.calibrated
    assert found.auroc is not None
    assert (found.auroc.value, found.balanced_accuracy, found.best_balanced_accuracy, found.doubted) == (1, None, 1, None)
    assert flipped(measured, None).doubted is None


def test_what_cannot_be_weighed_counts_as_even() -> None:
    found = figures(only(benchmark({"reader": Reader()}, [facts("It is blue.", "It is unknown.")])))
    assert found.auroc is not None
    assert found.auroc.value == 1
    assert found.best_threshold == pytest.approx(0.7)


def test_flips_are_counted_beside_their_originals() -> None:
    measured = only(benchmark({"reader": Reader()}, [facts()]))
    every = flipped(measured, None)
    assert (every.caught.value, every.false_alarms.value, every.doubted, every.doubted_originals) == (1, 0, 1, 0)
    assert every.originals == len(FACTS)
    assert every.flips == sum(found.flips for found in measured.flips if found.kind) > 8
    assert {found.kind for found in measured.flips} == {*Kind, None}
    assert flipped(measured, Kind.NAME).originals == 3


def test_a_false_alarm_is_one() -> None:
    unheard = labels(("The boiler has 12 valves.", 0), context="Nothing of it.")
    every = flipped(only(benchmark({"reader": Reader()}, [LabelSet("unheard", unheard)])), None)
    assert (every.caught.value, every.false_alarms.value) == (1, 1)


def test_flips_are_made_of_what_is_supported_and_states_something() -> None:
    asked = LabelSet("asked", labels(("Does the pump start in 1987?", 0), ("The pump is not old.", 1), ("The pump is old.", 0)))
    assert {flip.label.id for flip in flip_set([asked], 0)} == {"2"}
    assert flip_set([facts()], 0) == flip_set([facts()], 0)
    assert len({flip.label.id for flip in flip_set([facts()], 0, most=2)}) == 2


def test_a_set_with_one_class_is_not_known() -> None:
    found = figures(only(benchmark({"reader": Reader()}, [facts()])))
    assert (found.auroc, found.balanced_accuracy, found.best_threshold, found.caught) == (None, None, None, None)
    assert found.false_alarms == 0


def test_what_states_nothing_is_supported() -> None:
    silence = LabelSet("silence", labels(("Thanks!", 0), ("It is blue.", 1)))
    found = figures(only(benchmark({"lexical": LexicalValidator()}, [silence])), "silence")
    assert (found.false_alarms, found.unstated) == (0, 1)


def test_the_report_is_json_without_nan() -> None:
    report = benchmark({"reader": Reader(), "words": Reader(calibrated=False)}, [facts(), facts("It is blue.")])
    line = report.model_dump_json()
    assert all(map(math.isfinite, numbers(json.loads(line))))
    assert Report.model_validate_json(line) == report


def test_equal_seeds_give_equal_figures() -> None:
    def told(seed: int) -> object:
        measured = only(benchmark({"lexical": LexicalValidator()}, [facts("It is blue.", "It is red.")], limit=4, seed=seed))
        return [found.model_copy(update={"ms_p50": 0, "ms_p95": 0}) for found in measured.sets], measured.flips

    assert told(3) == told(3)


def test_a_limit_draws_rows() -> None:
    reader = Reader()
    measured = only(benchmark({"reader": reader}, [facts(*map(str, range(50)))], limit=5))
    assert figures(measured).rows == 5
    assert reader.asked == 5 + (flipped(measured, None).flips if measured.flips else 0)


def test_an_ordinary_answer_is_timed_on_passages_of_its_own() -> None:
    fresh = [
        Label(id=f"{place}", context=f"{fact} Part {place}.", response=fact, label=0) for place, fact in enumerate(FACTS * 5)
    ]
    made = answers([LabelSet("fresh", fresh)], 0)
    assert [len(answer.passages) for answer in made] == [PASSAGES, PASSAGES]
    assert all(answer.text.count(".") == CLAIMS for answer in made)
    assert len({passage.text for answer in made for passage in answer.passages}) == 2 * PASSAGES
    speed = only(benchmark({"reader": Reader()}, [LabelSet("fresh", fresh)])).speed
    assert speed is not None
    assert (speed.answers, speed.ms_p50 <= speed.ms_p95, speed.again_ms_p50 <= speed.again_ms_p95) == (1, True, True)
    assert only(benchmark({"reader": Reader()}, [facts()])).speed is None


def test_nothing_to_measure_is_told() -> None:
    with pytest.raises(GroundwireError, match="nothing to measure"):
        benchmark({}, [facts()])


def write(folder: Path, labelled: LabelSet) -> Path:
    (folder / f"{labelled.name}.jsonl").write_text(
        "".join(label.model_dump_json() + "\n" for label in labelled.labels), encoding="utf-8"
    )
    return folder


def test_a_folder_is_measured_beside_the_baseline(tmp_path: Path) -> None:
    asked: list[tuple[str, int, int]] = []
    report = measure(write(tmp_path, facts("It is blue.")), ["lexical"], progress=lambda *step: asked.append(step))
    lexical, precision = report.validators
    assert (lexical.name, precision.name) == ("lexical", "unigram precision")
    assert lexical.identity.startswith("lexical@")
    assert all(figures(measured).auroc is not None for measured in report.validators)
    assert 0 < lexical.peak_mb_before <= lexical.peak_mb <= precision.peak_mb
    assert asked[-1][1] == asked[-1][2]


def test_gold_sentences_are_a_row_and_are_not_flipped(tmp_path: Path) -> None:
    gold = tmp_path / "gold"
    gold.mkdir()
    (gold / "corpus.jsonl").write_text(json.dumps({"id": "a", "text": "Die Pumpe läuft seit 1987. Sie ist alt."}) + "\n")
    (gold / "questions.jsonl").write_text(json.dumps({"id": "1", "question": "?", "answers": ["1987"], "gold_ids": ["a"]}) + "\n")
    alone = measure(write(tmp_path, facts("It is blue.")), ["lexical"]).validators[0]
    beside = measure(tmp_path, ["lexical"], languages=[gold]).validators[0]
    assert figures(beside, "gold").rows == 1
    assert beside.flips == alone.flips


def test_a_name_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(GroundwireError, match="nonsense"):
        measure(write(tmp_path, facts()), ["nonsense"])
