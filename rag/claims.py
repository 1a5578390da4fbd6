"""Which sentences of an answer state something that can be checked, and which passages they cite.

Knows that headings, code, questions, greetings and refusals state nothing, and where a refusal goes over into a statement; their
wordings are in `speech`. Knows no passage.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from rag.citations import Citation, citations, uncited
from rag.pronouns import resolve
from rag.sentences import MARKER, sentences
from rag.speech import ADDS, CONCEDES, DECLINES, GREETS, TALKS, TELLS, spoken

LEADS = (":", "\uff1a")
QUOTES = "\"'“”„«»「」*_` \t\n"
ASKS = ("?", "\uff1f", "\u061f")
HEADING = re.compile(r"#{1,6}\s|(?:\*\*|__)[^*_\n]{1,80}(?<![.!])(?:\*\*|__)$|[^\n]+\n=+$")
TAG = r"</?[a-zA-Z][\w-]*(?:\s[^<>]*)?"
CODE = re.compile(rf"`{{3,}}|~{{3,}}|(?:{TAG}(?:>\s*|$))+$")
"""A code block, or nothing but tags."""
OPENING = re.compile(r"[\s\d>*+\-.,;)\[\]\u2013]*")
"""What may stand on a line before a marker that belongs to what follows it: a list marker, other markers."""
ORNAMENT = re.compile(rf"(?:{TAG}>[ \t]*\n|[\s\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff\ufe0f\u200d])*")
"""What stands before a sentence and is no part of it: lines that are tags, and emoji, which often end the sentence before."""
ADDITIONS = 4
"""Clauses after a refusal that are looked at."""
ROW_RULE = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?")


class Statement(NamedTuple):
    """A sentence that can be checked. `start` and `end` count in the answer, its citation markers included; `text` is without them."""

    start: int
    end: int
    text: str
    citations: tuple[int, ...]
    resolved: str
    """`text` with a pronoun that is its subject replaced by what it stands for, where the sentence before leaves no doubt."""


def statements(answer: str, language: str = "en") -> list[Statement]:
    """The sentences of `answer` that state something, in order; a citation belongs to the one it follows, or whose line it opens."""
    markers = citations(answer)
    bare = uncited(answer, markers)
    spans = sentences(bare.text, language)
    cited = _cited(answer, markers, [bare.origin(*span) for span in spans])
    found = []
    before = ""
    for index, (start, end) in enumerate(spans):
        if index + 1 < len(spans) and ROW_RULE.fullmatch(bare.text, *spans[index + 1]) and bare.text[start] == "|":
            continue
        marker = MARKER.match(bare.text, start, end)
        start = marker.end() if marker else start
        ornament = ORNAMENT.match(bare.text, start, end)
        start = ornament.end() if ornament else start
        skipped = _unstated(bare.text[start:end])
        if skipped is None:
            before = ""
            continue
        text = bare.text[start + skipped : end]
        first, last = bare.origin(start + skipped, end)
        last = max([last, *(marker.end for marker in cited[index])])
        numbers = dict.fromkeys(number for marker in cited[index] for number in marker.numbers)
        before = resolve(text, before) if language == "en" else text
        found.append(Statement(first, last, text, tuple(numbers), before))
    return found


def _cited(answer: str, markers: list[Citation], spans: list[tuple[int, int]]) -> list[list[Citation]]:
    """The markers of each span."""
    cited: list[list[Citation]] = [[] for _ in spans]
    index = 0
    for marker in markers:
        while index + 1 < len(spans) and spans[index + 1][0] < marker.start:
            index += 1
        opens_line = OPENING.fullmatch(answer, answer.rfind("\n", 0, marker.start) + 1, marker.start)
        if spans:
            follows = opens_line and index + 1 < len(spans) and spans[index][1] <= marker.start
            cited[index + bool(follows)].append(marker)
    return cited


def states(sentence: str) -> bool:
    """Whether it says something that a passage could support or contradict."""
    return _unstated(sentence) is not None


def declines(sentence: str) -> bool:
    """Whether it says that the answer is not known or not in the passages."""
    return DECLINES.search(spoken(_bare(sentence))) is not None


def _unstated(sentence: str) -> int | None:
    """Characters before what it states: 0 but where a refusal goes over into a statement; null where it states nothing."""
    text = _bare(sentence)
    if not any(map(str.isalnum, text)) or CODE.match(sentence) or HEADING.match(sentence):
        return None
    said = spoken(text)
    asks = text.endswith(ASKS) and not TELLS.match(said)
    if asks or said.endswith(LEADS) or text.endswith(LEADS) or GREETS.fullmatch(said) or TALKS.match(said):
        return None
    if not DECLINES.search(said):
        return 0
    for added in islice(_additions(sentence), ADDITIONS):
        rest = _bare(sentence[added:])
        if not DECLINES.search(spoken(rest)) and states(rest):
            return added
    return None


def _additions(sentence: str) -> Iterator[int]:
    """Where the clause begins that may state something although the one before it declines."""
    if concession := CONCEDES.match(sentence):
        yield concession.end()
    yield from (found.end() for found in ADDS.finditer(sentence))


def _bare(sentence: str) -> str:
    """Without the quotation marks and emphasis around it."""
    return sentence.strip().strip(QUOTES)
