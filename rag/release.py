"""What reaches the reader, once the claims of a draft have their verdicts.

Knows the policies, and how a draft is mended with quotations; judges nothing, calls nothing.
"""

import enum
import unicodedata
from collections.abc import Sequence

from rag.citations import citations, uncited
from rag.claims import declines, states
from rag.sentences import MARKER, sentences
from rag.types import Claim, Passage, Value, Verdict

UNGROUNDED = frozenset({Verdict.UNSUPPORTED, Verdict.CONTRADICTED})


class Policy(enum.StrEnum):
    """What is done about an answer with unsupported or contradicted claims."""

    FLAG = "flag"
    """Nothing: the verdicts travel with it."""
    QUOTE = "quote"
    """Each such sentence gives way to the passage it comes closest to, quoted; without one it is left out. Supported sentences
    that cite nothing get the citation of their evidence."""
    REFUSE = "refuse"
    """The refusal sentence takes its place."""
    RETRY = "retry"
    """It is written once more with its faults named; what is ungrounded then is quoted."""


class Action(enum.StrEnum):
    """What was done."""

    UNCHANGED = "unchanged"
    CITED = "cited"
    """Citations were added, and nothing else."""
    QUOTED = "quoted"
    REFUSED = "refused"
    RETRY = "retry"
    """Nothing is released yet: another generation is wanted."""


class Released(Value):
    """The text for the reader and the claims in it: `claim.text == text[claim.start:claim.end]`."""

    text: str
    claims: tuple[Claim, ...]
    action: Action
    feedback: str | None = None
    """With `RETRY`: what to tell the model."""


def release(
    policy: Policy, answer: str, claims: Sequence[Claim], passages: Sequence[Passage], refusal: str, *, retried: bool = False
) -> Released:
    """Apply `policy` to a draft. `claims` are those of `answer`, in order; `retried` says that `answer` is already the second try.

    An answer without ungrounded claims is released byte for byte, but for the citations that `QUOTE` adds.
    """
    ungrounded = [claim for claim in claims if claim.verdict in UNGROUNDED]
    quotes = policy is Policy.QUOTE or (policy is Policy.RETRY and retried)
    if not ungrounded and quotes:
        return _cited(Released(text=answer, claims=tuple(claims), action=Action.UNCHANGED))
    if not ungrounded or policy is Policy.FLAG:
        return Released(text=answer, claims=tuple(claims), action=Action.UNCHANGED)
    if policy is Policy.REFUSE:
        return Released(text=refusal, claims=(), action=Action.REFUSED)
    if not quotes:
        return Released(text=answer, claims=tuple(claims), action=Action.RETRY, feedback=_feedback(ungrounded))
    return _cited(_quoted(answer, claims, {passage.number for passage in passages}, refusal))


def is_refusal(text: str, refusal: str) -> bool:
    """Whether an answer declines: by the refusal sentence, whatever quotation marks, citations, case and spaces it comes in; or, in
    English, by saying that the answer is not known or not in the passages, and nothing that could be checked.
    """
    if _plain(text) == _plain(refusal):
        return True
    said = [text[start:end] for start, end in sentences(text)]
    return any(map(declines, said)) and not any(map(states, said))


def _plain(text: str) -> str:
    bare = unicodedata.normalize("NFKC", uncited(text, citations(text)).text).casefold()
    return "".join(character for character in bare if character.isalnum())


def _feedback(ungrounded: Sequence[Claim]) -> str:
    listed = "\n".join(f'- "{claim.text}" ({claim.reason})' for claim in ungrounded)
    return f"The passages do not support these sentences:\n{listed}\nAnswer again, stating only what the passages say, and cite them."


def _quoted(answer: str, claims: Sequence[Claim], numbers: set[int], refusal: str) -> Released:
    """The answer with its ungrounded claims replaced or left out; the refusal where no claim is left."""
    text = ""
    position = 0
    kept: list[Claim] = []
    shown = {_plain(claim.text) for claim in claims if claim.verdict not in UNGROUNDED}
    for claim in claims:
        text += answer[position : claim.start]
        position = claim.end
        if claim.verdict in UNGROUNDED:
            quotation = _quotation(claim, numbers)
            if quotation is None or _plain(quotation.text) in shown:
                text, position = _left_out(text, answer, position)
                continue
            claim = quotation
            shown.add(_plain(claim.text))
        kept.append(claim.model_copy(update={"start": len(text), "end": len(text) + len(claim.text)}))
        text += claim.text
    if not kept:
        return Released(text=refusal, claims=(), action=Action.REFUSED)
    return Released(text=text + answer[position:], claims=tuple(kept), action=Action.QUOTED)


def _cited(released: Released) -> Released:
    """The same, with a citation behind every supported claim that has evidence and cites nothing."""
    text = ""
    position = 0
    kept = []
    for claim in released.claims:
        start = len(text) + claim.start - position
        text += released.text[position : claim.end]
        position = claim.end
        if claim.verdict is Verdict.SUPPORTED and claim.evidence and not claim.citations:
            number = claim.evidence.passage
            text += f" [{number}]"
            claim = claim.model_copy(update={"citations": (number,)})
        kept.append(claim.model_copy(update={"start": start, "end": len(text), "text": text[start:]}))
    text += released.text[position:]
    if text == released.text:
        return released
    action = Action.CITED if released.action is Action.UNCHANGED else released.action
    return released.model_copy(update={"text": text, "claims": tuple(kept), "action": action})


def _quotation(claim: Claim, numbers: set[int]) -> Claim | None:
    """The claim's evidence as a claim of its own, on one line, with its citation."""
    evidence = claim.evidence
    if evidence is None or evidence.passage not in numbers:
        return None
    quote = " ".join(evidence.quote.split())
    text = f"“{quote}” [{evidence.passage}]"
    reason = f"quoted from passage {evidence.passage}"
    return claim.model_copy(
        update={
            "text": text,
            "verdict": Verdict.SUPPORTED,
            "score": 1.0,
            "reason": reason,
            "citations": (evidence.passage,),
            "miscited": (),
        }
    )


def _left_out(text: str, answer: str, position: int) -> tuple[str, int]:
    """The text so far and where to go on in the answer, so that a sentence left out between them leaves no gap or empty list item."""
    line = text[text.rfind("\n") + 1 :]
    if line.strip() and not MARKER.fullmatch(line):
        return text.rstrip(" \t"), position
    rest = answer[position:].partition("\n")[0]
    if rest.strip():
        return text, position + len(rest) - len(rest.lstrip())
    return text[: len(text) - len(line)], min(position + len(rest) + 1, len(answer))
