"""A rollout policy: how traffic moves from one variant to another, in one TOML file.

Knows the file's fields, their bounds and defaults. Knows nothing of how they are carried out.
"""

import enum
import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from api.rollouts.prediction import Prediction, read
from rag import toml
from rag.errors import GroundwireError
from rag.types import Value

FIELDS = "see the guide's page on rollout policies for the fields"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class Kind(enum.StrEnum):
    """How a rollout divides traffic."""

    AB = "ab"
    """Both variants answer; each user always gets the same one."""
    CANARY = "canary"
    """The candidate answers a few users, then more, then all."""
    SHADOW = "shadow"
    """The control answers; the candidate answers copies of the requests, which readers never see."""
    BLUE_GREEN = "blue-green"
    """One of the two answers everything, until they are switched."""


class Observation(enum.StrEnum):
    """What a guardrail counts."""

    REQUEST = "request"
    UNIT = "unit"
    """The first request of each user: the requests of one user are not independent."""


def _seconds(value: object) -> object:
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if isinstance(value, str) and not found:
        raise ValueError('a time is a number of seconds, or such as "90s", "30m", "12h" or "7d"')
    return float(found[1]) * _SECONDS[found[2]] if found else value


def _unless_false(value: object) -> object:
    return None if value is False else value


Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0, allow_inf_nan=False)]
Percent = Annotated[float, Field(gt=0, le=100)]


class Margin(Value):
    """How much higher the candidate's rate may be."""

    margin: float = Field(ge=0, lt=1)


class Relative(Value):
    """How much higher the candidate's mean may be, as a share of the control's."""

    margin: float = Field(ge=0, le=10)
    cap: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Larger values count as this much. By default a multiple of the mean of the control's first requests."""


class Guardrails(Value):
    """What the candidate must not make worse; `false` in the file disables a guardrail."""

    error: Annotated[Margin | None, BeforeValidator(_unless_false)] = Margin(margin=0.02)
    hallucination: Annotated[Margin | None, BeforeValidator(_unless_false)] = Margin(margin=0.05)
    latency: Annotated[Relative | None, BeforeValidator(_unless_false)] = Relative(margin=0.2)
    """`cap` in milliseconds."""
    cost: Annotated[Relative | None, BeforeValidator(_unless_false)] = Relative(margin=0.1)
    """`cap` in dollars."""

    @property
    def enabled(self) -> dict[str, Margin | Relative]:
        """The guardrails that are not disabled, by name."""
        return {name: found for name in type(self).model_fields if (found := getattr(self, name)) is not None}


_OF_KIND = {
    Kind.AB: {"share", "guardrails", "alpha", "observation"},
    Kind.CANARY: {"stages", "hold", "minimum", "guardrails", "alpha", "observation"},
    Kind.SHADOW: {"share", "guardrails", "alpha", "observation"},
    Kind.BLUE_GREEN: set[str](),
}
"""The fields that only some kinds have."""


class Policy(Value):
    """A rollout, named after its file."""

    name: str
    kind: Kind
    control: str
    """The variant that answers now."""
    candidate: str
    description: str = ""
    hypothesis: str = ""
    """What the candidate is expected to do, written down before any result."""
    share: Percent = 50
    """A/B: percent of users whom the candidate answers. Shadow: percent of requests of which it answers a copy."""
    stages: tuple[Percent, ...] = (5, 25, 100)
    """Canary: percent of users in each stage; it is promoted when it reaches the last."""
    hold: Seconds = 3_600
    """The least time that a stage lasts."""
    minimum: int = Field(default=100, ge=1)
    """The least number of requests that the candidate answers in each stage."""
    guardrails: Guardrails = Guardrails()
    alpha: float = Field(default=0.05, gt=0, lt=1)
    """The probability that a candidate within all margins is rolled back by chance; the guardrails share it (Bonferroni)."""
    observation: Observation = Observation.UNIT
    prediction: Prediction | None = None
    """What was found offline. In the file it is the path of a `report.json` of `evals run`, relative to the file's folder."""

    @model_validator(mode="after")
    def _growing(self) -> Self:
        if list(self.stages) != sorted(set(self.stages)) or self.stages[-1:] != (100,):
            raise ValueError("stages: they grow, and the last is 100")
        return self


def load(path: Path) -> Policy:
    """Read a policy, named after its file. Raises `GroundwireError` naming the file, the field and the mend."""
    if not NAME.fullmatch(path.stem):
        raise GroundwireError(
            f"{path}: {path.stem!r} is no name for a rollout", "use small letters, digits, . _ and -, at most 64"
        )
    fields = toml.fields(path, "rollout", "name a file that is there and readable")
    try:
        if isinstance(report := fields.get("prediction"), str):
            fields["prediction"] = read(path.parent / report)
        policy = Policy(name=path.stem, **fields)
    except ValidationError as error:
        raise GroundwireError(f"{path}: {toml.faults(error, Policy)}", FIELDS) from error
    if foreign := sorted(policy.model_fields_set & set[str]().union(*_OF_KIND.values()) - _OF_KIND[policy.kind]):
        raise GroundwireError(f"{path}: {foreign[0]}: a rollout of kind {policy.kind} has none", FIELDS)
    if policy.control == policy.candidate:
        problem = f"{path}: control and candidate are both {policy.control}"
        raise GroundwireError(problem, "name two variants; to try the rollout itself, copy the variant's file under another name")
    return policy
