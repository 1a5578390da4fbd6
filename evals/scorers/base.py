"""What every scorer can do, and what a metric is. Knows no method."""

from collections.abc import Mapping
from typing import Literal, Protocol

from evals.cases import Case
from rag.trace import Trace
from rag.types import Value


class Metric(Value):
    """A number about one answer: what it is called, which way is good, how it is shown."""

    name: str
    label: str
    """For people: `hallucination rate`."""
    better: Literal["higher", "lower"]
    unit: Literal["share", "binary", "seconds", "dollars", "tokens"]
    """`share` and `binary` lie within 0 and 1; a `binary` one is only ever 0 or 1."""

    @property
    def bounded(self) -> bool:
        """Whether it lies within 0 and 1."""
        return self.unit in ("share", "binary")


FAILED = "the request failed"
"""Why a value of what was not answered is missing."""


class Missing(Value):
    """A value that should be there and is not; it is counted, never averaged over."""

    reason: str


Scores = Mapping[str, float | Missing]
"""By metric. A metric that does not apply to the case (no references, nothing cited) is not in it."""


class Scorer(Protocol):
    """Sees one trace and its case, and nothing else, so that stored traces can be scored again without a call."""

    @property
    def identity(self) -> str:
        """Name and version, `overlap@1`: the version changes when any value may."""
        ...

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All that `score` may give."""
        ...

    def score(self, trace: Trace, case: Case) -> Scores:
        """The metrics that apply."""
        ...
