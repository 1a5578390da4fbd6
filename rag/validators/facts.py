"""The facts of a sentence that one word can falsify: numbers, names, negations, opposites.

Knows how they are written; knows nothing of how two sentences are compared. Digits are read in any language, words in English.
"""

import functools
import re
from typing import NamedTuple

from rag.analyzer import terms

MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
MONTH = re.compile(rf"\b({'|'.join(MONTHS)})[a-z]{{0,6}}\b", re.IGNORECASE)
MAGNITUDES = {
    **dict.fromkeys(("hundred",), 1e2),
    **dict.fromkeys(("k", "thousand", "тыс", "tausend", "mil", "mille", "千"), 1e3),
    **dict.fromkeys(("万", "萬"), 1e4),
    **dict.fromkeys(("m", "mn", "million", "millions", "mio", "millionen", "millones", "millón", "млн"), 1e6),
    **dict.fromkeys(("亿", "億"), 1e8),
    **dict.fromkeys(("b", "bn", "billion", "billions", "milliard", "milliards", "mrd", "milliarden", "млрд"), 1e9),
    **dict.fromkeys(("trillion", "trillions"), 1e12),
}
UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()
WORDS = {
    **{word: float(value) for value, word in enumerate(UNITS)},
    **{word: 10.0 * value for value, word in enumerate(TENS, start=2)},
    **{word: float(value) for value, word in enumerate(ORDINALS, start=1)},
    "dozen": 12.0,
    "twice": 2.0,
    "half": 0.5,
}
LETTERS = re.compile(r"[a-z]+")
DIGITS = (
    r"(?P<digits>(?<![A-Za-z\d_.])\d+(?:[.,'\u2019\u00a0\u202f]\d+)*)(?:st|nd|rd|th)?"
    rf"(?:[\s-]?(?P<magnitude>{'|'.join(sorted(map(re.escape, MAGNITUDES), key=len, reverse=True))})(?![^\W\d_])|(?P<sticky>[千万萬亿億]))?"
)
SPELT = (
    rf"\b(?P<word>{'|'.join(WORDS)})\b(?:[\s-](?P<digit>{'|'.join(UNITS[1:10])})\b)?"
    r"(?:[\s-](?P<scale>hundred|thousand|million|billion|trillion)\b)?"
)
DIGITS_ONLY = re.compile(DIGITS, re.IGNORECASE)
NUMBER = re.compile(f"{DIGITS}|{SPELT}", re.IGNORECASE)
PERCENT = re.compile(r"\s?(?:%|per ?cent|pct|percentage|Prozent|pour cent|por ciento|процент)", re.IGNORECASE)
GROUPED = re.compile(r"\d{1,3}(?:([.,'\u2019\u00a0\u202f])\d{3})(?:\1\d{3})*")
NAME = re.compile(r"(?<=[^.!?:;*#>|\s-] )[\"'(“«]?([A-ZÀ-ÖØ-ÞА-Я][\w\u2019'&-]+)")
NOT_NAMES = frozenset("I I'm I've I'll I'd".split())
NEGATION = re.compile(
    r"\b(?:not(?! only| just| merely| necessarily)|no(?! other| longer than)|never|without|cannot|neither|nor|none|nobody|nothing)\b"
    r"|n['\u2019]t\b",
    re.IGNORECASE,
)
SCOPE = 60
"""Characters after a negation within which what it negates is looked for."""
OPPOSITES = (
    "increase decrease|rise fall|more less|more fewer|higher lower|high low|before after|always never|first last|above below|"
    "over under|enable disable|allow forbid|allow prohibit|required optional|mandatory optional|minimum maximum|least most|"
    "open closed|start end|begin end|include exclude|accept reject|true false|left right|north south|east west|early late|"
    "earlier later|win lose|won lost|buy sell|bought sold|add remove|success failure|succeed fail|public private|internal external|"
    "inside outside|faster slower|larger smaller|largest smallest|longer shorter|better worse|best worst|gain lose|male female|"
    "legal illegal|with without|encourage discourage|support oppose|positive negative|same different|all none|up down|"
    "import export|strong weak|hot cold|wet dry"
)


@functools.cache
def opposites(language: str) -> tuple[tuple[str, str], ...]:
    """Pairs of opposite terms, both ways round; English only."""
    if language != "en":
        return ()
    pairs = [tuple("".join(terms(word, language)) for word in pair.split()) for pair in OPPOSITES.split("|")]
    return tuple((one, other) for first, second in pairs for one, other in ((first, second), (second, first)))


class Number(NamedTuple):
    """A quantity as written, and the values it may stand for: `1.200` is 1.2 in English and 1200 in German."""

    text: str
    values: frozenset[float]
    kind: str
    """`year`, `percent`, `number`, or `word` for a small number that is spelt out."""

    def comparable(self, other: "Number") -> bool:
        """Whether one can stand where the other is meant."""
        return self.kind == other.kind or {self.kind, other.kind} == {"number", "word"}


def numbers(text: str) -> list[Number]:
    """The numbers of a text, in order: `1.2 million` is 1200000, `twenty-one` 21; a lone `one` is none, it is mostly a pronoun."""
    spelt = not WORDS.keys().isdisjoint(LETTERS.findall(text.lower()))
    found = []
    for match in (NUMBER if spelt else DIGITS_ONLY).finditer(text):
        part = {name: written.lower() for name, written in match.groupdict().items() if written}
        scale = MAGNITUDES.get(part.get("magnitude") or part.get("sticky") or part.get("scale") or "", 1.0)
        if digits := part.get("digits"):
            year = scale == 1 and len(digits) == 4 and digits.isdigit() and digits[0] in "12"
            kind = "year" if year else "percent" if PERCENT.match(text, match.end()) else "number"
            found.append(Number(match.group().strip(), frozenset(round(value * scale, 6) for value in _readings(digits)), kind))
        elif part != {"word": "one"}:
            value = WORDS[part["word"]] + WORDS.get(part.get("digit", ""), 0.0)
            found.append(Number(match.group(), frozenset({value * scale}), "number" if "scale" in part else "word"))
    return found


def _readings(digits: str) -> set[float]:
    if digits.isdigit():
        return {float(digits)}
    readings = set()
    if GROUPED.fullmatch(digits):
        readings.add(float(re.sub(r"\D", "", digits)))
    *whole, fraction = re.split(r"\D", digits)
    if not GROUPED.fullmatch(digits) or (digits.count(".") == 1 and "," not in digits):
        readings.add(float(f"{''.join(whole)}.{fraction}"))
    return readings


def names(text: str) -> list[str]:
    """Capitalised words that do not begin a sentence."""
    return [name for name in NAME.findall(text) if name not in NOT_NAMES]


def months(text: str) -> set[float]:
    """The months that a text names, as the numbers a date would write."""
    return {MONTHS.index(month.lower()) + 1.0 for month in MONTH.findall(text)}


def negated(text: str) -> list[str]:
    """What follows each negation, up to the end of its clause."""
    return [re.split(r"[.,;:!?()]", text[found.end() : found.end() + SCOPE])[0] for found in NEGATION.finditer(text)]


def may_be_same(name: str, other: str) -> bool:
    """Whether two names may be forms of one: `LA` or `US` abbreviate, `African` and `Africa` share a stem."""
    return any(len(one) <= 4 and one.isupper() for one in (name, other)) or name[:4].casefold() == other[:4].casefold()
