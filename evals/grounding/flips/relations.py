"""Relations made wrong: the two sides of a verb change places, or a word gives way to its opposite. Knows English."""

import itertools
import re
from collections.abc import Iterator

from numpy.random import Generator

from evals.grounding.flips.edits import Edit, cased, one_of
from evals.grounding.flips.names import names
from evals.grounding.flips.opposites import ABLE_TO, ACTIVE, OPPOSITES, PASSIVE, PHRASAL
from rag.text.sentences import sentences

FOLLOWED = {
    "all": r" (?:of )?the\b",
    "over": r" \d",
    "under": r" \d",
    "most": r" (?:common|popular|important|[a-z]+(?:al|ive|ful|ant|ent|ous)\b)",
    "against": r" (?:the|a|his|her|its|their)\b",
    **dict.fromkeys(("north", "south", "east", "west"), r" of\b"),
    **dict.fromkeys(("above", "below"), r" (?:the|a)\b"),
    **dict.fromkeys(
        ("long", "short", "good", "old", "fast", "slow", "wide", "heavy", "near", "early", "late", "high", "low"), r" [a-z\d]+"
    ),
    **dict.fromkeys(("longer", "shorter"), r" (?:than|period|time|life|distance)"),
    "able": r" to\b",
    "kept": r" the\b",
    "sold": r" (?:the|a|an|his|its|their|\d)",
    **dict.fromkeys(("fail", "fails", "failed"), r"(?! to)"),
    "fall": r" (?:in|by|to|below)\b",
    "left": r" (?:the|in|at|on|for|from)\b",
    "benefits": r" (?:of|from|include|for)\b",
    **dict.fromkeys(("rose", "fell"), r" (?:to|by|sharply|again)\b"),
    **dict.fromkeys(
        ("expanded", "raised", "lowered", "supported", "included", "excluded", "closed", "opened", "improved"),
        r" (?:the|a|an|its|his|her|their|in|on|to)\b",
    ),
    **dict.fromkeys(("allowed", "forbidden", "required"), r" to\b"),
    "created": r" (?:the|a|an|by)\b",
    "more": r" (?!and\b|or\b|recently\b|info|than one\b)",
}
"""What must come after a word that may mean something else."""
PAIRED = one_of(
    "positive negative open close hot cold good bad easy male female public private men women early late old new large small high low "
    "north south more less"
)
FIXED = re.compile(
    rf"\b(?:{PAIRED} (?:and|or|to) \w+|\w+ (?:and|or|to) {PAIRED}|as {one_of('long well good old early late high low much many large fast')} as"
    rf"|as {one_of('early late long')}|no {one_of('longer more less better')}|at {one_of('most least best worst last first')}"
    rf"|(?:the )?most part|high {one_of('school street court')}|hot dogs?|how {one_of('long old many often')}"
    rf"|so {one_of('long many far')}|natural language"
    rf"|years? old|(?:all|once) over|long ago|(?:better|best) known|best[- ]selling|man[- ]made|one man"
    rf"|the {one_of('public young old poor rich best_of')}|for good|(?:a|the) good (?:deal|many))\b",
    re.IGNORECASE,
)
"""Where a word does not mean its opposite's opposite, or the opposite stands beside it."""
WORD = re.compile(r"(?<![\w'’-])[a-z]+(?:-[a-z]+)?(?![\w'’-])")
NO_NOUNS = one_of(
    "he she it they we you i who which that this these those there what is are was were be been has have had do does did can could will "
    "would should must may might not and or but to by in on at with from for as than if when while because after before into during "
    "about over under since until so yes yeah no also then here such more most one some many both all each how why where according "
    "however although"
)
NOUN = rf"(?!{NO_NOUNS}\b|\w+ly\b)[\w’'-]+"
NOUN_PHRASE = rf"(?:{NOUN} ){{0,4}}?{NOUN}"
HOW = rf"(?:{one_of('also later then first once often usually typically generally still is was are were has had')} )"
VERB = rf"(?:{'|'.join(ACTIVE)}|(?:{'|'.join(PASSIVE)}) by|{one_of(PHRASAL)})"
ABLE = rf"(?:can|may|could|will|must) {one_of(ABLE_TO)}"
AFTER_PHRASE = one_of(
    "in on at with from to for of and by near because while when after before into during through that who which is are as but or due"
)
PHRASE_ENDS = rf"(?= {AFTER_PHRASE}\b|[.,;]|\s*$)"
SIDES = re.compile(
    rf"(?P<one>{NOUN_PHRASE}) {HOW}*(?:{VERB}|{ABLE}|(?<=is )[a-z]+ing(?= (?:the|an?) )|(?<=are )[a-z]+ing(?= (?:the|an?) )) "
    rf"(?P<two>(?!{one_of('up down out off more less well all how')} ){NOUN_PHRASE}){PHRASE_ENDS}",
    re.IGNORECASE,
)
BETWEEN = re.compile(
    rf"\s(?:(?:{one_of('also later then first once has had is was were are who been already')}|\w+ly)\s)*(?:{VERB}|[a-z]+er than)\s(?:the\s)?"
)
JOURNEY = re.compile(r"\bfrom (?P<one>[A-Z]\w+(?: [A-Z]\w+)?) to (?P<two>[A-Z]\w+(?: [A-Z]\w+)?)")
DETERMINERS = frozenset("the a an his her its their".split())
COMMON = re.compile(r"[A-Z][a-z]+(?:s|ing|tion|ment|ness|ity|ism|ance|ence|ogy|er|or|al|ic|ed)")
"""What is hardly a name where it begins a sentence."""
PLURAL = re.compile(r"[^su]s$|people$|men$|children$")
EXCHANGED = 0.5
"""How often the sides of a verb change places where they can: else opposites, of which there are more, would be all."""


def edits(claim: str, chance: Generator) -> Iterator[Edit]:
    """The sides of a verb exchanged where they can be told, or each word that has an opposite replaced."""
    exchanges, opposites = list(_exchanges(claim)), list(_opposites(claim))
    yield from exchanges if exchanges and (not opposites or chance.random() < EXCHANGED) else opposites


def _opposites(claim: str) -> Iterator[Edit]:
    fixed = [found.span() for found in FIXED.finditer(claim)]
    for match in WORD.finditer(claim):
        word = match.group()
        if word not in OPPOSITES or any(start <= match.start() < end for start, end in fixed):
            continue
        if word not in FOLLOWED or re.match(FOLLOWED[word], claim[match.end() :]):
            yield from (Edit(*match.span(), other) for other in OPPOSITES[word])


def _exchanges(claim: str) -> Iterator[Edit]:
    for start, _ in sentences(claim):
        if (sides := SIDES.match(claim, start)) and _exchangeable(sides["one"].lower(), sides["two"].lower()):
            yield _exchanged(claim, sides.span("one"), sides.span("two"))
    if journey := JOURNEY.search(claim):
        yield _exchanged(claim, journey.span("one"), journey.span("two"))
    for one, two in itertools.pairwise(names(claim)):
        if BETWEEN.fullmatch(claim, one.end, two.start) and not claim.startswith(("'", "’"), two.end):
            yield _exchanged(claim, (one.start, one.end), (two.start, two.end))


def _exchanged(claim: str, one: tuple[int, int], two: tuple[int, int]) -> Edit:
    """Two spans in each other's place; a determiner keeps the letter case of where it stands."""
    first, second = claim[slice(*one)], claim[slice(*two)]
    opening = first.split()[0]
    if opening.lower() in DETERMINERS or COMMON.fullmatch(opening):
        first, second = first[0].lower() + first[1:], cased(second, first)
    return Edit(one[0], two[1], second + claim[one[1] : two[0]] + first)


def _exchangeable(one: str, two: str) -> bool:
    """Whether the verb fits either as its subject; what ends in a participle is no whole phrase."""
    return (
        one != two and not one.endswith("ed") and not two.endswith("ed") and bool(PLURAL.search(one)) == bool(PLURAL.search(two))
    )
