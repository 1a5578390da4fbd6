"""A calibration for a corpus without labels: the zones of another one, made wider where the corpus' own sentences ask for it.

Knows texts and what they support by construction. Knows no label, and fits no curve.
"""

import hashlib
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from evals.comparison import Measured
from evals.grounding.flips import Kind, flips
from evals.grounding.judgements import Progress
from evals.scores import FloatArray
from rag.answer.claims import states
from rag.errors import GroundwireError
from rag.text import analyzer
from rag.text.sentences import sentences
from rag.types import Passage
from rag.validators.base import Validator
from rag.validators.calibration import Calibration, Fit

PASSAGES = 5
"""Shown with each sentence: its own text, where it has one, and others'."""
SENTENCES = 400
"""Asked about: one of a text, of as many texts."""
WORDS = 5
"""A shorter sentence is mostly a heading."""


class Excerpt(NamedTuple):
    """A piece of a document, as it would be retrieved."""

    document: str
    text: str


class Zones(Measured):
    """The calibration, and what was seen on the corpus.

    Guaranteed, whatever the scores are: another sentence of the same corpus beside its own text is called unsupported with probability
    `alpha` at most, and one of another document is called supported with probability `alpha` at most, over the draw of both the sentences
    here and that one (split conformal, by class: Vovk, Gammerman and Shafer, 2005). It is guaranteed for sentences, drawn as these were;
    an answer words things differently, so that its claims are less like their evidence than these, and nothing is promised for them.
    Nor are the probabilities better than those of the calibration whose curves they are.
    """

    calibration: Calibration
    alpha: float
    supported: int
    """Sentences beside their own text."""
    unsupported: int
    """Sentences of other documents."""
    rejected: float
    """The share of the former that the base's zones call unsupported."""
    accepted: float
    """The share of the latter that the base's zones call supported."""
    flips: dict[Kind, tuple[int, float]]
    """One-fact errors by kind: how many, and the share that the new zones call supported. They say what to expect, and move nothing."""


def conformal(
    name: str,
    texts: Sequence[Excerpt],
    validator: Validator,
    base: Calibration,
    *,
    source: str,
    command: str,
    alpha: float = 0.1,
    seed: int = 0,
    progress: Progress | None = None,
) -> Zones:
    """Widen the zones of `base` until they keep `alpha` on the texts; `validator` uses `base`.

    Raises `GroundwireError` where there are fewer than 1 / `alpha` - 1 sentences to ask about, or one document only.
    """
    rng = np.random.default_rng(seed)
    drawn = list(itertools.islice(_sentences(texts, rng), SENTENCES))
    least = math.ceil(1 / alpha) - 1
    if len(drawn) < least or len({text.document for text in texts}) < 2:
        raise GroundwireError(
            f"{source} has {len(drawn)} sentences in {len({text.document for text in texts})} documents, too few to calibrate on",
            f"take at least {least} texts with a sentence, from two documents",
        )
    pool = [text.text for text in texts]
    own, foreign = [], []
    flipped: dict[Kind, list[float]] = {}
    for done, (text, sentence) in enumerate(drawn, start=1):
        others = _others(texts, text, rng)
        beside = _passages([text.text, *others[1:]], rng)
        own += _asked(validator, sentence, beside)
        foreign += _asked(validator, sentence, _passages(others, rng))
        for flip in flips(sentence, pool, rng):
            flipped.setdefault(flip.kind, []).extend(_asked(validator, flip.text, beside))
        if progress:
            progress(done, len(drawn))
    supported, unsupported = np.array(own), np.array(foreign)
    if min(len(supported), len(unsupported)) < least:
        raise GroundwireError(
            f"{source}: the validator could weigh {len(supported)} sentences of {len(drawn)}", "calibrate with labels instead"
        )
    zones = base.model_copy(
        update={
            "name": name,
            "unsupported": min(base.unsupported, kept_above(supported, alpha)),
            "supported": max(base.supported, kept_below(unsupported, alpha)),
            "fitted": Fit(
                command=command,
                validator=validator.identity,
                sources=(source,),
                sha256=hashlib.sha256("\0".join(itertools.chain.from_iterable(texts)).encode()).hexdigest(),
                labels=0,
                supported=0,
                weights=base.fitted.weights,
                seed=seed,
            ),
        }
    )
    return Zones(
        calibration=zones,
        alpha=alpha,
        supported=len(supported),
        unsupported=len(unsupported),
        rejected=float(np.mean(supported < base.unsupported)),
        accepted=float(np.mean(unsupported >= base.supported)),
        flips={kind: (len(said), float(np.mean(np.array(said) >= zones.supported))) for kind, said in flipped.items() if said},
    )


def kept_above(values: FloatArray, alpha: float) -> float:
    """The highest threshold that a further value of the same kind lies below with probability `alpha` at most; 0 where there are too few."""
    rank = math.floor(alpha * (len(values) + 1))
    return float(np.sort(values)[rank - 1]) if rank else 0.0


def kept_below(values: FloatArray, alpha: float) -> float:
    """The lowest threshold that a further value of the same kind reaches with probability `alpha` at most; 1 where there are too few."""
    rank = math.floor(alpha * (len(values) + 1))
    return min(1.0, float(np.nextafter(np.sort(values)[len(values) - rank], np.inf))) if rank else 1.0


def _sentences(texts: Sequence[Excerpt], rng: np.random.Generator) -> Iterator[tuple[Excerpt, str]]:
    """A random sentence that states something of each text, in random order."""
    for index in rng.permutation(len(texts)):
        text = texts[index].text
        said = [text[start:end] for start, end in sentences(text, analyzer.language(text))]
        said = [sentence for sentence in said if len(sentence.split()) >= WORDS and states(sentence)]
        if said:
            yield texts[index], said[int(rng.integers(len(said)))]


def _others(texts: Sequence[Excerpt], own: Excerpt, rng: np.random.Generator) -> list[str]:
    """`PASSAGES` texts of other documents, fewer where there are no more."""
    order = (texts[index] for index in rng.permutation(len(texts)))
    return [text.text for text in itertools.islice((text for text in order if text.document != own.document), PASSAGES)]


def _passages(texts: Sequence[str], rng: np.random.Generator) -> list[Passage]:
    shuffled = [texts[index] for index in rng.permutation(len(texts))]
    return [
        Passage(
            number=number, chunk_id=str(number), document_id="", source="", title="", text=text, start=0, end=len(text), score=1.0
        )
        for number, text in enumerate(shuffled, start=1)
    ]


def _asked(validator: Validator, sentence: str, passages: Sequence[Passage]) -> list[float]:
    """The probability of the sentence's least supported claim, if it has one that can be weighed."""
    weighed = [claim.probability for claim in validator.validate("", sentence, passages) if claim.probability is not None]
    return [min(weighed)] if weighed else []
