"""Quantities changed in value, their unit, magnitude and form kept. Knows no claim's meaning."""

import math
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from numpy.random import Generator

from evals.grounding.flips.edits import Edit, cased
from evals.grounding.flips.times import MONTH_NAMES, YEAR, is_year

FEW = "zero one two three four five six seven eight nine ten eleven twelve".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()
SPELT = re.compile(rf"\b(?:(?:{'|'.join(TENS)})-(?:{'|'.join(FEW[1:10])})|{'|'.join(FEW[2:] + TENS)})\b(?!-)", re.IGNORECASE)
ORDINAL = re.compile(rf"(?<=\bthe )(?:{'|'.join(ORDINALS[1:])})(?= [a-z])|\b(?:{'|'.join(ORDINALS[2:])})(?= [a-z])")
LETTER = r"A-Za-zÀ-ɏЀ-ӿ\d_"
"""Of the scripts that part words by spaces: a digit beside one belongs to a word."""
UNIT = "(?:%|k|m|bn|km|kg|cm|mm|mph|ft|lb|kb|mb|gb|am|pm)"
DIGITS = re.compile(
    rf"(?<![{LETTER}\[])(?<![^\W\d][-.:/#@])(?<!\d[.,:/-])(?P<digits>\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    rf"(?P<suffix>st|nd|rd|th)?(?={UNIT}(?![{LETTER}])|(?![{LETTER}\]]|[.:/]\d|-\d+-))"
)
CLOCK = re.compile(r"(?<![\d:])(?P<hour>\d{1,2})(?=:\d{2}(?![\d:]))")
PERCENT = re.compile(r"[\s-]?(?:%|per ?cent)", re.IGNORECASE)
SCALE = re.compile(r"[\s-]?(?:hundred|thousand|million|billion|trillion|mn|bn|m|k)\b", re.IGNORECASE)
MONEY = re.compile(r"[$€£¥#]\s?$")
WITHIN = 5.0
"""A number of the pool stands in for one at most so many times larger or smaller."""
ENOUGH = 0.08
"""The least share by which a large value differs: rounding would excuse less."""
SMALL = 100
"""Up to here, every whole number is another."""
LARGEST = 2**63 - 1
"""That a random generator draws up to."""
TRIES = 20
AT_LEAST = re.compile(r"\b(?:at least|more than|over|above|exceed\w*|minimum of) [$€£¥#]?$", re.IGNORECASE)
AT_MOST = re.compile(r"\b(?:at most|less than|fewer than|under|below|up to|maximum of|nearly|almost) [$€£¥#]?$", re.IGNORECASE)
"""What a smaller number, or a larger one, would follow from."""


class Number(NamedTuple):
    """A number as written, and what kind of quantity it is."""

    start: int
    end: int
    text: str
    value: float
    kind: str


def edits(claim: str, pool: Sequence[str], chance: Generator, *, english: bool) -> Iterator[Edit]:
    """One edit for each number of the claim that another value can replace."""
    found = _numbers(claim)
    taken = {number.value for number in found}
    for number in found:
        if number.value in (0, 1):
            continue
        told = claim[: number.start]
        least = number.value if AT_LEAST.search(told) else 0.0
        most = number.value if AT_MOST.search(told) else math.inf
        others = [
            other.text
            for text in pool
            for other in _numbers(text)
            if other.kind == number.kind
            and least <= other.value <= most
            and other.value not in taken
            and _apart(other.value, number)
        ]
        written = others[int(chance.integers(len(others)))] if others else _changed(number, least, most, taken, chance)
        if written:
            yield Edit(number.start, number.end, written)
    if english:
        yield from _spelt(claim, chance)


def _spelt(claim: str, chance: Generator) -> Iterator[Edit]:
    for match in SPELT.finditer(claim):
        tens, _, units = match.group().lower().rpartition("-")
        scale = TENS if units in TENS else FEW[1:10] if tens else FEW[2:]
        other = _another(scale, units, chance)
        yield Edit(match.start(), match.end(), cased(f"{tens}-{other}" if tens else other, match.group()))
    for match in ORDINAL.finditer(claim):
        yield Edit(match.start(), match.end(), _another(ORDINALS, match.group(), chance))


def _another(words: Sequence[str], word: str, chance: Generator) -> str:
    """A word at most three places away."""
    place = words.index(word)
    near = [other for index, other in enumerate(words) if 0 < abs(index - place) <= 3]
    return near[int(chance.integers(len(near)))]


@lru_cache(maxsize=4096)
def _numbers(text: str) -> tuple[Number, ...]:
    """The numbers written in digits, years and parts of identifiers aside."""
    found = []
    for match in DIGITS.finditer(text):
        written = match["digits"]
        start, end = match.span("digits")
        if not (YEAR.fullmatch(written) and is_year(text, start, end)):
            found.append(Number(start, end, written, float(written.replace(",", "")), _kind(text, match, start, end)))
    found += [Number(*match.span(), match.group(), float(match.group()), "hour") for match in CLOCK.finditer(text)]
    return tuple(found)


def _kind(text: str, match: re.Match[str], start: int, end: int) -> str:
    if match["suffix"]:
        return f"ordinal {match['suffix']}"
    if MONTH_NAMES.search(text[max(0, start - 12) : start]) or MONTH_NAMES.match(text[end : end + 14].lstrip(" of")):
        return "day"
    form = "fraction" if "." in match["digits"] else "whole"
    if PERCENT.match(text, end):
        return f"percent {form}"
    scale = SCALE.match(text, end)
    return " ".join(
        ("money" if MONEY.search(text[:start]) else "number", form, scale.group().strip(" -").lower() if scale else "")
    )


def _apart(value: float, number: Number) -> bool:
    """Whether a value is another quantity, and still of the same order."""
    enough = 1 if number.value <= SMALL and number.value.is_integer() else ENOUGH * number.value
    return value > 1 and abs(value - number.value) >= enough and 1 / WITHIN <= value / number.value <= WITHIN


def _changed(number: Number, least: float, most: float, taken: set[float], chance: Generator) -> str | None:
    """Another value with as many digits, decimals and final zeros."""
    digits = number.text.replace(",", "")
    _, _, fraction = digits.partition(".")
    zeros = 0 if fraction else min(len(digits) - len(digits.rstrip("0")), len(digits) - 1)
    step = 10.0 ** (zeros - len(fraction))
    places = round(number.value / step)
    reach = max(3, places // 2)
    most = min(most, {"day": 28, "hour": 12 if number.value <= 12 else 23}.get(number.kind, math.inf))
    if number.kind.startswith("percent") and number.value <= 100:
        most = min(most, 100)
    lowest, highest = max(places - reach, math.ceil(least / step), 1), places + reach
    highest = highest if math.isinf(most) else min(highest, math.floor(most / step))
    for _ in range(TRIES if lowest < highest < LARGEST else 0):
        value = round(int(chance.integers(lowest, highest + 1)) * step, len(fraction))
        differs = abs(value - number.value) >= (step if number.value <= SMALL else ENOUGH * number.value)
        fits = value not in taken and (fraction or value != 1)
        if fits and differs and (not number.kind.startswith("ordinal") or number.kind.endswith(_suffix(int(value)))):
            return f"{value:{',' if ',' in number.text else ''}.{len(fraction)}f}"
    return None


def _suffix(value: int) -> str:
    return "th" if 10 <= value % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
