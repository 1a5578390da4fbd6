"""What reaches the reader, once the claims of a draft have their verdicts.

Knows the policies, and how a draft is mended with quotations; judges nothing, calls nothing.
"""

import enum
import functools
import re
import unicodedata
from collections.abc import Sequence, Set
from typing import NamedTuple

from rag.answer.citations import citations, uncited
from rag.answer.claims import Kind, asides, declines, states
from rag.text import analyzer
from rag.text.sentences import MARKER, sentences
from rag.text.speech import COMMONPLACES
from rag.types import Claim, Passage, Value, Verdict

UNGROUNDED = frozenset({Verdict.UNSUPPORTED, Verdict.CONTRADICTED})
UNPROVED = UNGROUNDED | {Verdict.UNCERTAIN}
LOOP = 20
"""Letters and digits from which on a sentence that comes again later is a loop; a shorter one may be said of something else."""
FENCE_LINE = re.compile(r"\s*(?:`{3,}|~{3,})[^\n]*")


class Policy(enum.StrEnum):
    """What is done about an answer with claims that are withheld: ungrounded ones, or all that are not proved."""

    FLAG = "flag"
    """Nothing: the verdicts travel with it."""
    QUOTE = "quote"
    """Each such sentence gives way to the passage it comes closest to, quoted; without one it is left out. Supported sentences
    that cite nothing get the citation of their evidence. What no verdict can be given on stays where it brings nothing of its own:
    a heading over what stands, in the words of the passages, and code that is theirs."""
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
    DECLINED = "declined"
    """It refuses in words of its own: the refusal sentence took their place."""
    RETRY = "retry"
    """Nothing is released yet: another generation is wanted."""


class Released(Value):
    """The text for the reader and the claims in it: `claim.text == text[claim.start:claim.end]`."""

    text: str
    claims: tuple[Claim, ...]
    action: Action
    withheld: tuple[Claim, ...] = ()
    """What the draft states and the text does not: `claim.text == draft[claim.start:claim.end]`."""
    quotations: int = 0
    """Of the claims, those that are the passages' own words."""
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

    A refusal is released as the refusal sentence, but by `FLAG`, which changes nothing. `REFUSE` and `RETRY` release an answer without
    claims of the `withheld` verdicts byte for byte.
    """
    if policy is Policy.QUOTE or (policy is Policy.RETRY and retried):
        mending = Mending(passages, refusal, withheld)
        mending.add(answer, claims)
        return mending.end()
    faults = [claim for claim in claims if claim.verdict in withheld]
    if policy is not Policy.FLAG and not claims and is_refusal(answer, refusal):
        return _declined(answer, refusal)
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


def _declined(answer: str, refusal: str, withheld: tuple[Claim, ...] = ()) -> Released:
    action = Action.UNCHANGED if answer.strip() == refusal else Action.DECLINED
    return Released(text=refusal, claims=(), action=action, withheld=withheld)


def _plain(text: str) -> str:
    bare = unicodedata.normalize("NFKC", uncited(text, citations(text)).text).casefold()
    return "".join(character for character in bare if character.isalnum())


def _feedback(faults: Sequence[Claim]) -> str:
    listed = "\n".join(f'- "{claim.text}" ({claim.reason})' for claim in faults)
    return f"The passages do not support these sentences:\n{listed}\nAnswer again, stating only what the passages say, and cite them."


class _Label(NamedTuple):
    """A stretch of the text that names what is below it, and stays if anything does."""

    start: int
    end: int
    rank: int
    said: str

    @property
    def replies(self) -> bool:
        return not self.rank


class Mending:
    """A draft on its way to the reader under `QUOTE`, one stretch after the other: what was shown is never taken back.

    Whole in one stretch, or cut anywhere between its sentences, a draft ends as the same text.
    """

    def __init__(self, passages: Sequence[Passage], refusal: str, withheld: Set[Verdict] = UNGROUNDED) -> None:
        self._verdicts = withheld
        self._passages = passages
        self._refusal = refusal
        self._text = ""
        self._shown = 0
        self._read = 0
        self._claims: list[Claim] = []
        self._gone: list[Claim] = []
        self._labels: list[_Label] = []
        self._above: list[_Label] = []
        self._said: set[str] = set()
        self._said_below: set[str] = set()
        """With the labels that each stands below: what is said of two things is no repetition."""
        self._quoted: set[str] = set()
        self._last = ""
        self._quotations = 0
        self._faults = self._cites = self._shortened = False
        self._emptied = -1

    def add(self, stretch: str, claims: Sequence[Claim]) -> None:
        """The next stretch, with the claims in it; their offsets count from its beginning."""
        position = 0
        for claim in claims:
            self._pass(stretch[position : claim.start])
            position = claim.end
            withheld = claim.verdict in self._verdicts
            kept = self._kept(claim)
            if withheld:
                self._faults = True
                placed = {"start": self._read + claim.start, "end": self._read + claim.end}
                self._gone.append(claim.model_copy(update=placed))
                self._drop([label for label in self._labels if label.replies])
            if kept is None:
                self._shortened = True
                self._text, position = _left_out(self._text, stretch, position)
                self._emptied = len(self._text)
                continue
            start = len(self._text)
            self._text += kept.text
            self._claims.append(kept.model_copy(update={"start": start, "end": len(self._text)}))
            self._stand()
        self._pass(stretch[position:])
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
        """The whole, once all stretches are in; the refusal where nothing of it stands, or it declines."""
        text = _without(self._text, self._labels)
        if not self._claims and (self._faults or not any(map(str.isalnum, text))):
            return Released(text=self._refusal, claims=(), action=Action.REFUSED, withheld=self.withheld)
        if not self._claims and is_refusal(text, self._refusal):
            return _declined(text, self._refusal, self.withheld)
        mended = self._faults or self._shortened or bool(self._labels)
        action = Action.QUOTED if mended else Action.CITED if self._cites else Action.UNCHANGED
        if self._emptied == len(text) and _is_empty(line := _last_line(text)):
            text = text.removesuffix(line)
        return Released(text=text, claims=self.claims, action=action, withheld=self.withheld, quotations=self._quotations)

    def rest(self) -> str:
        """Of the whole, what `next` has not given."""
        return self.end().text[self._shown :]

    def _pass(self, text: str) -> None:
        """What no verdict was given on: labels wait for what they name, code and the numbers in talk have to be
        the passages', and nothing is said twice."""
        position = 0
        if self._shortened and (not self._text or self._text.endswith("\n\n")):
            text = text.lstrip("\n")
        line = _last_line(text) if _is_empty(_last_line(text)) else ""
        text = text.removesuffix(line)
        for part in asides(text):
            self._text += text[position : part.start]
            said, position = text[part.start : part.end], part.end
            plain = _plain(said)
            if part.kind in (Kind.LABEL, Kind.REPLIES):
                kept = self._waits(said, part.rank)
            elif part.kind is Kind.CODE:
                kept = self._holds(said)
                self._faults = self._faults or not kept
            else:
                kept = (len(plain) < LOOP or plain not in self._said) and (part.kind is not Kind.TALKS or self._counts(said))
                self._said.add(plain)
            if not kept:
                self._shortened = True
                position += len(text[position:]) - len(text[position:].lstrip())
                continue
            self._text += said
            if part.kind is Kind.CODE:
                self._stand()
        self._text += text[position:] + line

    def _waits(self, text: str, rank: int) -> bool:
        """Whether a label waits for what it names: none does that is above already, or brings words of its own. It takes the place of
        those before it that have nothing below them."""
        said = _plain(text)
        if rank:
            if (rank, said) in {(above.rank, above.said) for above in self._above} or not self._names(text):
                return False
            self._drop([label for label in self._labels if label.rank >= rank])
        self._labels.append(_Label(len(self._text), len(self._text) + len(text), rank, said))
        return True

    def _stand(self) -> None:
        """What waits as a label stays: something stands below it."""
        for label in self._labels:
            if not label.replies:
                self._above = [*(above for above in self._above if above.rank < label.rank), label]
        self._labels.clear()

    def _drop(self, labels: Sequence[_Label]) -> None:
        if labels:
            self._shortened = True
            kept = [label for label in self._labels if label not in labels]
            moved = [(len(_without(self._text[: label.start], labels)), label) for label in kept]
            self._text = _without(self._text, labels)
            self._labels = [label._replace(start=at, end=at + label.end - label.start) for at, label in moved]
            self._emptied = -1

    def _names(self, text: str) -> bool:
        """Whether every word of a label is one of the passages or of labels anywhere; a number in it only counts."""
        return all(term.isdigit() or term in self._vocabulary for term in analyzer.asked(text, (self._language,)))

    def _counts(self, text: str) -> bool:
        """Whether talk brings no number of its own; a refusal may name what was asked for."""
        said = MARKER.sub("", uncited(text, citations(text)).text, count=1)
        terms = [term for term in analyzer.terms(said, self._language) if term[0].isdigit()]
        return declines(text) or self._vocabulary.issuperset(terms)

    @functools.cached_property
    def _language(self) -> str:
        return analyzer.language(self._passages[0].text) if self._passages else "und"

    @functools.cached_property
    def _vocabulary(self) -> set[str]:
        texts = [text for passage in self._passages for text in (passage.title, *passage.headings, passage.text)]
        return {term for text in (*texts, *COMMONPLACES) for term in analyzer.terms(text, self._language)}

    def _holds(self, code: str) -> bool:
        """Whether it stands in a passage, whatever the white space."""
        lines = [line for line in code.splitlines() if not FENCE_LINE.fullmatch(line)]
        wanted = " ".join(" ".join(lines).split())
        return any(wanted in " ".join(passage.text.split()) for passage in self._passages)

    def _kept(self, claim: Claim) -> Claim | None:
        """The claim, its quotation where it is withheld, or nothing where that cannot be had or was said before."""
        if claim.verdict not in self._verdicts:
            said = _plain(claim.text)
            again = self._below(said) in self._said_below and (len(said) >= LOOP or (said == self._last and not self._labels))
            if again or said in self._quoted or said in {label.said for label in self._above}:
                return None
            self._last = said
            sayings = _sayings(claim.text)
            self._said |= sayings
            self._said_below |= set(map(self._below, sayings))
            return self._cited(claim)
        quotation = _quotation(claim, self._passages, self._said | self._quoted)
        if quotation is not None:
            self._quoted |= _sayings(quotation.text)
            self._quotations += 1
        return quotation

    def _below(self, said: str) -> str:
        """What is said, behind the labels above it."""
        waiting = [label for label in self._labels if not label.replies]
        above = [label for label in self._above if not waiting or label.rank < waiting[0].rank]
        return "\n".join([*(label.said for label in (*above, *waiting)), said])

    def _cited(self, claim: Claim) -> Claim:
        """A supported claim that has evidence and cites nothing, with a citation behind it."""
        if claim.verdict is not Verdict.SUPPORTED or not claim.evidence or claim.citations:
            return claim
        self._cites = True
        number = claim.evidence.passage
        return claim.model_copy(update={"text": f"{claim.text} [{number}]", "citations": (number,)})


def _without(text: str, labels: Sequence[_Label]) -> str:
    """The text without labels and the white space that follows them."""
    for label in sorted(labels, reverse=True):
        text = text[: label.start] + text[label.end :].lstrip()
    return text


def _sayings(text: str) -> set[str]:
    """What a text says: all of it, and each of its sentences."""
    return {_plain(text), *(_plain(text[start:end]) for start, end in sentences(text.strip("“”")))}


def _quotation(claim: Claim, passages: Sequence[Passage], said: Set[str]) -> Claim | None:
    """The claim's evidence as a claim of its own, on one line, with its citation; without what was said before at either end of it."""
    evidence = claim.evidence
    if evidence is None or evidence.passage not in {passage.number for passage in passages}:
        return None
    spans = [(start, end) for start, end in sentences(evidence.quote) if _plain(evidence.quote[start:end])]
    fresh = [span for span in spans if _plain(evidence.quote[slice(*span)]) not in said]
    if not fresh or _plain(evidence.quote) in said:
        return None
    start, end = fresh[0][0], fresh[-1][1]
    quoted = evidence.quote[start:end]
    evidence = evidence.model_copy(update={"start": evidence.start + start, "end": evidence.start + end, "quote": quoted})
    return claim.model_copy(
        update={
            "text": f"“{' '.join(quoted.split())}” [{evidence.passage}]",
            "verdict": Verdict.SUPPORTED,
            "score": 1.0,
            "probability": 1.0,
            "evidence": evidence,
            "reason": f"quoted from passage {evidence.passage}",
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
