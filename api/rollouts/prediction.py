"""What a comparison found offline, to show beside the online results.

Knows the JSON report of `evals run`. Knows nothing of traffic.
"""

from collections.abc import Mapping
from pathlib import Path

from evals.comparison import Estimate, Finding, Verdict
from rag.errors import GroundwireError
from rag.types import Value
from rag.variant import Variant

OFFLINE = {"error": "failed", "hallucination": "hallucination", "latency": "latency", "cost": "cost"}
"""The metric of `evals` that corresponds to each guardrail."""


class Predicted(Value):
    """One metric of the comparison, in its own unit: shares, seconds, dollars."""

    a: Estimate
    b: Estimate
    difference: Estimate
    finding: Finding


class Prediction(Value):
    """The metrics of a comparison for which a rollout has guardrails."""

    a: str
    b: str
    """The prompts or variants that were compared."""
    variants: tuple[str, ...] = ()
    """The identities of both variants, which include their prompts; empty in rollouts of versions that did not store them."""
    cases: str
    asked: int
    verdict: Verdict
    effects: Mapping[str, Predicted]
    """By guardrail."""

    def require(self, control: Variant, candidate: Variant) -> None:
        """Raise `GroundwireError` if these are not the compared variants, or have changed since."""
        if self.variants != (control.sha256, candidate.sha256):
            raise GroundwireError(
                f"the prediction is of {self.b} against {self.a}, which are not {candidate.name} and {control.name} as they are now",
                f"name the report of `evals run --a {control.name} --b {candidate.name}`, without --model",
            )


def read(report: Path) -> Prediction:
    """The prediction of a report. Raises `GroundwireError` if the file is no report of a comparison."""
    from pydantic import ValidationError

    from evals.comparison import Comparison

    try:
        comparison = Comparison.model_validate_json(report.read_bytes())
    except OSError as error:
        problem = f"the prediction {report} cannot be read ({error.strerror})"
        raise GroundwireError(problem, "name the report.json that `evals run` wrote, from the policy's folder") from error
    except ValidationError as error:
        problem = f"the prediction {report} is no report of a comparison"
        raise GroundwireError(problem, "name the report.json that `evals run` wrote") from error
    effects = {effect.metric.name: effect for effect in comparison.effects}
    return Prediction(
        a=comparison.a.name,
        b=comparison.b.name,
        variants=(comparison.a.variant.sha256, comparison.b.variant.sha256),
        cases=comparison.cases,
        asked=comparison.asked,
        verdict=comparison.verdict,
        effects={
            name: Predicted(a=found.a, b=found.b, difference=found.difference, finding=found.finding)
            for name, metric in OFFLINE.items()
            if (found := effects.get(metric))
        },
    )
