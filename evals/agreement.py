"""How far a judge agrees with people: labels from a file, and the measures of agreement.

Knows labels and grades. Knows nothing of how a judge comes to its own.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from evals.comparison import Agreement, Estimate
from evals.jsonl import Fault, read, refusal
from evals.judge import GRADES
from rag.errors import GroundwireError
from rag.types import Value


class Label(Value):
    """What a person said of one answer: of a trace, of a variant's answer to a case, or of all answers to it."""

    id: str
    """Of the case."""
    label: Literal["correct", "partly", "wrong"]
    variant: str | None = None
    trace_id: str | None = None


_LABEL = "a label has id, label (correct, partly or wrong) and, if need be, variant or trace_id"
_MENDS = dict.fromkeys(("extra_forbidden", "json_invalid", "literal_error", "model_type", "missing"), _LABEL)


def read_labels(path: Path) -> list[Label]:
    """A JSONL file of labels. Raises `GroundwireError` with the line that is none, or that labels the same answer again."""
    labels = read(path, Label, _MENDS)
    if not labels:
        raise GroundwireError(f"{path} has no label", 'a line is JSON such as {"id": "case-1", "label": "correct"}')
    seen: dict[Label, str] = {}
    for place, label in labels:
        answer = label.model_copy(update={"label": "correct"})
        if answer in seen:
            raise refusal([Fault(place, f"the answer to {label.id} was labelled at {seen[answer]}", "keep one of the two lines")])
        seen[answer] = place
    return [label for _, label in labels]


def agreement(judged: Sequence[float | str], labels: Sequence[float | str], level: float = 0.95) -> Agreement:
    """How often a judge says what people said of the same answers, in the same order.

    Each is a grade or its word: 1 or `correct`, 0.5 or `partly`, 0 or `wrong`. The share has Wilson's interval (1927). Kappa is
    Cohen's (1960), unweighted: (p - e) / (1 - e), with p the share and e what two raters who use each grade as often as these would
    agree on by chance. Where both gave all answers the same one grade, e is 1 and kappa not defined: 0, for nothing beyond chance is
    shown. Raises `GroundwireError` where there is no label or a grade is none, `ValueError` where the lengths differ.
    """
    from scipy.stats import binomtest

    pairs = [(_grade(said), _grade(label)) for said, label in zip(judged, labels, strict=True)]
    if not pairs:
        raise GroundwireError("no judged answer has a label", "label answers of this run, by case id or trace id")
    agreed, total = sum(said == label for said, label in pairs), len(pairs)
    share = agreed / total
    by_judge, by_people = Counter(said for said, _ in pairs), Counter(label for _, label in pairs)
    chance = sum(by_judge[grade] * by_people[grade] for grade in GRADES.values()) / total**2
    interval = binomtest(agreed, total).proportion_ci(confidence_level=level, method="wilson")
    return Agreement(
        labels=total,
        share=share,
        kappa=0.0 if chance == 1 else (share - chance) / (1 - chance),
        interval=Estimate(value=share, low=float(interval.low), high=float(interval.high), level=level, method="Wilson"),
    )


def _grade(said: float | str) -> float:
    grade = GRADES.get(said) if isinstance(said, str) else said
    if grade is None or grade not in GRADES.values():
        raise GroundwireError(
            f"{said!r} is no grade", f"a grade is one of {', '.join(GRADES)}, or {', '.join(map(str, GRADES.values()))}"
        )
    return float(grade)
