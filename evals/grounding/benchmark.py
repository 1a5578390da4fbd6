"""How far each validator's verdicts can be trusted: against people's labels, and on one-fact flips of what they found supported.

Knows label sets and the Validator protocol, and asks each validator from one thread, so that its times are its own. Knows no
validator's method. A response is rejected where a claim of it is unsupported or contradicted, and doubted where its probability is
under one half.
"""

import functools
import sys
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from evals.grounding.figures import FlipFigures, Outcome, Pair, SetFigures, flip_figures, judged, set_figures
from evals.grounding.flips import Kind, flips
from evals.grounding.gold import gold_sentences
from evals.grounding.labels import Label, LabelSet, load_sets, sample
from evals.grounding.speed import Answer, Speed, answers, passages_of, speed, timed
from rag.answer.claims import statements
from rag.errors import GroundwireError
from rag.types import Value
from rag.validators import open_validator
from rag.validators.base import Validator

FLIPPED = 150
"""Supported responses of each set that flips are made of: large sets do not outweigh the others."""
Progress = Callable[[str, int, int], None]
"""Called with what is asked, how many responses are done, and of how many."""


class Flipped(NamedTuple):
    """A supported response with one fact made wrong."""

    label: Label
    kind: Kind
    response: str


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
    made, asked = flip_set(drawn, seed), answers(drawn, seed)
    measured = tuple(_measured(name, opener, [*drawn, *beside], made, asked, progress) for name, opener in openers.items())
    return Report(seed=seed, limit=limit, validators=measured)


def _measured(
    name: str,
    opener: Callable[[], Validator],
    sets: Sequence[LabelSet],
    made: Sequence[Flipped],
    asked: Sequence[Answer],
    progress: Progress,
) -> Measured:
    before = peak_mb()
    validator = opener()
    times = speed(validator, asked)
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
        sets=tuple(set_figures(labelled, said, calibrated) for labelled, said in zip(sets, outcomes, strict=True)),
        flips=tuple(flip_figures(pairs, calibrated)),
        speed=times,
        peak_mb_before=before,
        peak_mb=peak_mb(),
    )


def _asked(validator: Validator, label: Label, response: str) -> Outcome:
    return judged(*timed(validator, label.question or "", response, passages_of(label.context)))


def peak_mb() -> float:
    """The most memory that this process has held at once so far, in MB (10^6 bytes)."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
