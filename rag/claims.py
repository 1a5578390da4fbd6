"""Which sentences of an answer state something that can be checked, and which passages they cite.

Knows how answers talk: greetings, questions, headings, refusals. Their wordings are English; other languages are known by punctuation
only. Knows no passage.
"""

import re
from typing import NamedTuple

from rag.citations import Citation, citations, uncited
from rag.sentences import MARKER, sentences

SOURCES = r"(?:passages?|context|documents?|texts?|sources?|information|excerpts?|articles?|materials?|guide|documentation|content|data)"
THE_SOURCES = rf"(?:the|these|your) (?:\w+ ){{0,2}}{SOURCES}"
NOT = r"(?:not|n't)"
INFORMATION = r"have (?:\w+ ){0,3}(?:information|answer|context|details|data|idea|knowledge)"
KNOW = rf"(?:\w+ ){{0,2}}(?:know|find|answer|determine|tell|say|provide|see|locate|confirm|help|{INFORMATION})"
TELL = (
    r"(?:\w+ ){0,2}(?:mention|contain|say|provide|answer|include|specify|state|give|address|describe|discuss|cover|explain|indicate|"
    rf"offer|tell|list|reveal|clarify|{INFORMATION})"
)
FOUND = r"(?:mentioned|stated|specified|provided|given|said|answered|covered|clear|included|available|found|possible to \w+)"
DECLINES = re.compile(
    "|".join(
        (
            rf"\bi (?:really )?(?:do ?{NOT}|can ?not|can't|could ?{NOT}|did ?{NOT}|was ?{NOT} able to) {KNOW}",
            rf"\bi(?:'m| am) (?:unable|not able) to {KNOW}",
            rf"\b{SOURCES}(?: \w+){{0,3}} (?:do|does|did) ?{NOT} {TELL}",
            rf"\b(?:none of|nothing in) {THE_SOURCES}",
            rf"\b(?:no|not enough|insufficient) (?:\w+ )?(?:information|mention|answer|evidence|details?) (?:\w+ ){{0,6}}(?:in|from|by) "
            rf"{THE_SOURCES}",
            rf"{NOT} (?:\w+ )?{FOUND} (?:in|from|by) {THE_SOURCES}",
            r"\bthere is (?:no|not enough|insufficient) (?:\w+ )?information\b",
            r"\b(?:question|this) can(?: ?not|'t) be (?:answered|determined)\b",
        )
    )
)
GREETS = re.compile(
    r"(?:hi|hello|hey|sure|certainly|absolutely|of course|ok|okay|yes|no|great|good|thanks|thank you|welcome|you're welcome|"
    r"you are welcome|(?:great|good|excellent) question)(?: (?:there|thing|all|everyone|so much|for \w+(?: \w+)?))?"
)
TALKS = re.compile(
    "|".join(
        (
            r"i hope (?:this|that|it|these)\b",
            r"(?:please )?(?:let me know|feel free)\b",
            r"here(?:'s| is| are) .*(?:answer|summary|steps|overview|list|quotes?|information|details|explanation)$",
            rf"(?:based on|according to) {THE_SOURCES}(?: (?:provided|above|given))?$",
            r"(?:in (?:summary|conclusion|short)|to (?:summarize|sum up)|sources?|references|note|answer|question|summary)$",
            r"as an ai\b",
            r"i'm (?:happy|glad) to\b",
            r"if you have (?:any )?(?:other|more|further|additional)? ?questions\b",
            r"i(?:'m| am)? (?:sorry|apologi[sz]e)\b(?!.* but )",
            r"unfortunately$",
        )
    )
)
LEADS = (":", "\uff1a")
QUOTES = "\"'“”„«»「」*_` \t\n"
ASKS = ("?", "\uff1f", "\u061f")
HEADING = re.compile(r"#{1,6}\s|(?:\*\*|__)[^*_\n]{1,80}(?:\*\*|__)$")
CODE = re.compile(r"`{3,}|~{3,}")
OPENING = re.compile(r"[\s\d>*+\-.,;)\[\]\u2013]*")
"""What may stand on a line before a marker that belongs to what follows it: a list marker, other markers."""
ROW_RULE = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?")


class Statement(NamedTuple):
    """A sentence that can be checked. `start` and `end` count in the answer, its citation markers included; `text` is without them."""

    start: int
    end: int
    text: str
    citations: tuple[int, ...]


def statements(answer: str, language: str = "en") -> list[Statement]:
    """The sentences of `answer` that state something, in order; a citation belongs to the one it follows, or whose line it opens."""
    markers = citations(answer)
    bare = uncited(answer, markers)
    spans = sentences(bare.text, language)
    cited = _cited(answer, markers, [bare.origin(*span) for span in spans])
    found = []
    for index, (start, end) in enumerate(spans):
        if index + 1 < len(spans) and ROW_RULE.fullmatch(bare.text, *spans[index + 1]) and bare.text[start] == "|":
            continue
        marker = MARKER.match(bare.text, start, end)
        start = marker.end() if marker else start
        if states(text := bare.text[start:end]):
            first, last = bare.origin(start, end)
            last = max([last, *(marker.end for marker in cited[index])])
            numbers = dict.fromkeys(number for marker in cited[index] for number in marker.numbers)
            found.append(Statement(first, last, text, tuple(numbers)))
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
    text = _bare(sentence)
    if not any(map(str.isalnum, text)) or CODE.match(sentence) or HEADING.match(sentence) or text.endswith((*LEADS, *ASKS)):
        return False
    spoken = _spoken(text)
    return not (GREETS.fullmatch(spoken) or TALKS.match(spoken) or DECLINES.search(spoken))


def declines(sentence: str) -> bool:
    """Whether it says that the answer is not known or not in the passages."""
    return DECLINES.search(_spoken(_bare(sentence))) is not None


def _bare(sentence: str) -> str:
    """Without the quotation marks and emphasis around it."""
    return sentence.strip().strip(QUOTES)


def _spoken(text: str) -> str:
    """In lower case, with plain apostrophes, single spaces and no final punctuation."""
    return " ".join(text.casefold().replace("\u2019", "'").rstrip(".!…\u3002\uff01 ").split())
