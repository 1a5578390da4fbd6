"""Words that turn a sentence round: opposites, and words that say how much or how surely. English only.

Knows pairs and scales of words; knows nothing of sentences.
"""

import functools

from rag.text import analyzer

OPPOSITES = (
    "increase decrease|increase reduce|rise fall|grow shrink|more less|more fewer|higher lower|high low|"
    "before after|always never|first last|above below|over under|enable disable|allow forbid|allow prohibit|"
    "allow prevent|permit prohibit|required optional|mandatory optional|minimum maximum|least most|open closed|"
    "opened closed|start end|begin end|include exclude|accept reject|true false|left right|north south|"
    "northern southern|east west|eastern western|early late|earlier later|win lose|won lost|victory defeat|"
    "buy sell|bought sold|add remove|success failure|succeed fail|public private|internal external|inside outside|"
    "faster slower|fast slow|larger smaller|large small|big small|largest smallest|longer shorter|long short|"
    "better worse|best worst|good bad|gain lose|male female|man woman|men women|boy girl|legal illegal|"
    "with without|encourage discourage|support oppose|positive negative|same different|all none|up down|"
    "import export|strong weak|stronger weaker|hot cold|warm cool|wet dry|from to|into out|since until|"
    "morning evening|day night|summer winter|old new|older younger|old young|husband wife|father mother|"
    "son daughter|brother sister|alive dead|born died|rich poor|wide narrow|deep shallow|safe dangerous|"
    "possible impossible|common rare|heavy light|dark light|full empty|hard soft|cheap expensive|love hate|"
    "like dislike|arrive leave|enter leave|join leave|approve reject|agree disagree|attack defend|create destroy|"
    "build destroy|appear disappear|ancient modern|major minor|major minority|majority minority|top bottom|"
    "front back|upper lower|inner outer|upstream downstream|maximise minimise|maximize minimize|active inactive|"
    "visible invisible|temporary permanent|partial complete|voluntary compulsory|guilty innocent|frequently rarely|"
    "often rarely|usually rarely|many few|much little|several few|yesterday tomorrow|push pull|lead follow|"
    "raise lower|raise drop|strengthen weaken|improve worsen|expand contract|ascend descend|profit loss|"
    "advantage disadvantage|ally enemy|friend enemy|sit stand|teach learn|cause prevent|causes prevents|admit deny|"
    "confirm deny|convict acquit|attract repel|borrow lend|remember forget|praise criticise|praise criticize|"
    "employer employee|supporter opponent|foreign domestic|tall short|simple complex|simple complicated|"
    "easy difficult|easy hard|popular unpopular|natural artificial|solid liquid|indoor outdoor|indoors outdoors|"
    "king queen|actor actress|prince princess|uncle aunt|nephew niece|victim perpetrator|buyer seller|"
    "teacher student|parent child|quick slow|quickly slowly|near far|towards away|behind ahead|earliest latest|"
    "highest lowest|oldest youngest|longest shortest|fastest slowest|strongest weakest|greatest smallest|"
    "greater smaller|bigger smaller|biggest smallest|taller shorter|richer poorer|warmer colder|hotter colder|"
    "maximal minimal|beneficial harmful|benefit harm|helpful harmful|help hinder|protect endanger|provide lack|"
    "contain lack|prefer avoid|seek avoid|keep lose|win draw|agree refuse|accept refuse|accept decline|accept deny|"
    "grant deny|gradual sudden|gradually suddenly|directly indirectly|direct indirect|national international|"
    "local global|odd even|single multiple|alone together|horizontal vertical|clockwise counterclockwise|"
    "primary secondary|former latter|first second|northwest southeast|northeast southwest|northeastern southwestern|"
    "northwestern southeastern|daily weekly|weekly monthly|monthly annual|annually monthly|optimistic pessimistic|"
    "optimism pessimism|asleep awake|present absent|presence absence|heat cool|freeze melt|inhale exhale|"
    "urban rural|civilian military|peace war|tighten loosen|thick thin|rough smooth|sharp blunt|clean dirty|"
    "bright dull|active passive|offensive defensive|offence defence|offense defense|marry divorce|hire fire|"
    "employ dismiss|appoint dismiss|promote demote|arrest release|capture release|open shut|close open|float sink|"
    "above beneath|strength weakness|likely unlikely|run walk|walk drive|surplus deficit|credit debit|debtor creditor|plaintiff defendant"
)
PREFIXES = ("un", "in", "im", "ir", "dis", "non", "il")
SCALES = (
    (
        "all every each always entirely",
        "most mostly usually generally",
        "many often",
        "some sometimes several",
        "few rarely seldom",
    ),
    ("must will shall", "should", "may might could"),
)
"""Words that say how much, and how surely, from strong to weak."""
STRENGTHS = {
    word: (scale, -step) for scale, steps in enumerate(SCALES) for step, words in enumerate(steps) for word in words.split()
}
PARTICLES = frozenset(
    "before after since until more less fewer most least many few much little above below over under up down from to into out with off on "
    "always never often rarely usually seldom sometimes all none".split()
).union(STRENGTHS)
"""Words that lead to others and have opposites, or a strength."""


@functools.cache
def opposites(language: str) -> dict[str, frozenset[str]]:
    """Each term's opposites."""
    if language != "en":
        return {}
    found: dict[str, set[str]] = {}
    for pair in OPPOSITES.split("|"):
        one, other = ("".join(analyzer.terms(word, language)) for word in pair.split())
        found.setdefault(one, set()).add(other)
        found.setdefault(other, set()).add(one)
    return {term: frozenset(others) for term, others in found.items()}


@functools.lru_cache(maxsize=50_000)
def opposed(word: str, other: str, language: str) -> bool:
    """Whether two words in lower case are opposites, or one is the other with a denying prefix."""
    if language != "en":
        return False
    one, two = ("".join(analyzer.terms(either, language)) for either in (word, other))
    if two in opposites(language).get(one, ()):
        return True
    short, long = sorted((word, other), key=len)
    return len(short) > 3 and long.endswith(short) and long[: -len(short)] in PREFIXES


def stronger(word: str, other: str) -> bool:
    """Whether one of two words in lower case says more, or more surely, than the other: `must` than `may`, `all` than `some`."""
    (scale, strength), (other_scale, other_strength) = STRENGTHS.get(word, (0, 0)), STRENGTHS.get(other, (1, 0))
    return scale == other_scale and strength > other_strength
