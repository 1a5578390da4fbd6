"""What reaches the reader, once the claims of a draft have their verdicts.

Knows the policies, and how a draft is mended with quotations; judges nothing, calls nothing.
"""

import enum
import unicodedata
from collections.abc import Sequence

from rag.answer import tables
from rag.answer.citations import citations, corrected, uncited
from rag.answer.claims import HEAD, HEADING, Kind, Part, asides, declines, states
from rag.answer.labels import REPLIES, TABLES, Label, Labels, joined
from rag.answer.quotation import Quotations
from rag.answer.withholding import Uncertain
from rag.answer.wording import Wording
from rag.text.sentences import MARKER, sentences
from rag.types import Claim, Passage, Value, Verdict

LOOP = 20
"""Letters and digits from which on a sentence that comes again later is a loop; a shorter one may be said of something else."""


class Policy(enum.StrEnum):
    """What is done about an answer with claims that are withheld."""

    FLAG = "flag"
    """Nothing: the verdicts travel with it."""
    QUOTE = "quote"
    """Each such sentence gives way to the sentence of the passages that comes closest, quoted; without one it is left out. Supported
    sentences that cite nothing, or the wrong passage, get the citation of their evidence. What no verdict can be given on stays where it
    brings nothing of its own: a heading over what stands, in the words of the passages, and code that is theirs."""
    REFUSE = "refuse"
    """The refusal sentence takes its place."""
    RETRY = "retry"
    """It is written once more with its faults named; what is ungrounded then is quoted."""


class Action(enum.StrEnum):
    """What was done."""

    UNCHANGED = "unchanged"
    CITED = "cited"
    """Citations were added or put right, and nothing else."""
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
    uncertain: Uncertain = Uncertain.PASS,
    retried: bool = False,
) -> Released:
    """Apply `policy` to a draft. `claims` are those of `answer`, in order; `retried` says that `answer` is already the second try.

    A refusal is released as the refusal sentence, but by `FLAG`, which changes nothing. `REFUSE` and `RETRY` release an answer without
    a claim that `uncertain` withholds byte for byte.
    """
    if policy is Policy.QUOTE or (policy is Policy.RETRY and retried):
        mending = Mending(passages, refusal, uncertain)
        mending.add(answer, claims)
        return mending.end()
    faults = [claim for claim in claims if uncertain.withholds(claim)]
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


class Mending:
    """A draft on its way to the reader under `QUOTE`, one stretch after the other: what was shown is never taken back.

    Whole in one stretch, or cut anywhere between its sentences, a draft ends as the same text.
    """

    def __init__(self, passages: Sequence[Passage], refusal: str, uncertain: Uncertain = Uncertain.PASS) -> None:
        self._uncertain = uncertain
        self._wording = Wording(passages)
        self._quotations = Quotations(passages, self._wording)
        self._refusal = refusal
        self._text = ""
        self._shown = 0
        self._read = 0
        self._claims: list[Claim] = []
        self._gone: list[Claim] = []
        self._labels = Labels()
        self._said: set[str] = set()
        self._said_below: set[tuple[str, ...]] = set()
        """With the labels that each stands below: what is said of two things is no repetition."""
        self._quoted: set[str] = set()
        self._last = ""
        self._quotes = 0
        self._faults = self._cites = self._shortened = False
        self._emptied = -1

    def add(self, stretch: str, claims: Sequence[Claim]) -> None:
        """The next stretch, with the claims in it; their offsets count from its beginning."""
        position = 0
        for claim in claims:
            self._pass(stretch[position : claim.start])
            position = claim.end
            withheld = self._uncertain.withholds(claim)
            if withheld:
                self._faults = True
                placed = {"start": self._read + claim.start, "end": self._read + claim.end}
                self._gone.append(claim.model_copy(update=placed))
            if tables.is_head(claim.text):
                self._head(claim.text if not withheld else tables.headed(claim.text, lambda _: False))
                continue
            if not tables.is_row(claim.text):
                self._leave_table()
            kept = self._kept(claim)
            if withheld:
                self._drop(REPLIES)
            if kept is None:
                self._shortened = True
                self._text, position = _left_out(self._text, stretch, position)
                self._emptied = len(self._text)
                continue
            start = len(self._text)
            self._text += kept.text
            self._claims.append(kept.model_copy(update={"start": start, "end": len(self._text)}))
            self._labels.stand()
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
        text = self._labels.without(self._text)
        if not self._claims and (self._faults or not _plain(text)):
            return Released(text=self._refusal, claims=(), action=Action.REFUSED, withheld=self.withheld)
        if not self._claims and is_refusal(text, self._refusal):
            return _declined(text, self._refusal, self.withheld)
        mended = self._faults or self._shortened or bool(self._labels)
        action = Action.QUOTED if mended else Action.CITED if self._cites else Action.UNCHANGED
        if self._emptied == len(text) and _is_empty(line := _last_line(text)):
            text = text.removesuffix(line)
        return Released(text=text, claims=self.claims, action=action, withheld=self.withheld, quotations=self._quotes)

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
            if part.rank == HEAD:
                self._head(tables.headed(said, self._wording.heads))
            elif self._stays(part, said):
                self._text += said
                if part.kind is Kind.CODE or tables.is_row(said):
                    self._labels.stand()
            else:
                self._shortened = True
                gap = text[position : len(text) - len(text[position:].lstrip())]
                self._text = joined(self._text, gap)
                position += len(gap)
        self._text += text[position:] + line

    def _stays(self, part: Part, said: str) -> bool:
        """Whether what no verdict was given on stays, or may yet."""
        if not tables.is_row(said):
            self._leave_table()
        if part.kind in (Kind.LABEL, Kind.REPLIES):
            return self._waits(said, part.rank)
        if part.kind is Kind.CODE:
            self._faults = self._faults or not self._wording.holds(said)
            return self._wording.holds(said)
        if part.kind is Kind.STATES and _plain(said) not in _plain(self._refusal):
            # Claims are read in the language of the answer, this is not: what only one of both takes for a statement was not judged.
            self._faults = True
            return False
        plain = _plain(said)
        again = len(plain) >= LOOP and plain in self._said
        self._said.add(plain)
        return not again and (part.kind is not Kind.TALKS or self._wording.counts(said))

    def _waits(self, text: str, rank: int) -> bool:
        """Whether a label waits for what it names: none does that is above already, or brings words of its own. It takes the place of
        those before it that have nothing below them."""
        said = _plain(text)
        if rank:
            if self._labels.repeats(rank, said) or not self._wording.names(text):
                return False
            self._drop(range(rank, HEAD))
        self._labels.wait(Label(len(self._text), len(self._text) + len(text), rank, said))
        return True

    def _head(self, text: str) -> None:
        """The head of a table, which waits for a row."""
        self._leave_table()
        self._labels.wait(Label(len(self._text), len(self._text) + len(text), HEAD, _plain(text)))
        self._text += text

    def _leave_table(self) -> None:
        """What comes next is no row: a head without one is dropped."""
        self._drop(TABLES)
        self._labels.leave(TABLES)

    def _drop(self, ranks: range) -> None:
        text = self._labels.drop(self._text, ranks)
        if text != self._text:
            self._text = text
            self._shortened = True
            self._emptied = -1

    def _kept(self, claim: Claim) -> Claim | None:
        """The claim, its quotation where it is withheld, or nothing where that cannot be had or was said before."""
        if not self._uncertain.withholds(claim):
            said = _plain(claim.text)
            again = self._below(said) in self._said_below and (
                len(said) >= LOOP or tables.is_row(claim.text) or (said == self._last and not self._labels)
            )
            if again or said in self._quoted or said in self._labels.above:
                return None
            self._last = said
            sayings = _sayings(claim.text)
            self._said |= sayings
            self._said_below |= set(map(self._below, sayings))
            return self._cited(claim)
        quotation = self._quotations.closest(claim, lambda text: _plain(text) not in self._said | self._quoted)
        if quotation is not None:
            self._quoted |= _sayings(quotation.text)
            self._quotes += 1
        return quotation

    def _below(self, said: str) -> tuple[str, ...]:
        """What is said, behind the labels above it."""
        return (*self._labels.path(), said)

    def _cited(self, claim: Claim) -> Claim:
        """A supported claim that has evidence, with a citation of that where it cites nothing or the wrong passages. What a heading
        cites is for what stands below it."""
        if claim.verdict is not Verdict.SUPPORTED or not claim.evidence:
            return claim
        number = claim.evidence.passage
        if claim.citations:
            if HEADING.match(uncited(claim.text, citations(claim.text)).text):
                return claim
            text = corrected(claim.text, claim.miscited, number)
        else:
            text = tables.cited(claim.text, number) if tables.is_row(claim.text) else f"{claim.text} [{number}]"
        if text == claim.text:
            return claim
        self._cites = True
        right = dict.fromkeys(number for number in claim.citations if number not in claim.miscited)
        return claim.model_copy(update={"text": text, "citations": tuple(right or (number,)), "miscited": ()})


def _sayings(text: str) -> set[str]:
    """What a text says: all of it, and each of its sentences."""
    return {_plain(text), *(_plain(text[start:end]) for start, end in sentences(text.strip("“”")))}


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
