"""Which sentences of an answer state something that can be checked, and which passages they cite.

Knows that code, questions, greetings and refusals state nothing, where these go over into a statement, and that a heading, a lead-in
or a yes does where nothing is stated below it; their wordings are in `speech`. Knows no passage.
"""

import enum
import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from rag.answer.citations import Citation, Uncited, citations, uncited
from rag.text.pronouns import declares, resolve
from rag.text.sentences import MARKER, Span, sentences
from rag.text.speech import (
    ADDS,
    ANNOUNCES,
    ASIDE,
    COMMONPLACES,
    CONCEDES,
    COUNTS,
    DECLINES,
    DENIES,
    DESCRIBES,
    ECHOES,
    FINITE,
    GOES_ON,
    GREETS,
    INDIRECT,
    INFERS,
    JOINS,
    NEGATIVE,
    OPENS_QUESTION,
    POLAR,
    REASON,
    REFUSES,
    REPLIES,
    TALKS,
    TELLS,
    TOPIC,
    spoken,
)

LEADS = (":", "\uff1a")
QUOTES = "\"'“”„«»「」*_` \t\n"
ASKS = ("?", "\uff1f", "\u061f")
HEADING = re.compile(r"(?P<hashes>#{1,6})\s|(?:\*\*|__)[^*_\n]{1,80}(?<![.!])(?:\*\*|__)$|[^\n]+\n(?:=+|-+)$")
UNDERLINE = re.compile(r"\n(?:=+|-+)$")
NUMBERING = re.compile(r"(?:\w+\s+)?\d+(?:\.\d+)*[.:)]\s+|\d+(?:\.\d+)+\s+")
"""Of a heading: `2.`, `Step 1:`, `3.1`."""
WORD = re.compile(r"\w+")
NUMBER = re.compile(r"(?<![^\W_])\d")
TAG = r"</?[a-zA-Z][\w-]*(?:\s[^<>]*)?"
CODE = re.compile(rf"`{{3,}}|~{{3,}}|(?:{TAG}(?:>\s*|$))+$")
"""A code block, or nothing but tags."""
OPENING = re.compile(r"[\s\d>*+\-.,;)\[\]\u2013]*")
"""What may stand on a line before a marker that belongs to what follows it: a list marker, other markers."""
ORNAMENT = re.compile(rf"(?:{TAG}>[ \t]*\n|[\s\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff\ufe0f\u200d])*")
"""What stands before a sentence and is no part of it: lines that are tags, and emoji, which often end the sentence before."""
ADDITIONS = 4
"""Clauses beside a refusal, or after talk, that are looked at."""
CLAUSES = 12
"""Places in a refusal where a clause may begin, that are looked at."""
PRONOUN = re.compile(rf"(?:it|they|you|he|she|this|that|there)(?:'s|\u2019s| {FINITE.pattern})", re.IGNORECASE)
STOPS = (".", "!", "\u3002", "\uff01")
PAUSES = ",;:.\u2013\u2014"
BOLD, LEAD_IN, ITEM, HEAD = 7, 8, 10, 99
"""Ranks of labels below the six of headings; an item's goes by its indentation."""
ROW = "|"
ROW_RULE = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?")


class Statement(NamedTuple):
    """A sentence that can be checked. `start` and `end` count in the answer, its citation markers included; `text` is without them."""

    start: int
    end: int
    text: str
    citations: tuple[int, ...]
    resolved: str
    """`text` with a pronoun that is its subject replaced by what it stands for, where the sentence before leaves no doubt."""
    reply: bool = False
    """Whether `text` is a bare yes or no: `resolved` is then in the words of the question."""


class Kind(enum.Enum):
    """What a sentence of an answer is there for."""

    STATES = enum.auto()
    LABEL = enum.auto()
    """It names what stands below it: a heading, a bold line, a lead-in, the head of a table."""
    REPLIES = enum.auto()
    """A yes or no, which says something only together with the question."""
    CODE = enum.auto()
    TALKS = enum.auto()
    """It says nothing of the matter: a greeting, a question, a refusal, a mark."""


LEADS_ON = (Kind.LABEL, Kind.REPLIES)
"""What says nothing that can be judged without what follows it."""


class Part(NamedTuple):
    """A sentence of an answer, `answer[start:end]` without the citations behind it, and a list marker before it included."""

    start: int
    end: int
    kind: Kind
    stated: Span | None
    """What it states, or would, were it no label."""
    rank: int = 0
    """Of a label: it stands above those of a greater rank."""
    text: str = ""
    """What it states, without citations."""
    cited: tuple[Citation, ...] = ()


def parts(answer: str, language: str = "en", *, unfinished: bool = False) -> list[Part]:
    """The sentences of `answer`, in order; a citation belongs to the one it follows, or whose line it opens.

    A label or a reply states something where no statement, code or refusal follows, or where it cites. Of an `unfinished`
    answer more may come.
    """
    markers = citations(answer)
    bare = uncited(answer, markers)
    found = _read(bare.text, language)
    cited = _cited(answer, markers, [bare.origin(part.start, part.end) for part in found])
    below = unfinished
    for index in reversed(range(len(found))):
        part = found[index]
        after = found[index + 1] if index + 1 < len(found) else None
        cites = part.stated and cited[index] and not _announces(bare.text[slice(*part.stated)])
        if part.kind in LEADS_ON and part.stated and (cites or not below or _beside(bare.text, part, after)):
            found[index] = part = part._replace(kind=Kind.STATES)
        below = below or part.kind in (Kind.STATES, Kind.CODE) or declines(bare.text[part.start : part.end])
    return [_placed(part, tuple(marked), bare) for part, marked in zip(found, cited, strict=True)]


def asides(text: str) -> list[Part]:
    """The sentences of `text`, whatever stands before or after it; a citation that opens one is no part of it."""
    markers = citations(text)
    bare = uncited(text, markers)
    return [_placed(part, (), bare) for part in _read(bare.text, "en")]


def statements(answer: str, language: str = "en", question: str = "") -> list[Statement]:
    """The sentences of `answer` that state something, in order.

    A bare yes or no is resolved to what was asked, where `question` is one for it.
    """
    found = []
    before = ""
    for part in parts(answer, language):
        if part.kind is not Kind.STATES or part.stated is None:
            before = ""
            continue
        start, end = part.stated
        end = max([end, *(marker.end for marker in part.cited)])
        numbers = dict.fromkeys(number for marker in part.cited for number in marker.numbers)
        replied = _replied(part.text, question)
        before = replied or (resolve(part.text, before) if language == "en" else part.text)
        found.append(Statement(start, end, part.text, tuple(numbers), before, reply=replied is not None))
    return found


def _placed(part: Part, cited: tuple[Citation, ...], bare: Uncited) -> Part:
    """The part of a text without citations, where it stands in the answer."""
    start, end = bare.origin(part.start, part.end)
    stated = part.stated and bare.origin(*part.stated)
    return part._replace(
        start=start, end=end, stated=stated, text=bare.text[slice(*part.stated)] if part.stated else "", cited=cited
    )


def _replied(text: str, question: str) -> str | None:
    """What a bare yes or no says. English."""
    said = spoken(_bare(text))
    asked = POLAR.match(question)
    if not asked or not REPLIES.fullmatch(said):
        return None
    return f"{asked['verb']}{' not' if NEGATIVE.fullmatch(said) else ''}{asked['rest'].rstrip(' ?')}"


def _read(text: str, language: str) -> list[Part]:
    """The sentences of `text`, each by itself but for the head of a table."""
    found: list[Part] = []
    for start, end in sentences(text, language):
        if ROW_RULE.fullmatch(text, start, end) and found and text[found[-1].start] == ROW:
            above = found.pop()
            head = (above.start, end)
            # A second rule tells nothing that the first did not.
            kind = above.kind if above.rank == HEAD else Kind.STATES if _asserts(text[slice(*head)]) else Kind.LABEL
            found.append(Part(*head, kind, head, HEAD))
            continue
        marker = MARKER.match(text, start, end)
        body = marker.end() if marker else start
        ornament = ORNAMENT.match(text, body, end)
        body = ornament.end() if ornament else body
        kind, stated, rank = _kind(text[body:end])
        if marker and rank in (BOLD, LEAD_IN):
            rank = ITEM + _indent(text, start)
        found.append(Part(start, end, kind, stated and (body + stated[0], body + stated[1]), rank))
    return found


def _beside(text: str, part: Part, after: Part | None) -> bool:
    """Whether it is a list item with nothing below it: the next one stands beside it."""
    if part.rank < ITEM or part.rank == HEAD or after is None:
        return False
    if _indent(text, after.start) > _indent(text, part.start):
        return False
    own, other = (MARKER.match(text, one.start, one.end) for one in (part, after))
    if other is None:
        return "\n\n" in text[part.end : after.start]
    return own is not None and _bullet(own[0]) == _bullet(other[0])


def _indent(text: str, position: int) -> int:
    return position - text.rfind("\n", 0, position) - 1


def _bullet(marker: str) -> str:
    return "1" if any(map(str.isdigit, marker)) else marker.strip()[:1]


def _cited(answer: str, markers: list[Citation], spans: list[tuple[int, int]]) -> list[list[Citation]]:
    """The markers of each span."""
    cited: list[list[Citation]] = [[] for _ in spans]
    index = 0
    for marker in markers:
        while index + 1 < len(spans) and spans[index + 1][0] < marker.start:
            index += 1
        if spans:
            between = index + 1 < len(spans) and spans[index][1] <= marker.start
            opens_line = between and OPENING.fullmatch(answer, answer.rfind("\n", 0, marker.start) + 1, marker.start)
            cited[index + bool(opens_line)].append(marker)
    return cited


def states(sentence: str) -> bool:
    """Whether it says, by itself, something that a passage could support or contradict."""
    return _kind(sentence)[0] is Kind.STATES


def declines(sentence: str) -> bool:
    """Whether it says that the answer is not known or not in the passages."""
    return DECLINES.search(spoken(_bare(sentence))) is not None


def _kind(sentence: str) -> tuple[Kind, Span | None, int]:
    """What a sentence is by itself, without a list marker: also what it states, or would as the whole answer, and its rank."""
    if not any(map(str.isalnum, sentence)):
        return Kind.TALKS, None, 0
    if CODE.match(sentence):
        return Kind.CODE, None, 0
    whole: Span | None = (0, len(sentence))
    heading = HEADING.match(sentence)
    text = _bare(UNDERLINE.sub("", sentence).lstrip("#"))
    said = spoken(text)
    leads = said.endswith(LEADS) or text.endswith(LEADS)
    said = said.rstrip("".join(LEADS))
    if COMMONPLACES.issuperset(WORD.findall(said)):
        whole = None
    rank = len(heading["hashes"] or "") or BOLD if heading else LEAD_IN if leads else 0
    if REPLIES.fullmatch(said):
        return Kind.REPLIES, (0, len(sentence)), 0
    if text.endswith(ASKS) and not (TELLS.match(said) or declares(text)):
        return (Kind.LABEL if heading else Kind.TALKS), None, rank
    if ECHOES.match(said):
        return Kind.LABEL, None, LEAD_IN
    if GREETS.fullmatch(said) or TALKS.match(said):
        stated = _told(sentence)
        return (Kind.STATES if stated else Kind.LABEL if rank else Kind.TALKS), stated, rank
    if DECLINES.search(said):
        stated = _beyond(sentence)
        return (Kind.STATES if stated else Kind.LABEL if leads else Kind.TALKS), stated, rank
    if heading and not text.endswith(STOPS):
        return (Kind.STATES if _asserts(text) else Kind.LABEL), whole, rank
    if leads:
        tells = DENIES.search(said) or (NUMBER.search(text) and not COUNTS.match(said))
        return (Kind.STATES if tells else Kind.LABEL), whole, rank
    return Kind.STATES, (0, len(sentence)), 0


def _announces(text: str) -> bool:
    """Whether it is a lead-in that states nothing without what follows it."""
    said = spoken(_bare(text))
    return said.endswith(LEADS) and ANNOUNCES.search(said.rstrip("".join(LEADS))) is not None


def _asserts(text: str) -> bool:
    """Whether a phrase is more than the name of something: it has a verb, or a number."""
    phrase = NUMBERING.sub("", text, count=1) if NUMBERING.match(text) else text
    return _predicates(phrase) or NUMBER.search(phrase) is not None


def _predicates(phrase: str) -> bool:
    """Whether it has a verb, the commonest."""
    said = spoken(phrase)
    verb = FINITE.search(said) and not OPENS_QUESTION.match(said)
    return bool(verb) or declares(phrase[:1].upper() + phrase[1:])


def _told(sentence: str) -> Span | None:
    """What talk goes over into: "I am glad to say that parking is free"."""
    for found in islice(GOES_ON.finditer(sentence), ADDITIONS):
        rest = sentence[found.end() :]
        if _asserts(_bare(rest)) and states(rest):
            return found.end(), len(sentence)
    return None


def _beyond(sentence: str) -> Span | None:
    """What a sentence states that declines: all of it where a clause of the refusal's own does."""
    stated = _besides(sentence)
    refusal = sentence if stated is None else sentence[: stated[0]] or sentence[stated[1] :]
    return (0, len(sentence)) if _infers(_bare(refusal)) else stated


def _infers(refusal: str) -> bool:
    """Whether a clause of it states something: "not mentioned, so it is free", "it is free (they do not say why)"."""
    reason = REASON.match(refusal)
    if reason and any(_predicates(clause) and _is_of_matter(clause) for clause in reason.groups()):
        return True
    return any(
        _goes_on(joint, refusal[: joint.start()], refusal[joint.end() :]) for joint in islice(JOINS.finditer(refusal), CLAUSES)
    )


def _goes_on(joint: re.Match[str], before: str, rest: str) -> bool:
    """Whether a statement leads to a refusal, or a refusal to a statement."""
    word = (joint["word"] or "").lower().removeprefix("and ")
    if declines(before):
        if word.partition(" ")[0] in INFERS:
            follows = _asserts(rest) and not (word == "and" and INDIRECT.search(before))
        else:
            follows = not joint[0].startswith(",") and not word and _begins_clause(rest)
        return follows and _is_of_matter(rest)
    if not (REFUSES.match(spoken(rest)) and declines(rest) and _is_of_matter(before)):
        return False
    topic = TOPIC.match(spoken(before))
    if word or "(" in joint[0]:
        return _predicates(before) if topic else len(WORD.findall(before)) > 1
    return _predicates(before) and not topic


def _is_of_matter(clause: str) -> bool:
    """Whether it states something, and not of who answers, what was asked, or what the sources are about."""
    said = spoken(clause)
    return not (declines(clause) or ASIDE.match(said) or DESCRIBES.match(said)) and states(clause)


def _begins_clause(text: str) -> bool:
    """Whether a subject and its verb come first."""
    return declares(text[:1].upper() + text[1:]) or PRONOUN.match(text) is not None


def _besides(sentence: str) -> Span | None:
    """What a sentence states before or after it declines."""
    concession = CONCEDES.match(sentence)
    for start, end in islice(_turns(sentence), ADDITIONS):
        rest, before = sentence[end:], sentence[concession.start(1) if concession else 0 : start]
        if not declines(rest) and states(rest) and (sentence[start] in PAUSES or _asserts(_bare(rest))):
            return end, len(sentence)
        if not declines(before) and _asserts(_bare(before)) and states(before) and not DESCRIBES.match(spoken(before)):
            return start - len(before), start
    return None


def _turns(sentence: str) -> Iterator[Span]:
    """Where a refusal may go over into a statement, or a statement into a refusal: the words between them."""
    if concession := CONCEDES.match(sentence):
        yield concession.end(1), concession.end()
    yield from (found.span() for found in ADDS.finditer(sentence))


def _bare(sentence: str) -> str:
    """Without the quotation marks and emphasis around it."""
    return sentence.strip().strip(QUOTES)
