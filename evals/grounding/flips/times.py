"""Years, months, weekdays and the order of events made wrong. Knows no quantity."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from numpy.random import Generator

from evals.grounding.flips.edits import Edit, cased, one_of

MONTHS = "January February March April May June July August September October November December".split()
SHORT_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTH_NAMES = re.compile(rf"(?:{'|'.join(MONTHS)}|(?:{'|'.join(SHORT_MONTHS)})\.?)(?![^\W\d_])", re.IGNORECASE)
CALENDAR = re.compile(rf"\b(?:{'|'.join(MONTHS + WEEKDAYS)})(?=s?\b)", re.IGNORECASE)
SHORT_MONTH = re.compile(rf"(?<=\d )(?:{'|'.join(SHORT_MONTHS)})\b|\b(?:{'|'.join(SHORT_MONTHS)})(?=\.? \d)")
DOUBTFUL = re.compile(r"(?:in|on|of|since|until|by|last|next|early|late|\d|,|\() $")
"""What stands before a month that is also a word."""
YEAR = re.compile(r"1[0-9]\d\d|20\d\d")
YEARS = re.compile(
    r"(?<![^\W_])(?<![$€£#.,:/])(?P<year>1[0-9]\d\d|20\d\d)(?P<decade>s|'s)?(?![^\W_]|[.,:/]\d|[–-]\d\d\b)"
    r"|(?P<sticky>(?<!\d)(?:1\d|20)\d\d(?=年))"
)
YEAR_WORDS = one_of(
    "in since by until till from of during late early mid around circa year and to before after between the january february march april may "
    "june july august september october november december im jahr seit von bis en le el du del année в с до по год году года"
)
BEFORE_YEAR = re.compile(rf"(?:\b(?:{YEAR_WORDS}|\d{{1,2}}),? ?|[(–—/-])$", re.IGNORECASE)
COUNTED = re.compile(r"\s(?:[a-z]+s\b|people|men|women|km|m\b|kg|%|per\b|feet|million|thousand)|%")
CLAUSES = (("before", "after"), ("since", "until"), ("earlier", "later"))
ORDER = re.compile(r"\b(?:before|after|earlier|later|since|until)\b", re.IGNORECASE)
NAMED = re.compile(
    r"\b(?:named|modelled|look\w*|take[sn]?|took|shortly|soon|well|day|year|time|sought|ever|long) $", re.IGNORECASE
)
NOT_ORDER = re.compile(r" (?:all|that point)\b|-", re.IGNORECASE)
TIME_FOLLOWS = re.compile(rf" (?:\d|the |its |his |her |their |then|{'|'.join(MONTHS)})")
OTHERS = {
    "morning": "evening",
    "evening": "morning",
    "summer": "winter",
    "winter": "summer",
    "yesterday": "tomorrow",
    "tomorrow": "yesterday",
    "weekly": "monthly",
    "monthly": "weekly",
    "annually": "monthly",
    "annual": "monthly",
    "daily": "weekly",
}
OTHER = re.compile(rf"(?<!\bgood )\b(?:{'|'.join(OTHERS)})\b(?!-)", re.IGNORECASE)
LATEST = 2029


def is_year(text: str, start: int, end: int) -> bool:
    """Whether four digits stand where a year would, and not a quantity."""
    if COUNTED.match(text, end):
        return BEFORE_YEAR.search(text[max(0, start - 12) : start]) is not None and not text[end : end + 2].startswith(
            ("%", " %")
        )
    return True


def edits(claim: str, pool: Sequence[str], chance: Generator, *, english: bool) -> Iterator[Edit]:
    """One edit for each year, and in English for each month, weekday and word of order."""
    yield from _years(claim, pool, chance)
    if english:
        yield from _calendar(claim, pool, chance)
        yield from _order(claim)
        yield from (Edit(*match.span(), cased(OTHERS[match.group().lower()], match.group())) for match in OTHER.finditer(claim))


def _years(claim: str, pool: Sequence[str], chance: Generator) -> Iterator[Edit]:
    found = [match for match in YEARS.finditer(claim) if match["sticky"] or is_year(claim, match.start(), match.end())]
    written = {int(match["year"] or match["sticky"]) for match in found}
    for match in found:
        year = int(match["year"] or match["sticky"])
        below, above = (
            max([0, *(other for other in written if other < year)]),
            min([LATEST, *(other for other in written if other > year)]),
        )
        offset = 10 * int(chance.integers(1, 4)) if match["decade"] else int(chance.integers(1, 12))
        candidates = [other for other in (year + offset, year - offset) if below < other < above]
        if not match["decade"]:
            candidates = [
                other
                for text in pool
                for other in _said(text)
                if below < other < above and other != year and abs(other - year) <= 60
            ] or candidates
        if candidates:
            yield Edit(match.start(), match.start() + 4, str(candidates[int(chance.integers(len(candidates)))]))


@lru_cache(maxsize=4096)
def _said(text: str) -> tuple[int, ...]:
    """The years that a text names."""
    found = (match for match in YEARS.finditer(text) if not match["decade"] and is_year(text, match.start(), match.end()))
    return tuple(int(match["year"] or match["sticky"]) for match in found)


def _calendar(claim: str, pool: Sequence[str], chance: Generator) -> Iterator[Edit]:
    for match in CALENDAR.finditer(claim):
        word = match.group().capitalize()
        if word in ("March", "May", "August") and not DOUBTFUL.search(claim, 0, match.start()):
            continue
        names = MONTHS if word in MONTHS else WEEKDAYS
        others = [name for name in names if name != word and name not in claim]
        said = [name for name in others if any(name in text for text in pool)]
        other = (said or others)[int(chance.integers(len(said or others)))]
        yield Edit(*match.span(), other.lower() if match.group().islower() else other)
    for match in SHORT_MONTH.finditer(claim):
        others = [name for name in SHORT_MONTHS if name != match.group()]
        yield Edit(*match.span(), others[int(chance.integers(len(others)))])


def _order(claim: str) -> Iterator[Edit]:
    for match in ORDER.finditer(claim):
        word = match.group().lower()
        doubtful = word in ("since", "until") and not TIME_FOLLOWS.match(claim, match.end())
        if doubtful or NAMED.search(claim, 0, match.start()) or NOT_ORDER.match(claim, match.end()):
            continue
        (pair,) = (pair for pair in CLAUSES if word in pair)
        yield Edit(*match.span(), cased(pair[1 - pair.index(word)], match.group()))
