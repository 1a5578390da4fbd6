"""The quantities that a text names: their values, units and magnitudes, whichever way they are written.

Knows digits in any language, and number words, months and units in English. Knows nothing of how two texts are compared.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

MONTHS = "january february march april may june july august september october november december".split()
WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
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
MEASURES = {
    "length": {"mm": 1e-3, "cm": 1e-2, "m": 1.0, "metre": 1.0, "meter": 1.0, "km": 1e3, "kilometre": 1e3, "kilometer": 1e3}
    | {"mile": 1609.344, "foot": 0.3048, "feet": 0.3048, "ft": 0.3048, "inch": 0.0254, "yard": 0.9144},
    "mass": {"mg": 1e-6, "g": 1e-3, "gram": 1e-3, "kg": 1.0, "kilogram": 1.0, "tonne": 1e3, "lb": 0.45359237, "ounce": 0.0283495},
    "time": {"millisecond": 1e-3, "ms": 1e-3, "second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0, "week": 604_800.0}
    | {"month": 2_629_746.0, "year": 31_556_952.0, "decade": 315_569_520.0, "century": 3_155_695_200.0},
    "data": {"byte": 1.0, "kb": 1e3, "kib": 1e3, "mb": 1e6, "mib": 1e6, "gb": 1e9, "gib": 1e9, "tb": 1e12, "tib": 1e12},
    "celsius": {"°c": 1.0, "celsius": 1.0},
    "fahrenheit": {"°f": 1.0, "fahrenheit": 1.0},
    "dollars": {"$": 1.0, "dollar": 1.0, "usd": 1.0},
    "euros": {"€": 1.0, "euro": 1.0, "eur": 1.0},
    "pounds": {"£": 1.0, "gbp": 1.0},
    "yen": {"¥": 1.0, "yen": 1.0},
    "points": {"percentage point": 1.0},
    "percent": {"%": 1.0, "percent": 1.0, "per cent": 1.0, "pct": 1.0, "percentage": 1.0}
    | {"prozent": 1.0, "pour cent": 1.0, "por ciento": 1.0, "процент": 1.0},
}
FACTORS = {word: (dimension, factor) for dimension, measures in MEASURES.items() for word, factor in measures.items()}
BINARY = {1e3: 1024.0, 1e6: 1024.0**2, 1e9: 1024.0**3, 1e12: 1024.0**4}
"""What a unit of data may stand for as well."""
CURRENCIES = "$€£¥"
UNIT = re.compile(
    rf"[\s-]?({'|'.join(sorted(map(re.escape, FACTORS), key=len, reverse=True))})(?:e?s)?(?![^\W\d_])|\s?([%{CURRENCIES}])",
    re.IGNORECASE,
)
RANGE = re.compile(r"\s?(?:[-\u2013]\s?(?:to\s)?|to\s)[$€£¥]?\d+(?:[.,]\d+)*")
"""What may stand between a number and the unit that it shares with the next: `20-50 %`, `3 to 5 days`, `18- to 49-year-old`."""
ENDS = re.compile(rf"(?:{UNIT.pattern})?\s?(?:[-\u2013]\s?(?:to\s)?|to\s)[$€£¥]?", re.IGNORECASE)
"""What stands between the ends of a range, the unit of the first included: `20% to 50%`."""
LETTERS = re.compile(r"[A-Za-z]+")
DIGITS = re.compile(
    r"\d\d*(?:[.,'\u2019\u00a0\u202f]\d+)*(?:(?:st|nd|rd|th)(?![^\W\d_]))?"
    rf"(?:[\s-]?(?P<magnitude>{'|'.join(sorted(map(re.escape, MAGNITUDES), key=len, reverse=True))})(?![^\W\d_])|(?P<sticky>[千万萬亿億]))?",
    re.IGNORECASE,
)
"""Begins with a digit, and with nothing before it, so that `re` leaps from digit to digit."""
DIGIT = re.compile(r"\d+(?:[.,'\u2019\u00a0\u202f]\d+)*")
SPELT = re.compile(
    rf"(?P<word>{'|'.join(WORDS)})\b(?:[\s-](?P<digit>{'|'.join(UNITS[1:10])})\b)?(?:[\s-](?P<scale>hundred|thousand|million|billion|trillion)\b)?",
    re.IGNORECASE,
)
GROUPED = re.compile(r"\d{1,3}(?:([.,'\u2019\u00a0\u202f])\d{3})(?:\1\d{3})*")
PREFIX = "._"
"""What stands before digits that belong to an identifier or a version."""
APPROXIMATE = re.compile(
    r"(?:about|around|approximately|roughly|nearly|almost|over|under|circa|some|estimated|than|least|most|up to|close to|~|≈)[\s$€£¥]*$",
    re.IGNORECASE,
)
ROUNDING = 0.06
"""Of a value within which an approximate one may lie."""


class Number(NamedTuple):
    """A quantity as written, `text[start:end]`, and the values it may stand for: `1.200` is 1.2 in English and 1200 in German."""

    text: str
    start: int
    end: int
    values: frozenset[float]
    kind: str
    """`year`, `ordinal`, `number`, or `word` for a small number that is spelt out."""
    unit: str = ""
    """The dimension of its unit: `length`, `percent`, `euros`; empty where none is known."""
    factor: float = 1.0
    """Of its unit, in the base unit of the dimension."""
    approximate: bool = False
    ranged: bool = False
    """Whether it is one end of a range that has a unit: `3 to 5 days` is neither 3 days nor 5."""

    @property
    def amounts(self) -> frozenset[tuple[str, float]]:
        """Its values in the base unit: 5 km and 5,000 m are one, and so are 1.5 KB and 1,500 or 1,536 bytes."""
        if not self.unit:
            return frozenset()
        factors = {self.factor, BINARY.get(self.factor, self.factor)} if self.unit == "data" else {self.factor}
        return frozenset((self.unit, float(f"{value * factor:.4g}")) for value in self.values for factor in factors)

    def comparable(self, other: "Number") -> bool:
        """Whether one can stand where the other is meant."""
        kinds = {self.kind, other.kind}
        return (len(kinds) == 1 or kinds == {"number", "word"}) and (self.unit == other.unit or not (self.unit and other.unit))

    def says(self, other: "Number") -> bool:
        """Whether both name one quantity."""
        if self.unit and other.unit:
            return not self.amounts.isdisjoint(other.amounts)
        return not self.values.isdisjoint(other.values)

    def near(self, values: "frozenset[float]") -> bool:
        """Whether it is given as approximate, or is round, and one of the values would be rounded to it."""
        return any(
            abs(value - own) <= ROUNDING * abs(own) for own in self.values if self.approximate or _round(own) for value in values
        )


def numbers(text: str) -> list[Number]:
    """The numbers of a text, in order: `1.2 million` is 1200000, `twenty-one` 21; a lone `one` is none, it is mostly a pronoun."""
    found = [*_digits(text), *_spelt(text)]
    return _ranged(sorted(found, key=lambda number: number.start), text) if len(found) > 1 else found


def _ranged(found: list[Number], text: str) -> list[Number]:
    """With both ends of each range marked."""
    for index in range(1, len(found)):
        one, other = found[index - 1], found[index]
        if one.unit and one.unit == other.unit and ENDS.fullmatch(text, one.end, other.start):
            found[index - 1 : index + 1] = one._replace(ranged=True), other._replace(ranged=True)
    return found


def _digits(text: str) -> Iterator[Number]:
    for match in DIGITS.finditer(text):
        start, end = match.span()
        before = text[start - 1] if start else " "
        if before in PREFIX or (before.isascii() and before.isalpha()):
            continue
        written = DIGIT.match(text, start)
        digits = written.group() if written else match.group()
        magnitude = (match["magnitude"] or match["sticky"] or "").lower()
        unit, factor = _unit(text, start, end)
        if magnitude == "m" and not unit and match.group()[-2].isspace():
            magnitude, unit = "", "length"
        values = {round(value * MAGNITUDES.get(magnitude, 1.0), 6) for value in _readings(digits)}
        if magnitude in ("m", "b", "k") and not unit:
            values |= _readings(digits)
        ordinal = match.group()[-2:].lower() in ("st", "nd", "rd", "th")
        year = not (magnitude or ordinal or unit) and len(digits) == 4 and digits.isdigit() and digits[0] in "12"
        kind = "year" if year else "ordinal" if ordinal else "number"
        yield Number(match.group().strip(), start, end, frozenset(values), kind, unit, factor, _approximate(text, start))


def _spelt(text: str) -> Iterator[Number]:
    if WORDS.keys().isdisjoint(map(str.lower, LETTERS.findall(text))):
        return
    end = 0
    for letters in LETTERS.finditer(text):
        if letters.group().lower() not in WORDS or letters.start() < end:
            continue
        match = SPELT.match(text, letters.start())
        if match is None or (match.group().lower() == "one"):
            continue
        end = match.end()
        word = match["word"].lower()
        value = WORDS[word] + WORDS.get((match["digit"] or "").lower(), 0.0)
        unit, factor = _unit(text, match.start(), end)
        kind = "number" if match["scale"] else "ordinal" if word in ORDINALS else "word"
        scale = MAGNITUDES.get((match["scale"] or "").lower(), 1.0)
        yield Number(
            match.group(), match.start(), end, frozenset({value * scale}), kind, unit, factor, _approximate(text, match.start())
        )


def _unit(text: str, start: int, end: int) -> tuple[str, float]:
    """The dimension and factor of the unit beside a number."""
    if start and text[start - 1] in CURRENCIES:
        return FACTORS[text[start - 1]]
    match = UNIT.match(text, end)
    if match is None and (shared := RANGE.match(text, end)):
        match = UNIT.match(text, shared.end())
    return FACTORS[(match[1] or match[2]).lower()] if match else ("", 1.0)


def _approximate(text: str, start: int) -> bool:
    return APPROXIMATE.search(text, max(0, start - 16), start) is not None


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


def _round(value: float) -> bool:
    """Whether it has at most two digits that are not final zeros, and is large."""
    return value >= 1000 and value == float(f"{value:.2g}")
