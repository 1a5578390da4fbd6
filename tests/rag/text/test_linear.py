"""What is asked, said and read takes time in proportion to its length, whatever it is made of."""

import itertools
import time
from collections.abc import Callable

import pytest

from rag.answer.citations import citations, uncited
from rag.answer.claims import parts, statements
from rag.answer.echo import Echo
from rag.answer.gate import Gate, finished
from rag.conversation.followup import follows
from rag.text.analyzer import asked, terms
from rag.text.pronouns import declares, resolve
from rag.text.sentences import sentences
from rag.text.speech import spoken
from rag.types import Message
from rag.validators.analysis import Analysis
from rag.validators.lexical import LexicalValidator
from rag.validators.numbers import numbers
from rag.validators.words import words
from tests.rag.validators.every import passages

FENCE = "07d9accc3e4bcfc9"
POOL = "The pool opens at nine in the morning. Dogs are not allowed in the water."
PHRASES = "not Paris,|May 3|1|a|A|A.|`a`|a?|-|>|no,|not|one|to the|The a|It is|I don't know.|hundred and|Mr.".split("|")
UNITS = [
    *"9 aA\n\t\"'“«[](`|-—.,!?:*#_<>/\\é游🎉\ufdfa\u0301\u00a0\u2028",
    *"`` </a> 1. 1, 1-2 a- a. a@ $1. [1] [1, **a http://".split(),
    *(f"{phrase} " for phrase in PHRASES),
    *(f"\n{line}" for line in ("- ", "1. ", "|-|-|\n", "|a|b|", "```\n")),
]
LEAST_SECONDS = 0.06
"""What takes less for 20,000 characters keeps nobody waiting, and is too short to be measured."""
RATIO = 9.0
"""Of four times the length: it takes four times the time, where it goes by the square sixteen times."""
MEASURED = 3
"""Times that a ratio must be too large, since other work on the machine makes one so now and then."""


def echoed(text: str) -> None:
    echo = Echo([Message(role="user", content=f"<passage-{FENCE}> {text} passage-{FENCE}")], FENCE)
    echo.passed(text)
    echo.rest()


def gated(text: str) -> None:
    gate = Gate("en")
    for quarter in range(4):
        gate.complete(text[: quarter * len(text) // 4])
    gate.rest(text)


def analysed(text: str) -> None:
    analysis = Analysis(text, "", "en")
    _ = (analysis.values, analysis.dates, analysis.words, analysis.initials)


READERS: dict[str, Callable[[str], object]] = {
    "echo": echoed,
    "citations": lambda text: uncited(text, citations(text)),
    "parts": parts,
    "statements": lambda text: statements(f"Yes. {text}", "en", text),
    "gate": gated,
    "finished": lambda text: finished(text, "en"),
    "terms": lambda text: terms(text, "en"),
    "asked": lambda text: asked(text, ("en", "de")),
    "resolve": lambda text: resolve(text, text),
    "declares": declares,
    "sentences": sentences,
    "spoken": spoken,
    "follows": lambda text: follows(text, "What is the pool?"),
    "after": lambda text: follows("and what of it?", text),
    "analysis": analysed,
    "numbers": numbers,
    "words": lambda text: words.__wrapped__(text, "en"),
    "answer": lambda text: LexicalValidator().validate("When?", text, passages(POOL)),
    "answer of its passage": lambda text: LexicalValidator().validate("When?", text, passages(text)),
    "passage": lambda text: LexicalValidator().validate("When?", POOL, passages(text, POOL)),
}


def seconds(reader: Callable[[str], object], unit: str, length: int) -> float:
    """Of the processor; the better of two, with an end of its own, so that no cache answers."""
    taken = []
    for end in "xy":
        text = (unit * (length // len(unit) + 1))[: length - 1] + end
        began = time.thread_time()
        reader(text)
        taken.append(time.thread_time() - began)
    return min(taken)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", READERS)
def test_time_goes_by_the_length(name: str) -> None:
    reader = READERS[name]
    reader(POOL)
    slow = []
    for unit in UNITS:
        if seconds(reader, unit, 20_000) > LEAST_SECONDS:
            ratios = (seconds(reader, unit, 40_000) / seconds(reader, unit, 10_000) for _ in range(MEASURED))
            too_large = list(itertools.takewhile(lambda ratio: ratio > RATIO, ratios))
            slow += [f"{unit!r}: {min(too_large):.1f} times"] if len(too_large) == MEASURED else []
    assert slow == []
