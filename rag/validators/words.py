"""The words of a sentence by what they do in it: numbers, times, names, negations, content and function words.

Knows how English marks them, and other languages' digits; knows nothing of how two sentences are compared.
"""

import enum
import functools
import re
from typing import NamedTuple

from rag.validators.analysis import FUNCTION_WORDS, WORD, word_terms
from rag.validators.names import PEOPLES
from rag.validators.numbers import FACTORS, MEASURES, MONTHS, WEEKDAYS, Number, numbers
from rag.validators.polarity import PARTICLES

NEGATIONS = frozenset("not no never without cannot neither nor none nobody nothing hardly barely rarely seldom".split())
FAINT = frozenset("hardly barely rarely seldom".split())
"""Negations that deny by degree: what is rare for one is common for another."""
REFUSALS = frozenset("fail fails failed failing lack lacks lacked lacking unable refuse refuses refused".split())
"""Words that deny what follows, and are content themselves."""
HARMLESS = re.compile(
    r"not (?:only|just|merely|necessarily|to mention)\b|no (?:other|longer than|matter|doubt)\b|no\. ?\d", re.IGNORECASE
)
"""Negations that deny nothing."""
HEDGE = re.compile(
    r"\s*(?:no, )?(?:I(?: do| can| could| am|['\u2019]m)? )?(?:not|cannot|\w+n['\u2019]t) (?:be )?(?:\w+ly )?"
    r"(?:quite|exactly|really|(?:for |entirely )?(?:sure|certain)|(?:think|believe) so)(?=[,;:]| [-\u2013\u2014] | but )",
    re.IGNORECASE,
)
"""What the writer says of himself before the matter: what it denies is not what follows."""
REACH = 3
"""The content words that a negation reaches."""
SUBORDINATORS = frozenset("because that which who when while whereas if although though but".split())
"""Words that a negation before them does not reach across."""
AUXILIARIES = frozenset("is are was were has have had does do did can could will would should".split())
"""Verbs before which an `and` joins clauses: a negation in the first does not reach the second."""
APOSTROPHE = re.compile("['\u2019]")
CLAUSE = re.compile(r"[.,;:!?()\u2014\u2026]|\s[-\u2013]\s")
TIMES = {
    **{word: f"month {number}" for number, month in enumerate(MONTHS, start=1) for word in (month, month[:3])},
    **{word: f"weekday {number}" for number, day in enumerate(WEEKDAYS, start=1) for word in (day, f"{day}s")},
    "sept": "month 9",
}
DOUBTFUL_TIMES = frozenset("may march mar jun sun sat".split())
"""Months only where they begin with a capital, and no sentence."""
NOT_NAMES = frozenset("I Mr Mrs Ms Dr Yes No Oh Well OK US U.S UK U.K USA".split()) | {unit.capitalize() for unit in FACTORS}
NOUNS_CAPITALISED = frozenset(("de", "lb"))
"""Languages that write every noun like a name."""


class Kind(enum.Enum):
    """What a word does."""

    CONTENT = enum.auto()
    FUNCTION = enum.auto()
    NEGATION = enum.auto()
    NUMBER = enum.auto()
    TIME = enum.auto()
    NAME = enum.auto()
    LITERAL = enum.auto()
    """It opens a span of code, and stands for itself."""


class Word(NamedTuple):
    """A word as written and the key that another form of it has too."""

    key: str
    kind: Kind
    text: str
    start: int
    number: Number | None = None
    first: bool = False
    """Whether it begins the sentence, where a capital tells nothing."""
    negated: bool = False
    """Whether a negation reaches it."""
    lead: tuple[str, ...] = ()
    """The function words, in lower case, since the content word before, and a comma for what parts clauses."""

    @property
    def capital(self) -> bool:
        """Whether it may be a name."""
        return self.kind is Kind.NAME or (self.first and self.kind is Kind.CONTENT and self.text[:1].isupper())


@functools.lru_cache(maxsize=4096)
def words(text: str, language: str) -> tuple[Word, ...]:
    """The words of one sentence in order, those aside that only join others (they are the `lead` of the next).

    A number with its magnitude is one word; so is a month with its day.
    """
    hedge = HEDGE.match(text)
    quantities = {number.start: number for number in numbers(text)}
    found: list[Word] = []
    lead: list[str] = []
    end = left = 0
    for match in WORD.finditer(text):
        start, stop = match.span()
        if start < end:
            continue
        inner = end > 0
        if inner and stop and text[end:start] != " " and CLAUSE.search(text, end, start):
            left = 0
            lead.append(",")
        end = stop
        written = match.group()
        literal = text[start - 1 : start] == "`"
        number = None
        if quantities and not written.isalpha():
            number = next((quantities[place] for place in range(start, end) if place in quantities), None)
        number = number or quantities.get(start)
        if number:
            end = max(end, number.end)
            written = number.text
            kind = Kind.NUMBER
            keys: tuple[str, ...] = (f"#{min(number.values) * number.factor:.6g}{number.unit}",)
        else:
            kind, keys = _form(written, language)
            if kind is Kind.NAME and not _named(written, text, start, inner):
                kind = Kind.CONTENT
            elif kind is Kind.TIME and not inner and written.lower() in DOUBTFUL_TIMES:
                kind, keys = Kind.CONTENT, word_terms(written, language)
            elif kind is Kind.NEGATION and (literal or HARMLESS.match(text, start) or (hedge and start < hedge.end())):
                kind = Kind.FUNCTION
            elif kind is Kind.CONTENT and literal:
                kind = Kind.LITERAL
        if kind is Kind.FUNCTION or kind is Kind.NEGATION:
            ends = keys[0] in SUBORDINATORS or (keys[0] in AUXILIARIES and lead[-1:] == ["and"])
            left = REACH if kind is Kind.NEGATION else 0 if ends else left
            lead += keys
            continue
        for key in keys:
            found.append(Word(key, kind, written, start, number, not inner, left > 0, tuple(lead)))
            left -= left > 0
            lead.clear()
        if written in REFUSALS and not literal:
            left = REACH
    if len(found) > 1 and "," in found[1].lead:
        found[0] = found[0]._replace(first=False)
    if len(found) > 1 and found[0].capital and found[1].kind is Kind.NAME and not found[1].lead:
        found[0] = found[0]._replace(kind=Kind.NAME)
    return tuple(_dated(found))


def _dated(found: list[Word]) -> list[Word]:
    """With `3 May` and `May 3` as one word each."""
    dated: list[Word] = []
    for word in found:
        before = dated[-1] if dated else None
        if before and not set(word.lead) - {"of", "the"}:
            month, day = (before, word) if before.key.startswith("month") else (word, before)
            named = month.kind is Kind.TIME and month.key.startswith("month")
            if named and day.number and day.number.kind in ("number", "ordinal") and min(day.number.values) <= 31:
                key = f"month {month.key.split()[1]} {min(day.number.values):.0f}"
                text = f"{before.text} {word.text}"
                dated[-1] = before._replace(key=key, kind=Kind.TIME, number=None, text=text)
                continue
        dated.append(word)
    return dated


@functools.lru_cache(maxsize=50_000)
def _form(written: str, language: str) -> tuple[Kind, tuple[str, ...]]:
    """What a word does wherever it stands, and its keys."""
    lower = written.lower()
    if language == "en":
        if lower in NEGATIONS or lower.endswith(("n't", "n\u2019t")):
            return Kind.NEGATION, ("hardly" if lower in FAINT else "not",)
        if lower in TIMES and (lower not in DOUBTFUL_TIMES or written[0].isupper()):
            return Kind.TIME, (TIMES[lower],)
        contracted = APOSTROPHE.split(lower)[0]
        if lower in PARTICLES or contracted in FUNCTION_WORDS:
            return Kind.FUNCTION, (contracted,)
    keys = word_terms(written, language)
    if language == "en" and lower in PEOPLES:
        return Kind.NAME, keys
    unit = written in NOT_NAMES or lower in MEASURES["data"]
    capital = written[0].isupper() and language not in NOUNS_CAPITALISED and not unit
    return (Kind.NAME if capital else Kind.CONTENT), keys


def _named(written: str, text: str, start: int, inner: bool) -> bool:
    """Whether the capital of a word tells that it is a name: not where a sentence, a quotation or an item may begin with it."""
    if (written.isupper() and len(written) > 1) or written.islower() or written.lower() in PEOPLES:
        return True
    return (
        inner
        and text[start - 1] not in "\"'\u201c*\n"
        and not text[start - 2 : start].startswith((".", ":", "!", "?", "-", "*", "|"))
    )
