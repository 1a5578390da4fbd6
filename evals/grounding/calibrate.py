"""A calibration from labels: curves, thresholds, and how sure they are.

Knows labelled responses and validators. Knows no command line, and nothing of texts without labels.
"""

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from evals.comparison import Estimate, Measured
from evals.grounding.curves import folds, probabilities
from evals.grounding.discrimination import best_threshold
from evals.grounding.judgements import LEAST, Curves, Progress, Sample, Stage, Weakest, Weighting, judge, weakest
from evals.grounding.labels import LabelSet, load_sets
from evals.grounding.reliability import Reliability, reliability, separation
from evals.grounding.worth import Worth, worth
from evals.scores import FloatArray
from rag.errors import GroundwireError
from rag.types import Tier
from rag.validators.base import Validator
from rag.validators.calibration import Calibration, Fit, Reference
from rag.validators.calibration import load as load_calibration
from rag.validators.cascade import Cascade
from rag.validators.entailment.base import Entailment

LICENSED = (
    "begin_tc",
    "begin_wow",
    "faithdial_audit",
    "halueval_qa_small",
    "summedits_news",
    "summedits_samsum",
    "summedits_scitldr",
    "wice_oracle_claim_dev",
)
"""The sets whose licence lets what is fitted on them be shipped."""
TOLERATED = 0.25
"""How often a verdict other than "cannot tell" may be wrong at the edge of its zone (Chow, 1970)."""
RESAMPLES = 200
LEVEL = 0.95
GRID = np.linspace(0.0, 1.0, 1001)
DECILES = np.arange(1, 10) / 10


class Calibrated(Measured):
    """A calibration, and what was measured of it with each response weighed by curves that were fitted without it."""

    calibration: Calibration
    labels: int
    silent: int
    """Responses that state nothing that could be checked: they take no part."""
    reliability: Reliability
    balanced_accuracy: Estimate
    best: float
    """Of each set's own best threshold, the mean over sets: a little too good, for it was chosen on the labels that it is measured on."""
    worth: Worth


def calibrate(
    name: str,
    sets: Sequence[LabelSet],
    first: Validator,
    entailment: Entailment | None = None,
    *,
    command: str,
    base: Calibration | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Calibrated:
    """Fit to the labels of one deployment: probabilities at its own share of supported responses, and the threshold that follows.

    A tier that decides too few responses keeps the curve of `base`, shifted to that share. Raises `GroundwireError` where labels are
    too few, of one class, or their scores all equal.
    """
    sample = staged(sets, first, entailment, "as labelled", base, seed, progress)
    return _calibrated(name, sets, sample, _identity(first, entailment), command)


def shipped(
    name: str,
    folder: Path,
    first: Validator,
    entailment: Entailment | None = None,
    *,
    command: str,
    seed: int = 0,
    progress: Progress | None = None,
) -> Calibrated:
    """Fit to the `LICENSED` sets of a folder, each set and each of its classes with equal weight, so that the threshold is .5.

    Raises `GroundwireError` where one is missing.
    """
    sets = [found for found in load_sets(folder) if found.name in LICENSED]
    if missing := sorted(set(LICENSED) - {found.name for found in sets}):
        mend = "the shipped calibration is fitted to all sets whose licence lets it be shipped"
        raise GroundwireError(f"{folder} lacks {', '.join(missing)}", mend)
    sample = staged(sets, first, entailment, "equal sets and classes", None, seed, progress)
    return _calibrated(name, sets, sample, _identity(first, entailment), command)


def begun(name: str, entailment: Entailment | None) -> Calibration:
    """The calibration to begin with, by name or path. The curve of a model that it was not fitted on says nothing of another's scores:
    these are then taken for probabilities, as `open_validator` takes them.
    """
    found = load_calibration(name)
    fitted = entailment is None or entailment.identity in found.fitted.validator
    return found if fitted else found.trusting(Tier.MODEL)


def write(calibration: Calibration, path: Path, *, force: bool = False) -> None:
    """The file is whole or not there. Raises `GroundwireError` where there is one already, and `force` does not say to replace it."""
    if path.exists() and not force:
        raise GroundwireError(f"{path} is there already", "name another file, or replace it with --force")
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(calibration.model_dump_json(indent=1) + "\n", encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise GroundwireError(f"{path} cannot be written ({error.strerror})", "name another file") from error


def staged(
    sets: Sequence[LabelSet],
    first: Validator,
    entailment: Entailment | None,
    weighting: Weighting,
    base: Calibration | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Sample:
    """Judge all labels by `first`, and again with `entailment` asked about what a calibration of the first tier leaves uncertain.

    Raises `GroundwireError` where nothing can be fitted to them.
    """
    sample = _judged(Sample((), weighting, base, seed), sets, first, progress)
    if entailment is None:
        return sample
    calibration = assembled("provisional", sample.curves(), sample.share, fit_of(sample, sets, "", ""))
    return _judged(sample, sets, Cascade(first, calibration, entailment), progress)


def held_out(sample: Sample) -> FloatArray:
    """The probability of each row by curves that were fitted to the others, shape (n,)."""
    found = np.full(len(sample.rows.supported), np.nan)
    for rest, held in folds(sample.rows.supported, sample.seed):
        found[held] = sample.of(held).probabilities(sample.of(rest).curves())
    return found


def assembled(name: str, curves: Curves, share: float, fit: Fit) -> Calibration:
    """Curves and the zones around the threshold `share`: a verdict is given where it is wrong in at most `TOLERATED` cases."""
    share = round(share, 4)
    return Calibration(
        name=name,
        tiers=curves,
        threshold=share,
        unsupported=min(TOLERATED, share),
        supported=max(1 - TOLERATED, share),
        fitted=fit,
    )


def reference(values: FloatArray) -> Reference:
    """Values within 0..1, counted between their deciles, fewer where these coincide."""
    values = values.round(4)
    edges = np.unique(np.quantile(values, DECILES).round(4))
    counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
    return Reference(edges=tuple(edges.tolist()), counts=tuple(counts.tolist()))


def _calibrated(name: str, sets: Sequence[LabelSet], sample: Sample, validator: str, command: str) -> Calibrated:
    found = held_out(sample)
    supported, weights = sample.rows.supported, sample.weights
    separated = separation(found, supported, weights, sample.share, level=LEVEL)
    drawn = [sample.of(rows).curves() for rows in _resamples(sample)]
    curves = sample.curves()
    fit = fit_of(sample, sets, command, validator)
    intervals = _edges(drawn, assembled(name, curves, sample.share, fit)) | {
        "balanced accuracy": (separated.low, separated.high),
        "expected calibration error": _error_interval(found, sample),
    }
    rounded = {key: (round(low, 4), round(high, 4)) for key, (low, high) in intervals.items()}
    labels = sum(len(given.labels) for given in sets)
    return Calibrated(
        calibration=assembled(name, curves, sample.share, fit.model_copy(update={"intervals": rounded})),
        labels=labels,
        silent=labels - len(supported),
        reliability=reliability(found, supported, weights),
        balanced_accuracy=separated,
        best=_best(found, sample.rows),
        worth=worth(sample, separated, drawn),
    )


def _judged(sample: Sample, sets: Sequence[LabelSet], validator: Validator, progress: Progress | None) -> Sample:
    """The sample with one stage more; its claims are chosen again when its own tiers have a curve."""
    judgements = judge(sets, validator, progress)
    known = sample.curves()
    rows = weakest(judgements, known)
    added = tuple(tier for tier in Tier if tier in rows.tiers and tier not in known)
    trial = replace(sample, stages=(*sample.stages, Stage(added, rows)))
    _check(trial)
    return replace(sample, stages=(*sample.stages, Stage(added, weakest(judgements, trial.curves()))))


def _identity(first: Validator, entailment: Entailment | None) -> str:
    return "+".join(part.identity for part in (first, entailment) if part)


def fit_of(sample: Sample, sets: Sequence[LabelSet], command: str, validator: str) -> Fit:
    """What a calibration fitted to the sample rests on."""
    rows = sample.rows
    digest = hashlib.sha256()
    for label in (label for found in sets for label in found.labels):
        digest.update(f"{label.id}\0{label.context}\0{label.question}\0{label.response}\0{label.label}\0".encode())
    return Fit(
        command=command,
        validator=validator,
        sources=tuple(found.name for found in sets),
        sha256=digest.hexdigest(),
        labels=len(rows.supported),
        supported=int(rows.supported.sum()),
        weights=sample.weighting,
        seed=sample.seed,
        reference=reference(sample.probabilities(sample.curves())),
    )


def _check(sample: Sample) -> None:
    """That the stages' curves can be fitted, or else that there are others in their place."""
    tiers, rows = sample.stages[-1]
    supported = int(rows.supported.sum())
    few = min(supported, len(rows.supported) - supported)
    if few < LEAST:
        counted = f"{supported} of the {len(rows.supported)} labelled responses that state something are supported"
        raise GroundwireError(
            counted, f"label at least {LEAST} supported and {LEAST} hallucinated ones; about 100 make a good start"
        )
    if len(sample.stages) == 1 and np.ptp(rows.scores) == 0:
        raise GroundwireError(
            f"all {len(rows.scores)} scores are {rows.scores[0]:g}: they tell nothing apart", "use another validator"
        )
    curves = sample.curves()
    for tier in tiers:
        if tier not in curves:
            decided = int((rows.tiers == tier).sum())
            raise GroundwireError(
                f"the {tier} tier decides {decided} of {len(rows.tiers)} labelled responses, too few to calibrate it",
                f"label more, until it decides {LEAST} of each class, or start from a calibration that has that tier",
            )


def _resamples(sample: Sample) -> list[NDArray[np.int64]]:
    """Rows drawn with replacement from each set and class."""
    rng = np.random.default_rng(sample.seed)
    _, strata = np.unique(np.char.add(sample.rows.sets, np.where(sample.rows.supported, "+", "-")), return_inverse=True)
    members = [np.flatnonzero(strata == stratum) for stratum in range(strata.max() + 1)]
    return [np.concatenate([rng.choice(rows, len(rows)) for rows in members]) for _ in range(RESAMPLES)]


def _edges(drawn: Sequence[Curves], calibration: Calibration) -> dict[str, tuple[float, float]]:
    """Percentile intervals of the scores at which a tier's claims become uncertain, more likely supported than not, and supported."""
    found = {}
    levels = {"cannot tell": calibration.unsupported, "threshold": calibration.threshold, "supported": calibration.supported}
    for tier in calibration.tiers:
        for edge, level in levels.items():
            found[f"{tier}: {edge}"] = _percentiles([_reaches(curves, tier, level) for curves in drawn if tier in curves])
    return found


def _best(found: FloatArray, rows: Weakest) -> float:
    by_set = [rows.sets == name for name in np.unique(rows.sets)]
    kept = [best_threshold(found[mine & rows.supported], found[mine & ~rows.supported]) for mine in by_set]
    return fmean(best.balanced_accuracy for best in kept if best)


def _reaches(curves: Curves, tier: Tier, level: float) -> float:
    """The score whose probability is `level`; 0 or 1 where there is none."""
    return float(np.interp(level, probabilities(curves[tier].curve, GRID), GRID))


def _error_interval(found: FloatArray, sample: Sample) -> tuple[float, float]:
    """Percentile interval of the calibration error, wider and higher than that of the truth: what is drawn twice adds its own chance."""
    errors = [reliability(found[rows], sample.rows.supported[rows], sample.weights[rows]).ece for rows in _resamples(sample)]
    return _percentiles(errors)


def _percentiles(values: Sequence[float]) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
