"""What reaches the reader, once the claims of a draft have their verdicts.

Knows the policies, and how a draft is mended with quotations; judges nothing, calls nothing.
"""

import enum
import unicodedata
from collections.abc import Sequence, Set

from rag.citations import citations, uncited
from rag.claims import declines, states
from rag.sentences import MARKER, sentences
from rag.types import Claim, Passage, Value, Verdict

UNGROUNDED = frozenset({Verdict.UNSUPPORTED, Verdict.CONTRADICTED})
UNPROVED = UNGROUNDED | {Verdict.UNCERTAIN}


class Policy(enum.StrEnum):
    """What is done about an answer with claims that are withheld: ungrounded ones, or all that are not proved."""

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
    withheld: tuple[Claim, ...] = ()
    """What the draft states and the text does not: `claim.text == draft[claim.start:claim.end]`."""
    feedback: str | None = None
    """With `RETRY`: what to tell the model."""


def release(
    policy: Policy,
    answer: str,
    claims: Sequence[Claim],
    passages: Sequence[Passage],
    refusal: str,
    *,
    withheld: Set[Verdict] = UNGROUNDED,
    retried: bool = False,
) -> Released:
    """Apply `policy` to a draft. `claims` are those of `answer`, in order; `retried` says that `answer` is already the second try.

    An answer without claims of the `withheld` verdicts is released byte for byte, but for the citations that `QUOTE` adds.
    """
    if policy is Policy.QUOTE or (policy is Policy.RETRY and retried):
        mending = Mending(passages, refusal, withheld)
        mending.add(answer, claims)
        return mending.end()
    faults = [claim for claim in claims if claim.verdict in withheld]
    if not faults or policy is Policy.FLAG:
        return Released(text=answer, claims=tuple(claims), action=Action.UNCHANGED)
    if policy is Policy.REFUSE:
        return Released(text=refusal, claims=(), action=Action.REFUSED, withheld=tuple(claims))
    return Released(text=answer, claims=tuple(claims), action=Action.RETRY, feedback=_feedback(faults))


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


def _feedback(faults: Sequence[Claim]) -> str:
    listed = "\n".join(f'- "{claim.text}" ({claim.reason})' for claim in faults)
    return f"The passages do not support these sentences:\n{listed}\nAnswer again, stating only what the passages say, and cite them."


class Mending:
    """A draft on its way to the reader under `QUOTE`, one stretch after the other: what was shown is never taken back.

    Whole in one stretch, or cut anywhere between its sentences, a draft ends as the same text.
    """

    def __init__(self, passages: Sequence[Passage], refusal: str, withheld: Set[Verdict] = UNGROUNDED) -> None:
        self._verdicts = withheld
        self._numbers = {passage.number for passage in passages}
        self._refusal = refusal
        self._text = ""
        self._shown = 0
        self._read = 0
        self._claims: list[Claim] = []
        self._gone: list[Claim] = []
        self._said: set[str] = set()
        self._quoted: set[str] = set()
        self._faults = self._cites = False
        self._emptied = -1

    def add(self, stretch: str, claims: Sequence[Claim]) -> None:
        """The next stretch, with the claims in it; their offsets count from its beginning."""
        position = 0
        for claim in claims:
            self._text += stretch[position : claim.start]
            position = claim.end
            kept = self._kept(claim)
            if claim.verdict in self._verdicts:
                placed = {"start": self._read + claim.start, "end": self._read + claim.end}
                self._gone.append(claim.model_copy(update=placed))
            if kept is None:
                self._faults = True
                self._text, position = _left_out(self._text, stretch, position)
                self._emptied = len(self._text)
                continue
            start = len(self._text)
            self._text += kept.text
            self._claims.append(kept.model_copy(update={"start": start, "end": len(self._text)}))
        self._text += stretch[position:]
        self._read += len(stretch)

    def next(self) -> str:
        """What can be shown now and was not yet: up to the last claim that stands. What follows it may yet have to go."""
        end = max(self._claims[-1].end if self._claims else 0, self._shown)
        text, self._shown = self._text[self._shown : end], end
        return text

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Those that stand so far, all of them within what `next` has given once it is asked."""
        return tuple(self._claims)

    @property
    def withheld(self) -> tuple[Claim, ...]:
        """Those that do not stand, each placed in the draft: what all stretches so far make together."""
        return tuple(self._gone)

    def end(self) -> Released:
        """The whole, once all stretches are in; the refusal where claims were made and none stands."""
        if self._faults and not self._claims:
            return Released(text=self._refusal, claims=(), action=Action.REFUSED, withheld=self.withheld)
        action = Action.QUOTED if self._faults else Action.CITED if self._cites else Action.UNCHANGED
        text = self._text
        if self._emptied == len(text) and _is_empty(line := _last_line(text)):
            text = text.removesuffix(line)
        return Released(text=text, claims=self.claims, action=action, withheld=self.withheld)

    def rest(self) -> str:
        """Of the whole, what `next` has not given."""
        return self.end().text[self._shown :]

    def _kept(self, claim: Claim) -> Claim | None:
        """The claim, its quotation where it is withheld, or nothing where that cannot be had or was said before."""
        said = _plain(claim.text)
        if claim.verdict not in self._verdicts:
            if said in self._quoted:
                return None
            self._said.add(said)
            return self._cited(claim)
        self._faults = True
        quotation = _quotation(claim, self._numbers)
        if quotation is None or _plain(quotation.text) in self._said | self._quoted:
            return None
        self._quoted.add(_plain(quotation.text))
        return quotation

    def _cited(self, claim: Claim) -> Claim:
        """A supported claim that has evidence and cites nothing, with a citation behind it."""
        if claim.verdict is not Verdict.SUPPORTED or not claim.evidence or claim.citations:
            return claim
        self._cites = True
        number = claim.evidence.passage
        return claim.model_copy(update={"text": f"{claim.text} [{number}]", "citations": (number,)})


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
            "probability": 1.0,
            "reason": reason,
            "citations": (evidence.passage,),
            "miscited": (),
        }
    )


def _left_out(text: str, answer: str, position: int) -> tuple[str, int]:
    """The text so far and where to go on in the answer, so that a sentence left out between them leaves no gap or empty list item.

    A list item stays while more of its line may come.
    """
    line = _last_line(text)
    if not _is_empty(line):
        return text.rstrip(" \t"), position
    rest, ended, _ = answer[position:].partition("\n")
    if rest.strip() or not ended:
        return text, position + len(rest) - len(rest.lstrip())
    return text.removesuffix(line), position + len(rest) + 1


def _last_line(text: str) -> str:
    return text[text.rfind("\n") + 1 :]


def _is_empty(line: str) -> bool:
    """Whether nothing stands in it, but a list item's marker."""
    return not line.strip() or MARKER.fullmatch(line) is not None
