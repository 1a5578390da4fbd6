"""Which claims a release policy keeps from the reader.

Knows verdicts and probabilities. Knows nothing of what takes the place of a claim.
"""

import enum

from rag.types import Claim, Verdict

UNGROUNDED = frozenset({Verdict.UNSUPPORTED, Verdict.CONTRADICTED})
EVEN = 0.5
"""The probability from which on a claim is likely supported."""


class Uncertain(enum.StrEnum):
    """What becomes of the claims that the validator cannot tell."""

    PASS = enum.auto()
    """They reach the reader."""
    LIKELY = enum.auto()
    """Those that are less likely supported than not are withheld. Where nobody knows the probability they pass: nothing speaks against
    them."""
    WITHHOLD = enum.auto()
    """They are withheld as unsupported ones are."""

    def withholds(self, claim: Claim) -> bool:
        """Whether the policy acts on a claim, as it always does on an ungrounded one."""
        if claim.verdict is not Verdict.UNCERTAIN:
            return claim.verdict in UNGROUNDED
        if self is Uncertain.LIKELY:
            return claim.probability is not None and claim.probability < EVEN
        return self is Uncertain.WITHHOLD
