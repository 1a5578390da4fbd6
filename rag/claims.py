"""Which sentences of an answer state something that can be checked, and which passages they cite.

Knows how answers talk: greetings, questions, headings, refusals (the wordings are English; other languages only by their punctuation).
Knows no passage.
"""

import re
from typing import NamedTuple

from rag.citations import Citation, citations, uncited
from rag.sentences import MARKER, sentences

SOURCES = r"(?:passages?|context|documents?|texts?|sources?|information|excerpts?|articles?|materials?|guide|documentation|content|data)"
KNOW = r"(?:know|find|answer|determine|tell|say|provide|see|locate|confirm|help|have (?:\w+ ){0,3}(?:information|answer|context|details|data|idea|knowledge))"
TELL = (
    r"(?:mention|contain|say|provide|answer|include|specify|state|give|address|describe|discuss|cover|explain|indicate|offer|tell|list|"
    r"reveal|clarify|have (?:\w+ ){0,3}information)"
)
NOT = r"(?:not|n't)"
DECLINES = re.compile(
    rf"\b(?:i(?:'m| am)? (?:really )?(?:do ?{NOT}|ca(?:n ?not|n't)|could ?{NOT}|was ?{NOT} able to|(?:not|un)(?: ?able)? to|did ?{NOT}) (?:\w+ ){{0,2}}{KNOW}"
    rf"|{SOURCES}(?: \w+){{0,3}} (?:do|does|did) ?{NOT} (?:\w+ ){{0,2}}{TELL}"
    rf"|(?:none of|nothing in) (?:the|these|your) (?:\w+ ){{0,2}}{SOURCES}"
    rf"|(?:no|not enough|insufficient) (?:\w+ )?(?:information|mention|answer|evidence|details?) (?:\w+ ){{0,6}}(?:in|from|by) (?:the|these|your) (?:\w+ ){{0,2}}{SOURCES}"
    rf"|{NOT} (?:\w+ )?(?:mentioned|stated|specified|provided|given|said|answered|covered|clear|included|available|found|possible to \w+)"
    rf" (?:in|from|by) (?:the|these|your) (?:\w+ ){{0,2}}{SOURCES}"
    r"|there is (?:no|not enough|insufficient) (?:\w+ )?information\b"
    r"|(?:question|this) can(?:not| ?not|n't) be (?:answered|determined))"
)
GREETS = re.compile(
    r"(?:hi|hello|hey|sure|certainly|absolutely|of course|ok|okay|yes|no|great|good|thanks|thank you|welcome|you're welcome|you are welcome|"
    r"(?:great|good|excellent) question)(?: (?:there|thing|all|everyone|so much|for \w+(?: \w+)?))?"
)
TALKS = re.compile(
    r"i hope (?:this|that|it|these)\b|(?:please )?(?:let me know|feel free)\b|here(?:'s| is| are| you go)\b.*(?:answer|summary|steps|overview|list|quotes?|"
    r"information|details|explanation)$|(?:based on|according to) (?:the|these|your) (?:\w+ )?" + SOURCES + r"(?: (?:provided|above|given))?$"
    r"|(?:in (?:summary|conclusion|short)|to (?:summarize|sum up)|sources?|references|note|answer|question|summary)$|as an ai\b|i'm (?:happy|glad) to\b"
    r"|if you have (?:any )?(?:other|more|further|additional)? ?questions\b|i (?:am )?(?:sorry|apologi[sz]e)\b(?!.* but )|unfortunately$"
)
LEADS = (":", "：")
ASKS = ("?", "？", "؟", "⸮", ";?")
HEADING = re.compile(r"#{1,6}\s|(?:\*\*|__)[^*_\n]{1,80}(?:\*\*|__)$")
CODE = re.compile(r"`{3,}|~{3,}")
ROW_RULE = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?$")


class Statement(NamedTuple):
    """A sentence that can be checked. `start` and `end` count in the answer, its citation markers included; `text` is without them."""

    start: int
    end: int
    text: str
    citations: tuple[int, ...]


def statements(answer: str, language: str = "en") -> list[Statement]:
    """The sentences of `answer` that state something, in order. Citations belong to the sentence that they follow, or whose line they open."""
    markers = citations(answer)
    bare = uncited(answer, markers)
    spans = sentences(bare.text, language)
    cited = _cited(answer, markers, [bare.origin(*span) for span in spans])
    found = []
    for index, (start, end) in enumerate(spans):
        if ROW_RULE.match(bare.text, *spans[index + 1]) if index + 1 < len(spans) else False:
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
        opens_line = not answer[answer.rfind("\n", 0, marker.start) + 1 : marker.start].strip(" \t-*+>[]0123456789.)")
        if spans:
            follows = index + 1 < len(spans) and opens_line and spans[index][1] <= marker.start
            cited[index + follows].append(marker)
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
    return sentence.strip().strip("\"'“”„«»「」*_` \t\n")


def _spoken(text: str) -> str:
    """In lower case, with plain apostrophes, single spaces and no final punctuation."""
    return " ".join(text.casefold().replace("’", "'").rstrip(".!。！… ").split())
