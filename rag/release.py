"""What reaches the reader, once the claims of a draft have their verdicts.

Knows the policies and how a draft is mended with quotations; judges nothing, calls nothing.
"""

import enum

from rag.types import Claim, Value, Verdict

UNGROUNDED = frozenset({Verdict.UNSUPPORTED, Verdict.CONTRADICTED})


class Policy(enum.StrEnum):
    """What is done about an answer with unsupported or contradicted claims."""

    FLAG = "flag"
    """Nothing: the verdicts travel with it."""
    QUOTE = "quote"
    """Each such sentence gives way to the passage it comes closest to, quoted and cited; without one it is left out."""
    REFUSE = "refuse"
    """The refusal sentence takes its place."""
    RETRY = "retry"
    """It is written once more with the faults named; what is still unsupported then is quoted."""


class Action(enum.StrEnum):
    """What was done."""

    UNCHANGED = "unchanged"
    QUOTED = "quoted"
    REFUSED = "refused"
    RETRY = "retry"
    """Nothing is to be released yet: another generation is wanted."""


class Released(Value):
    """The text for the reader and the claims in it: `claim.text == text[claim.start:claim.end]`."""

    text: str
    claims: tuple[Claim, ...]
    action: Action
    feedback: str | None = None
    """With `RETRY`: what to tell the model."""
