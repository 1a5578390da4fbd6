"""How far each validator's verdicts can be trusted: against people's labels, and on one-fact flips of what they found supported.

Knows label sets and the Validator protocol, and asks each validator from one thread, so that its times are its own. Knows no
validator's method. A response is rejected where a claim of it is unsupported or contradicted, and doubted where its probability is
under one half.
"""

import functools
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from evals.comparison import Estimate
from evals.grounding.discrimination import auroc, balanced_accuracy, best_threshold
from evals.grounding.flips import Kind, flips
from evals.grounding.gold import gold_sentences
from evals.grounding.labels import EVEN, Label, LabelSet, load_sets, passages, probability, sample
from evals.scores import FloatArray
from rag.answer.claims import statements
from rag.answer.release import UNGROUNDED
from rag.errors import GroundwireError
from rag.types import Claim, Passage, Value
from rag.validators import open_validator
from rag.validators.base import Validator

CLAIMS, PASSAGES, ANSWERS = 8, 5, 60
"""Of an ordinary answer, and how many such answers are timed."""
FLIPPED = 150
"""Supported responses of each set that flips are made of: large sets do not outweigh the others."""
Progress = Callable[[str, int, int], None]
"""Called with what is asked, how many responses are done, and of how many."""


class Outcome(NamedTuple):
    """What a validator said of one response."""

    probability: float | None
    """That it is supported; null where the validator has no calibration, or could weigh none of its claims."""
    score: float
    """The least of its claims' scores; 1 where it states nothing."""
    rejected: bool
    stated: bool
    """Whether it has a claim at all."""
    ms: float


class Pair(NamedTuple):
    """What a validator said of a flip, and of the response it was made of: the same outcome for each of its flips."""

    kind: Kind
    flipped: Outcome
    original: Outcome


class Flipped(NamedTuple):
    """A supported response with one fact made wrong."""

    label: Label
    kind: Kind
    response: str


class SetFigures(Value):
    """One validator over one set. Shares lie in 0..1; what cannot be known, with one class only or no calibration, is null."""

    name: str
    family: str
    rows: int
    hallucinated: int
    unstated: int
    """Rows in which the validator finds nothing stated, whatever people said of them: they count as supported."""
    auroc: Estimate | None
    """Of the probability, or of the score where the validator has no calibration."""
    score_auroc: float | None
    """Of the score: what is above `auroc` is lost to the calibration, which may give different scores one probability."""
    balanced_accuracy: float | None
    """At the shipped threshold, a probability of one half."""
    best_balanced_accuracy: float | None
    """At the threshold that is best for this set."""
    best_threshold: float | None
    caught: float | None
    """The share of what is hallucinated that is rejected."""
    false_alarms: float | None
    """The share of what is supported that is rejected."""
    doubted: float | None
    """The share of what is supported whose probability is under one half."""
    ms_p50: float
    """Milliseconds an answer; what its passages were read as is kept by some validators, as it would be when serving."""
    ms_p95: float


class FlipFigures(Value):
    """One validator over the flips of one kind, and over the responses they were made of."""

    kind: Kind | None
    """Null: all kinds together."""
    flips: int
    originals: int
    caught: Estimate
    """The share of flips that are rejected."""
    false_alarms: Estimate
    """The share of their originals that are rejected."""
    doubted: float | None
    doubted_originals: float | None
    auroc: Estimate | None


class Speed(Value):
    """Milliseconds for an ordinary answer, of `CLAIMS` sentences over `PASSAGES` passages."""

    answers: int
    ms_p50: float
    ms_p95: float
    """Over passages that the validator has not seen before."""
    again_ms_p50: float
    again_ms_p95: float
    """The same answers once more."""


class Measured(Value):
    """One validator."""

    name: str
    identity: str
    calibrated: bool
    sets: tuple[SetFigures, ...]
    flips: tuple[FlipFigures, ...]
    speed: Speed | None
    """Null where the sets have too few supported responses to make an answer of."""
    peak_mb_before: float
    """The most memory the process has held so far, before the validator was opened, and after all was asked."""
    peak_mb: float


class Report(Value):
    """All validators over all sets."""

    seed: int
    limit: int | None
    """Rows drawn of each set; null for all."""
    validators: tuple[Measured, ...]


def silent(name: str, done: int, total: int) -> None:
    """What draws nothing."""


def measure(
    folder: Path,
    names: Sequence[str],
    *,
    limit: int | None = None,
    seed: int = 0,
    baselines: bool = False,
    languages: Sequence[Path] = (),
    progress: Progress = silent,
) -> Report:
    """The validators of those names, each opened in its turn, over the label sets of a folder, beside what they must beat.

    `baselines` adds the cosine of our own embedder, which takes longer than all the rest; `languages` are folders of retrieval sets
    whose gold sentences are asked too. Raises `GroundwireError` where a file, a line or a name is not what it should be.
    """
    sets, gold = load_sets(folder), [gold_sentences(language) for language in languages]
    openers = {name: functools.partial(open_validator, name) for name in names}
    return _report({**openers, **_baselines(baselines)}, sets, gold, limit, seed, progress)


def benchmark(
    validators: Mapping[str, Validator],
    sets: Sequence[LabelSet],
    *,
    limit: int | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Report:
    """Validators that are open already, by the name to report them under.

    Equal inputs give equal figures, times and memory aside. Raises `GroundwireError` where there is no validator or no set.
    """
    openers = {name: functools.partial(_same, validator) for name, validator in validators.items()}
    return _report(openers, sets, (), limit, seed, progress)


def flip_set(sets: Iterable[LabelSet], seed: int, most: int = FLIPPED) -> list[Flipped]:
    """Flips of at most `most` supported responses of each set that state something.

    Each response has a seed of its own: its flips do not depend on what else there is.
    """
    found = []
    for labelled in sets:
        supported = [label for label in labelled.labels if not label.hallucinated and statements(label.response)]
        for label in sample(supported, most, seed):
            chance = np.random.default_rng([seed, zlib.crc32(label.id.encode())])
            found += [Flipped(label, flip.kind, flip.text) for flip in flips(label.response, [label.context], chance)]
    return found


class Answer(NamedTuple):
    """Supported responses strung together, and passages of their contexts."""

    text: str
    passages: Sequence[Passage]


def answers(sets: Iterable[LabelSet], seed: int) -> list[Answer]:
    """At most `ANSWERS` of `CLAIMS` responses each, every response one sentence and of the same set; no context is in two of them."""
    found = []
    for labelled in sets:
        lone = {
            label.context: label
            for label in labelled.labels
            if not label.hallucinated and label.context.strip() and len(statements(label.response)) == 1
        }
        drawn = sample(list(lone.values()), len(lone), seed)
        for start in range(0, len(drawn) - CLAIMS + 1, CLAIMS):
            group = drawn[start : start + CLAIMS]
            firsts = [_passages(label.context)[0] for label in group[:PASSAGES]]
            given = [passage.model_copy(update={"number": number}) for number, passage in enumerate(firsts, start=1)]
            found.append(Answer(" ".join(f"{label.response.rstrip(' .')}." for label in group), given))
    order = np.random.default_rng(seed).permutation(len(found))
    return [found[place] for place in order[:ANSWERS]]


def _baselines(cosine: bool) -> dict[str, Callable[[], Validator]]:
    from evals.grounding.baselines import MaximumCosine, UnigramPrecision
    from rag.embedders import open_embedder

    found: dict[str, Callable[[], Validator]] = {"unigram precision": UnigramPrecision}
    if cosine:
        found["maximum cosine"] = lambda: MaximumCosine(open_embedder("onnx"))
    return found


def _same(validator: Validator) -> Validator:
    return validator


def _report(
    openers: Mapping[str, Callable[[], Validator]],
    sets: Sequence[LabelSet],
    gold: Sequence[LabelSet],
    limit: int | None,
    seed: int,
    progress: Progress,
) -> Report:
    """Flips are made of `sets` alone: those of other languages have two kinds only."""
    if not openers or not sets:
        raise GroundwireError("there is nothing to measure", "name a validator and a folder of label sets")
    drawn, beside = (
        [labelled._replace(labels=sample(labelled.labels, limit or len(labelled.labels), seed)) for labelled in group]
        for group in (sets, gold)
    )
    made, timed = flip_set(drawn, seed), answers(drawn, seed)
    measured = tuple(_measured(name, opener, [*drawn, *beside], made, timed, progress) for name, opener in openers.items())
    return Report(seed=seed, limit=limit, validators=measured)


def _measured(
    name: str,
    opener: Callable[[], Validator],
    sets: Sequence[LabelSet],
    made: Sequence[Flipped],
    timed: Sequence[Answer],
    progress: Progress,
) -> Measured:
    before = peak_mb()
    validator = opener()
    speed = _speed(validator, timed)
    total, done = sum(len(labelled.labels) for labelled in sets) + len(made), 0

    def ask(label: Label, response: str) -> Outcome:
        nonlocal done
        outcome = _asked(validator, label, response)
        done += 1
        progress(name, done, total)
        return outcome

    outcomes = [[ask(label, label.response) for label in labelled.labels] for labelled in sets]
    flipped = [ask(flip.label, flip.response) for flip in made]
    calibrated = any(outcome.stated and outcome.probability is not None for said in (*outcomes, flipped) for outcome in said)
    originals = {
        (label.context, label.response): outcome
        for labelled, said in zip(sets, outcomes, strict=True)
        for label, outcome in zip(labelled.labels, said, strict=True)
    }
    pairs = [
        Pair(flip.kind, outcome, originals[flip.label.context, flip.label.response])
        for flip, outcome in zip(made, flipped, strict=True)
    ]
    return Measured(
        name=name,
        identity=validator.identity,
        calibrated=calibrated,
        sets=tuple(_set_figures(labelled, said, calibrated) for labelled, said in zip(sets, outcomes, strict=True)),
        flips=tuple(_flips_by_kind(pairs, calibrated)),
        speed=speed,
        peak_mb_before=before,
        peak_mb=peak_mb(),
    )


def _flips_by_kind(pairs: Sequence[Pair], calibrated: bool) -> Iterator[FlipFigures]:
    for kind in sorted({pair.kind for pair in pairs}):
        yield _flip_figures(kind, [pair for pair in pairs if pair.kind is kind], calibrated)
    if pairs:
        yield _flip_figures(None, pairs, calibrated)


def _speed(validator: Validator, timed: Sequence[Answer]) -> Speed | None:
    """The first answer is not counted: it pays for what is loaded once in a process."""
    if len(timed) < 2:
        return None
    new, again = ([_validated(validator, "", answer.text, answer.passages)[1] for answer in timed][1:] for _ in range(2))
    (p50, p95), (again_p50, again_p95) = (map(float, np.quantile(ms, [0.5, 0.95])) for ms in (new, again))
    return Speed(answers=len(timed) - 1, ms_p50=p50, ms_p95=p95, again_ms_p50=again_p50, again_ms_p95=again_p95)


def _asked(validator: Validator, label: Label, response: str) -> Outcome:
    return _outcome(*_validated(validator, label.question or "", response, _passages(label.context)))


def _validated(validator: Validator, question: str, answer: str, given: Sequence[Passage]) -> tuple[list[Claim], float]:
    """The claims, and the milliseconds they took."""
    started = time.perf_counter()
    claims = validator.validate(question, answer, given)
    return claims, 1000 * (time.perf_counter() - started)


_passages = functools.lru_cache(maxsize=64)(passages)


def _outcome(claims: Sequence[Claim], ms: float) -> Outcome:
    least = min((claim.score for claim in claims), default=1.0)
    return Outcome(probability(claims), least, any(claim.verdict in UNGROUNDED for claim in claims), bool(claims), ms)


def _set_figures(labelled: LabelSet, said: Sequence[Outcome], calibrated: bool) -> SetFigures:
    hallucinated = np.array([label.hallucinated for label in labelled.labels])
    support = _support(said, calibrated)
    good, bad = support[~hallucinated], support[hallucinated]
    rejected = np.array([outcome.rejected for outcome in said])
    scores = np.array([outcome.score for outcome in said])
    by_score = auroc(scores[~hallucinated], scores[hallucinated])
    best = best_threshold(good, bad)
    p50, p95 = np.quantile([outcome.ms for outcome in said], [0.5, 0.95])
    return SetFigures(
        name=labelled.name,
        family=labelled.family,
        rows=len(said),
        hallucinated=int(hallucinated.sum()),
        unstated=sum(not outcome.stated for outcome in said),
        auroc=auroc(good, bad),
        score_auroc=by_score.value if by_score else None,
        balanced_accuracy=balanced_accuracy(good, bad, EVEN) if calibrated else None,
        best_balanced_accuracy=best.balanced_accuracy if best else None,
        best_threshold=best.threshold if best else None,
        caught=_share(rejected[hallucinated]),
        false_alarms=_share(rejected[~hallucinated]),
        doubted=_share(good < EVEN) if calibrated else None,
        ms_p50=float(p50),
        ms_p95=float(p95),
    )


def _flip_figures(kind: Kind | None, pairs: Sequence[Pair], calibrated: bool) -> FlipFigures:
    from evals.stats.intervals import of_proportion

    flipped = [pair.flipped for pair in pairs]
    originals = list({id(pair.original): pair.original for pair in pairs}.values())
    caught, alarms = (np.array([outcome.rejected for outcome in said], dtype=np.float64) for said in (flipped, originals))
    bad, good = _support(flipped, calibrated), _support(originals, calibrated)
    return FlipFigures(
        kind=kind,
        flips=len(flipped),
        originals=len(originals),
        caught=of_proportion(caught, level=0.95),
        false_alarms=of_proportion(alarms, level=0.95),
        doubted=_share(bad < EVEN) if calibrated else None,
        doubted_originals=_share(good < EVEN) if calibrated else None,
        auroc=auroc(good, bad),
    )


def _support(said: Sequence[Outcome], calibrated: bool) -> FloatArray:
    """The probability, even where it is not known; the score of a validator that gives none at all."""
    if not calibrated:
        return np.array([outcome.score for outcome in said])
    return np.array([EVEN if outcome.probability is None else outcome.probability for outcome in said])


def _share(flags: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> float | None:
    return float(np.mean(flags)) if len(flags) else None


def peak_mb() -> float:
    """The most memory that this process has held at once so far, in MB (10^6 bytes)."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
